# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Sourced by tests/lab/systemd.sh: what happened on the host that it booted. The truth is what db1's VMM wrote down when all of its
# vCPUs stood still, after each phase.
. "$here/systemd/phases"

status() { equal "$(name "$1: exit status")" "${2:-0}" "$(cat "$out/$1.status" 2>/dev/null || echo 'not come to')"; }

truth() { jq -c "$2" "$out/$1.truth"; }

# ranges STATE FILE: of a map, as [[gfn, npages], ...]
ranges() { jq -c "[.ranges[] | select(.state == \"$1\") | [.gfn, .npages]]" "$2"; }

# frames: of such a list, one a line
frames() { jq -r '.[] | range(.[0]; .[0] + .[1])'; }

# shared_within TRUTH FROM PAGES: frames
shared_within() { truth "$1" .shared | frames | awk -v from=$(($2)) -v n="$3" '$1 >= from && $1 < from + n' | xargs; }

# ---- the package ----

status install
matches "$(name 'install makes the group')" "$(cat "$out/group")" '^kvm-encstat:'
equal "$(name 'install starts the service, which becomes ready, and its socket')" 2 \
	"$(grep -cE 'Active: active \((running|listening)\)' "$out/installed")"
equal "$(name 'install leaves the exporter for who wants it')" inactive "$(cat "$out/exporter.installed")"
status purge
none "$(name 'purge leaves nothing')" "$(grep -v /var/lib/dpkg "$out/left")"
none "$(name 'purge: nothing is enforced any more')" "$(cat "$out/left.pins")"
equal "$(name 'purge: that is in the audit log, by whom')" '["0","kvm-encstat","on request"]' \
	"$(jq -c '[.KES_WHO_UID, .KES_WHO_COMM, .KES_WHY]' "$out/purge.released")"
status purge.verify
equal "$(name 'purge: the logs of both boots are whole')" '[[true,[]],[true,[]]]' \
	"$(jq -sc 'map([.whole, .problems])' "$out/purge.verify.out")"
equal "$(name 'purge: nor refused')" '13 0' "$(jq -r '"\(.accepted) \(.refused_map.eperm)"' "$out/unguarded.truth")"

# ---- its privileges ----

# CAP_BPF, CAP_SYS_PTRACE, CAP_KILL, and CAP_DAC_READ_SEARCH where KVM has attributes; it cannot make the unit's bounds narrower, which add CAP_SYS_ADMIN
# and CAP_CHOWN, and nothing is ever executed.
case $kernel in 6.1) kept=0000008000080020 ;; *) kept=0000008000080024 ;; esac
equal "$(name 'the service has no more privileges than it says')" \
	"CapInh: 0000000000000000 CapPrm: $kept CapEff: $kept CapBnd: 0000008000280025 CapAmb: 0000000000000000 NoNewPrivs: 1 Seccomp: 2" \
	"$(xargs <"$out/privileges")"

# ---- what was done ----

for what in start.restart exporter.start reload restart upgrade over.restart freeze thaw released stop; do
	status $what
done
status broken 1
equal "$(name 'kill: nobody watched when the guest went on')" activating "$(cat "$out/kill.meanwhile")"

try "$(name 'upgrade: the exporter that runs is the new one')" test "$(cat "$out/exporter.before")" != "$(cat "$out/exporter.after")" -a \
	"$(cat "$out/exporter.after")" != 0

# ---- after each phase ----

# after PHASE BEFORE WATCHED: WATCHED: all of it was seen
after() {
	local phase=$1 before=$2 before_accepted=0 before_refused=0
	equal "$(name "$phase: the service runs, and enforces")" 'active watching 1 VM; policies are enforced' \
		"$(sed -n 's/^ActiveState=//p; s/^StatusText=//p' "$out/$phase.show" | sort | xargs)"

	# The veto, by the guest's word, its VMM's, and the kernel's.
	none "$(name "$phase: nothing of what is refused ever passed")" "$(shared_within "$phase" 0x8000 256)"
	[ "$phase" = start ] || equal "$(name "$phase: nor what is refused since the policy changed")" \
		"$(shared_within reload 0x9000 256)" "$(shared_within "$phase" 0x9000 256)"
	equal "$(name "$phase: the kernel counted each refusal, of guest and VMM")" \
		"$(truth "$phase" '.refused_map.eperm + .refused_own.eperm')" \
		"$(jq '[.sets[].rules[].decided] | add' "$out/$phase.loaded.out")"
	[ "$before" = none ] || {
		before_accepted=$(truth "$before" .accepted) before_refused=$(truth "$before" .refused_map.eperm)
	}
	try "$(name "$phase: meanwhile there were conversions, and refusals")" \
		test $(($(truth "$phase" .accepted) - before_accepted)) -ge 127 -a \
		$(($(truth "$phase" .refused_map.eperm) - before_refused)) -ge 28

	# The audit log
	status "$phase.verify"
	equal "$(name "$phase: the audit log is whole")" '[true,[]]' "$(jq -c '[.whole, .problems]' "$out/$phase.verify.out")"

	# The maps
	equal "$(name "$phase: how far the guest plane is to be trusted")" "$3" "$(jq -r .confidence "$out/$phase.guest.out")"
	if [ "$3" = exact ]; then
		equal "$(name "$phase: the guest plane is the VMM's truth")" "$(truth "$phase" .shared)" \
			"$(ranges shared "$out/$phase.guest.out")"
		equal "$(name "$phase: no page is unknown")" 0 "$(jq .pages.unknown "$out/$phase.guest.out")"
		equal "$(name "$phase: each conversion was counted, and none lost")" "$(truth "$phase" .accepted) 0" \
			"$(jq -r 'select(.name == "db1") | "\(.converted) \(.lost)"' "$out/$phase.list.out")"
	else
		try "$(name "$phase: that something is missing is said")" \
			jq -se 'any(.name == "db1" and .lost > 0)' "$out/$phase.list.out"
	fi
	[ "$type" = sw-protected ] || return 0
	equal "$(name "$phase: the host plane is exact, and what the VMM has set")" "exact $(truth "$phase" .host_private)" \
		"$(jq -r .confidence "$out/$phase.host.out") $(ranges private "$out/$phase.host.out")"
	equal "$(name "$phase: host plane: no page is unknown")" 0 "$(jq .pages.unknown "$out/$phase.host.out")"
}

if ! [ -e "$out/upgrade.truth" ]; then
	fail "$(name 'all phases were come to')" "$(cat "$out/steps")"
	return 0
fi
equal "$(name 'start: a prime number of conversions')" 601 "$(truth start .accepted)"
after start none exact
after reload start exact
after broken reload exact
after restart broken stale
after kill restart stale
after upgrade kill stale

matches "$(name 'reload: until then it passed')" "$(shared_within reload 0x9000 256)" "^$((0x9000 + 8))$"
equal "$(name 'kill: what nobody saw is the truth')" "$(seq -s ' ' $missed_gfn $((missed_gfn + missed_pages - 1)))" \
	"$(shared_within kill $missed_gfn $missed_pages)"
none "$(name 'kill: the guest plane does not have it, and says that it is stale')" \
	"$(ranges shared "$out/kill.guest.out" | frames | awk -v from=$missed_gfn -v n=$missed_pages '$1 >= from && $1 < from + n')"
equal "$(name 'kill: systemd started it again')" 1 "$(sed -n 's/^NRestarts=//p' "$out/kill.show")"

# A configuration that is wrong
equal "$(name 'broken: the old policy goes on')" "$(jq -c '[.sets[].rules[] | [.file, .line]] | unique' "$out/reload.loaded.out")" \
	"$(jq -c '[.sets[].rules[] | [.file, .line]] | unique' "$out/broken.loaded.out")"
said=$(grep -B 3 'nothing has changed' "$out/first.journal")
matches "$(name 'broken: what is wrong is said, with its place')" "$said" "kvm-encstat\[[0-9]+\]: .*conf.d/storm.yaml:1:26: .*'rate'"
matches "$(name 'broken: and that the old goes on')" "$said" 'nothing has changed: the old configuration and policies go on'

# ---- the end ----

equal "$(name 'over: without `enforce` what was enforced goes on until it is released')" true "$(jq .kept "$out/over.loaded.out")"
equal "$(name 'over: then what was refused passes, and the guest ends well')" "0 $((0x8004))" \
	"$(cat "$out/db1.guest-status") $(shared_within db1 0x8000 256)"
status over.verify
equal "$(name 'over: the audit log is whole')" '[true,[]]' "$(jq -c '[.whole, .problems]' "$out/over.verify.out")"
equal "$(name 'over: the last map of a VM that ended five lives before')" "$(truth web1 .shared) exact" \
	"$(ranges shared "$out/over.web1.out") $(jq -r .confidence "$out/over.web1.out")"

# ---- booted once more ----

status again
equal "$(name 'again: it enforces what it did')" '6 7' "$(truth again '"\(.accepted) \(.refused_map.eperm)"' | tr -d '"')"
equal "$(name 'again: VMs of this boot only, and none of the tool'"'"'s own')" '["db1"]' "$(jq -sc 'map(.name)' "$out/again.list.out")"
status again.verify
equal "$(name 'again: the logs of both boots are whole')" '[[true,[]],[true,[]]]' \
	"$(jq -sc 'map([.whole, .problems])' "$out/again.verify.out")"

# ---- it hung ----

matches "$(name 'hang: the watchdog ended it')" "$(cat "$out/hang.journal")" 'kvm-encstat.service: Watchdog timeout'
equal "$(name 'hang: systemd started it again, and it enforces')" \
	'ActiveState=active NRestarts=1 StatusText=watching 0 VMs; policies are enforced' "$(sort "$out/hang.show" | xargs)"
status hang.verify
equal "$(name 'hang: the log is whole')" true "$(jq -s 'all(.whole and .problems == [])' "$out/hang.verify.out")"

. "$here/systemd/verify-audit.sh"
. "$here/systemd/verify-metrics.sh"
