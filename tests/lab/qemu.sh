#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Debian's QEMU as the VMM: boots a lab kernel, runs QEMU with KVM in it (tests/lab/qemu-suite), and holds what
# kvm-encstat says of it against what QEMU was told and says itself.
#
#   qemu.sh 6.1 | 6.12 | sw-protected
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
build=$here/../../build
kernel=$1 job=$build/lab/qemu-$1 out=$build/lab/qemu-$1/out
encstat=${ENCSTAT:-$build/kvm-encstat}

name() { printf 'qemu %s: %s' "$kernel" "$1"; }

status() { equal "$(name "$1: exit status")" 0 "$(cat "$out/$1.status")"; }

rm -rf "$job"
mkdir -p "$job/out"
cp "$here/qemu-suite" "$job/run"
cp "$here/qemu-vm" "$here/qemu-resets" "$job/"
"$here/bundle.sh" "$job/root" "$build/kvm-encstat"
"$here/bundle.sh" "$job/qemu" "$(command -v qemu-system-x86_64)"
install -D -m 644 -t "$job/qemu/firmware" /usr/share/seabios/bios-256k.bin /usr/share/qemu/kvmvapic.bin

# One CPU: with two, the emulator now and then loads a wrong CS while a guest is in real mode, and its firmware
# goes nowhere from there.
if ! LAB_CPUS=1 "$here/boot.sh" "$kernel" "$job" 1200 >"$job/boot.log" 2>&1; then
	fail "$(name "booted and ran")" "$(cat "$job/boot.log")"
	exit 0
fi
pass "$(name "booted and ran")"

# ---- found running ----

vm=$(cat "$out/early.out")
status early
equal "$(name "early: one VM")" 1 "$(jq -s length <<<"$vm")"
equal "$(name "early: name, without the doubling of its comma")" alpha,beta "$(jq -r .name <<<"$vm")"
equal "$(name "early: UUID, in lower case")" 6ba7b810-9dad-11d1-80b4-00c04fd430c8 "$(jq -r .uuid <<<"$vm")"
equal "$(name "early: process")" qemu-system-x86 "$(jq -r .comm <<<"$vm")"
equal "$(name "early: cgroup")" /lab/early "$(jq -r .cgroup_path <<<"$vm")"
equal "$(name "early: vCPUs")" 2 "$(jq .vcpus <<<"$vm")"
equal "$(name "early: type")" default "$(jq -r .type <<<"$vm")"
equal "$(name "early: alive, and not watched from birth")" 'true partial' \
	"$(jq -r '"\(.alive) \(.confidence)"' <<<"$vm")"
# 96 MiB, but for the hole of the VGA; the firmware's ROM comes on top.
equal "$(name "early: no two memory slots overlap")" true \
	"$(jq '[.memslots | sort[] | .[0], .[0] + .[1]] | . == sort' <<<"$vm")"
equal "$(name "early: all RAM is in them")" true \
	"$(jq 'def held($from; $to): [.memslots[] |
			([.[0] + .[1], $to] | min) - ([.[0], $from] | max) | select(. > 0)] | add == $to - $from;
		held(0; 160) and held(192; 24576)' <<<"$vm")"
equal "$(name "early: with little else")" true \
	"$(jq '[.memslots[][1]] | add >= 24576 and add < 24576 + 1024' <<<"$vm")"
equal "$(name "early: as many pages as in the slots")" "$(jq '[.memslots[][1]] | add' <<<"$vm")" \
	"$(jq .memory_pages <<<"$vm")"

# ---- resets: as many as QEMU says that it made ----

# resets WHAT QEMU ASKED: of the capture WHAT, made while QEMU was reset, ASKED times by its monitor
resets() {
	local events told
	events=$("$encstat" replay "$out/$1.ke" events --json 2>/dev/null)
	told=$(grep -c '"event": "RESET"' "$out/$2.qmp")
	equal "$(name "$1: QEMU was reset as it was asked")" "$3" \
		"$(grep -c '"reason": "host-qmp-system-reset"' "$out/$2.qmp")"
	equal "$(name "$1: one event for each reset")" "$told" \
		"$(jq -s 'map(select(.kind == "reset")) | length' <<<"$events")"
	equal "$(name "$1: as many in the list, and exact since then")" "$told exact" \
		"$("$encstat" replay "$out/$1.ke" list --all --json 2>/dev/null |
			jq -r '"\(.resets) \(.confidence)"')"
	equal "$(name "$1: nothing lost, nothing else seen")" 0 \
		"$(jq -s 'map(select(.kind | IN("vm-new", "vm-end", "reset") | not)) | length' <<<"$events")"
}

status late
resets late early 1
same "$(name "late: replay prints what live printed")" "$out/late.out" \
	<("$encstat" replay "$out/late.ke" events --json 2>/dev/null)
equal "$(name "late: not from birth")" false \
	"$(jq 'select(.kind == "vm-new").born' "$out/late.out")"

# ---- seen from birth ----

# lived WHAT NAME CGROUP: from birth to its end, and its resets were seen when they were
lived() {
	local events vm
	status "$1"
	resets "$1" "$1" 2
	events=$("$encstat" replay "$out/$1.ke" events --json 2>/dev/null)
	vm=$("$encstat" replay "$out/$1.ke" list --all --json 2>/dev/null)
	equal "$(name "$1: born, with its name, and ended")" "[[\"vm-new\",\"$2\",true],[\"vm-end\"]]" \
		"$(jq -sc 'map(select(.kind == "vm-new") | [.kind, .name, .born]) +
			map(select(.kind == "vm-end") | [.kind])' <<<"$events")"
	equal "$(name "$1: process, cgroup, vCPUs, and ended")" "qemu-system-x86 $3 2 false" \
		"$(jq -r '"\(.comm) \(.cgroup_path) \(.vcpus) \(.alive)"' <<<"$vm")"
	while read -r n time; do
		equal "$(name "$1: $n resets until $time s")" "$n" \
			"$(jq -s "map(select(.kind == \"reset\" and .ts_ns < $time * 1e9)) | length" <<<"$events")"
	done <"$out/$1.marks"
}

lived born born /lab/born
same "$(name "born: replay prints what live printed")" "$out/born.out" \
	<("$encstat" replay "$out/born.ke" events --json 2>/dev/null)
equal "$(name "born: UUID")" 6ba7b811-9dad-11d1-80b4-00c04fd430c8 \
	"$(jq -r 'select(.kind == "vm-new").uuid' "$out/born.out")"
lived scope gamma /machine.slice/machine-qemu-7-gamma.scope
exit 0
