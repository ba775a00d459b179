#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Looks at what tests/lab/suite-host left behind: the host plane against what the VMM did.
#
#   verify-host.sh KERNEL DIR
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
. "$here/look.sh"

# ---- zero: the hooks on the ioctl fire on this kernel, whatever VMs it can make ----

if [ "$kernel" = 6.1 ]; then
	equal "$(name "zero: this kernel knows no attributes")" 77 "$(cat "$out/zero.guest-status")"
else
	equal "$(name "zero: attributes of a VM that has none")" 0 "$(cat "$out/zero.guest-status")"
fi
[ "$kernel" = sw-protected ] || exit 0

# host_private CAPTURE [SELECTOR]: as the VMM has it, without what is contested
truth_private() { jq -c .host_private "$out/$1.truth"; }

for options in '' --no-trampolines; do
	for script in liar unsolicited faults reset-protected; do
		run=$script$options
		status "$run" 0
		replayed "$run" map --plane diff --json
		map=$(map_of "$run" 1 --plane host)
		equal "$(name "$run: the host plane is the VMM's")" "$(truth_private "$run")" \
			"$(ranges private <<<"$map")"
		equal "$(name "$run: no page unknown")" 0 "$(jq .pages.unknown <<<"$map")"
		equal "$(name "$run: host plane exact")" exact "$(jq -r .confidence <<<"$map")"
		equal "$(name "$run: the guest plane is the VMM's")" "$(jq -c .shared "$out/$run.truth")" \
			"$(map_of "$run" 1 | ranges shared)"
		equal "$(name "$run: where the planes differ")" "$(differences_of "$out/$run.truth")" \
			"$(jq -r '.ranges[] | "\(.gfn) \(.npages) \(.guest) \(.host)"' "$out/$run.out" | join_ranges)"
		equal "$(name "$run: no number of the sequence is missing")" 'true 0' \
			"$("$encstat" replay "$out/$run.ke" list --json 2>/dev/null |
				jq -r 'select(.id == 1) | "\(.records == .sent) \(.lost)"')"
		equal "$(name "$run: each change was seen, with its result")" \
			"$(jq '[.attribute_calls, .attribute_errors] | @csv' "$out/$run.truth")" \
			"$("$encstat" replay "$out/$run.ke" events --json 2>/dev/null |
				jq -s '[.[] | select(.kind == "attributes")] |
					[length, (map(select(.ret != 0)) | length)] | @csv')"
	done

	# ---- the VMM that lies ----

	run=liar$options
	"$encstat" replay "$out/$run.ke" events --json >"$out/$run.events" 2>/dev/null
	# One lie is none: it does nothing where nothing was to be done.
	equal "$(name "$run: every lie is told")" "$(jq '.lies - 1' "$out/$run.truth")" \
		"$(jq -s '[.[] | select(.kind == "converted" and (.commit == "not" or .commit == "partly"))] |
			length' "$out/$run.events")"
	equal "$(name "$run: and nothing else")" \
		"$(jq '.accepted - .lies + 1' "$out/$run.truth")" \
		"$(jq -s '[.[] | select(.kind == "converted" and .commit == "done")] | length' "$out/$run.events")"
	equal "$(name "$run: since when and who, for all but what nobody moved")" true \
		"$(jq '[.ranges[] | select(.gfn != 917504) | .since_ns > 0 and
			(.moved == "guest" and .vcpu == 0 or .moved == "host" and .tid > 0)] | all' "$out/$run.out")"

	# ---- changes that nobody asked for ----

	run=unsolicited$options
	"$encstat" replay "$out/$run.ke" events --json >"$out/$run.events" 2>/dev/null
	equal "$(name "$run: unasked changes are told from asked ones")" '[4,8]' \
		"$(jq -sc '[.[] | select(.kind == "attributes" and .ret == 0)] |
			[(map(select(.prompt == "request")) | length), (map(select(.prompt == "none")) | length)]' \
			"$out/$run.events")"

	# ---- conversions by faults, without a hypercall ----

	run=faults$options
	"$encstat" replay "$out/$run.ke" events --json >"$out/$run.events" 2>/dev/null
	try "$(name "$run: their number is a prime")" is_prime "$(jq .faults "$out/$run.truth")"
	equal "$(name "$run: each fault was seen")" "$(jq .faults "$out/$run.truth")" \
		"$(jq -s '[.[] | select(.kind == "fault")] | length' "$out/$run.events")"
	equal "$(name "$run: with its direction and range")" true \
		"$(jq -s '[.[] | select(.kind == "fault") | .to == "private" and .npages == 1 and .gfn >= 8192] |
			all' "$out/$run.events")"
	equal "$(name "$run: and what came of them")" 21 \
		"$(jq -s '[.[] | select(.kind == "attributes" and .prompt == "fault")] | length' "$out/$run.events")"

	# ---- reset ----

	run=reset-protected$options
	"$encstat" replay "$out/$run.ke" events --json >"$out/$run.events" 2>/dev/null
	equal "$(name "$run: one reset")" 1 "$(jq -s '[.[] | select(.kind == "reset")] | length' "$out/$run.events")"
	equal "$(name "$run: what stayed shared")" "$(jq '[.left_shared[][1]] | add' "$out/$run.truth")" \
		"$(jq 'select(.kind == "reset").shared_pages' "$out/$run.events")"

	# ---- a race ----

	status "race$options" 0
	run=raced$options
	equal "$(name "$run: what the watcher worked out is what a reader finds")" \
		"$(ranges private <"$out/$run.read")" "$(ranges private <"$out/$run.out")"
	equal "$(name "$run: both are exact")" '"exact" "exact"' \
		"$(jq .confidence "$out/$run.read" "$out/$run.out" | tr '\n' ' ' | sed 's/ $//')"
	equal "$(name "$run: nothing lost")" 0 "$(cut -d, -f4- "$out/$run.err" | grep -o '[0-9]* lost' | cut -d' ' -f1)"
done

# ---- interleavings ----

wrong='' inexact='' failed='' n=0
for truth in "$out"/mix/*.truth; do
	number=$(basename "$truth" .truth)
	n=$((n + 1))
	case $(cat "$out/mix/$number.status") in 0 | 3) ;; *) failed+=" $number" ;; esac
	[ "$(jq -c .host_private "$truth")" = "$(ranges private <"$out/mix/$number.out")" ] || wrong+=" $number"
	[ "$(jq -r .confidence "$out/mix/$number.out")" = exact ] || inexact+=" $number"
done
equal "$(name "mix: so many interleavings ran")" 67 "$n"
none "$(name "mix: each ended well")" "$failed"
none "$(name "mix: each host plane is the VMM's")" "$wrong"
none "$(name "mix: each is exact")" "$inexact"
equal "$(name "mix: the guests had no complaint")" 0 "$(wc -c <"$out/mix/guest.err")"
equal "$(name "mix: records were lost in some, and healed")" true \
	"$(grep -qE '[1-9][0-9]* lost' "$out"/mix/*.err && echo true)"
none "$(name "mix: no valid conversion looked refused")" "$(grep -lE ', [1-9][0-9]* refused' "$out"/mix/*.err)"
exit 0
