#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A scrape as Prometheus makes it, the whole way: daemon, socket, exporter, HTTP client. Of a staged host
# with 1,000 VMs of which all is known, beside node_exporter with the same text as a file, and beside a
# server of files (busybox), which is HTTP and nothing else; and of 1,000 real VMs, by the real daemon.
#
#   scrape.sh BUILD
set -u
. "$(dirname "$0")/../tests/await.sh"
b=$1
work=$(mktemp -d)
started=()
trap '{ kill -KILL "${started[@]}"; wait; } 2>/dev/null; rm -rf "$work"' EXIT
openmetrics='Accept: application/openmetrics-text;version=1.0.0'
plain='Accept: text/plain'
scrapes=${BENCH_SCRAPES:-41}

figure() { # NAME VALUE UNIT
	printf 'figure: %s %s %s\n' "$1" "$2" "$3"
}

# wait_for COMMAND...: or all is over
wait_for() {
	await "$@" || { echo "scrape: waited too long for: $*" >&2; exit 1; }
}

# scrape NAME URL HEADER [OPTION...]: each once the exporter asks the daemon anew
scrape() {
	local name=$1
	shift
	for _ in $(seq "$scrapes"); do
		sleep 0.6
		curl -s -f --max-time 20 -o /dev/null -w '%{time_total} %{size_download}\n' -H "$2" "${@:3}" "$1" || exit 1
	done | sort -n >"$work/times"
	awk -v name="$name" '{ ms[NR] = $1 * 1000; size = $2 }
		END {
			printf "figure: %s.median %.1f ms\nfigure: %s.longest %.1f ms\n", name, ms[int((NR + 1) / 2)], name, ms[NR]
			printf "figure: %s.size %d bytes\n", name, size
		}' "$work/times" | tee -a "$work/figures"
	curl -s -f --max-time 20 -o "$work/text" -H "$2" "${@:3}" "$1" || exit 1
	figure "$name.series" "$(grep -vc '^#' "$work/text")" series
}

value() { # NAME
	awk -v name="$1" '$2 == name { print $3 }' "$work/figures"
}

# exporter SOCKET: $at is where
exporter() {
	"$b/kvm-encstat-exporter" --socket "$1" --listen 127.0.0.1:0 2>"$work/exporter.err" &
	started+=($!)
	wait_for grep -q 'listening on' "$work/exporter.err"
	at=$(sed -n 's/.*listening on //p' "$work/exporter.err")
}

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# ---- staged ----

mkfifo "$work/commands"
: >"$work/stage.out"
"$b/bench/stage" "$work/staged" <"$work/commands" >"$work/stage.out" &
started+=($!)
exec 3>"$work/commands"
echo 'many 1000' >&3
wait_for eval '[ "$(grep -cx ok "$work/stage.out")" -eq 2 ]'
exporter "$work/staged"
scrape scrape "$at/metrics" "$openmetrics"
mkdir "$work/files"
scrape scrape_text "$at/metrics" "$plain"
grep -v '^kvm_encstat_\(up\|exporter\)' "$work/text" >"$work/files/host.prom"
chmod -R a+rX "$work"

port=$(free_port)
busybox httpd -f -p "127.0.0.1:$port" -h "$work/files" &
started+=($!)
wait_for curl -s -f -o /dev/null "127.0.0.1:$port/host.prom"
scrape scrape_file "127.0.0.1:$port/host.prom" "$plain"

if [ -x "$b/bench/node-exporter/usr/bin/prometheus-node-exporter" ]; then
	port=$(free_port)
	"$b/bench/node-exporter/usr/bin/prometheus-node-exporter" --collector.disable-defaults --collector.textfile \
		--collector.textfile.directory="$work/files" --web.disable-exporter-metrics \
		--web.listen-address="127.0.0.1:$port" 2>"$work/node.err" &
	started+=($!)
	wait_for curl -s -f -o /dev/null "127.0.0.1:$port/metrics"
	scrape scrape_node "127.0.0.1:$port/metrics" "$plain"
	figure scrape.of_node "$(awk "BEGIN { printf \"%.3f\", $(value scrape_text.median) / $(value scrape_node.median) }")" times
fi

# ---- real ----

if [ "$(id -u)" -ne 0 ] || [ ! -w /dev/kvm ]; then
	echo 'scrape: no root or no /dev/kvm: real VMs are left out' >&2
	exit 0
fi
"$b/tests/guest" --keep 1000 --slots 32 "$work/ready" "$work/never" &
guest=$!
started+=($guest)
wait_for test -s "$work/ready"
kill -STOP $guest # what it waits for would take the CPU
printf 'daemon: {state_dir: %s/state, socket: %s/real}\naudit: {to: nowhere}\nmetrics: {max_vms: 2000}\n' "$work" "$work" >"$work/daemon.yaml"
"$b/kvm-encstat" daemon --config "$work/daemon.yaml" >/dev/null 2>"$work/daemon.err" &
started+=($!)
wait_for test -S "$work/real"
figure scrape_real.vms "$("$b/kvm-encstat" list --socket "$work/real" --json | wc -l)" VMs
exporter "$work/real"
scrape scrape_real "$at/metrics" "$openmetrics"
