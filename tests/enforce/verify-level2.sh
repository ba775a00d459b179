# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Sourced by tests/lab/enforce.sh: what suite-level2 left.
status level2 0
matches "$(name 'level 2: armed and proved')" "$(cat "$out/level2.err")" 'armed and proved: hypercalls \(gate\), the VMMs'
none "$(name 'level 2: all was counted')" "$(grep -E 'NOT ASKED|[1-9][0-9]* found' "$out/level2.err")"

same "$(name 'level 2: other ioctls are what they were')" "$out/before.ioctls" "$out/level2.ioctls"

matches "$(name 'leaves: said at the end')" "$(cat "$out/level2.err")" ': 9 requests were beyond what can be counted'
status baseline 0
status loaded 0
equal "$(name 'over: the baseline, as it was told')" 'over: baseline 92K' "$(sed 's/^VM [0-9]* //' "$out/baseline.out")"
status freeze 0
status unfreeze 0
equal "$(name 'over: frozen and released by hand')" 'over is frozen,over runs again,' \
	"$(cat "$out/freeze.out" "$out/unfreeze.out" | sed 's/^VM [0-9]* //' | tr '\n' ,)"
status free 0

verify_level2() {
	local out=$out/level2 foretold vm
	ln -sf ../level2.ke ../level2.out "$out/"
	# amounts: refused, came out
	sides level2 amount $((297 + 2 + 1)) $((400 + 400 + 103 + 100 + 100 + 1 + 1))
	equal "$(name 'amount: never more than 503 pages, and 503 at the end')" '503 503' "$(most_shared amount) $(shared_pages amount)"
	sides level2 percent 22 499

	sides level2 answers 3 7
	equal "$(name 'answers: as much as may be')" 53 "$(shared_pages answers)"
	sides level2 reset 2 2
	sides level2 late 89 211
	equal "$(name 'late: exactly, while the tool is stopped')" 211 "$(shared_pages late)"
	sides level2 absent 3 5
	equal "$(name 'absent: what was never shared makes no room')" 31 "$(shared_pages absent)"
	sides level2 over 16 46
	equal "$(name 'alone: each request, by an account of its own')" '503 0' "$(account level2 alone 701)"
	equal "$(name 'together: never more than 701 pages, whoever shares and takes back')" true \
		"$([ "$(most_shared together)" -le 701 ] && echo true)"
	equal "$(name 'together: all are told')" 844 "$(of level2 together '| map(select(.kind == "verdict")) | length' |
		awk -v out="$(truth together .requests)" '{print $1 + out}')"
	sides level2 leaves $((7 + 1 + 1)) $((1024 + 1 + 1 + 1 + 1))
	equal "$(name 'leaves: refused as what cannot be counted')" 9 "$(of level2 leaves '| map(select(.beyond)) | length')"
	equal "$(name 'leaves: a page in each of so many')" 1024 "$(jq '[.shared[][0] / 4096 | floor] | unique | length' "$out/leaves.truth")"

	# rates
	for vm in bucket-one bucket-two; do
		bucket level2 $vm 1 13
		equal "$(name "$vm: passed and refused are all, for the guest and for the tool")" '31 true' "$(jq -s --argjson told \
			"$(told level2 $vm deny)" -r '.[0] | "\(.requests + .refused_map.eperm) \(.refused_map.eperm == $told)"' "$out/$vm.truth")"
	done
	bucket level2 leak 41 17
	sides level2 pages $((2 + 2 + 1)) $((10 + 1))
	bucket level2 pages 1 1009 pages
	sides level2 both 14 9
	equal "$(name 'calls: 7 of a number that has a rate')" '12 0 3' "$(told level2 calls deny) $(truth calls .refused_map.eperm) $(truth calls .requests)"
	equal "$(name 'calls: the guest saw them refused')" true "$(jq '.refused.eperm == 12' "$out/calls.truth")"

	# monitored
	sides level2 some 0 31
	equal "$(name 'some: how many would have been refused is told')" 24 "$(of level2 some '| map(select(.would == "deny")) | length')"
	sides level2 often 0 31
	equal "$(name 'often: how many would have been refused is told')" true "$(of level2 often \
		'| map(select(.would == "deny")) | length | . <= 20 and . > 10')"

	sides level2 free 0 1009

	# What a policy refuses of a known number of conversions, foretold from a run without it.
	equal "$(name "without a veto: all come out")" 1009 "$(jq .requests "$out/../unwatched.truth")"
	foretold=$("$encstat" policy test "$here/../enforce/policies/range.yaml" "$out/../free.ke" --json 2>/dev/null |
		jq -s '[.[] | select(.action == "deny").requests] | add')
	sides level2 ranged "$foretold" $((1009 - foretold))
	none "$(name 'ranged: the VMM was asked for nothing that is refused')" \
		"$(jq -c '.conversions[] | select((.attrs < 16 and .gfn < 8192 and .gfn + .npages > 4096 and
			(.gfn < 6144 or .gfn + .npages > 6400)) or .npages > 512)' "$out/ranged.truth")"
	sides level2 watched 0 1009
	equal "$(name 'watched: what would have been refused is told')" "$foretold" \
		"$(of level2 watched '| map(select(.would == "deny")) | length')"
	sides level2 closed-db 31 0
	equal "$(name 'closed-db: shares nothing')" '[]' "$(jq -c .shared "$out/closed-db.truth")"
	equal "$(name 'numbers: 5 and above, and user mode, are refused; kernel mode converts')" '14 1' \
		"$(told level2 numbers deny) $(truth numbers .requests)"
	equal "$(name 'kill: told, and the VMM is gone')" '1 137' "$(told level2 kill kill) $(cat "$out/kill.guest-status")"
	thawed level2 frozen-seen gate
}
verify_level2
