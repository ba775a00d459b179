#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The service as a host has it: a whole Debian 12 with systemd on a lab kernel, our packages installed there by
# dpkg (`make deb` has built them), the gate as tests/lab/gate.sh has built it. tests/lab/systemd/run is what happens
# in there, tests/lab/systemd/again when it is booted once more; here it is judged.
#
#   systemd.sh 6.1 | 6.12 | sw-protected
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
build=${BUILD:-$here/../../build}
kernel=$1 job=$build/lab/systemd-$1 out=$build/lab/systemd-$1/out
module=$build/lab/gate-$kernel/kvm_encstat_gate.ko
case $kernel in sw-protected) type=sw-protected ;; *) type=default ;; esac

name() { printf 'systemd %s: %s' "$kernel" "$1"; }

# make_system DIR: Debian 12, as small as it boots quickly under emulation
make_system() {
	local unit
	mkdir -p "$1"
	tar -x -C "$1" -f "$("$here/../packages/root.sh")" --exclude='./dev/*' || return 1
	mkdir -p "$1/job" "$1/etc/systemd/system"
	cp "$here"/systemd/lab.* "$1/etc/systemd/system/"
	echo 0123456789abcdef0123456789abcdef >"$1/etc/machine-id"
	echo lab >"$1/etc/hostname"
	: >"$1/etc/fstab"
	for unit in systemd-udevd systemd-udev-trigger systemd-udevd-control.socket systemd-udevd-kernel.socket \
		systemd-hwdb-update systemd-update-utmp systemd-random-seed systemd-modules-load systemd-sysctl \
		systemd-binfmt systemd-timesyncd systemd-update-done systemd-machine-id-commit systemd-pstore \
		kmod-static-nodes systemd-tmpfiles-setup-dev dev-hugepages.mount dev-mqueue.mount \
		sys-kernel-debug.mount sys-fs-fuse-connections.mount systemd-ask-password-console.path \
		cryptsetup.target integritysetup.target veritysetup.target proc-sys-fs-binfmt_misc.automount; do
		case $unit in *.*) ;; *) unit=$unit.service ;; esac
		ln -sf /dev/null "$1/etc/systemd/system/$unit"
	done
}

deb=$(ls "$build"/deb/kvm-encstat_*.deb 2>/dev/null)
if [ ! -e "$deb" ] || [ ! -e "$module" ]; then
	fail "$(name 'the package and the module are there')" 'make deb, and tests/lab/gate.sh, build them'
	exit 0
fi
rm -rf "$job"
mkdir -p "$out"
# Thousands of small files: in memory, where there is a place for that.
system=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "$job")")
trap 'rm -rf "$system"' EXIT
ln -s "$system" "$job/system"
if ! make_system "$system"; then
	fail "$(name 'there is a Debian to boot')"
	exit 0
fi
cp "$deb" "$module" "$build/tests/guest" "$here"/systemd/{run,again,wait,steps,measure,service,*.yaml,*.guest} "$job/"
"$here/systemd/guest.sh" $type >"$job/db1.guest"
# How quick this machine is at emulating is not what is tested: where systemd has 90 s for a start, it has more here.
append="systemd.unit=lab.target systemd.show_status=0 systemd.default_timeout_start_sec=600 ${LAB_APPEND-}"
# boot NAME: it ran to its end, and the kernel has nothing to say against it
boot() {
	if ! LAB_CPUS=4 LAB_APPEND=$append "$here/boot.sh" "$kernel" "$job" 900 >"$job/boot.log" 2>&1; then
		fail "$(name "$1: booted and ran")" "$(cat "$job/boot.log" "$job/stderr")"
		return 1
	fi
	pass "$(name "$1: booted and ran")"
	none "$(name "$1: the kernel has nothing to complain")" \
		"$(grep -E 'BUG|WARNING|Oops|RIP:|Call Trace|rcu.*stall|blocked for' "$out/$1.dmesg" | head -n 5)"
	none "$(name "$1: nothing was waited for in vain")" "$(grep 'lab: in vain' "$out/$1.dmesg")"
}
boot first || exit 0
cp "$here/systemd/again" "$job/run"
boot again || exit 0
. "$here/systemd/verify.sh"
