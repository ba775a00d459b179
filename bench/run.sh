#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs all benchmarks and prints what they measured beside what the project promises. A missed target is
# said, not punished: exit 1 only when something broke. BENCH_RECORDS: how long the replayed capture is.
# shellcheck disable=SC2317 # the parts are called by name
set -u
cd "$(dirname "$0")/.." || exit 1
b=${1:-build}
encstat=$b/kvm-encstat
work=$(mktemp -d)
started=()
trap '[ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null; rm -rf "$work"' EXIT
broken=0
load_before=$(cut -d ' ' -f 1 /proc/loadavg)
TIMEFORMAT='%R %U %S'

figure() { # NAME VALUE UNIT
	printf 'figure: %s %s %s\n' "$1" "$2" "$3" | tee -a "$work/part"
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# part COMMAND...: keeps the figures, with the command that printed them
part() {
	printf '\n== %s\n' "$*"
	: >"$work/part"
	if "$@" >"$work/out" 2>&1; then
		cat "$work/out"
		grep -h '^figure: ' "$work/out" | sed "s|\$| $1|" >>"$work/figures"
	else
		cat "$work/out"
		printf 'bench: %s failed\n' "$1" >&2
		broken=1
	fi
}

# ---- parts that need no program of their own ----

resident() { # PID: kB
	awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"
}

load() {
	local pid times
	times=$(for _ in 1 2 3 4 5; do
		"$encstat" doctor | sed -n 's/.*loaded and attached in \([0-9.]*\) ms.*/\1/p'
	done)
	[ "$(wc -w <<<"$times")" -eq 5 ] || return 1
	figure load.setup "$(median <<<"$times")" ms

	"$encstat" record -f -o "$work/idle.ke" 2>"$work/record.err" &
	pid=$!
	started+=("$pid")
	sleep 3
	figure memory.idle "$(resident "$pid")" kB
	printf 'vm memory=4M mode=real hypercalls=off\nvcpu 0\nout 1000000\n' >"$work/million.guest"
	timeout -s KILL 120 "$b/tests/guest" "$work/million.guest" || return 1
	sleep 1.5
	figure memory.after_1M_exits "$(resident "$pid")" kB
	kill -INT "$pid" && wait "$pid"
	started=()
	"$encstat" replay "$work/idle.ke" list --all --json |
		awk '/"2":[0-9]*/ { match($0, /"exits":{[^}]*}/); print "exits recorded: " substr($0, RSTART, RLENGTH) }'
}

# replayed ARGUMENT...: median of five of user and system time, in records a second on one core
replayed() {
	for _ in 1 2 3 4 5; do
		{ time taskset -c 0 "$encstat" replay "$work/big.ke" "$@" >"$work/shown" 2>&1; } 2>&1 ||
			[ $? -eq 4 ] || return 1 # 4: something was found
	done | awk -v n="$records" '{ printf "%.0f\n", n / ($2 + $3) }' | median
}

replay() {
	local records list found
	"$b/bench/capture" "$work/big.ke" "${BENCH_RECORDS:-10000000}" || return 1
	records=$("$encstat" replay "$work/big.ke" list 2>&1 | sed -n 's/.* \([0-9]*\) records, 0 lost$/\1/p')
	[ -n "$records" ] || return 1
	list=$(replayed list)
	found=$(replayed findings)
	figure replay.list "$list" records/s
	figure replay.findings "$found" records/s
	"$b/bench/state" "$work/big.ke" "$work/states.ke" || return 1
	rm -f "$work/states.ke"
	figure replay.findings_cost "$(awk "BEGIN { print $list / $found }")" times
	"$b/bench/capture" "$work/big.ke" $((${BENCH_RECORDS:-10000000} / 10)) >/dev/null || return 1
	records=$("$encstat" replay "$work/big.ke" list 2>&1 | sed -n 's/.* \([0-9]*\) records, 0 lost$/\1/p')
	figure replay.events_json "$(replayed events --json)" records/s
}

# ---- parts in a lab kernel: emulated, so that only what they are of one another tells something ----

# lab KERNEL PROGRAM [ARGUMENT...]
lab() {
	local kernel=$1 job=$work/lab
	shift
	rm -rf "$job"
	mkdir -p "$job"
	printf 'cp -a /job/root/. /\n%s\n' "$*" >"$job/run"
	tests/lab/bundle.sh "$job/root" "$b/bench/$1" || return 1
	tests/lab/boot.sh "$kernel" "$job" 300 || { cat "$job/stderr"; return 1; }
	cat "$job/stdout"
}

# lab_part KERNEL PROGRAM [ARGUMENT...]: left out where there is no such kernel and none can be made
lab_part() {
	if command -v qemu-system-x86_64 >/dev/null && tests/lab/kernel.sh "$1" >/dev/null; then
		part lab "$@"
	else
		printf 'bench: no lab here (make deps): %s is left out\n' "$2" >&2
	fi
}

# ---- all of them ----

if [ "$(id -u)" -eq 0 ] && [ -w /dev/kvm ]; then
	part "$b/bench/exits" "$encstat" "$b/tests/guest" "$work"
	part "$b/bench/conversion"
	part load
	part "$b/bench/inventory" "$b/tests/guest" "$work"
	part "$b/bench/idle" "$encstat" "$work"
	part bench/flood.sh "$b"
	part "$b/bench/beside"
	part "$b/bench/calls"
	part "$b/bench/start" top.start "$encstat" top --direct
	part "$b/tests/verdict" --time
else
	printf 'bench: no root or no /dev/kvm: exits, conversion, load, inventory, idle, flood, beside, calls and verdict are left out\n' >&2
fi
lab_part 6.12 calls lab_calls 100000
lab_part sw-protected attributes
part replay
part "$b/bench/findings"
part "$b/bench/top"
part "$b/bench/start" top.start_capture "$encstat" top --from tests/golden/two-vms.ke
part "$b/bench/metrics"
part bench/scrape.sh "$b"
part "$b/bench/pagemap"

# Figures with a target, in the order of the table; those without one follow.
cat >"$work/targets" <<'END'
exits.of_counter 1.8 at-most all programs at an exit, of one that only counts
exits.of_bpftrace 1 below the same, of bpftrace's @[args->reason] = count()
conversion.total 300 below request and answer, submitted and consumed (BPF test runs: synthetic)
load.setup 100 below programs loaded and attached
memory.idle 20480 below resident, idle, default ring
memory.after_1M_exits 20480 below resident, after a million exits
inventory.time 50 below first inventory, 1000 VMs of 32 memslots, in one process
inventory.lost 0 at-most the same: records lost
inventory_processes.time 50 below first inventory, 1000 VMs of 32 memslots, a process each
inventory_processes.lost 0 at-most the same: records lost
idle.cpu 0.3 below the daemon beside 200 VMs that wait: of one core
idle.resident 30720 below the same: resident
flood.rate 99000 at-least one VM converts, 100,000 times a second (BPF test runs: synthetic)
flood.lost 0 at-most the same: records lost
flood.messages 50 below the same: messages in the journal
crowd.rate 90000 at-least the same beside 500 clients, half of them hostile
crowd.lost 0 at-most the same: records lost
verdict.passed_beside_100k_ratio 1.1 at-most verdict about one VM beside such a flood by another, of that without (synthetic)
calls.more_than_empty 30 below hooks on ioctls, any other ioctl: more than empty programs
verdict.one_place 400 below verdict in the kernel, 64 rules and 256 ranges, 4 rules at that place (BPF test runs: synthetic)
verdict.random_p99 400 below the same, 1000 requests of up to 2 MiB anywhere: one in a hundred takes longer
verdict.foreign_ioctl 25 below an ioctl that is not ours, more than an empty program (BPF test runs: without the trampoline)
attributes.all.of_set_model 0.2 at-most attributes read back, of KVM's time to set them (emulated)
attributes.all.growth 1.2 at-most the same: a page of 8 GiB, of one of 1 GiB
attributes.fragmented.of_set_model 0.2 at-most attributes read back, every second page: of KVM's time
attributes.fragmented.growth 1.2 at-most the same: a page of 512 MiB, of one of 64 MiB
replay.list 5000000 at-least replay list, on one core
replay.findings 3000000 at-least the same with all detectors
replay.findings_cost 1.4 at-most its time, of that without
seek.longest 300 below any time of a capture of 10 million records, in the live view
state.of_records 0.5 at-most states in it, of the space that its records take
top.start 150 below top, live: from its start to the first screen
top.start_capture 150 below the same, of a capture
top.draw 4 at-most the live view of 1,000 VMs, with new figures: drawn
top.draw_map 4 at-most the page map of a VM in two million ranges: drawn, all of it in sight
top.draw_map_near 4 at-most the same from twice as near
top.draw_map_diff 4 at-most both its planes
top.memory 40 at-most what it has for them, without the model
metrics.scrape 20 below metrics of 1,000 VMs, full, both planes: the text
scrape.median 20 below the same scraped by HTTP: daemon, socket, exporter, client
scrape.of_node 1 below the same, of node_exporter with that text as a file
scrape_real.median 20 below scraped by HTTP: 1,000 real VMs
findings.memory 262144 at-most all detectors, random single pages of 1 TiB for a minute: memory of that VM
pagemap.random_4k.ratio_time 0.5 at-most page map, random pages: time, of CRoaring's
pagemap.random_4k.ratio_memory 2 at-most page map, random pages: memory, of CRoaring's
pagemap.sparse_4k.ratio_time 0.5 at-most page map, 1% of the pages: time, of CRoaring's
pagemap.sparse_4k.ratio_memory 2 at-most page map, 1% of the pages: memory, of CRoaring's
pagemap.range_1g.time 2 at-most page map, a range of 1 GiB
pagemap.range_1g_unaligned.time 2 at-most page map, a range of 1 GiB, unaligned
pagemap.big_alternating.memory 70000000 at-most page map, 1 TiB, every second page
pagemap.big_alternating_unknown.memory 70000000 at-most page map, the same, the rest unknown
pagemap.all_private.memory 65536 at-most page map, all private
pagemap.all_private_again.memory 65536 at-most page map, all private again
END
touch "$work/figures"
printf '\n%s, %s %s, %s CPUs, load %s before and %s after\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
	"$(uname -s)" "$(uname -r)" "$(nproc)" "$load_before" "$(cut -d " " -f 1 /proc/loadavg)"
awk '
function row(what, measured, unit, target, verdict, by) {
	printf "%-64s %14s %-9s %-14s %-7s %s\n", what, measured, unit, target, verdict, by
}
NR == FNR { value[$2] = $3; unit[$2] = $4; by[$2] = $5; order[++n] = $2; next }
FNR == 1 { row("FIGURE", "MEASURED", "", "TARGET", "", "PRINTED BY") }
{
	name = $1; limit = $2; sense = $3; what = $0
	sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", what)
	with_target[name] = 1
	if (!(name in value)) { row(what, "-", "", sense " " limit, "not run", ""); next }
	met = sense == "at-most" ? value[name] <= limit : sense == "below" ? value[name] < limit : value[name] >= limit
	row(what, value[name], unit[name], sense " " limit, met ? "met" : "MISSED", by[name])
}
END {
	print "\nwithout a target"
	for (i = 1; i <= n; i++)
		if (!(order[i] in with_target)) row(order[i], value[order[i]], unit[order[i]], "", "", by[order[i]])
}' "$work/figures" "$work/targets"
exit $broken
