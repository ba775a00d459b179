#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The gate on one kernel: builds the module for it, boots it, runs guests whose hypercalls are refused
# (tests/gate/suite), and looks from three sides at what came of it: the guest's, the VMM's, the program's.
#
#   gate.sh 6.1 | 6.12 | sw-protected
#
# BUILD is the build folder if it is not the usual one.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
root=$(cd "$here/../.." && pwd)
build=${BUILD:-$root/build}
kernel=$1 job=$build/lab/gate-$1 out=$build/lab/gate-$1/out

name() { printf 'gate %s: %s' "$kernel" "$1"; }

# ---- build ----

rm -rf "$job"
mkdir -p "$job/out"
unset MAKEFLAGS MAKELEVEL
export KBUILD_MODPOST_WARN=1 # the self-built kernel has no list of what it exports
build_all() {
	local headers
	headers=$("$here/../gate/headers.sh" "$kernel") || return
	flock "$build/lab/gate.lock" make -C "$root" B="$build" gate-tests guest &&
		make -C "$root" B="$build" gate GATE_DIR="$job/module" KERNEL="$headers" \
			BTF_BASE="$(dirname "$headers")/vmlinux"
}
if ! build_all >"$job/build.log" 2>&1; then
	fail "$(name "builds")" "$(tail -n 20 "$job/build.log")"
	exit 0
fi
pass "$(name "builds")"
none "$(name "builds without a warning")" "$(grep -i 'warning: ' "$job/build.log" | grep -v 'modpost:\|Module.symvers')"
equal "$(name "needs no module, so that it pins none")" "depends=" \
	"$(objcopy -O binary -j .modinfo "$job/module/kvm_encstat_gate.ko" /dev/stdout | tr '\0' '\n' | grep ^depends)"

# ---- boot ----

mv "$job/module/kvm_encstat_gate.ko" "$job/"
objcopy -R .BTF "$job/kvm_encstat_gate.ko" "$job/no-btf.ko"
cp "$here/../gate/suite" "$job/run"
cp -r "$here/../guest/scripts/gate" "$job/scripts"
"$here/bundle.sh" "$job/root" "$build/tests/guest" "$build/tests/gate/deny"
if ! "$here/boot.sh" "$kernel" "$job" 1200 >"$job/boot.log" 2>&1; then
	fail "$(name "booted and ran")" "$(cat "$job/boot.log")"
	exit 0
fi
pass "$(name "booted and ran")"
none "$(name "the kernel has nothing to complain")" \
	"$(grep -E 'BUG|WARNING|Oops|RIP:|Call Trace|detected stall|blocked for' "$out/dmesg" | head -n 5)"

equal "$(name "without type information it does not load")" 8 "$(cat "$out/no-btf.status")"
matches "$(name "and says why")" "$(cat "$out/no-btf.dmesg")" 'built without type information'
equal "$(name "loads")" 0 "$(cat "$out/load.status")"
[ "$(cat "$out/load.status")" = 0 ] || exit 0

# ---- what guests, VMMs and the program saw ----

status() { equal "$(name "$1: exit status")" "$2" "$(cat "$out/$1.status")"; }

# all VMs of a run together
sum() { jq -s "[.[]$2] | add" "$out/$1.truth"; }

outcome() {
	jq -c '[.vm, .requests, .accepted, .hypercalls, .refused, .exits, .shared]' "$out/$1.truth" \
		"$out/$1.other.truth"
}

# untouched RUN [ASKED]: all is as it was before there was a module; the program was asked so often
untouched() {
	status "$1" 0
	equal "$(name "$1: guests and VMMs see what they see without the module")" "$(outcome before)" \
		"$(outcome "$1")"
	[ $# -eq 1 ] || equal "$(name "$1: the program was asked")" "$2" "$(jq .asked "$out/$1.deny")"
}

# refuses RUN KEY: the program refused 207 calls, of which 206 would have come to the VMM; one is from user
# mode, which KVM refuses, too. The guests saw KEY.
refuses() {
	status "$1" 0
	equal "$(name "$1: the program was asked about each hypercall")" "$(sum "$1" .hypercalls)" \
		"$(jq .asked "$out/$1.deny")"
	equal "$(name "$1: it refused")" 207 "$(jq .denied "$out/$1.deny")"
	equal "$(name "$1: the guests saw $2")" "$(($(sum before ".refused_map.$2") + 206))" \
		"$(sum "$1" ".refused_map.$2")"
	equal "$(name "$1: the VMM was not asked")" '[]' \
		"$(jq -sc '[.[].conversions[] | select(.gfn >= 8192 and .gfn < 8448)]' "$out/$1.truth")"
	equal "$(name "$1: no exit for them")" "$(($(sum before '.exits["3"]') - 206))" "$(sum "$1" '.exits["3"]')"
	equal "$(name "$1: other conversions and hypercalls are as before")" \
		"$(($(sum before .accepted) - 206)) $(sum before .in_kernel) $(sum before .refused.einval)" \
		"$(sum "$1" .accepted) $(sum "$1" .in_kernel) $(sum "$1" .refused.einval)"
	equal "$(name "$1: what is shared, too")" "$(jq -c .shared "$out/before.truth")" \
		"$(jq -c .shared "$out/$1.truth")"
	status "$1.other" 0
	equal "$(name "$1: another VMM's guest is as before")" \
		"$(jq -c 'del(.pid, .fd)' "$out/before.other.truth")" \
		"$(jq -c 'del(.pid, .fd)' "$out/$1.other.truth")"
}

status before 0
equal "$(name "not armed: so it says")" "N none" "$(cat "$out/unarmed.armed" "$out/unarmed.answer" | xargs)"
equal "$(name "not armed: no function is hooked")" 0 "$(grep -c kvm_encstat_gate "$out/unarmed.functions")"
untouched unarmed 0

equal "$(name "armed: so it says")" EPERM "$(cat "$out/armed.answer")"
equal "$(name "armed: one function is hooked")" kvm_emulate_hypercall \
	"$(grep kvm_encstat_gate "$out/armed.functions" | cut -d ' ' -f 1)"
untouched nobody
refuses denied eperm
refuses traced eperm
equal "$(name "traced: other programs on KVM's function see each call")" "$(jq .asked "$out/traced.deny")" \
	"$(jq .entries "$out/traced.deny")"
if [ -e "$out/traced.lines" ]; then
	equal "$(name "traced: and so does the function tracer")" \
		"$(($(sum traced .hypercalls) + $(sum traced.other .hypercalls)))" "$(cat "$out/traced.lines")"
else
	skip "$(name "traced: and so does the function tracer")" "this kernel has none"
fi
equal "$(name "held: not unloaded while a program is attached")" 1 "$(cat "$out/held.status")"
untouched killed
equal "$(name "ftrace cannot be switched off while armed")" 1 "$(cat "$out/ftrace")"
equal "$(name "disarmed: so it says")" none "$(cat "$out/disarmed.answer")"
untouched disarmed 0

equal "$(name "plain: so it says")" ENOSYS "$(cat "$out/plain.answer")"
refuses plain enosys

# ---- KVM goes and comes ----

if [ -e "$out/reload.status" ]; then
	equal "$(name "reload: KVM may go while the gate is armed")" 0 "$(cat "$out/reload.status")"
	equal "$(name "reload: the gate is hooked whenever there is KVM")" "none EPERM none EPERM" \
		"$(xargs <"$out/reload.answers")"
	refuses reload eperm
	refuses reload-late eperm
else
	skip "$(name "reload")" "KVM is built in"
fi

# ---- unloaded under way ----

equal "$(name "loop: unloaded 50 times, disarmed 15 times, while guests run")" "50 15" "$(cat "$out/loop.times")"
status loop 0
equal "$(name "loop: it refused each time that it was attached")" 3 \
	"$(jq -s '[.[] | select(.denied > 0)] | length' "$out/loop.denied")"
equal "$(name "loop: as many were refused in the guests")" true \
	"$(jq --slurpfile denied "$out/loop.denied" '.refused_map.eperm == ([$denied[].denied] | add)' \
		"$out/loop.truth")"
exit 0
