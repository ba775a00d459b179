#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Looks at what tests/lab/suite left behind: the tool's word against the VMM's.
#
#   verify.sh KERNEL DIR
set -u
export LC_ALL=C # as in the lab: pictures in ASCII
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
. "$here/look.sh"

# ---- prime: every conversion, to the page ----

for run in prime prime-plain; do
	truth=$(cat "$out/$run.truth")
	accepted=$(jq .accepted <<<"$truth")
	status $run 0
	try "$(name "$run: the number of conversions is prime")" is_prime "$accepted"
	equal "$(name "$run: as many events as conversions")" "$accepted" "$(kinds $run converted)"
	equal "$(name "$run: nothing denied, refused, unanswered or lost")" 0 \
		"$(jq -s '[.[] | select(.kind != "converted" and .kind != "vm-new" and .kind != "vm-end")] |
			length' "$out/$run.out")"
	check_map $run $run 1 "$truth"
	replayed $run events --json
	equal "$(name "$run: each number of the sequence was seen")" true \
		"$("$encstat" replay "$out/$run.ke" list --json 2>/dev/null | jq '.sent == .records')"
done
equal "$(name "prime: nearly all answers timed")" true \
	"$(jq -s '[.[] | select(.kind == "converted" and .latency_ns > 0)] | length > 900' "$out/prime.out")"
status prime-map 0
replayed prime-map map --json
equal "$(name "prime-map: live map equals the VMM's truth")" \
	"$(jq -c .shared "$out/prime-map.truth")" "$(ranges shared <"$out/prime-map.out")"

# ---- text, as people see it ----

replayed boot-text map
replayed boot-events events
check_map boot boot-text 1 "$(cat "$out/boot-text.truth")"

# ---- several VMs never mix ----

status two-vms 0
replayed two-vms list --all --json
while read -r truth; do
	vm=$(jq -r .vm <<<"$truth")
	pages=$(jq '[.memslots[][1]] | add' <<<"$truth")
	id=$(jq "select(.memory_pages == $pages).id" "$out/two-vms.out")
	if [ "$(jq .requests <<<"$truth")" -gt 0 ]; then
		check_map "two-vms: $vm" two-vms "$id" "$truth"
		equal "$(name "two-vms: $vm: conversions")" "$(jq .accepted <<<"$truth")" \
			"$(jq "select(.id == $id).converted" "$out/two-vms.out")"
	else
		matches "$(name "two-vms: $vm: no map, and says so")" \
			"$("$encstat" replay "$out/two-vms.ke" map "$id" 2>/dev/null)" 'has no page map'
	fi
done <"$out/two-vms.truth"

# ---- refusals: each with its reason ----

status refusals 0
replayed refusals events --json
equal "$(name "refusals: as many as the guests saw")" \
	"$(jq -s '[.[].refused_map | to_entries[].value] | add' "$out/refusals.truth")" \
	"$(kinds refusals refused)"
reason() { jq -s "[.[] | select(.reason == \"$1\")] | length" "$out/refusals.out"; }
equal "$(name "refusals: caller not at CPL 0")" "$(jq -s '[.[].refused_map.eperm // 0] | add' "$out/refusals.truth")" "$(reason 'caller not at CPL 0')"
equal "$(name "refusals: not enabled")" "$(jq -s '[.[].refused_map.enosys // 0] | add' "$out/refusals.truth")" "$(reason 'not enabled by the VMM')"
equal "$(name "refusals: not aligned")" 3 "$(reason 'address not aligned')"
equal "$(name "refusals: no pages")" 2 "$(reason 'no pages')"
equal "$(name "refusals: wraps around")" 2 "$(reason 'range wraps around')"
equal "$(name "refusals: what the guest saw")" \
	"$(jq -sc '[([.[].refused_map.eperm // 0] | add), ([.[].refused_map.einval // 0] | add),
		([.[].refused_map.enosys // 0] | add)]' "$out/refusals.truth")" \
	"$(jq -sc '[.[] | select(.kind == "refused").ret] |
		[map(select(. == -1)), map(select(. == -22)), map(select(. == -1000))] | map(length)' \
		"$out/refusals.out")"
equal "$(name "refusals: conversions among them")" "$(jq -s '[.[].accepted] | add' "$out/refusals.truth")" \
	"$(kinds refusals converted)"
equal "$(name "refusals: all hypercalls counted, by number")" \
	"$(jq -s '[.[].hypercalls] | add' "$out/refusals.truth")" \
	"$("$encstat" replay "$out/refusals.ke" list --json 2>/dev/null |
		jq -s '[.[0].process.hypercalls[]] | add')"

# ---- denied: the VMM's no changes nothing ----

status denied 0
replayed denied events --json
truth=$(cat "$out/denied.truth")
equal "$(name "denied: as many as the VMM denied")" "$(jq .denied <<<"$truth")" "$(kinds denied denied)"
equal "$(name "denied: with its answers")" '[11,22]' \
	"$(jq -sc '[.[] | select(.kind == "denied").ret] | unique' "$out/denied.out")"
equal "$(name "denied: a delayed answer took as long as the VMM says")" true \
	"$(jq -s '[.[] | select(.latency_ns >= 20000000)] | length >= 1' "$out/denied.out")"
check_map denied denied 1 "$truth"

# ---- the other ABI ----

status pageenc 0
replayed pageenc map --json --abi page-enc-status
check_map pageenc pageenc 1 "$(cat "$out/pageenc.truth")" --abi page-enc-status
equal "$(name "pageenc: the wrong ABI is doubted, once")" 1 "$(kinds pageenc-doubt abi-doubt)"
check_map "pageenc, read again" pageenc-doubt 1 "$(cat "$out/pageenc-doubt.truth")" --abi page-enc-status

# ---- shapes ----

for run in real giant; do
	status $run 0
	replayed $run map --json
done
check_map real real 1 "$(cat "$out/real.truth")"
equal "$(name "giant: shared pages equal the VMM's truth")" "$(jq -c .shared "$out/giant.truth")" \
	"$(map_of giant 1 | ranges shared)"

# ---- the VMM goes without an answer ----

replayed abandon events --json
equal "$(name "abandon: unanswered")" "$(jq .unanswered "$out/abandon.truth")" "$(kinds abandon unanswered)"
check_map abandon abandon 1 "$(cat "$out/abandon.truth")"

# ---- exits are counted exactly ----

status exits 0
equal "$(name "exits: by reason, as the VMM counted")" "$(jq -c '.exits' "$out/exits.truth")" \
	"$(jq -c '.exits' "$out/exits.out")"

# ---- a flood through a ring of 4 KiB: the loss is counted, and shows ----

status flood 3
replayed flood list --all --json
lost=$(jq .lost "$out/flood.out")
records=$(jq .records "$out/flood.out")
requests=$(jq .requests "$out/flood.truth")
slots=$(jq '.memslots | length' "$out/flood.truth")
try "$(name "flood: something was lost")" test "$lost" -gt 0
equal "$(name "flood: sent = seen + lost")" "$(jq .sent "$out/flood.out")" "$((records + lost))"
# besides request and answer: the birth, which may be told twice, each with what else is known then, the end, and
# snapshots of the memslots
others=$((records + lost - 2 * requests))
try "$(name "flood: sent is what the VMM made")" test "$others" -ge $((2 + slots))
try "$(name "flood: little else was sent")" test "$others" -le $((6 + slots * 4))
equal "$(name "flood: stale")" stale "$(jq -r .confidence "$out/flood.out")"

# ---- late ----

truth=$(cat "$out/late.truth")
equal "$(name "late: partial")" partial "$(jq -r .confidence "$out/late.out")"
equal "$(name "late: what was seen is right")" '[[12288,2]]' "$(ranges shared <"$out/late.out")"
equal "$(name "late: what was not is unknown")" "$(jq '([.memslots[][1]] | add) - 6' <<<"$truth")" \
	"$(jq .pages.unknown "$out/late.out")"
replayed late map --json

# ---- at rest: a guest that came then is seen whole ----

truth=$(cat "$out/asleep.truth")
status asleep 0
check_map asleep asleep 1 "$truth"
"$encstat" replay "$out/asleep.ke" events --json >"$out/asleep.out" 2>/dev/null
equal "$(name "asleep: as many events as conversions")" "$(jq .accepted <<<"$truth")" "$(kinds asleep converted)"
equal "$(name "asleep: each number of the sequence was seen")" true \
	"$("$encstat" replay "$out/asleep.ke" list --all --json 2>/dev/null | jq '.sent == .records')"

# ---- the whole host: answers that were given before their hook was there are found all the same ----

for run in host host--no-trampolines; do
	truth=$(cat "$out/$run.truth")
	status $run 0
	check_map $run $run 1 "$truth"
	"$encstat" replay "$out/$run.ke" events --json >"$out/$run.out" 2>/dev/null
	equal "$(name "$run: as many events as conversions")" "$(jq .accepted <<<"$truth")" \
		"$(kinds $run converted)"
	equal "$(name "$run: no answer missed")" 0 "$(jq -s '[.[] | select(.kind == "no-answer" or
		.kind == "unanswered")] | length' "$out/$run.out")"
done

# ---- ends ----

equal "$(name "record: keeps the command's status")" 7 "$(cat "$out/record.status")"
check_map record record 1 "$(cat "$out/record.truth")"
equal "$(name "signal: Ctrl-C ends it well")" 0 "$(cat "$out/signal.status")"
matches "$(name "signal: with a summary")" "$(cat "$out/signal.err")" '0 VMs, 0 conversions.* 0 lost'
try "$(name "signal: the capture is closed")" "$encstat" replay "$out/signal.ke" list
killed=$("$encstat" replay "$out/killed.ke" map --json 2>"$out/killed.replay.err")
equal "$(name "killed: what was written can be read")" '[[4096,2],[4100,12]]' "$(ranges shared <<<"$killed")"
matches "$(name "killed: and is marked incomplete")" "$(cat "$out/killed.replay.err")" 'not closed'
equal "$(name "verdicts are the same in the kernel and in the C half")" 0 "$(cat "$out/verdict.status")"
equal "$(name "what is counted as shared is what an oracle counts")" 0 "$(cat "$out/counted.status")"
equal "$(name "a record wakes a reader that sleeps, and never is one missed")" 0 "$(cat "$out/rest.status")"
equal "$(name "killed: nothing stays in the kernel")" 0 "$(cat "$out/left-behind")"
equal "$(name "killed: where programs do show while it runs")" 1 "$(cat "$out/while-it-runs")"

# ---- doctor ----

status doctor 0
equal "$(name "doctor: conversions proved")" true \
	"$(jq -s '.[] | select(.check == "conversions").good' "$out/doctor.out")"
equal "$(name "doctor: every attached hook was seen firing")" 0 \
	"$(jq -s '[.[] | select(.state == "attached" and .fired == 0)] | length' "$out/doctor.out")"

# ---- what a host may lack ----

if [ -e "$out/no-kvm.status" ]; then
	status no-kvm 1
	matches "$(name "no-kvm: says what is missing")" "$(cat "$out/no-kvm.out")" 'KVM is not there'
	matches "$(name "no-kvm: says what to do")" "$(cat "$out/no-kvm.out")" 'modprobe kvm_amd'
fi
status no-device 3
matches "$(name "no-device: says what is missing")" "$(cat "$out/no-device.out")" \
	'/dev/kvm cannot be opened'

# ---- software-protected ----

if [ -e "$out/protected.truth" ]; then
	truth=$(cat "$out/protected.truth")
	status protected 0
	replayed protected events --json
	equal "$(name "protected: type")" sw-protected \
		"$(jq -r 'select(.kind == "vm-new").type' "$out/protected.out" | head -n 1)"
	equal "$(name "protected: memory faults, though KVM_RUN failed")" "$(jq .faults <<<"$truth")" \
		"$(kinds protected fault)"
	check_map protected protected 1 "$truth"
fi
exit 0
