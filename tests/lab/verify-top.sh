#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Looks at what tests/lab/suite-top left behind: the live view's numbers against the VMM's.
#
#   verify-top.sh KERNEL DIR
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
. "$here/look.sh"

status watched 0
accepted=$(jq .accepted "$out/watched.truth")
try "$(name "top: the number of conversions is prime")" is_prime "$accepted"
last=$("$encstat" replay "$out/watched.ke" events --json 2>/dev/null |
	jq -s '[.[] | select(.kind == "converted").ts_ns] | max')
# The first table whose interval ends after the last conversion.
first=$(jq -sc --argjson last "$last" 'map(select(.ts_ns >= $last))[0]' "$out/watched.out")
equal "$(name "top: all conversions are in the table of the interval in which the last one was")" "$accepted" \
	"$(jq '.totals.to_shared + .totals.to_private' <<<"$first")"
equal "$(name "top: that table came within an interval")" true \
	"$(jq --argjson last "$last" '.ts_ns - $last <= .interval_ns' <<<"$first")"
equal "$(name "top: rates, times what they are of, add up to the conversions")" "$accepted" \
	"$(jq -s '[.[] | (.per_second.to_shared + .per_second.to_private) * .interval_ns / 1e9] | add | round' "$out/watched.out")"
equal "$(name "top: shared bytes are the VMM's")" "$(jq '[.shared[][1]] | add * 4096' "$out/watched.truth")" \
	"$(jq .shared_bytes <<<"$first")"
equal "$(name "top: nothing refused, lost or open, and the map is exact")" '0 0 0 exact' \
	"$(jq -r '"\(.totals.refused) \(.lost) \(.open) \(.confidence)"' <<<"$first")"
equal "$(name "top: as many hypercalls as the guest made, in the last table")" true \
	"$(jq -s --argjson n "$(jq .requests "$out/watched.truth")" '.[-1].totals.hypercalls >= $n' "$out/watched.out")"
equal "$(name "top: no policy is loaded, and none is said")" null "$(jq -r .policy <<<"$first")"
equal "$(name "top: a replay has the same totals")" "$(jq -sc '.[-1].totals' "$out/watched.out")" \
	"$("$encstat" top --from "$out/watched.ke" --once --json --filter name=watched 2>/dev/null | jq -c .totals)"
