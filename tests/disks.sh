#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon while disks are full and journald is away, with a real journald, all in a mount namespace of its own:
# what waits, what is said, that all arrives in the end. Takes about a minute, most of it at the pace of what waits
# for journald.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
. tests/journald.sh
journald_alone 'disks: the daemon with full disks'

encstat=build/kvm-encstat
work=$(mktemp -d)
export KVM_ENCSTAT_SOCKET=$work/socket
daemon=
trap '[ -z "$daemon" ] || kill -KILL $daemon 2>/dev/null; journald_ends KILL; umount "$work"/{state,textfile,log}; rm -rf "$work"' EXIT
mkdir -p "$work/state" "$work/textfile" "$work/log"
mount -t tmpfs -o size=24M tmpfs /run/log
mkdir /run/log/journal
for disk in state textfile log; do
	mount -t tmpfs -o size=2M tmpfs "$work/$disk"
done

journald_begins() { journald_starts RuntimeKeepFree=0 RuntimeMaxUse=20M; }

# fill DISK: not a byte is left
fill() { dd if=/dev/zero of="$1/filler" bs=4K conv=notrunc oflag=append 2>/dev/null; }
free() { rm "$1/filler"; }

# begin NAME: starts the daemon, under strace where there is one: that sees which system calls are refused to it
begin() {
	: >"$work/err"
	if command -v strace >/dev/null; then
		strace -D -f -qq -Z -o "$work/calls.$1" $encstat daemon --config "$work/main.yaml" 2>"$work/err" &
	else
		$encstat daemon --config "$work/main.yaml" 2>"$work/err" &
	fi
	daemon=$!
	await $encstat policy reload
}

said() { grep -qE -- "$1" "$work/err"; }
said_again() { [ "$(grep -cE -- "$1" "$work/err")" -ge "$2" ]; } # PATTERN TIMES
reloads() { for _ in $(seq "$1"); do $encstat policy reload >/dev/null || return 1; done; }
number() { $encstat metrics --plain | sed -n "s/^$1 //p"; }
nothing_waits() { [ "$(number kvm_encstat_audit_spool_bytes)" = 0 ]; }
in_journal() { journalctl -o json KES_KIND=config 2>/dev/null | jq -s 'map(.KES_SEQ) | unique | length'; }
has_journal() { [ "$(in_journal)" -ge "$1" ]; }
# begins_no_file: journald could not begin its next file. What it archives it makes smaller, some time later.
begins_no_file() {
	fill /run/log
	journalctl --rotate
	echo "$EPOCHREALTIME" >"$work/probe"
	systemd-cat -t probe <"$work/probe"
	journalctl --sync
	! journalctl -t probe -o cat | grep -qF "$(cat "$work/probe")"
}
in_file() { jq -s 'map(select(.KES_KIND == "config")) | length' "$work"/log/audit*; }

printf '%s\n' "daemon: {state_dir: $work/state, save_interval: 1s}" \
	"audit: {to: both, file: $work/log/audit, rotate: 64K, files: 20, rate: 1000}" \
	"metrics: {textfile: $work/textfile/kvm.prom, interval: 1s}" >"$work/main.yaml"
journald_begins
begin first
equal 'disks: the daemon starts' 0 $?
$encstat events --json >/dev/null 2>&1 & # somebody who subscribes
events=$!
reloads 20
try 'disks: all that is told is in the journal' await has_journal 22

# journald goes, comes back, is killed.
journald_ends TERM
reloads 20
try 'disks: journald is away: it is said' await said 'audit log \(journal\): .*records wait on disk'
journald_begins
try 'disks: journald is back: what waited follows' await has_journal 42
try 'disks: journald is back: it is said' await said 'the audit log is delivered again'
journald_ends KILL
journald_begins
reloads 20
try 'disks: journald was killed: what follows arrives' await has_journal 62

# Its disk is full, so that it cannot begin the next file: it takes what is sent, and stores nothing.
try 'disks: the disk of the journal is full' await begins_no_file
reloads 100
# That nothing arrives there or, once its socket is full, that it takes nothing.
try 'disks: the disk of the journal is full: it is said' await said_again 'audit log \(journal\): .*records wait on disk' 2
equal 'disks: the disk of the journal is full: all is in the file' 162 "$(in_file)"
free /run/log
try 'disks: the disk of the journal has room: all follows' await has_journal 162
try 'disks: and nothing waits any more' await nothing_waits
try 'disks: that is said' await said_again 'the audit log is delivered again' 2

# The metrics' disk.
fill "$work/textfile"
try 'disks: the textfile cannot be written: it is said' await said 'metrics: .*No space left on device'
cp "$work/textfile/kvm.prom" "$work/prom"
try 'disks: the textfile is the last whole one' grep -q '^kvm_encstat_audit_records' "$work/prom"
equal 'disks: the textfile: nothing is left beside it' 'filler kvm.prom' "$(ls "$work/textfile" | xargs)"
free "$work/textfile"
try 'disks: the textfile is written again, and that is said' await said 'metrics: the textfile is written again'

# The file's disk, and that of what waits, at once: what finds no room anywhere is counted.
fill "$work/log"
reloads 20
try 'disks: the disk of the log file is full: it is said' await said 'audit log \(file\): .*records wait on disk'
free "$work/log"
try 'disks: the disk of the log file has room: all follows' await sh -c "[ \"\$(cat '$work'/log/audit* | grep -c '\"config\"')\" -ge 182 ]"
fill "$work/state"
journald_ends TERM
reloads 50
try 'disks: no room for what waits: it is counted' await sh -c "[ \"\$($encstat metrics --plain | sed -n 's/^kvm_encstat_audit_merged_total //p')\" -ge 1 ]"
free "$work/state"
journald_begins
try 'disks: room again: nothing waits any more' await nothing_waits

# The state's disk. Other VMs may live on this host.
# guest_runs NAME: a VM of that name, which the daemon knows
guest_runs() {
	printf 'vm memory=8M mode=real name=%s\nvcpu 0\nout 1\nwait-file %s/go\n' "$1" "$work" >"$work/$1.guest"
	timeout -s KILL 300 build/tests/guest -name "$1" "$work/$1.guest" &
	await sh -c "$encstat list --json | grep -q '\"name\":\"$1\"'"
}
if [ -w /dev/kvm ] && $encstat list >/dev/null 2>&1 && guest_runs disks-first; then
	touch "$work/seen"
	await test "$work/state/state" -nt "$work/seen"
	fill "$work/state"
	guest_runs disks-second
	try 'disks: the state cannot be saved: it is said' await said 'No space left on device: a next life may know less of what was'
	first=$($encstat list --json | jq -c 'select(.name == "disks-first").id')
	kill -KILL $daemon
	wait $daemon 2>/dev/null
	begin second
	matches 'disks: the state is the last whole one: the next life goes on from there' "$(cat "$work/err")" "the last life's state was taken over"
	equal 'disks: a VM of before has its id' "$first" "$($encstat list --json | jq -c 'select(.name == "disks-first").id')"
	free "$work/state"
	try 'disks: the state is saved again, and that is said' await said 'the state is saved again'
	touch "$work/go"
else
	skip 'disks: the state' 'no KVM here'
fi
kill $events 2>/dev/null # its daemon may have gone
kill $daemon
wait $daemon
equal 'disks: the daemon ends well' 0 $?
daemon=
try 'disks: all of it is a whole log' $encstat audit verify --state "$work/state/audit"
try 'disks: in the file, too' $encstat audit verify --file "$work/log/audit"
if [ -e "$work/calls.first" ]; then
	# bpf() is not refused by its filter; before there is one, it is tried what the kernel loads
	none 'disks: no system call was refused to it, whatever happened' \
		"$(cat "$work"/calls.* | grep EPERM | grep -v BPF_PROG_LOAD | head -n 5)"
else
	skip 'disks: no system call was refused to it' 'no strace here'
fi
