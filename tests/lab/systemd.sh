#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The service as a host has it: a whole Debian 12 with systemd on a lab kernel, our packages installed there by
# dpkg (`make deb` has built them). tests/lab/systemd/run is what happens in there; here it is judged.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
build=${BUILD:-$here/../../build}
kernel=6.12 job=$build/lab/systemd out=$build/lab/systemd/out

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

# step_works STEP: it ended with status 0
step_works() {
	equal "systemd: $1" 0 "$(cat "$out/$1.status" 2>/dev/null || echo 'not come to')"
}

deb=$(ls "$build"/deb/kvm-encstat_*.deb 2>/dev/null)
if [ ! -e "$deb" ]; then
	fail 'systemd: the package is there' 'make deb builds it'
	exit 0
fi
rm -rf "$job"
mkdir -p "$out"
# Thousands of small files: in memory, where there is a place for that.
system=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "$job")")
trap 'rm -rf "$system"' EXIT
ln -s "$system" "$job/system"
if ! make_system "$system"; then
	fail 'systemd: there is a Debian to boot'
	exit 0
fi
cp "$deb" "$here/systemd/run" "$build/tests/guest" "$job/"
# How quick this machine is at emulating is not what is tested: where systemd has 90 s for a start, it has more here.
append="systemd.unit=lab.target systemd.show_status=0 systemd.default_timeout_start_sec=600 ${LAB_APPEND-}"
if ! LAB_CPUS=4 LAB_APPEND=$append \
	"$here/boot.sh" $kernel "$job" 900 >"$job/boot.log" 2>&1; then
	fail 'systemd: booted and ran' "$(cat "$job/boot.log" "$job/stderr")"
	exit 0
fi
pass 'systemd: booted and ran'
none 'systemd: the kernel has nothing to complain' \
	"$(grep -E 'BUG|WARNING|Oops|RIP:|Call Trace|rcu.*stall|blocked for' "$out/dmesg" | head -n 5)"
step_works install
matches 'systemd: install makes the group' "$(cat "$out/group")" '^kvm-encstat:'
equal 'systemd: install starts the service, which becomes ready, and its socket' 2 \
	"$(grep -cE 'Active: active \((running|listening)\)' "$out/installed")"
step_works reload
step_works purge
none 'systemd: purge leaves nothing' "$(grep -v /var/lib/dpkg "$out/left")"
