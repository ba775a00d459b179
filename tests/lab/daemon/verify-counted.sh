# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Sourced by daemon.sh: metrics against what the VMMs have.

# sum LIFE FAMILY LABEL...: of the series that have them; none: there is no such series
sum() {
	local lines label
	lines=$(grep "^kvm_encstat_$2[{ ]" "$out/$1.metrics")
	shift 2
	for label; do lines=$(grep -F "$label" <<<"$lines"); done
	awk 'NF { n += $NF } END { if (NR && NF) print n; else print "none" }' <<<"$lines"
}

# failed LIFE VM: how often, by each cause
failed() {
	grep "^kvm_encstat_vm_conversions_failed_total{vm=\"$2\"" "$out/$1.metrics" |
		sed -n 's/.*cause="\([a-z_]*\)"} \([1-9].*\)/\1=\2/p' | xargs
}

truth() { jq -r "$2" "$out/$1.truth"; }

equal "$(name 'counted: the guest saw what its VMM expected')" 0 "$(cat "$out/counted.guest-status")"
equal "$(name 'counted: what it did')" '55 41 13 1 17 17' \
	"$(truth counted '"\(.requests) \(.accepted) \(.denied) \(.unanswered) \([.refused_map[]] | add)"') $(truth unasked '[.refused_map[]] | add')"

for life in counted ended; do
	equal "$(name "$life: metrics: conversions: those that the VMM accepted")" "$(truth counted .accepted)" \
		"$(sum $life vm_conversions_total 'vm="counted"')"
	# The first answer may have been too early for that.
	timed=$(sum $life vm_answer_seconds_count 'vm="counted"')
	matches "$(name "$life: metrics: as many answers were timed as it gave")" "$timed" '^5[34]$'
	equal "$(name "$life: metrics: all of them are below +Inf, and 11 took as long as it waited")" "$timed true" \
		"$(sum $life vm_answer_seconds_bucket 'vm="counted"' 'le="+Inf"') \
$([ "$(sum $life vm_answer_seconds_bucket 'vm="counted"' 'le="0.005"')" -le $((timed - 11)) ] && echo true)"
	equal "$(name "$life: metrics: the host's are those of its VMs")" \
		"$(sum $life vm_conversions_total) $(sum $life vm_conversions_failed_total)" \
		"$(sum $life conversions_total) $(sum $life conversions_failed_total)"
done
for vm in counted unasked; do
	equal "$(name "ended: metrics: $vm: hypercalls, exits: its VMM's")" "$(truth $vm '"\(.hypercalls) \([.exits[]] | add)"')" \
		"$(sum ended vm_hypercalls_total "vm=\"$vm\"") $(sum ended vm_exits_total "vm=\"$vm\"")"
done
refused='refused_privilege=7 refused_unaligned=5 refused_empty=3 refused_wraps=2'
equal "$(name 'counted: metrics: what else became of them, by cause')" "denied=13 $refused" "$(failed counted counted)"
equal "$(name 'ended: metrics: what was open then was never answered')" "denied=13 unanswered=1 $refused" "$(failed ended counted)"
equal "$(name 'counted: metrics: where the VMM is not asked')" refused_disabled=17 "$(failed counted unasked)"
equal "$(name 'counted: metrics: what is open, and then no more')" '1 0' \
	"$(sum counted vm_requests_open 'vm="counted"') $(sum ended vm_requests_open 'vm="counted"')"
try "$(name 'counted: metrics: and since when')" \
	awk "BEGIN { exit !($(sum counted vm_oldest_request_seconds 'vm="counted"') > 0) }"
equal "$(name 'counted: metrics: nothing was lost')" '0 0' "$(sum ended vm_records_lost_total) $(sum ended records_lost_total)"

# ---- a ring of one page ----

spilled() { jq -r "select(.name == \"spill\") | $1" "$out/spilled.list"; }
lost=$(spilled .lost)
try "$(name 'spilled: there were losses')" test "$lost" -gt 0
equal "$(name 'spilled: metrics: records of the VM that were lost, as by the list')" "$lost" \
	"$(sum spilled vm_records_lost_total)"
equal "$(name 'spilled: with those that came they are all that the kernel numbered')" "$(spilled .sent)" \
	"$(($(spilled .records) + lost))"
try "$(name 'spilled: which are a request and an answer for each conversion, and few besides')" \
	test "$(($(spilled .sent) - 2 * $(truth spill .requests)))" -ge 0 -a \
	"$(($(spilled .sent) - 2 * $(truth spill .requests)))" -lt 32
equal "$(name 'spilled: metrics: all were lost as the ring was full')" "$lost" \
	"$(sum spilled vm_records_lost_total 'cause="ring_full"')"
for life in counted spilled; do
	equal "$(name "$life: ends well")" 0 "$(cat "$out/$life.status")"
done
