#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon with policies to enforce, on one kernel: tests/lab/daemon/run is what happens in there; here it is
# judged.
#
#   daemon.sh 6.1 | 6.12 | sw-protected
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
build=${BUILD:-$here/../../build}
kernel=$1 job=$build/lab/daemon-$1 out=$build/lab/daemon-$1/out
encstat=$build/kvm-encstat

name() { printf 'daemon %s: %s' "$kernel" "$1"; }

rm -rf "$job"
mkdir -p "$job/out"
cp "$here"/daemon/{run,counted,counted.guest} "$here/../guest/scripts/spill.guest" "$job/"
[ "$kernel" != sw-protected ] || cp "$here/../guest/scripts/twice.guest" "$job/"
cp -r "$here/../enforce/policies" "$job/policies"
"$here/bundle.sh" "$job/root" "$encstat" "$build/tests/guest" "$(command -v bpftool || echo /usr/sbin/bpftool)" "$(command -v script)" \
	"$(command -v setpriv)"
install -D /lib/terminfo/l/linux "$job/root/usr/share/terminfo/l/linux"
if ! "$here/boot.sh" "$kernel" "$job" 600 >"$job/boot.log" 2>&1; then
	fail "$(name 'booted and ran')" "$(cat "$job/boot.log")"
	exit 0
fi
pass "$(name 'booted and ran')"
none "$(name 'the kernel has nothing to complain')" \
	"$(grep -E 'BUG|WARNING|Oops|RIP:|Call Trace|rcu.*stall|blocked for' "$out/dmesg" | head -n 5)"

# audit KIND FILTER: of the records of a kind, in a list
audit() { jq -sc --arg kind "$1" "[.[] | select(.KES_KIND == \$kind) | $2]" "$out/audit.jsonl"; }

# While it starts and proves its veto a guest converts all the time, and nothing of that is passed over: what the
# model has, which takes records, is what all have that take events. What the proof did is nobody's.
converted=$(jq 'select(.name == "busy") | .converted' "$out/busy.list")
try "$(name 'proof: a guest of others converts meanwhile')" test "$converted" -gt 200
equal "$(name 'proof: none of its conversions is missing in the metrics')" "$converted" \
	"$(sed -n 's/^kvm_encstat_conversions_total.* //p' "$out/busy.metrics" | awk '{ n += $1 } END { print n }')"
equal "$(name 'proof: nor in the audit log')" "$converted $converted" \
	"$(jq -r 'select(.KES_VM_NAME == "busy" and .KES_KIND == "summary") | .KES_CONVERTED' "$out/audit.jsonl" | awk '{ n += $1 } END { print n }') \
$(jq -r 'select(.KES_VM_NAME == "busy" and .KES_KIND == "vm-end") | .KES_CONVERTED' "$out/audit.jsonl")"
equal "$(name 'proof: its map is the truth, but for the memslot that it converts nothing of; nothing was lost')" \
	"$(jq -c .shared "$out/busy.truth") $(jq -c '[.memslots[0]]' "$out/busy.truth") 0" \
	"$(jq -rc '[.ranges[] | select(.state == "shared") | [.gfn, .npages]], [.ranges[] | select(.state == "unknown") | [.gfn, .npages]]' \
		"$out/busy.map" | xargs) $(jq 'select(.name == "busy") | .lost' "$out/busy.list")"
equal "$(name 'proof: its own guests are in no list')" busy "$(jq -r .name "$out/busy.list" | xargs)"
equal "$(name 'proof: nor in the metrics')" 1 "$(sed -n 's/^kvm_encstat_vms{.*} //p' "$out/busy.metrics" | awk '{ n += $1 } END { print n }')"
equal "$(name 'proof: nor in the audit log')" '["acted","busy"]' "$(jq -sc '[.[].KES_VM_NAME // empty] | unique' "$out/audit.jsonl")"

# It enforces, and is asked.
same "$(name 'policy loaded: by the daemon as from the tables')" "$out/armed.direct" "$out/armed.loaded"
matches "$(name 'policy loaded: how often it was not asked')" "$(cat "$out/armed.loaded")" '^  not asked    [0-9]+$'
same "$(name 'policy loaded: after changes, too')" "$out/changed.direct" "$out/changed.loaded"
equal "$(name 'audit: what keys of top and commands have changed, of which VM, and who')" \
	'[["monitor","acted","0","kvm-encstat"],["freeze","acted","0","kvm-encstat"],["release","acted","0","kvm-encstat"],["freeze","acted","0","kvm-encstat"]]' \
	"$(audit changed '[.KES_ACTION, .KES_VM_NAME, .KES_WHO_UID, .KES_WHO_COMM]')"
equal "$(name 'audit: keys of top are those of that process')" "$(cat "$out/top.pid")" \
	"$(audit changed .KES_WHO_PID | jq -r '.[0:2] | unique | join(" ")')"
equal "$(name 'audit: changes are of the VM that is told otherwise, too')" true \
	"$(jq -s '[.[] | select(.KES_VM_NAME == "acted") | [.KES_VM, .KES_VM_PID]] | unique | length == 1' "$out/audit.jsonl")"

# An earlier daemon's pins.
matches "$(name 'unarmed: what is said is what is so')" "$(cat "$out/unarmed.err")" \
	'THE VETO COULD NOT BE ARMED, only what was enforced before is: .*level2.yaml:[0-9]+: this rule cannot be enforced'
matches "$(name 'unarmed: it is in the metrics')" "$(cat "$out/unarmed.metrics")" '^kvm_encstat_[a-z_]+ 1$'
matches "$(name 'unarmed: what was enforced before still is')" "$(cat "$out/unarmed.loaded")" '^VM [0-9]+ acted '
equal "$(name 'unarmed: and can be changed')" 0 "$(cat "$out/unarmed.freeze.status")"
matches "$(name 'kept: a daemon that is not to enforce says what still is')" "$(cat "$out/kept.err")" \
	'the configuration says `enforce: no`, but what an earlier kvm-encstat has enforced still is'
matches "$(name 'kept: and ends it, on request')" "$(cat "$out/kept.release")" 'nothing is enforced any more'
matches "$(name 'released: nothing is enforced')" "$(cat "$out/released.loaded")" 'nothing is enforced'
matches "$(name 'nothing: with nothing there, that is said')" "$(cat "$out/nothing.err")" '^[^:]*: NOTHING IS REFUSED: '
equal "$(name 'audit: each time that could not be enforced what was to be')" '[true,false]' \
	"$(audit unarmed '.MESSAGE | contains("only what was before is")')"
for life in unarmed kept nothing; do
	equal "$(name "$life: ends well")" 0 "$(cat "$out/$life.status")"
done

# What it has kept is this, whoever started it: CAP_BPF, CAP_SYS_PTRACE, CAP_KILL, and CAP_DAC_READ_SEARCH where KVM has memory attributes.
case $kernel in
6.1 | 6.1-*) kept=0000008000080020 ;;
*) kept=0000008000080024 ;;
esac
zero=0000000000000000
for life in least armed unarmed kept nothing; do
	equal "$(name "$life: no more privileges than it says")" \
		"CapInh: $zero CapPrm: $kept CapEff: $kept CapBnd: $zero CapAmb: $zero NoNewPrivs: 1 Seccomp: 2" \
		"$(xargs <"$out/$life.privileges")"
done

# And it is all that it takes.
rules() { jq -c '[.sets[].rules[] | select(.file == "/tmp/least.yaml")] | length' "$1"; }
equal "$(name 'least: a VM of a user that comes is known by its name, and seen from birth')" '["least",false,5]' \
	"$(jq -c 'select(.name == "least") | [.name, .lost > 0, .pages.shared]' "$out/least.list")"
equal "$(name 'least: its map')" '["exact",[[256,5]]]' \
	"$(jq -c '[.confidence, [.ranges[] | select(.state == "shared") | [.gfn, .npages]]]' "$out/least.map")"
equal "$(name 'least: another policy is read, and holds')" '1 3 0' \
	"$(rules "$out/least.before") $(rules "$out/least.after") $(tail -n 1 "$out/least.reload")"
matches "$(name 'least: it is frozen')" "$(xargs <"$out/least.freeze")" '^VM [0-9]+ least is frozen 0$'
matches "$(name 'least: and released')" "$(xargs <"$out/least.release")" '^VM [0-9]+ least runs again 0$'
none "$(name 'least: the guest ends well')" "$(cat "$out/least.guest")"
[ "$kernel" != sw-protected ] || equal "$(name 'least: memory that it has twice is found: its pagemap is read')" \
	"twice $(jq '[.twice[][1]] | add' "$out/twice.truth")" \
	"$(jq -r 'select(.kind == "KES-018") | "\(.vm.name) \(.pages)"' "$out/least.findings")"
equal "$(name 'least: ends well')" 0 "$(cat "$out/least.status")"

# Less is not.
equal "$(name 'less: what it misses is said')" 'CAP_SYS_PTRACE CAP_KILL' "$(sed -n 's/.*there is no \(CAP_[A-Z_]*\) here.*/\1/p' "$out/less.err" | xargs)"
none "$(name 'less: VMs of users have no name')" "$(grep ' less ' "$out/less.list")"
matches "$(name 'less: nor can they be frozen')" "$(xargs <"$out/less.freeze")" \
	'^kvm-encstat: VM [0-9]+ guest\[[0-9]+\] cannot be frozen: Operation not permitted .*1$'

# No daemon runs any more: commands tell by themselves what they did, in the daemon's log.
equal "$(name 'alone: what was changed and released, and by whom')" \
	'["start policy","changed monitor 0 kvm-encstat","stop","start policy","released on request 0 kvm-encstat","stop"]' \
	"$(jq -sc 'def of($kind; $more): if .KES_KIND == $kind then $more else [] end;
		.[-6:] | map([.KES_KIND] + of("start"; [.KES_FORM]) + of("changed"; [.KES_ACTION, .KES_WHO_UID, .KES_WHO_COMM]) +
		of("released"; [.KES_WHY, .KES_WHO_UID, .KES_WHO_COMM]) | join(" "))' "$out/least.jsonl")"
equal "$(name 'alone: the log is whole')" '[true,[]]' "$(jq -sc '.[-1] | [.whole, .problems]' "$out/less.verify")"
equal "$(name 'alone: said once')" 'nothing is enforced any more' "$(cat "$out/less.released")"

. "$here/daemon/verify-counted.sh"
equal "$(name 'nothing stays')" 0 "$(cat "$out/programs")"
none "$(name 'nothing is pinned')" "$(cat "$out/pins")"
