#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs a job in a lab kernel, under emulation, and exits with the job's exit status:
#
#   boot.sh KERNEL JOBDIR [SECONDS]
#
#   KERNEL   6.1 | 6.12 | sw-protected, or a folder that kernel.sh printed
#   JOBDIR   is /job in there: /job/run is run by busybox sh, with /job as its folder; what it prints
#            comes back in JOBDIR/stdout and JOBDIR/stderr, its status in JOBDIR/exit
#            A whole system in JOBDIR/system is booted instead, with the folder at /job; it is to
#            write /job/exit and to power off.
#   SECONDS  how long all of it may take (120)
#
# 125 means that the lab failed and the job has no status: no boot, no end in time. The console is in
# JOBDIR/console, and its end is shown then. LAB_CPUS (2), LAB_MEMORY (1G) and LAB_APPEND (more kernel
# parameters) come from the environment. Two and more may run at once, each with a JOBDIR of its own.
set -uo pipefail

die() { printf 'lab: %s\n' "$*" >&2; exit 125; }

[ $# -eq 2 ] || [ $# -eq 3 ] || die "usage: boot.sh KERNEL JOBDIR [SECONDS]"
seconds=${3:-120}
job=$(cd "$2" 2>/dev/null && pwd) || die "$2: no such folder"
[ -e "$job/run" ] || die "$job/run is not there: nothing to do"
case $job in *,*) die "$job: QEMU wants no comma in the name of a shared folder" ;; esac

kernel=$1
if [ ! -d "$kernel" ]; then
	kernel=$("$(dirname "$0")/kernel.sh" "$1") || die "no kernel $1"
fi

# The unpacked kernel and the small firmware save what an emulated CPU is slow at.
image=$kernel/vmlinux
[ -e "$image" ] || image=$kernel/vmlinuz
firmware=()
[ ! -e /usr/share/qemu/qboot.rom ] || firmware=(-bios /usr/share/qemu/qboot.rom)

# One thread for all CPUs: with several, a CPU may still run the breakpoint by which another one has just
# changed code (static keys, trampolines), and the kernel dies of an int3 that nobody owns any more.
append="console=ttyS0 quiet panic=-1 mitigations=off nokaslr lsm=bpf tsc=reliable no_timer_check"
append+=" cryptomgr.notests rcupdate.rcu_expedited=1 i8042.noaux i8042.nokbd nowatchdog audit=0"
append+=" ${LAB_APPEND-}"

system=()
[ ! -d "$job/system" ] ||
	system=(-virtfs "local,path=$(readlink -f "$job/system"),mount_tag=system,security_model=none,multidevs=remap")

rm -f "$job"/{exit,exit.new,stdout,stderr,console,qemu.log}
timeout -k 5 "$seconds" qemu-system-x86_64 \
	-machine q35 -cpu max,+svm -accel tcg,thread=single \
	-smp "${LAB_CPUS:-2}" -m "${LAB_MEMORY:-1G}" "${firmware[@]}" \
	-nodefaults -no-user-config -no-reboot -display none -serial "file:$job/console" \
	-kernel "$image" -initrd "$kernel/initrd.zst" -append "$append" \
	-virtfs "local,path=$job,mount_tag=job,security_model=none,multidevs=remap" \
	"${system[@]}" </dev/null >"$job/qemu.log" 2>&1
status=$?

if [ ! -s "$job/exit" ]; then
	{
		if [ $status -eq 124 ] || [ $status -eq 137 ]; then
			echo "lab: $1: no end after $seconds s"
		else
			echo "lab: $1: the machine ended (qemu: $status) without a status of the job"
		fi
		cat "$job/qemu.log"
		for file in stdout stderr console; do
			[ ! -s "$job/$file" ] || { echo "--- the end of $job/$file"; tail -n 20 "$job/$file"; }
		done
	} >&2
	exit 125
fi
exit "$(cat "$job/exit")"
