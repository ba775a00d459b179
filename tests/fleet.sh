#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The audit log on its way to a collector, on loopback: systemd-journal-upload, nginx with the configuration that we
# ship, systemd-journal-remote, audit verify. Certificates are made by the commands of docs/fleet.md.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
. tests/journald.sh
if ! [ -x /usr/sbin/nginx ] || ! [ -x /lib/systemd/systemd-journal-upload ]; then
	skip 'fleet: an audit log on its way to a collector' 'no nginx or no systemd-journal-remote here'
	exit 0
fi
journald_alone 'fleet: with a real journald'

encstat=build/kvm-encstat-sanitized
fleet=units/share/fleet
work=$(mktemp -d)
chmod 755 "$work"
remote='' nginx='' upload=''
# ends PID...
ends() { { kill "$@" && wait "$@"; } 2>/dev/null; }
trap 'ends $remote $nginx $upload; journald_ends KILL; rm -rf "$work"' EXIT
mkdir "$work/tls" "$work/collected"

# ---- certificates: as the manual has them, and one of somebody else's authority ---------------------------

# certificates DIR NAME...
certificates() {
	local dir=$1
	shift
	mkdir -p "$dir"
	sed -n '/^umask 077/,/^```/p' docs/fleet.md | grep -v '^```\|^certificate .*\.example' >"$dir/commands"
	(cd "$dir" && . ./commands && for name; do certificate "$name"; done) >"$dir/log" 2>&1
}
certificates "$work/tls" localhost node1.example node2.example node3.example
certificates "$work/other" node1.example
equal 'fleet: commands of the manual make certificates' 'localhost.pem: OK node1.example.pem: OK' \
	"$(cd "$work/tls" && openssl verify -CAfile trusted.pem localhost.pem node1.example.pem 2>&1 | xargs)"
equal 'fleet: nobody else can read a key' "600 600" "$(stat -c %a "$work"/tls/{ca,node1.example}.key | xargs)"

# ---- drop-ins of systemd's units ----------------------------------------------------------------------------

mount -t tmpfs tmpfs /etc/systemd/system
cp -r $fleet/collector/systemd-journal-remote.* $fleet/node/systemd-journal-upload.service.d /etc/systemd/system/
try 'fleet: systemd understands units with the drop-ins' \
	systemd-analyze verify systemd-journal-remote.service systemd-journal-remote.socket systemd-journal-upload.service

# ---- the collector ------------------------------------------------------------------------------------------

journal_remote=$(sed -n 's/^ExecStart=\(.\)/\1/p' $fleet/collector/systemd-journal-remote.service.d/kvm-encstat.conf)
journal_remote=${journal_remote/--listen-http=-3/--listen-http=127.0.0.1:19533}
remote_starts() {
	# shellcheck disable=SC2086 # a command and its options
	${journal_remote/\/var\/log\/journal\/remote/$work/collected} 2>>"$work/remote.err" &
	remote=$!
	await bash -c 'exec 3<>/dev/tcp/127.0.0.1/19533'
}
remote_starts
printf 'CN=%s 127.1.0.%s;\n' node1.example 1 node2.example 2 >"$work/hosts"
sed "s|/etc/nginx/kvm-encstat.hosts|$work/hosts|
	s|/etc/ssl/certs/journal-remote.pem|$work/tls/localhost.pem|
	s|/etc/ssl/private/journal-remote.pem|$work/tls/localhost.key|
	s|/etc/ssl/ca/trusted.pem|$work/tls/trusted.pem|
	s|listen 19532|listen 127.0.0.1:19532|; /listen \[::\]/d" $fleet/collector/nginx/kvm-encstat.conf >"$work/site.conf"
printf 'daemon off; user root; pid %s; error_log %s; events {}\nhttp { access_log off; include %s; }\n' \
	"$work/nginx.pid" "$work/nginx.err" "$work/site.conf" >"$work/nginx.conf"
nginx -c "$work/nginx.conf" 2>>"$work/nginx.err" &
nginx=$!
await bash -c 'exec 3<>/dev/tcp/127.0.0.1/19532'

# ---- hosts --------------------------------------------------------------------------------------------------

mount -t tmpfs tmpfs /run/log
mkdir /run/log/journal
journald_starts
$encstat replay tests/golden/protected.ke audit --state "$work/state" --full 2>"$work/audit.err"
records=$($encstat audit verify --state "$work/state" --json | jq .records)

# upload CERTIFICATE [OPTION...]: CERTIFICATE.key and .pem
upload() {
	local certificate=$1
	shift
	timeout -k 5 30 /lib/systemd/systemd-journal-upload --url=https://localhost:19532 --trust="$work/tls/trusted.pem" \
		--key="$certificate.key" --cert="$certificate.pem" "$@" >>"$work/upload.err" 2>&1
}
# collected HOST: FILE-NAME RECORDS WHOLE, as the collector has them
collected() {
	local file
	for file in "$work"/collected/*.journal; do
		mkdir -p "$work/one"
		rm -f "$work"/one/*
		cp "$file" "$work/one/"
		printf '%s %s\n' "${file##*/}" "$($encstat audit verify --directory "$work/one" --json | jq -r '"\(.records) \(.whole)"')"
	done
}
# refused NAME COMMAND...: it fails, and nothing of it arrives
refused() {
	local name=$1
	shift
	if "$@" >/dev/null; then fail "fleet: $name: it is refused"; else pass "fleet: $name: it is refused"; fi
	none "fleet: $name: nothing of it arrives" "$(ls "$work/collected")"
}

refused 'a certificate of another authority' upload "$work/other/node1.example" --follow=no
refused 'a certificate of ours, of a host that is not in the list' upload "$work/tls/node3.example" --follow=no
refused 'no certificate' sh -c "journalctl -o export | curl -sSf --cacert '$work/tls/trusted.pem' \
	-H 'Content-Type: application/vnd.fdo.journal' --data-binary @- https://localhost:19532/upload 2>&1"
refused 'a collector with another name' upload "$work/tls/node1.example" --follow=no --url=https://127.0.0.1:19532
refused 'a collector of another authority' upload "$work/tls/node1.example" --follow=no --trust="$work/other/trusted.pem"

upload "$work/tls/node1.example" --save-state="$work/upload.state" &
upload=$!
await sh -c "$encstat audit verify --directory '$work/collected' --json | jq -e .stopped"
$encstat replay tests/golden/denied.ke audit --state "$work/state" --full 2>"$work/audit.err"
await sh -c "[ \$($encstat audit verify --directory '$work/collected' --json | jq .records) -gt $((records + 10)) ]"
equal 'fleet: uploaded as it comes: the same log, whole' \
	"$($encstat audit verify --state "$work/state" --json | jq -c '[.log, .machine, .boot, .records, .whole]')" \
	"$($encstat audit verify --directory "$work/collected" --machine "$(cat /etc/machine-id)" --json |
		jq -c '[.log, .machine, .boot, .records, .whole]')"
ends $upload
upload=''
upload "$work/tls/node2.example" --follow=no
records=$($encstat audit verify --state "$work/state" --json | jq .records)
equal 'fleet: a file for each host, each of them whole' \
	"remote-127.1.0.1.journal $records true
remote-127.1.0.2.journal $records true" "$(collected)"

# ---- an upload that is cut short ----------------------------------------------------------------------------

# journal-upload begins again where it last had an answer: what had arrived by then arrives once more.
ends $remote
rm -f "$work"/collected/* "$work/upload.state"
remote_starts
upload "$work/tls/node1.example" --follow=no
upload "$work/tls/node1.example" --follow=no
equal 'fleet: what was uploaded twice is there twice, and whole' "0 $records true $records" \
	"$($encstat audit verify --directory "$work/collected" --json >"$work/verify"; echo $?) \
$(jq -r '"\(.records) \(.whole) \(.resent)"' "$work/verify")"
