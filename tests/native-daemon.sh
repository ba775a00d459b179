#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon on this machine's own kernel, with real VMs: what it says over its socket is what a command
# finds by itself, and what the exporter serves is what `list` says. Takes about ten seconds.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
export LC_ALL=C.UTF-8
work=$(mktemp -d)
started=()
trap '{ [ ${#started[@]} -eq 0 ] || kill -KILL "${started[@]}"; wait; } 2>/dev/null; rm -rf "$work"' EXIT
encstat=build/kvm-encstat-sanitized
socket=$work/socket

if [ ! -w /dev/kvm ] || [ "$(id -u)" -ne 0 ] || ! build/kvm-encstat list --direct >/dev/null 2>&1; then
	skip 'native: the daemon, with VMs of this kernel' 'no KVM, no BPF or not root here'
	exit 0
fi

# stand NAME MEMORY EXITS: a VM that makes so many exits, and stands still then until $work/NAME.go is there
stand() {
	timeout -s KILL 300 build/tests/guest -name "$1" -uuid "0f0e0d0c-0b0a-4908-8706-0504030201$2" --truth "$work/$1.truth" \
		<(printf 'vm memory=%sM mode=real\nvcpu 0\ntouch-file %s\nwait-file %s\nout %s\ntouch-file %s\nwait-file %s\n' \
			"$2" "$work/$1.here" "$work/$1.run" "$3" "$work/$1.done" "$work/$1.go") 2>"$work/$1.err" &
	started+=($!)
	await test -e "$work/$1.here"
}

# ours FILE: lines of list's JSON that are of our VMs; others may live on this host, which make ids differ
ours() {
	jq -c 'select(.name | startswith("ours-")) | del(.id)' "$1" | sort
}

stand ours-a 12 100
stand ours-b 16 2000
printf 'daemon: {state_dir: %s/state, socket: %s}\naudit: {to: nowhere}\n' "$work" "$socket" >"$work/daemon.yaml"
build/kvm-encstat daemon --config "$work/daemon.yaml" >/dev/null 2>"$work/daemon.err" &
daemon=$!
started+=($daemon)
await test -S "$socket"

# ---- what it finds when it starts is what a command finds ----

for how in '' --direct; do
	$encstat list --json --socket "$socket" $how >"$work/list$how" 2>"$work/list$how.err"
	$encstat list --socket "$socket" $how 2>/dev/null | sed -n 's/^ *[0-9]* *\(.*ours-.*\)/\1/p' |
		tr -s ' ' | sort >"$work/text$how"
	$encstat map ours-a --socket "$socket" $how >"$work/map$how" 2>&1
	echo "status $?" >>"$work/map$how"
	sed -i 's/^kvm-encstat: .* records, .*//' "$work/map$how" # how much came until then
done
equal 'native: the daemon finds VMs that run already' 2 "$(ours "$work/list" | wc -l)"
same 'native: list --json: the daemon says what a command finds by itself' <(ours "$work/list--direct") <(ours "$work/list")
same 'native: list: the same' "$work/text--direct" "$work/text"
same 'native: map of a VM that has none: the same' "$work/map--direct" "$work/map"

# ---- metrics ----

build/kvm-encstat-exporter-sanitized --socket "$socket" --listen 127.0.0.1:0 2>"$work/exporter.err" &
started+=($!)
await grep -q 'listening on' "$work/exporter.err"
at=$(sed -n 's/^kvm-encstat-exporter: listening on //p' "$work/exporter.err")
scrape() { curl -s -f -o "$work/$1" -H 'Accept: application/openmetrics-text;version=1.0.0' "$at/metrics"; }
list_ours() { build/kvm-encstat list --all --json --socket "$socket" 2>/dev/null | grep '"name":"ours-'; }
# take: what is listed and what is scraped, of a time in which the list stays the same. The exporter gives the same
# text for a while: a new one has another processor time.
take() {
	local deadline=$((SECONDS + 60))
	while [ $SECONDS -lt $deadline ]; do
		await scrape old
		list_ours >"$work/before"
		await eval 'scrape scraped && ! cmp -s <(grep cpu_seconds_total "$work/old") <(grep cpu_seconds_total "$work/scraped")'
		list_ours >"$work/after"
		! cmp -s "$work/before" "$work/after" || return
	done
	fail 'native: the list comes to rest' "$(diff "$work/before" "$work/after")"
}
# exits VM NUMBER: whether so many were counted, as list says
exits() { [ "$(list_ours | jq "select(.name == \"$1\").exits | add // 0")" -ge "$2" ]; }

touch "$work/ours-a.run" "$work/ours-b.run"
stand ours-c 20 7
touch "$work/ours-c.run"
await exits ours-a 100
await exits ours-b 2000
await exits ours-c 7
take
matches 'native: what is scraped of VMs is what is listed' "$(tests/metrics/agree.py "$work/before" "$work/scraped" 2>&1)" \
	'^3 VMs agree in [0-9]+ figures$'
curl -s "$at/metrics" >"$work/plain"
none 'native: promtool check metrics has nothing to say' "$(promtool check metrics <"$work/plain" 2>&1)"

# ---- when they have ended, against what their VMMs counted ----

touch "$work/ours-a.go" "$work/ours-b.go"
await eval '[ "$(list_ours | jq -s "map(select(.alive | not)) | length")" -eq 2 ]'
await test -s "$work/ours-a.truth" -a -s "$work/ours-b.truth"
take
matches 'native: the same when VMs have ended' "$(tests/metrics/agree.py "$work/before" "$work/scraped" 2>&1)" \
	'^3 VMs agree in [0-9]+ figures$'
for vm in ours-a ours-b; do
	equal "native: exits of $vm, as its VMM counted" "$(jq '.exits | add' "$work/$vm.truth")" \
		"$(sed -n "s/^kvm_encstat_vm_exits_total{vm=\"$vm\".* //p" "$work/scraped")"
done

# ---- what it says of itself ----

# own NAME: of the last scrape
own() { sed -n "s/^kvm_encstat_$1 //p" "$work/scraped"; }
# processor: of the daemon, in hundredths of a second
processor() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' /proc/$daemon/stat; }
before=$(processor)
take
after=$(processor)
try "native: its processor time is the kernel's: $(own cpu_seconds_total) s" awk \
	"BEGIN { own = 100 * $(own cpu_seconds_total); exit !(own >= $before - 2 && own <= $after + 2) }"
pages=$(($(own resident_memory_bytes) / $(getconf PAGESIZE)))
try "native: and so is its memory: $pages pages" awk "{ exit !($pages > \$2 / 2 && $pages < \$2 * 2) }" /proc/$daemon/statm
equal 'native: it watches' 1 "$(own capturing)"
equal 'native: its hooks are those that doctor finds attached' true "$(build/kvm-encstat doctor --json 2>/dev/null |
	jq -s "[.[] | select(.state == \"attached\")] | length > 0 and $(own 'hooks{state="attached"}') > 0")"

touch "$work/ours-c.go"
kill -TERM $daemon
wait $daemon
equal 'native: the daemon ends well' 0 $?
# ---- its capabilities ----

# under NAME CAPABILITIES: a daemon that could have these at most; status is NAME.status if it does not come to watch
under() {
	printf 'daemon: {state_dir: %s/%s, socket: %s/%s.socket, group: nogroup}\naudit: {to: nowhere}\n' \
		"$work" "$1" "$work" "$1" >"$work/$1.yaml"
	setpriv --bounding-set="-all$(tr '[:upper:]' '[:lower:]' <<<" $2" | sed 's/ cap_/,+/g')" \
		timeout 60 build/kvm-encstat daemon --config "$work/$1.yaml" >/dev/null 2>"$work/$1.err"
	echo $? >"$work/$1.status"
}
# watches NAME: whether it has given up what it could
watches() { pid=$(cat "$work/$1/lock") && grep -q '^Seccomp:[[:space:]]*2' "/proc/$pid/status"; }

given=$(sed -n 's/^CapabilityBoundingSet=//p' units/kvm-encstat.service)
under unit "$given" &
await watches unit
matches 'native: with what the unit gives it, it watches, and keeps what it says' \
	"$(sed -n 's/^CapEff:[[:space:]]*//p' "/proc/$pid/status")" '^00000080000800(20|24)$'
equal 'native: its socket is the group'"'"'s' 'nogroup 660' "$(stat -c '%G %a' "$work/unit.socket")"
kill "$pid"
wait $!
none 'native: and it misses nothing' "$(grep 'there is no CAP_' "$work/unit.err")"
under admin "${given/ CAP_SYS_ADMIN/}"
matches 'native: without CAP_SYS_ADMIN it does not start' "$(cat "$work"/admin.{status,err} | tr "\n" " ")" \
	'1 .*does not let us load BPF programs'
under chown "${given/ CAP_CHOWN/}"
matches 'native: without CAP_CHOWN neither, where it makes the socket' "$(cat "$work"/chown.{status,err} | tr "\n" " ")" \
	'1 .*letting the group read'
none 'native: the sanitizers have nothing to say' "$(grep -h 'ERROR: \|runtime error' "$work"/*.err)"
