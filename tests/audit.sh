#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The audit log, with a real journald as a plain process, in a mount namespace of its own: what a capture
# holds comes out of journalctl field by field, whatever happens to journald on the way. Takes one to two minutes, most of them at
# the pace at which records are sent.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
. tests/journald.sh
journald_alone 'audit: with a real journald'

encstat=build/kvm-encstat-sanitized
work=$(mktemp -d)
trap 'journald_ends KILL; rm -rf "$work"' EXIT
mkdir -p /var/lib/systemd/catalog
mount -t tmpfs tmpfs /var/lib/systemd/catalog

# A journal and a state that nobody has written to.
fresh() { # [SIZE]
	journald_ends KILL
	umount /run/log 2>/dev/null
	mount -t tmpfs -o size="${1:-64M}" tmpfs /run/log
	mkdir /run/log/journal
	rm -rf "$work/state"
}

audit() { # CAPTURE OPTION...
	local capture=tests/golden/$1.ke
	shift
	timeout -k 5 60 $encstat replay "$capture" audit --state "$work/state" "$@" 2>"$work/audit.err"
}

records() { # MATCH...: as JSON lines, in the order of their numbers
	journalctl -o json "$@" | jq -c --slurp 'map(select(.KES_SEQ)) | unique_by(.KES_SEQ | tonumber) | .[]'
}

verify() {
	$encstat audit verify --state "$work/state" --json "$@"
}

# is_whole NAME
is_whole() {
	equal "audit: $1: the log is whole" 'true 0' "$(verify | jq -r .whole) $?"
}

# What is told of a capture, without what is of this run: to a file, from which no record can be lost.
told() { # CAPTURE OPTION...
	local capture=tests/golden/$1.ke
	shift
	rm -rf "$work/told"
	mkdir "$work/told"
	$encstat replay "$capture" audit --to "file:$work/told/log" "$@" 2>/dev/null
	jq -c '[.KES_KIND, .KES_TS_NS, .MESSAGE]' "$work/told/log"
}

# ---- what a capture holds -----------------------------------------------------------------------------

fresh
journald_starts
fields='{vm, vcpu, gfn, npages, to, nr, ret, reason, latency_ns, kind, commit, tid, flags, attrs}'
as_events='{vm: .KES_VM, vcpu: .KES_VCPU, gfn: .KES_GFN, npages: .KES_NPAGES, to: .KES_TO, nr: .KES_NR, ret: .KES_RET,
	reason: .KES_REASON, latency_ns: .KES_LATENCY_NS, kind: .KES_KIND, commit: .KES_COMMIT, tid: .KES_TID,
	flags: (.KES_FLAGS | if . then ltrimstr("0x") else . end), attrs: (.KES_ATTRS | if . then ltrimstr("0x") else . end)}'
round='(.gfn, .npages) |= tonumber' # jq has no more digits
hex='def hex: if . < 10 then tostring elif . < 16 then ["a","b","c","d","e","f"][. - 10] else ((. / 16 | floor) | hex) + (. % 16 | hex) end;'
for capture in protected unsolicited refusals denied faults; do
	fresh
	journald_starts
	audit $capture --full
	equal "audit: $capture: all is delivered" 0 $?
	build/kvm-encstat replay tests/golden/$capture.ke events --json 2>/dev/null |
		jq -c "$hex"'select(.kind | IN("converted", "denied", "refused", "attributes", "fault")) |
			.flags |= (if . == null then . else hex end) | .attrs |= (if . == null then . else hex end) |
			'"$fields"' | map_values(if . == null then . else tostring end) | '"$round" >"$work/want"
	records | jq -c "select(.KES_KIND | IN(\"converted\", \"denied\", \"refused\", \"attributes\", \"fault\")) | $as_events | $round" \
		>"$work/got"
	same "audit: $capture: the journal has each event, field by field" "$work/want" "$work/got"
	equal "audit: $capture: and each finding" \
		"$(build/kvm-encstat replay tests/golden/$capture.ke events --findings --json 2>/dev/null |
			jq -c 'select(.phase == "begin") | [.id, .name, .severity, .certainty, (.count | tostring), .vm.name]') ." \
		"$(records KES_KIND=finding-begin | jq -c '[.KES_FINDING, .KES_FINDING_NAME, .KES_SEVERITY, .KES_CERTAINTY, .KES_COUNT,
			.KES_VM_NAME]') ."
	equal "audit: $capture: and the last figures of each VM" \
		"$(build/kvm-encstat replay tests/golden/$capture.ke list --all --json 2>/dev/null |
			jq -c '[.id, .converted, .denied, .refused, .faults, .pages.private, .pages.shared, .pages.unknown, .lost]')" \
		"$(records KES_KIND=vm-end | jq -c '[.KES_VM, .KES_CONVERTED, .KES_DENIED, .KES_REFUSED, .KES_FAULTS, .KES_PRIVATE_PAGES,
			.KES_SHARED_PAGES, .KES_UNKNOWN_PAGES, .KES_LOST] | map(. // "0" | tonumber)' | sort)"
	is_whole $capture
done

# Names are other people's bytes.
fresh
journald_starts
audit names
equal 'audit: hostile names are as list has them' \
	"$(build/kvm-encstat replay tests/golden/names.ke list --all --json 2>/dev/null | jq -c .name)" \
	"$(records KES_KIND=vm-end | jq -c --slurp 'sort_by(.KES_VM | tonumber) | .[].KES_VM_NAME')"
is_whole names

# The digests, with no tool of ours.
fresh
journald_starts
audit denied
journalctl -o export KES_SOURCE=capture | awk -v RS= '{ print > ("'"$work"'/record." NR) }'
previous=
wrong=
for record in $(printf '%s\n' "$work"/record.* | sort -t. -k3n); do
	sum=$(grep -E '^(KES_[A-Z_]+|MESSAGE|MESSAGE_ID|PRIORITY)=' "$record" | grep -vE '^KES_(CHAIN|RESENT)=' | sort | sha256sum)
	[ "KES_CHAIN=${sum%% *}" = "$(grep ^KES_CHAIN= "$record")" ] || wrong+="digest of $record "
	[ -z "$previous" ] || grep -qx "KES_PREV=$previous" "$record" || wrong+="link of $record "
	previous=${sum%% *}
done
equal 'audit: digests by sort and sha256sum are the same, in a chain' '11 records: ' \
	"$(ls "$work"/record.* | wc -l) records: $wrong"
equal 'audit: filters as the manual has them' 5 \
	"$(journalctl -o json "KES_VM_NAME=guest[193]" KES_KIND=denied | wc -l)"

# What journalctl -x says.
mount -t tmpfs tmpfs /usr/lib/systemd/catalog
cp units/catalog/kvm-encstat.catalog /usr/lib/systemd/catalog/
journalctl --update-catalog 2>"$work/catalog.err"
matches 'audit: journalctl -x explains' "$(journalctl -x KES_KIND=denied -n 1)" 'Subject: The VMM refused a conversion'
matches 'audit: journalctl -x leads to the manual' "$(journalctl -x KES_KIND=denied -n 1)" 'man:kvm-encstat.journal-fields\(7\)'
equal 'audit: each kind has its words in the catalogue' "$(grep -c '^-- ' units/catalog/kvm-encstat.catalog)" \
	"$(journalctl --dump-catalog 2>/dev/null | grep -c 'Defined-By: kvm-encstat')"

# ---- what is done to a log shows ------------------------------------------------------------------------

# Somebody else's record, with the right id of the log and the next number.
log=$(records KES_SEQ=1 | jq -r .KES_LOG)
printf 'MESSAGE=nothing happened\nMESSAGE_ID=b539fa78b98447b2b61ba9e8192f56c1\nKES_KIND=stop\nKES_LOG=%s\nKES_SEQ=12\n' "$log" |
	setpriv --reuid=65534 --regid=65534 --clear-groups logger --journald
await sh -c "journalctl -o json KES_SEQ=12 | grep -q nothing"
equal 'audit: a record of somebody else is told apart' '4 [["forged",12]] 11' \
	"$(verify >"$work/verify"; echo $?) $(jq -c '[.problems[] | [.problem, .first]]' "$work/verify") $(jq .records "$work/verify")"
matches 'audit: and who it was' "$(jq -r '.problems[0].who' "$work/verify")" '^uid 65534, pid [0-9]+ '

# remade EDIT: the journal through journal-remote, as another host would have it, with its export form edited on the way
remade() {
	rm -rf "$work/remote"
	mkdir "$work/remote"
	journalctl -o export KES_SOURCE=capture _UID=0 | awk -v RS= -v ORS='\n\n' "$1" |
		/lib/systemd/systemd-journal-remote -o "$work/remote/remote.journal" - >/dev/null 2>&1
	$encstat audit verify --directory "$work/remote" --json >"$work/verify"
	echo "$? $(jq -c '[.problems[] | [.problem, .first, .last]]' "$work/verify")"
}
equal 'audit: as it was, elsewhere' '0 []' "$(remade 1)"
equal 'audit: two records are missing' '4 [["gap",5,6]]' "$(remade 'NR < 5 || NR > 6')"
equal 'audit: a field was altered' '4 [["altered",4,4]]' "$(remade 'NR == 4 { sub(/KES_GFN=4096/, "KES_GFN=4097") } 1')"
equal 'audit: the words were altered' '4 [["altered",4,4]]' "$(remade 'NR == 4 { sub(/MESSAGE=VM 1/, "MESSAGE=VM 2") } 1')"
equal 'audit: a record is there again' '4 [["repeated",7,7]]' \
	"$(remade '1; NR == 7 { sub(/__REALTIME_TIMESTAMP=1/, "__REALTIME_TIMESTAMP=2"); print }')"
equal 'audit: an upload that was cut short began again' '0 []' "$(remade '1; NR == 7')"
equal 'audit: the end is missing, which only the host knows' '0 []' "$(remade 'NR < 9')"

# The host itself knows how far its log went.
journalctl --rotate >/dev/null 2>&1
journald_ends TERM
rm -rf /run/log/journal/*
equal 'audit: all of it is gone' '4 [["cut",1,11]]' \
	"$(verify >"$work/verify"; echo $?) $(jq -c '[.problems[] | [.problem, .first, .last]]' "$work/verify")"

# ---- whatever happens to journald -------------------------------------------------------------------------

# arrives NAME CAPTURE: the journal has all records of it, in the order of their numbers
arrives() {
	same "audit: $1: all arrive, in order" <(told "$2" --full | jq -c 'select(.[0] != "chain")') \
		<(records | jq -c 'select(.KES_KIND != "chain") | [.KES_KIND, .KES_TS_NS, .MESSAGE]')
	is_whole "$1"
}

# It is not there yet.
fresh
audit two-vms --full &
tool=$!
await test -s "$work/state/journal.spool/0000000000000001-0000000000000001"
journald_starts
wait $tool
equal 'audit: journald comes late: all is delivered' 0 $?
arrives 'journald comes late' two-vms

# It is killed with what it had not written yet, and stopped, while records come.
fresh
journald_starts
audit two-vms --full &
tool=$!
for signal in KILL TERM KILL; do
	at=$(journalctl -o json KES_KIND=converted 2>/dev/null | wc -l)
	await sh -c "[ \$(journalctl -o json KES_KIND=converted | wc -l) -gt $((at + 50)) ]"
	journald_ends $signal
	journald_starts
done
wait $tool
equal 'audit: journald is killed and stopped: all is delivered' 0 $?
arrives 'journald is killed and stopped' two-vms

# It drops what comes too fast, and tells nobody. It does so with units only, which it knows by their cgroup.
unit=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/system.slice/kvm-encstat-test-$$.service
if mkdir -p "$unit" 2>/dev/null && [ -w "$unit/cgroup.procs" ]; then
	fresh
	journald_starts RateLimitIntervalSec=1s RateLimitBurst=10
	(
		sh -c 'echo $PPID' >"$unit/cgroup.procs"
		audit faults --full
	)
	equal 'audit: rates are limited: all is delivered' 0 $?
	matches 'audit: rates are limited: some were dropped' \
		"$(journalctl -o cat -t systemd-journald)" 'Suppressed [0-9]+ messages'
	matches 'audit: rates are limited: what was dropped was sent again' "$(journalctl -o json KES_RESENT=1 | wc -l)" '^[1-9]'
	arrives 'rates are limited' faults
	rmdir "$unit"
else
	skip 'audit: rates are limited' 'no cgroups of our own here'
fi

# It is verified while it goes on: what comes after the journal was read is no cut. Strace makes that a second.
fresh
journald_starts
audit two-vms --full &
tool=$!
await sh -c '[ "$(journalctl -o json KES_KIND=converted | wc -l)" -gt 50 ]'
strace -o /dev/null -P "$work/state/journal.state" -e trace=openat -e inject=openat:delay_enter=1000000 \
	build/kvm-encstat audit verify --state "$work/state" --json >"$work/verify"
equal 'audit: verified while it goes on: it is whole' '0 [true,[]]' "$? $(jq -c '[.whole, .problems]' "$work/verify")"
try 'audit: which it did' test "$(jq .records "$work/verify")" -lt "$(records | wc -l)"
wait $tool

# ---- whatever happens to us ---------------------------------------------------------------------------------

# Killed while it sends; the next one goes on with the same log.
fresh
journald_starts
$encstat replay tests/golden/two-vms.ke audit --state "$work/state" --full 2>/dev/null &
tool=$!
await sh -c '[ "$(journalctl -o json KES_KIND=converted | wc -l)" -gt 100 ]'
{ kill -KILL $tool && wait $tool; } 2>/dev/null
audit denied
equal 'audit: killed: the next one delivers what waited' 0 $?
equal 'audit: killed: it is said' '["resumed","no"]' \
	"$(records KES_KIND=resumed | jq -c '[.KES_KIND, .KES_CLEAN]')"
equal 'audit: killed: one log, without a gap' '[1,true]' \
	"$(verify | jq -c --slurp '[length, .[0].whole]')"

# Its own disk is full: what finds no room is counted.
fresh
mkdir "$work/state"
mount -t tmpfs -o size=200k tmpfs "$work/state"
{ timeout -s KILL 5 $encstat replay tests/golden/two-vms.ke audit --state "$work/state" --full; } >/dev/null 2>&1
mount -o remount,size=4M "$work/state"
journald_starts
audit denied
equal 'audit: no room for what waits: the rest is delivered' 0 $?
equal 'audit: no room for what waits: the log is whole' true "$(verify | jq .whole)"
umount "$work/state"

# ---- files ------------------------------------------------------------------------------------------------

printf 'audit: {rotate: 64K, files: 50}\n' >"$work/config.yaml"
mkdir "$work/files"
$encstat replay tests/golden/two-vms.ke audit --full --config "$work/config.yaml" --to "file:$work/files/log" 2>/dev/null
matches 'audit: files are rotated' "$(ls "$work/files" | wc -l)" '^1[0-9]$'
equal 'audit: rotated files are a whole log' '[true,1]' \
	"$($encstat audit verify --file "$work/files/log" --json | jq -c '[.whole, .first]')"
none 'audit: no file is larger than it may be' "$(find "$work/files" -size +64k)"
rm "$work/files/log.5"
equal 'audit: a rotated file is missing' '["gap"]' \
	"$($encstat audit verify --file "$work/files/log" --json | jq -c '[.problems[].problem]')"
$encstat audit verify --file "$work/files/nothing" >/dev/null 2>"$work/err"
equal 'audit: there is no such file' '1 kvm-encstat: reading' "$? $(cut -d' ' -f1,2 "$work/err")"

# Files move while they are verified, however long each takes to be opened.
rm -rf "$work/files"
mkdir "$work/files"
$encstat replay tests/golden/two-vms.ke audit --full --config "$work/config.yaml" --to "file:$work/files/log" 2>/dev/null
for moved in log log.1 log.3; do
	rm -rf "$work/moving"
	cp -r "$work/files" "$work/moving"
	strace -o /dev/null -P "$work/moving/$moved" -e trace=openat -e inject=openat:delay_enter=500000 \
		build/kvm-encstat audit verify --file "$work/moving/log" --json >"$work/verify" &
	tool=$!
	sleep 0.2
	for i in $(seq 15 -1 1) ''; do
		[ ! -e "$work/moving/log${i:+.$i}" ] || mv "$work/moving/log${i:+.$i}" "$work/moving/log.$((i + 1))"
	done
	: >"$work/moving/log"
	wait $tool
	equal "audit: files move before $moved is opened: the log is whole" '[true,[]]' "$(jq -c '[.whole, .problems]' "$work/verify")"
done
