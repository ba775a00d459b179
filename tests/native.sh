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

build/kvm-encstat doctor --json >"$work/doctor.out" 2>&1
status=$?
case $status in
0 | 3) pass "native: doctor says what this host can do ($status)" ;;
*) fail 'native: doctor says what this host can do' "$(cat "$work/doctor.out")" ;;
esac
equal 'native: doctor saw exits' true \
	"$(jq -s '[.[] | select(.name == "tp_btf/kvm_userspace_exit").fired > 0] | any' "$work/doctor.out")"
