#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon under a flood of conversions by one VM, with a real journald: what it loses, what it tells
# the journal; then the same with 500 clients, every second of them hostile. It has the weight that the
# unit gives it, where this host has a cpu controller of cgroups (v1) at hand.
#
#   flood.sh BUILD [RATE [SECONDS [CLIENTS]]]
set -u
cd "$(dirname "$0")/.." || exit 1
[ -n "${FLOOD_INSIDE-}" ] || FLOOD_INSIDE=1 exec unshare -m --propagation private "$0" "$@"
. tests/await.sh
b=$1 rate=${2:-100000} seconds=${3:-10} clients=${4:-500}
journald=/lib/systemd/systemd-journald
work=$(mktemp -d)
cgroup=/sys/fs/cgroup/cpu/kvm-encstat-bench
started=()
trap '[ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null; wait; rmdir "$cgroup" 2>/dev/null; rm -rf "$work"' EXIT
export LC_ALL=C SYSTEMD_PAGER=

fail() {
	printf 'bench: %s\n' "$1" >&2
	tail -n 5 "$work"/*.err >&2
	exit 1
}

figure() { # NAME VALUE UNIT
	printf 'figure: %s %s %s\n' "$1" "$2" "$3"
}

cpu_ns() { # PID
	awk '{ print $1 }' "/proc/$1/schedstat"
}

start_journald() {
	mkdir -p /run/log /run/systemd
	mount -t tmpfs tmpfs /run/systemd || fail 'no folder for journald'
	mount -t tmpfs -o size=64M tmpfs /run/log || fail 'no folder for a journal'
	mkdir -p /run/log/journal /run/systemd/journal /run/systemd/journald.conf.d
	[ -s /etc/machine-id ] || { echo 00112233445566778899aabbccddeeff >"$work/id" && mount --bind "$work/id" /etc/machine-id; }
	printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\n' >/run/systemd/journald.conf.d/bench.conf
	$journald 2>"$work/journald.err" &
	started+=($!)
	await test -S /run/systemd/journal/socket || fail 'journald does not start'
}

start_daemon() {
	printf 'daemon: {state_dir: %s/state, socket: %s/socket}\n' "$work" "$work" >"$work/daemon.yaml"
	"$b/kvm-encstat" daemon --config "$work/daemon.yaml" 2>"$work/daemon.err" &
	daemon=$!
	started+=($!)
	if mkdir "$cgroup" 2>/dev/null && echo 10240 >"$cgroup/cpu.shares" && echo $daemon >"$cgroup/cgroup.procs"; then
		echo 'the daemon has a CPU weight of 1000, as in its unit'
	else
		echo 'the daemon has no CPU weight of its own here'
	fi
	await "$b/kvm-encstat" list --socket "$work/socket" || fail 'the daemon does not start'
}

# flood NAME: a VM that converts; its figures, by the daemon's own word
flood() {
	local pid cpu list made
	rm -f "$work/go"
	mkfifo "$work/go"
	cpu=$(cpu_ns "$daemon")
	"$b/bench/flood" "$daemon" "$rate" "$seconds" <"$work/go" >"$work/flood.out" 2>"$work/flood.err" &
	pid=$!
	exec 8>"$work/go"
	until grep -q '^made' "$work/flood.out"; do
		kill -0 $pid 2>/dev/null || fail 'the flood has ended'
		sleep 0.1
	done
	cpu=$(($(cpu_ns "$daemon") - cpu))
	made=$(sed -n 's/^made //p' "$work/flood.out")
	list=$("$b/kvm-encstat" list --socket "$work/socket" --json 2>/dev/null | jq -c "select(.pid == $pid)")
	exec 8>&-
	wait $pid
	figure "$1.made" "$made" conversions
	figure "$1.rate" "$(sed -n 's/^figure: flood.rate \([0-9.]*\) .*/\1/p' "$work/flood.out")" 1/s
	figure "$1.taken" "$(jq .converted <<<"$list")" conversions
	figure "$1.lost" "$(jq .lost <<<"$list")" records
	figure "$1.daemon_cpu" "$(awk "BEGIN { printf \"%.1f\", $cpu / 1e7 / $seconds }")" percent
}

[ "$(id -u)" -eq 0 ] && [ -x $journald ] || fail 'no root or no journald'
start_journald
start_daemon
before=$(journalctl -q -o cat | wc -l)
flood flood
journalctl -q -o json | jq -r '.KES_KIND // "none"' | sort | uniq -c | awk '{ printf "%s %s, ", $1, $2 }'
echo 'in the journal'
figure flood.messages "$(awk "BEGIN { print ($(journalctl -q -o cat | wc -l) - $before) / $seconds }")" 1/s

mkfifo "$work/crowd"
"$b/tests/clients" "$work/socket" "$clients" <"$work/crowd" >"$work/clients.out" 2>"$work/clients.err" &
crowd=$!
exec 9>"$work/crowd"
await grep -q ready "$work/clients.out" || fail 'the clients do not come'
flood crowd
exec 9>&-
wait $crowd
tail -n 1 "$work/clients.out"
figure crowd.answered "$(tail -n 1 "$work/clients.out" | jq .answered)" calls
