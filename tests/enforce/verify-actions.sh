# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Sourced by tests/lab/enforce.sh: what suite-actions left.
status actions 0
none "$(name 'actions: all was counted')" "$(grep -E 'NOT ASKED|[1-9][0-9]* found' "$out/actions.err")"

verify_actions() {
	local out=$out/actions when
	ln -sf ../actions.ke ../actions.out "$out/"
	sides actions acted 23 11
	equal "$(name 'actions: monitored, enforced, frozen and released by keys of top')" \
		'refused 7; ONLY MONITORED
refused 7; would have been refused 11
refused 20; would have been refused 11; FROZEN since
refused 20; would have been refused 11' "$(cat "$out/acted.said")"
	matches "$(name 'actions: what a run of the programs takes is on the screen')" "$(tr -d '\0' <"$out/acted.screen")" 'per event'
	for when in 'enforced enforce 7' 'monitored monitor 7' 'frozen frozen 20'; do
		equal "$(name "actions: top --json says so: ${when% *}")" "${when#* }" \
			"$(jq -r '"\(.policy) \(.totals.vetoed)"' "$out/acted.${when%% *}")"
	done
	equal "$(name 'actions: what was only monitored is told as that')" 11 \
		"$(of actions acted '| map(select(.kind == "verdict" and .action == "allow" and .would == "deny")) | length')"
	equal "$(name 'actions: a top that plays the capture counts the same')" '23 enforce' \
		"$("$encstat" top --from "$out/actions.ke" --once --json --filter acted 2>/dev/null |
			jq -r '"\(.totals.vetoed) \(.policy)"')"
}
verify_actions
