#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# `enforce` on one kernel: guests whose hypercalls a policy refuses (tests/enforce/suite), seen from three sides:
# what the guest got, what its VMM was asked, what the tool says. After gate.sh, which has built the module.
#
#   enforce.sh 6.1 | 6.12 | sw-protected
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
build=${BUILD:-$here/../../build}
kernel=$1 job=$build/lab/enforce-$1 out=$build/lab/enforce-$1/out
encstat=$build/kvm-encstat
module=$build/lab/gate-$1/kvm_encstat_gate.ko

. "$here/../enforce/look.sh"

if [ ! -e "$module" ]; then
	fail "$(name "the module is there")" "tests/lab/gate.sh $kernel builds it"
	exit 0
fi
# boot JOB RUN: a kernel that runs this; false if it did not
boot() {
	local job=$1 out=$1/out
	rm -rf "$job"
	mkdir -p "$job/out"
	cp "$module" "$job/"
	cp "$2" "$job/run"
	cp "$here"/../enforce/suite-* "$job/"
	cp -r "$here/../enforce/policies" "$job/policies"
	cp -r "$here/../guest/scripts/enforce" "$job/scripts"
	cp -r "$here/../guest/scripts/veto" "$job/veto"
	echo "$kernel" >"$job/kind"
	"$here/bundle.sh" "$job/root" "$encstat" "$build/tests/guest" "$(command -v bpftool || echo /usr/sbin/bpftool)" \
		"$(command -v script)"
	install -D /lib/terminfo/l/linux "$job/root/usr/share/terminfo/l/linux"
	local program
	for program in ioctls gmem; do
		"${CC:-cc}" -Wall -Wextra -Werror -O1 -static -o "$job/root/bin/$program" \
			"$here/../enforce/$program.c" 2>"$job/cc.log" && continue
		fail "$(name "$program.c builds")" "$(cat "$job/cc.log")"
		return 1
	done
	if ! "$here/boot.sh" "$kernel" "$job" 600 >"$job/boot.log" 2>&1; then
		fail "$(name "booted and ran")" "$(cat "$job/boot.log")"
		return 1
	fi
	pass "$(name "booted and ran")"
	none "$(name "the kernel has nothing to complain")" \
		"$(grep -E 'BUG|WARNING|Oops|RIP:|Call Trace|rcu.*stall|blocked for' "$out/dmesg" | head -n 5)"
}

boot "$job" "$here/../enforce/suite" || exit 0

status no-module 3
matches "$(name "no module: which rule cannot be enforced, and where it is")" "$(cat "$out/no-module.err")" \
	'level2.yaml:[0-9]+: this rule cannot be enforced: the module kvm_encstat_gate is not loaded'
none "$(name "no module: the command is not started")" "$(cat "$out/no-module.truth" 2>/dev/null)"
status late-module 0
matches "$(name "late module: a policy that needs it is not taken, and says why")" "$(cat "$out/late-module.err")" \
	'old policies go on: .*late-module.yaml:[0-9]+: this rule cannot be enforced'
status bare 3
matches "$(name "no module: a VM that nothing can be refused to is named")" "$(cat "$out/bare.err")" \
	'VM [0-9]+: what its guest asks for is NOT refused'
equal "$(name "no module: nothing is refused to it")" '1009 0' "$(truth bare .requests) $(truth bare .refused_map.eperm)"

status short 3
matches "$(name "short: a VM that does not get its rules is named")" "$(cat "$out/short.err")" \
	'VM [0-9]+ does not get its rules, and stays under those for every VM: .*more than 64 rules'
equal "$(name "short: it is under those for every VM")" '[[8192,2]]' "$(jq -c .shared "$out/short.truth")"

status reload 0
equal "$(name "reload: what both policies refuse never comes out")" 0 \
	"$(jq '[.conversions[] | select(.gfn == 4096)] | length' "$out/reload.truth")"
equal "$(name "reload: what only the new one refuses came out until then, and not after it was first refused")" \
	'true 0' "$(jq '.requests > 0' "$out/reload.truth") $("$encstat" replay "$out/reload.ke" events --json 2>/dev/null |
		jq -s 'map(select(.gfn == 8192)) | (map(.action == "deny") | index(true)) as $first |
			[.[$first:][] | select(.kind == "converted")] | length')"
equal "$(name "reload: what was counted stays so")" 101 "$(jq '[.shared[][1]] | add' "$out/reload.truth")"
matches "$(name "reload: a policy that is wrong changes nothing, and is said")" "$(cat "$out/reload.err")" \
	'old policies go on: .*policy.yaml:'

equal "$(name "afterwards the module is as it was")" N "$(cat "$out/armed-after")"
equal "$(name "afterwards no program stays")" 0 "$(cat "$out/left-behind")"

for part in level1 level2 keep actions; do
	# shellcheck source=/dev/null
	. "$here/../enforce/verify-$part.sh"
done
verify_level1_of level1 no
[ "$kernel" = sw-protected ] || exit 0
verify_level1_of level1-gate yes

# Where bpf is no security module that runs.
job=$build/lab/enforce-fmod out=$build/lab/enforce-fmod/out
LAB_APPEND=lsm=capability boot "$job" "$here/../enforce/run-fmod" || exit 0
verify_level1_of level1-fmod no
