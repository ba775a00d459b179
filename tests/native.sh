#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# On this machine's own kernel: exits of a real-mode guest, counted against what its VMM counted. Where
# there is no KVM here, that is left to the lab.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
encstat=build/kvm-encstat-sanitized
scripts=tests/guest/scripts

if [ ! -w /dev/kvm ] || [ "$(id -u)" -ne 0 ] || ! build/kvm-encstat list >/dev/null 2>&1; then
	skip 'native: exits of a guest on this kernel' 'no KVM, no BPF or not root here'
	exit 0
fi

for options in '' --no-trampolines; do
	name="native${options:+ $options}"
	# shellcheck disable=SC2086
	timeout -k 5 120 $encstat list --all --json $options --save "$work/exits$options.ke" -- \
		timeout -s KILL 60 build/tests/guest --truth "$work/truth" $scripts/exits.guest \
		>"$work/exits.out" 2>"$work/exits.err"
	equal "$name: the guest and the tool end well" 0 $?
	# other VMs may live on this host: only the guest's line counts
	jq -c 'select(.name | startswith("guest["))' "$work/exits.out" >"$work/guest.out"
	equal "$name: exits by reason, as the VMM counted" "$(jq -c .exits "$work/truth")" \
		"$(jq -c .exits "$work/guest.out")"
	equal "$name: nothing lost" 0 "$(jq .lost "$work/guest.out")"
	equal "$name: its memory" "$(jq '[.memslots[][1]] | add' "$work/truth")" \
		"$(jq .memory_pages "$work/guest.out")"
	matches "$name: no map, and says so" \
		"$(build/kvm-encstat replay "$work/exits$options.ke" map guest 2>&1)" 'has no page map'
	equal "$name: replay prints what live printed" "$(cat "$work/exits.out")" \
		"$(build/kvm-encstat replay "$work/exits$options.ke" list --all --json 2>/dev/null)"
done

# A guest that runs already is found, with its memory, and is not called exact.
coproc guest { timeout -s KILL 60 build/tests/guest <(printf 'vm memory=8M mode=real\nvcpu 0\nout 3\ntouch-file %s\nwait-file %s\n' \
	"$work/runs" "$work/go"); }
until [ -e "$work/runs" ]; do :; done
$encstat list --json >"$work/found.out" 2>"$work/found.err"
touch "$work/go"
wait "$guest_PID"
equal 'native: a VM that runs already is found' '[true,"partial",2048]' \
	"$(jq -c 'select(.memory_pages == 2048) | [.alive, .confidence, .memory_pages]' "$work/found.out")"

# A process that outlives its VM, seen without a trampoline: the VM has ended, the process has not.
mkdir "$work/outlive"
timeout -k 5 60 $encstat list --all --json --no-trampolines -- sh -c "
	timeout -s KILL 60 build/tests/guest --outlive $work/outlive/go --truth $work/outlive/truth $scripts/exits.guest &
	until [ -e $work/outlive/truth ]; do :; done
	while ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q 'anon_inode:kvm'; do :; done
	kill -0 \$! && echo lives >$work/outlive/process" >"$work/outlive/out" 2>/dev/null
touch "$work/outlive/go"
equal 'native: a VM whose process lives on has ended' 'lives [false]' \
	"$(cat "$work/outlive/process") $(jq -sc '[.[] | select(.memory_pages == 1024).alive]' "$work/outlive/out")"

# A forked child holds the VM: one VM, the parent's, until the child ends.
coproc holder { timeout -s KILL 60 build/tests/guest --fork-holder "$work/let-go" \
	<(printf 'vm memory=12M mode=real\nvcpu 0\nout 3\ntouch-file %s\nwait-file %s\n' "$work/held" "$work/release"); }
until [ -e "$work/held" ]; do :; done
$encstat list --json >"$work/both.out" 2>/dev/null
touch "$work/release"
wait "$holder_PID"
$encstat list --json >"$work/child.out" 2>/dev/null
touch "$work/let-go"
ours='select(.memory_pages == 3072)'
equal 'native: a VM that two processes hold is one' 1 "$(jq -s "map($ours) | length" "$work/both.out")"
equal "native: it is its VMM's, then whoever holds it" 'true false' \
	"$(jq "$ours.pid == $(jq "$ours.pid" "$work/both.out")" "$work/both.out") $(jq "$ours.pid == $(jq "$ours.pid" "$work/both.out")" "$work/child.out")"

# Names as QEMU takes them; each of those that nobody should give is shown harmlessly.
mkdir "$work/names"
while read -r given; do
	case $given in '#'*) continue ;; esac
	rm -f "$work/names/held"
	# shellcheck disable=SC2059
	timeout -s KILL 60 build/tests/guest -name "$(printf "$given")" <(printf \
		'vm memory=20M mode=real\nvcpu 0\nout 1\ntouch-file %s\nwait-file %s\n' "$work/names/held" "$work/names/go") &
	until [ -e "$work/names/held" ]; do :; done
done <tests/lab/names
$encstat list --json >"$work/names/json" 2>/dev/null
$encstat list >"$work/names/text" 2>/dev/null
touch "$work/names/go"
equal 'native: names of VMs that run already' "$(grep -vc '^#' tests/lab/names)" \
	"$(jq -s '[.[] | select(.memory_pages == 5120 and (.name | test("^guest.[0-9]+.$") | not))] | length' "$work/names/json")"
none 'native: no name brings a control character' "$(LC_ALL=C grep -nP '[\x00-\x09\x0b-\x1f\x7f]' "$work/names/text" "$work/names/json")"

# Both halves judge alike.
try 'native: a million verdicts, the same in the kernel and in the C half' build/tests/verdict 1000000 7

# How much is shared is counted as it should be: random scripts, bounds, threads.
build/tests/counted 200000 7 >"$work/counted" 2>&1
equal 'native: what is counted as shared is what an oracle counts' 0 $?
sed 's/^/      /' "$work/counted"

# Who waits is woken, once.
build/tests/rest 50000 >"$work/rest" 2>&1
equal 'native: a record wakes a reader that waits for it, one of many does, and never is one missed' 0 $?
sed 's/^/      /' "$work/rest"

# What this host cannot prove is not called proved; the hooks on the ioctl are seen firing all the same.
build/kvm-encstat doctor --selftest --json >"$work/selftest.out" 2>&1
equal 'native: hooks on changes of attributes fire, whichever this kernel takes' true \
	"$(jq -s '[.[] | select(.name == "tp_btf/sys_exit" or .name == "fexit/__x64_sys_ioctl") | .fired > 0] | any' "$work/selftest.out")"

build/kvm-encstat doctor --json >"$work/doctor.out" 2>&1
status=$?
case $status in
0 | 3) pass "native: doctor says what this host can do ($status)" ;;
*) fail 'native: doctor says what this host can do' "$(cat "$work/doctor.out")" ;;
esac
equal 'native: doctor saw exits' true \
	"$(jq -s '[.[] | select(.name == "tp_btf/kvm_userspace_exit").fired > 0] | any' "$work/doctor.out")"

# Where nothing can be refused `enforce` says so, starts nothing and leaves nothing. On other hosts it is not tried:
# their VMs are none of ours.
if [ "$(jq 'select(.check == "trampolines").good' "$work/doctor.out")" = false ]; then
	build/kvm-encstat enforce --policy tests/enforce/policies/range.yaml -- touch "$work/started" 2>"$work/enforce.err"
	equal 'native: enforce cannot be armed here: exit status' 3 $?
	matches 'native: enforce says why' "$(cat "$work/enforce.err")" 'forbids BPF trampolines.*can only be observed'
	none 'native: enforce starts no command then, and pins nothing' "$(ls "$work/started" /sys/fs/bpf/kvm-encstat 2>/dev/null)"
else
	skip 'native: enforce cannot be armed here' 'this kernel allows trampolines, so it could'
fi
