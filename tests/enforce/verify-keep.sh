# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Sourced by tests/lab/enforce.sh: what suite-keep left.
equal "$(name 'killed: without the tool nothing is refused')" '1009 0' \
	"$(jq -r '"\(.requests) \(.refused_map.eperm)"' "$out/killed.truth")"
equal "$(name 'killed: no program stays')" 0 "$(cat "$out/killed.programs")"
none "$(name 'killed: no link stays')" "$(grep link_ "$out/killed.pins")"
matches "$(name 'killed: policy loaded says that nothing is enforced')" "$(cat "$out/killed-loaded.status" "$out/killed-loaded.err")" \
	'nothing is enforced here: .* killed'

status second 3
matches "$(name 'second: one at a time')" "$(cat "$out/second.err")" 'another kvm-encstat enforces on this host'
status foreground 3
matches "$(name 'foreground: not over what is kept')" "$(cat "$out/foreground.err")" \
	'an earlier kvm-encstat enforce --keep still enforces'
matches "$(name 'foreground: says what to do')" "$(cat "$out/foreground.err")" 'policy release'

# The rules' counts: decided LINE FILE
decided() { jq "[.sets[].rules[] | select(.line == $1)][0].decided" "$out/$2.out"; }

status loaded-kept 0
equal "$(name 'kept: killed, its programs stay')" true "$(jq .kept "$out/loaded-kept.out")"
matches "$(name 'kept: pinned')" "$(xargs <"$out/kept.pins")" 'link_lsm_ioctl|link_lsm_plain_ioctl|link_on_ioctl'
equal "$(name 'kept: what it shares is counted without a tool')" 343 "$(jq '.vms[] | select(.name == "kept").shared_pages' "$out/loaded-kept.out")"
equal "$(name 'kept: the frozen VM stays frozen')" true \
	"$(jq '.vms[] | select(.name == "frozen-kept").frozen.vmm_stopped == false' "$out/loaded-kept.out")"

equal "$(name 'alarm: frozen without a tool, and its VMM stands')" true \
	"$(jq '.vms[] | select(.name == "alarm").frozen.vmm_stopped' "$out/loaded-kept.out")"
equal "$(name 'alarm: with a tool its VMM goes on, and its vCPU does not')" false \
	"$(jq '.vms[] | select(.name == "alarm").frozen.vmm_stopped' "$out/loaded-over.out")"
equal "$(name 'orphan: a VM that comes without a tool is under the rules for every VM')" '2 3' \
	"$(jq -r '"\(.refused_map.eperm) \(.requests)"' "$out/orphan.truth")"

for round in 1 2; do
	matches "$(name "kept: taken over, $round")" "$(cat "$out/kept-$round.err")" 'it goes on with what an earlier one has counted'
done
status kept-2 "$(grep -q 'answers were not seen' "$out/kept-2.err" && echo 3 || echo 0)" # it came upon an open request
matches "$(name 'kept: ends, and goes on')" "$(cat "$out/kept-2.err")" 'enforcement goes on; kvm-encstat policy release ends it'
equal "$(name 'kept: not once did a page come out that is refused')" '[4097]' \
	"$(jq -c '[.conversions[] | select(.gfn == 4096 or .gfn == 4097).gfn]' "$out/kept.truth")"
equal "$(name 'kept: the limit is exact over three tools')" '503 97' \
	"$(jq '[.shared[] | select(.[0] >= 8192)[1]] | add' "$out/kept.truth") $(decided 10 loaded-over)"
equal "$(name 'kept: the guest saw no more refused than the kernel has counted')" true \
	"$(jq --argjson before "$(decided 8 loaded-over)" '.refused_map.eperm > $before + 97' "$out/kept.truth")"
status loaded-over 0
equal "$(name 'kept: the number of shared pages is told')" 503 "$(jq '.vms[] | select(.name == "kept").shared_pages' "$out/loaded-over.out")"
status loaded-later 0

status thaw 0
equal "$(name 'frozen-kept: two tools later it is still frozen, then let go')" 'frozen-kept runs again' "$(sed 's/^VM [0-9]* //' "$out/thaw.out")"
equal "$(name 'frozen-kept: and goes on')" '0 [[8192,1]]' \
	"$(cat "$out/frozen-kept.guest-status") $(jq -c .shared "$out/frozen-kept.truth")"

status release 0
matches "$(name 'release: said')" "$(cat "$out/release.out")" 'nothing is enforced any more'
matches "$(name 'release: what was frozen runs again')" "$(cat "$out/release.out")" '^1 frozen VM runs again'
equal "$(name 'alarm: it does')" '0 1 [[8192,3]] true' "$(cat "$out/alarm.guest-status") $(truth alarm .refused_map.eperm) \
$(jq -c .shared "$out/alarm.truth") $(jq '.run_refused > 0' "$out/alarm.truth")"
equal "$(name 'release: nothing stays')" '0 N' "$(cat "$out/released.programs" "$out/released.armed" | xargs)"
none "$(name 'release: no pin')" "$(cat "$out/released.pins")"
equal "$(name 'release: nothing is refused any more')" 0 "$(cat "$out/kept.guest-status")"
status loaded-released 1
