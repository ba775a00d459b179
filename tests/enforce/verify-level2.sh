# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced by tests/lab/enforce.sh: what suite-level2 left.
# shellcheck disable=SC2154
status level2 0
matches "$(name 'level 2: armed and proved')" "$(cat "$out/level2.err")" 'armed and proved: hypercalls \(gate\), the VMMs'
none "$(name 'level 2: all was counted')" "$(grep -E 'NOT ASKED|[1-9][0-9]* found' "$out/level2.err")"

# amounts: refused, came out
sides level2 amount $((297 + 2 + 1)) $((400 + 400 + 103 + 100 + 100 + 1 + 1))
equal "$(name 'amount: never more than 503 pages, and 503 at the end')" '503 503' "$(jq -r '
	def bits($on; $c): reduce range($c.gfn; $c.gfn + $c.npages) as $page ($on; .["\($page)"] = ($c.attrs < 16));
	reduce .conversions[] as $c ([{}, 0]; .[0] = bits(.[0]; $c) | .[1] = ([.[1], ([.[0][] | select(.)] | length)] | max)) |
		.[1]' "$out/amount.truth") $(shared_pages amount)"
sides level2 percent 22 499

sides level2 answers 3 7
equal "$(name 'answers: as much as may be')" 53 "$(shared_pages answers)"
sides level2 reset 2 2
sides level2 late 89 211
equal "$(name 'late: exactly, while the tool is stopped')" 211 "$(shared_pages late)"
sides level2 absent 3 5
equal "$(name 'absent: what was never shared makes no room')" 31 "$(shared_pages absent)"
sides level2 over 16 46
status baseline 0
status loaded 0
equal "$(name 'over: the baseline, as it was told')" 'over: baseline 92K' "$(sed 's/^VM [0-9]* //' "$out/baseline.out")"
sides level2 leaves $((7 + 1 + 1)) $((1024 + 1 + 1 + 1 + 1))
equal "$(name 'leaves: refused as what cannot be counted')" 9 "$(of level2 leaves '| map(select(.beyond)) | length')"
equal "$(name 'leaves: a page in each of so many')" 1024 "$(jq '[.shared[][0] / 4096 | floor] | unique | length' "$out/leaves.truth")"
matches "$(name 'leaves: said at the end')" "$(cat "$out/level2.err")" ': 9 requests were beyond what can be counted'

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
equal "$(name 'calls: 7 of a number that has a rate')" '12 0 3' "$(told level2 calls deny) \
$(truth calls .refused_map.eperm) $(truth calls .requests)"
equal "$(name 'calls: the guest saw them refused')" true "$(jq '.refused.eperm == 12' "$out/calls.truth")"

# monitored
sides level2 some 0 31
equal "$(name 'some: how many would have been refused is told')" 24 "$(of level2 some '| map(select(.would == "deny")) | length')"
sides level2 often 0 31
equal "$(name 'often: how many would have been refused is told')" true "$(of level2 often \
	'| map(select(.would == "deny")) | length | . <= 20 and . > 10')"

sides level2 free 0 1009
equal "$(name 'kill: told, and the VMM is gone')" '1 137' "$(told level2 kill kill) $(cat "$out/kill.guest-status")"
thawed level2 frozen-seen gate
