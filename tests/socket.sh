#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon's socket with the real server, whose records come from captures: what commands print by
# way of it, what 500 clients of whom half are hostile do to it, and whether others' varlink clients
# can talk to it. About 40 s.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null; rm -rf "$work"' EXIT
encstat=$PWD/build/kvm-encstat-sanitized
[ -x "$encstat" ] || encstat=$PWD/build/kvm-encstat
socket=$work/socket

# until TEXT FILE: a line that begins so is there
until_line() {
	for _ in $(seq 600); do
		grep -q "^$1" "$2" 2>/dev/null && return 0
		sleep 0.05
	done
	return 1
}

# serve WHAT...: see tests/socket/serve.c
serve() {
	build/tests/serve "$socket" "$@" >"$work/server" 2>&1 &
	server=$!
	until_line ready "$work/server"
}

# What it came to is in $work/server then.
end_server() {
	kill -TERM "$server"
	wait "$server"
	server=
}

# ask NAME COMMAND...: by way of the socket prints what a replay prints
ask() {
	local name=$1 via replayed
	shift
	"$encstat" "$1" --socket "$socket" "${@:2}" >"$work/via" 2>"$work/via.err"
	via=$?
	build/kvm-encstat replay "$capture" "$@" >"$work/replay" 2>"$work/replay.err"
	replayed=$?
	same "socket: $name: $*: as a replay prints it" "$work/replay" "$work/via"
	equal "socket: $name: $*: and ends so" "$replayed" "$via"
}

# ---- what is known ----

for name in ${SOCKET_CAPTURES-two-vms protected names}; do
	capture=tests/golden/$name.ke
	serve "$capture" 1000000
	vm=$("$encstat" replay "$capture" list --json 2>/dev/null | jq -r .id | head -n 1)
	ask "$name" list --all
	ask "$name" list --all --json
	ask "$name" map "$vm"
	ask "$name" map "$vm" --json
	ask "$name" map "$vm" --plane diff
	ask "$name" map "$vm" --format svg
	ask "$name" findings
	ask "$name" findings --json
	id=$("$encstat" replay "$capture" findings --json 2>/dev/null | jq -r .id | head -n 1)
	[ -z "$id" ] || ask "$name" explain "$id"
	end_server
	equal "socket: $name: each command asked once" 0 \
		"$(tail -n 1 "$work/server" | jq '.malformed + .dropped + .clients')"
done

# ---- what follows ----

capture=tests/golden/two-vms.ke
serve "$capture" 1000
before=$(sed -n 's/^ready //p' "$work/server")
"$encstat" events --json --socket "$socket" >"$work/events" 2>"$work/events.err" &
events=$!
"$encstat" record -f -o "$work/recorded.ke" --socket "$socket" >"$work/record.out" 2>&1 &
record=$!
"$encstat" top --batch --json --socket "$socket" >"$work/top" 2>"$work/top.err" &
top=$!
until_line 'subscribers 3' "$work/server"
kill -USR1 "$server"
"$encstat" replay "$capture" events --json >"$work/all" 2>/dev/null
sed 1,"$before"d "$work/all" >"$work/rest"
try 'socket: there are events before and after' test "$before" -gt 10 -a -s "$work/rest"
until_line "$(tail -n 1 "$work/rest" | cut -c 1-60)" "$work/events"
kill -INT $events $record $top
wait $events
equal 'socket: events: ends well' 0 $?
same 'socket: events: from then on, without gap or repeat' "$work/rest" "$work/events"
wait $record
equal 'socket: record: ends well' 0 $?
wait $top
try 'socket: top: has VMs of before' jq -e 'select(.id == 1)' "$work/top"
"$encstat" replay "$work/recorded.ke" list --all --json >"$work/list.recorded" 2>"$work/list.err"
"$encstat" replay "$capture" list --all --json >"$work/list" 2>/dev/null
same 'socket: record: begins with what was known' "$work/list" "$work/list.recorded"
"$encstat" replay "$work/recorded.ke" map 1 --json >"$work/map.recorded" 2>/dev/null
"$encstat" replay "$capture" map 1 --json >"$work/map" 2>/dev/null
same 'socket: record: and a map of it is whole' "$work/map" "$work/map.recorded"

# ---- the daemon goes ----

"$encstat" events --socket "$socket" >"$work/gone" 2>"$work/gone.err" &
events=$!
until_line 'subscribers 1' <(tail -n 1 "$work/server") || until_line 'subscribers 1' "$work/server"
end_server
wait $events
equal 'socket: the daemon goes: partial' 3 $?
matches 'socket: the daemon goes: it is said' "$(cat "$work/gone.err")" 'the daemon has gone'
none 'socket: the daemon goes: and nothing else is' "$(grep 'reading the daemon' "$work/gone.err")"
serve "$capture" 100
"$encstat" events --socket "$socket" >"$work/gone" 2>"$work/gone.err" &
events=$!
until_line 'subscribers 1' "$work/server"
kill -KILL "$server"
wait "$server" 2>/dev/null
server=
wait $events
equal 'socket: the daemon is killed: partial' 3 $?
matches 'socket: the daemon is killed: it is said' "$(cat "$work/gone.err")" 'the daemon has gone'
message=$("$encstat" list --socket "$socket" 2>&1)
equal 'socket: no daemon where one was named, but what is left of one: failed' 1 $?
rm -f "$socket"
# answered ANSWER COMMAND...: what the command makes of a daemon that answers with these bytes (^: NUL) and goes
answered() {
	python3 - "$socket" "$1" <<'PYTHON' &
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
c = s.accept()[0]
while not c.recv(4096): # it only looked whether a daemon is there
    c = s.accept()[0]
c.sendall(sys.argv[2].replace("^", "\0").encode())
PYTHON
	other=$!
	until [ -S "$socket" ]; do sleep 0.05; done
	timeout -s KILL 60 "$encstat" "${@:2}" --socket "$socket" 2>&1
	status=$?
	wait $other
	rm -f "$socket"
	return $status
}
for answer in '' '{"parameters":{}}^' '{"parameters":{}}^KESCAP' '{"error":"x.y.Z"}^' '{'; do
	message=$(answered "$answer" list)
	equal "socket: who answers '$answer' and goes: failed" 1 $?
	matches "socket: who answers '$answer' and goes: is said" "$message" '^kvm-encstat: .*daemon'
done
for answer in '{"parameters":{}}^' '{"parameters":{"size":"3"}}^abc' '{"parameters":{"size":-1}}^' \
	'{"parameters":{"size":99999999999}}^' '{"parameters":{"size":18446744073709551615}}^' \
	'{"parameters":{"size":4}}^abc'; do
	message=$(answered "$answer" metrics)
	equal "socket: a text that is announced as '$answer': failed" 1 $?
	matches "socket: a text that is announced as '$answer': is said" "$message" '^kvm-encstat: .*daemon'
done
equal 'socket: a text as it should be' 'abc' "$(answered '{"parameters":{"size":3}}^abc' metrics)"
message=$("$encstat" list --socket "$socket" 2>&1)
equal 'socket: no daemon where one was named: failed' 1 $?
matches 'socket: no daemon where one was named: what to do' "$message" 'systemctl start'

# ---- who may ----

if [ "$(id -u)" -eq 0 ]; then
	serve "$capture" 100
	chmod 755 "$work"
	message=$(setpriv --reuid=65534 --regid=65534 --clear-groups build/kvm-encstat list --socket "$socket" 2>&1)
	equal 'socket: others: refused' 1 $?
	matches 'socket: others: what to do' "$message" 'usermod -aG kvm-encstat'
	KVM_ENCSTAT_SOCKET=$socket "$encstat" list --all >"$work/by-env" 2>/dev/null
	KVM_ENCSTAT_SOCKET=$socket "$encstat" list --direct >/dev/null 2>&1
	end_server
	matches 'socket: the environment names it' "$(cat "$work/by-env")" CONFIDENCE
	equal 'socket: --direct does not ask' 1 "$(tail -n 1 "$work/server" | jq .accepted)"
else
	skip 'socket: who may' 'not root here'
fi

# ---- a crowd ----

# 5,000 conversions a second, by way of a ring of 2 MiB that does not wait.
serve flood 5000 4
mkfifo "$work/crowd"
build/tests/clients "$socket" 500 <"$work/crowd" >"$work/clients" 2>&1 &
clients=$!
exec 9>"$work/crowd"
until_line ready "$work/clients"
kill -USR1 "$server"
until_line made "$work/server"
"$encstat" list --socket "$socket" --json >"$work/list" 2>/dev/null
equal 'socket: crowd: others are served beside it' 4 "$(wc -l <"$work/list")"
records=$(jq -s 'map(.records) | add' "$work/list")
exec 9>&-
wait $clients
end_server
result=$(tail -n 1 "$work/server")
crowd=$(tail -n 1 "$work/clients")
matches 'socket: crowd: the clients went to their end' "$crowd" '^[{]'
equal 'socket: crowd: no record was lost' 0 "$(jq '.lost + .missing' <<<"$result")"
equal 'socket: crowd: all that was made was taken in' "$records" "$(jq .records <<<"$result")"
try 'socket: crowd: that is about what was asked for' test "$records" -gt 20000
equal 'socket: crowd: who behaves gets no wrong answer' 0 "$(jq .wrong <<<"$crowd")"
try 'socket: crowd: and many answers' test "$(jq .answered <<<"$crowd")" -gt 500
equal 'socket: crowd: each subscriber that behaves has each record' "25 $records $records" \
	"$(jq -r '"\(.subscribers) \(.least) \(.most)"' <<<"$crowd")"
try 'socket: crowd: garbage came and was thrown out' test "$(jq .malformed <<<"$result")" -gt 40
try 'socket: crowd: who did not read was dropped' test "$(jq .dropped <<<"$result")" -gt 0

# ---- other people's clients ----

capture=tests/golden/two-vms.ke
serve "$capture" 1000000
none 'socket: a client after the specification has no complaint' \
	"$(tests/socket/independent.py "$socket" 2>&1)"
tests/socket/varlinkctl --version >/dev/null 2>&1
if [ $? -eq 127 ]; then
	skip 'socket: varlinkctl' 'it is not here, and cannot be fetched'
else
	ctl=tests/socket/varlinkctl
	matches 'socket: varlinkctl: info' "$($ctl info "$socket" 2>&1)" 'Product: kvm-encstat'
	matches 'socket: varlinkctl: introspect' "$($ctl introspect "$socket" io.kvmencstat 2>&1)" '^method Stream'
	try 'socket: varlinkctl: the interface is valid' $ctl validate-idl src/service/io.kvmencstat.varlink
	$ctl call -j "$socket" io.kvmencstat.List '{"all":true}' 2>/dev/null | jq -c '.vms[]' >"$work/varlinkctl"
	"$encstat" replay "$capture" list --all --json 2>/dev/null | jq -c . >"$work/list"
	same 'socket: varlinkctl: List' "$work/list" "$work/varlinkctl"
	message=$($ctl call "$socket" io.kvmencstat.Map '{"vm":"none"}' 2>&1)
	matches 'socket: varlinkctl: an error' "$message" 'io.kvmencstat.NoSuchVM'
fi
end_server
