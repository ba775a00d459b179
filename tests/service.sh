#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon by itself: what it tells the service manager, configuration and reload, one for a host, its
# sandbox. Where there is no KVM it waits for that, which is all that these need. Takes about five seconds.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
encstat=$PWD/build/kvm-encstat-sanitized
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1

# ---- config ----

mkdir -p "$work/conf.d"
printf 'daemon:\n  state_dir: %s/state\n  socket: %s/socket\naudit: {to: nowhere}\n' "$work" "$work" >"$work/main.yaml"
printf 'findings:\n  storm: {rate: 7}\n' >"$work/conf.d/10-storm.yaml"
equal 'service: config check lists the files in order' "$work/main.yaml: ok
$work/conf.d/10-storm.yaml: ok" "$("$encstat" config check "$work/main.yaml")"
equal 'service: config show says where a value is from' "[\"7\",\"$work/conf.d/10-storm.yaml:2\"]" \
	"$("$encstat" config show --json "$work/main.yaml" | jq -c 'select(.key == "findings.storm.rate") | [.value, .from]')"
equal 'service: config show, defaults' '["yes","default"]' \
	"$("$encstat" config show --json "$work/main.yaml" | jq -c 'select(.key == "daemon.keep") | [.value, .from]')"
mkdir -p "$work/again"
"$encstat" config show "$work/main.yaml" >"$work/again/main.yaml"
equal 'service: what config show prints means the same' \
	"$("$encstat" config show --json "$work/main.yaml" | jq -c '[.key, .value, .gpa, .npages]' | md5sum)" \
	"$("$encstat" config show --json "$work/again/main.yaml" | jq -c '[.key, .value, .gpa, .npages]' | md5sum)"
printf 'daemon: {enfroce: yes, keep: 3}\n' >"$work/conf.d/20-bad.yaml"
bad=$("$encstat" config check "$work/main.yaml" 2>&1)
equal 'service: config check, wrong: status' 1 $?
matches 'service: config check, wrong: the first' "$bad" "20-bad.yaml:1:10: there is no key 'enfroce'"
matches 'service: config check, wrong: the second' "$bad" "20-bad.yaml:1:30: 'keep' wants yes or no"
matches 'service: config check, wrong: how many' "$bad" '2 errors'
"$encstat" daemon --config "$work/main.yaml" >/dev/null 2>"$work/refused.err"
equal 'service: the daemon does not start with a wrong configuration' 1 $?
rm "$work/conf.d/20-bad.yaml"

# ---- the unit ----

if command -v systemd-analyze >/dev/null; then
	exposure=$(systemd-analyze security --offline=true units/kvm-encstat.service 2>/dev/null |
		sed -nE 's/.*exposure level.*: ([0-9.]+) .*/\1/p')
	try "service: systemd-analyze security: $exposure is under 3.0" awk -v x="$exposure" 'BEGIN {exit !(x != "" && x < 3.0)}'
else
	skip 'service: systemd-analyze security' 'no systemd-analyze here'
fi

# ---- the daemon ----

if [ "$(id -u)" -ne 0 ]; then
	skip 'service: the daemon' 'not root'
	exit 0
fi

# notified PATTERN: waits until the service manager has heard that, each message a line; fails when the
# daemon is gone
notified() {
	until grep -qE -- "$1" "$work/notified"; do
		kill -0 $daemon 2>/dev/null || return 1
	done
}
# notified_times PATTERN N: the same, of so many messages
notified_times() {
	until [ "$(grep -cE -- "$1" "$work/notified")" -ge "$2" ]; do
		kill -0 $daemon 2>/dev/null || return 1
	done
}
# said PATTERN: the same of what it logs
said() {
	until grep -qE -- "$1" "$work/daemon.err"; do
		kill -0 $daemon 2>/dev/null || return 1
	done
}
# begin [SOCKET]: starts it, with a service manager that writes down what it hears, and that listens at SOCKET
# for it: as systemd's, that socket blocks
begin() {
	: >"$work/notified"
	python3 - "$work" "$encstat" "$work/main.yaml" "$@" >/dev/null 2>"$work/daemon.err" <<'END' &
import os, socket, sys
work, program, config = sys.argv[1:4]
path = work + '/notify'
if os.path.exists(path):
    os.unlink(path)
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(path)
listener = os.fork()
if listener == 0:
    os.close(2)
    with open(work + '/notified', 'a', buffering=1) as log:
        while True:
            message = server.recv(4096).decode()
            log.write(message.replace('\n', ' ') + '\n')
            if message == 'the end':
                os._exit(0)
server.close()
if len(sys.argv) > 4:
    inherited = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    inherited.bind(sys.argv[4])
    inherited.listen()
    os.dup2(inherited.detach(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
# Leaks are looked for by ways that the daemon has given up once it watches.
os.environ.update(ASAN_OPTIONS='abort_on_error=0:detect_leaks=' + str(int(not os.path.exists('/dev/kvm'))))
os.environ.update(NOTIFY_SOCKET=path, WATCHDOG_USEC='200000', WATCHDOG_PID=str(os.getpid()))
os.execv(program, [program, 'daemon', '--config', config])
END
	daemon=$!
	notified '^READY=1'
}
# finish: ends it; $status is how. What was heard until then is in the file.
finish() {
	kill $daemon
	wait $daemon
	status=$?
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"the end", sys.argv[1])' "$work/notify"
	until grep -q '^the end' "$work/notified"; do :; done
}

begin
equal 'service: it starts and says READY' 0 $?
try 'service: signs of life' notified 'WATCHDOG=1'
matches 'service: it says what it does' "$(cat "$work/notified")" '^STATUS=(watching|waiting)'
"$encstat" daemon --config "$work/main.yaml" >/dev/null 2>"$work/second.err"
equal 'service: a second one is refused' 1 $?
matches 'service: a second one is told by whom' "$(cat "$work/second.err")" "a daemon runs already, pid $daemon: it has $work/state"

printf 'findings: {storm: {rate: 9}}\ndaemon: {ring_size: 8M, save_interval: 5s}\n' >"$work/conf.d/30-new.yaml"
kill -HUP $daemon
try 'service: reload: what has changed is taken' said 'read anew: 2 values changed'
try 'service: reload: the service manager hears of it' notified '^RELOADING=1 MONOTONIC_USEC=[0-9]+'
matches 'service: reload: what cannot change is said by name' "$(cat "$work/daemon.err")" \
	"daemon.ring_size has changed \($work/conf.d/30-new.yaml:2\): that holds after a restart only"
printf 'daemon: {save_interval: soon}\n' >"$work/conf.d/30-new.yaml"
kill -HUP $daemon
try 'service: reload: what is wrong is said' said "30-new.yaml:1:25: 'save_interval' wants a time"
try 'service: reload: and the old goes on' said 'nothing has changed: the old configuration and policies go on'

# The same by way of its socket, for whom the answer is waited for: systemd, for one.
reload() {
	timeout 60 "$encstat" policy reload --socket "$work/socket" "$@" >"$work/reload.out" 2>"$work/reload.err"
}
reload
equal 'service: reload by its socket, wrong: failed' 1 $?
matches 'service: reload by its socket, wrong: what and where' "$(cat "$work/reload.err")" \
	"30-new.yaml:1:25: 'save_interval' wants a time"
matches 'service: reload by its socket, wrong: and what goes on' "$(cat "$work/reload.err")" 'nothing has changed'
reload $daemon
equal 'service: reload by its socket, with its pid, wrong: failed' 1 $?
printf 'daemon: {save_interval: 6s, ring_size: 4M}\n' >"$work/conf.d/30-new.yaml"
reload $daemon
equal 'service: reload by its socket: done' 0 $?
matches 'service: reload by its socket: what has changed' "$(cat "$work/reload.out")" 'read anew: [0-9] values? changed'
matches 'service: reload by its socket: what cannot change is said' "$(cat "$work/reload.out")" \
	'daemon.ring_size has changed .*: that holds after a restart only'
equal 'service: what systemd does at a reload is that' "ExecReload=/usr/sbin/kvm-encstat policy reload \$MAINPID" \
	"$(grep ^ExecReload= units/kvm-encstat.service)"
reload 0
equal 'service: reload, no pid: usage' 2 $?
reload --socket "$work/nowhere"
equal 'service: reload, no daemon: failed' 1 $?

# Its socket is elsewhere: it is told by a signal.
printf 'daemon: {save_interval: 7s}\n' >"$work/conf.d/30-new.yaml"
reload --socket "$work/nowhere" $daemon
equal 'service: reload, its socket is elsewhere: told' 0 $?
matches 'service: reload, its socket is elsewhere: how is said' "$(cat "$work/reload.out")" "pid $daemon was sent SIGHUP"
try 'service: reload, its socket is elsewhere: it hears' notified_times 'RELOADING=1' 6
sleep infinity &
other=$!
{ reload $other; wait $other; } 2>/dev/null
equal 'service: reload, the pid of another: that one is told' 129 $?
rm "$work/conf.d/30-new.yaml"

# What it may have resident; with the sanitizer it has more than the least that can be said.
printf 'daemon: {memory: 16M}\n' >"$work/conf.d/30-new.yaml"
reload
try 'service: memory: that it is short is said, with figures' said 'memory is short: [0-9.]+M are resident, of 16M: VMs that live take'
printf 'daemon: {memory: 64G}\n' >"$work/conf.d/30-new.yaml"
reload
try 'service: memory: and that it is not any more' said 'memory is not short any more: [0-9.]+M are resident, of 64G'
rm "$work/conf.d/30-new.yaml"
finish
equal 'service: SIGTERM ends it well' 0 $status
matches 'service: and the service manager hears of it' "$(cat "$work/notified")" '^STOPPING=1'
none 'service: nothing wrong with its memory' "$(grep -E 'ERROR: |runtime error' "$work/daemon.err")"
begin
equal 'service: the next one starts' 0 $?
finish
equal 'service: and ends' 0 $status

# ---- the service manager's socket ----

begin "$work/inherited"
equal 'service: with a socket of the service manager it starts' 0 $?
for round in 1 2; do
	timeout 20 "$encstat" list --socket "$work/inherited" >/dev/null 2>"$work/list.err"
	answered=$?
	[ $answered != 3 ] || answered=0 # of other VMs on this host not all may be known
	equal "service: it answers there ($round)" 0 $answered
done
: >"$work/notified"
if [ "$answered" = 0 ]; then
	try 'service: and goes on to give signs of life' notified 'WATCHDOG=1'
else
	kill -KILL $daemon # it would not end by itself
fi
finish
equal 'service: it ends well' 0 $status
try "service: the socket stays, as it is the service manager's" test -S "$work/inherited"
