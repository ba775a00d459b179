#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Looks at what tests/lab/suite-findings left behind: each thing was found as often and where it happened, with nothing
# besides; what only looks like it was not found; a replay finds the same. DIR/findings/verdicts is for
# table-findings.sh: name, kind, and whether count and ranges were right.
#
#   verify-findings.sh KERNEL DIR
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
. "$here/look.sh"
found=$out/findings
: >"$found/verdicts"

# config_of RUN: the options of the run that a replay needs, too
config_of() {
	local config=$here/../guest/scripts/findings/${1%-plain}.yaml
	[ -e "$config" ] || config=$here/../guest/scripts/findings/patient.yaml
	printf -- '--config %s' "$config"
}

# run_of NAME: the run in which it was: one of its own, or that of all which need no settings of their own
run_of() {
	if [ -e "$found/$1.out" ]; then echo "$1"; else case $1 in *-not) echo silent ;; *) echo loud ;; esac; fi
}

# ended RUN STATUS: how it ended, live and in a replay, which prints the same
ended() {
	local replayed
	equal "$(name "findings: $1: exit status")" "$2" "$(cat "$found/$1.status")"
	# shellcheck disable=SC2046
	"$encstat" replay "$found/$1.ke" findings --json $(config_of "$1") >"$found/$1.replayed" 2>"$found/$1.replay.err"
	replayed=$?
	same "$(name "findings: $1: replay finds what live found")" "$found/$1.out" "$found/$1.replayed"
	equal "$(name "findings: $1: exit status of the replay")" "$2" "$replayed"
}

# of_vm NAME: findings in this VM, as JSON
of_vm() {
	jq -c --arg name "$1" 'select(.vm.name == $name)' "$found/$(run_of "$1").out"
}

# in_short [KIND]: findings as lines of what was expected; of information, those of this kind only
in_short() {
	jq -r --arg kind "${1-}" 'select(.severity != "info" or .kind == $kind) |
		[(.id | sub("[.][0-9]+[.]"; "/")), .severity, .certainty, .ended // .state, .count, .pages,
			([.ranges[] | [.gfn, .npages, .count]] | tojson)] | map(tostring) | join(" ")'
}

# expect NAME STATUS KIND LINES [FILTER]: these findings, in the order of their first cases, and in this VM none besides but
# information; STATUS is that of a replay which asks for this VM only; FILTER is what they go through before
expect() {
	local got run status
	run=$(run_of "$1")
	got=$(of_vm "$1" | ${5:-cat} | in_short "$3")
	equal "$(name "findings: $1: as often and where it happened, nothing else")" "$4" "$got"
	echo "$1 $3 $([ "$got" = "$4" ] && echo yes || echo no)" >>"$found/verdicts"
	# shellcheck disable=SC2046
	"$encstat" replay "$found/$run.ke" findings "$1" --json $(config_of "$run") >"$found/$1.alone" 2>/dev/null
	status=$?
	equal "$(name "findings: $1: exit status when it is asked for alone")" "$2" "$status"
	equal "$(name "findings: $1: its findings then")" "$(of_vm "$1")" "$(cat "$found/$1.alone")"
}

# between LOW HIGH NAME: the count of what was found, if it lies there: of what is looked at once a second
between() {
	local count
	count=$(of_vm "$3" | jq 'select(.severity != "info").count')
	if [ "${count:-0}" -ge "$1" ] 2>/dev/null && [ "$count" -le "$2" ]; then echo "$count"; else echo "$1..$2"; fi
}

# events_of NAME: what happened in this VM, without findings
events_of() {
	"$encstat" replay "$found/$(run_of "$1").ke" events "$1" --json 2>/dev/null
}

# looks NAME: how often it was looked at, at the most: once a second from birth to end, and at the end
looks() {
	events_of "$1" | jq -s '(.[-1].ts_ns - .[0].ts_ns) / 1e9 | floor + 2'
}

# together: findings of a VM that are of one kind and state, as one. Where a case may be over before the next one comes
# that is a finding of its own, or it is not, as the looks at it fell.
together() {
	jq -sc 'group_by([.vm.name, .kind, .severity, .certainty, .ended // .state])[] |
		.[0] + {id: (.[0].kind + ".1.1"), count: (map(.count) | add), pages: (map(.pages) | add),
			ranges: (map(.ranges[]) | group_by(.gfn, .npages) |
				map(.[0] + {count: (map(.count) | add)}))}'
}

# beyond_burst NAME: conversions beyond what storm allows, counted here from the times of the answers: a bucket of 10000
# that leaks 10 a second (patient.yaml). The tool's clock may be ahead by the time that a look at the memory slots takes.
beyond_burst() {
	local count
	count=$(of_vm "$1" | jq 'select(.name == "storm").count')
	events_of "$1" |
		jq -r 'select(.kind == "converted" or .kind == "denied" or .kind == "refused") |
			.ts_ns + (.latency_ns // 0)' |
		awk -v count="${count:-0}" '{ if (empty < $1) empty = $1; empty += 1e8
			if (empty - $1 > 1e12) { empty -= 1e8; n++ } }
			END { print(n > 0 && count >= n - 20 && count <= n + 20 ? count : n + 0) }'
}

# slow_answers NAME: those that took a second, as in_short has count, pages and ranges; that which the VMM held back has to
# be among them, and on a slow machine others are
slow_answers() {
	events_of "$1" | jq -src 'map(select(.kind == "converted" and .latency_ns >= 1e9) | [.gfn, .npages]) |
		if index([[8192, 7]]) then [length, (map(.[1]) | add), (group_by(.) | map(.[0] + [length]) | tojson)] | join(" ")
		else "the answer that was held back did not take a second" end'
}

# ---- what happened ----

expect storm 4 KES-003 \
	"KES-003/1 notice certain vm-end $(beyond_burst storm) 0 []"
expect flapping 4 KES-004 \
	"KES-004/1 notice certain vm-end 71 24 [[4096,3,71]]"
expect redundant 4 KES-005 \
	"KES-005/1 notice certain vm-end 263 3641 [[4096,16,200],[8192,7,63]]"
expect outside 4 KES-006 \
	"KES-006/1 warning certain vm-end 5 1552 [[16383,9,1],[524288,7,1]]"
expect malformed 4 KES-007 \
	"KES-007/1 notice certain vm-end 11 0 []"
expect privilege 4 KES-008 \
	"KES-008/1 warning certain vm-end 3 7 [[12288,1,1],[12304,2,1],[12320,4,1]]"
expect sweep 4 KES-009 \
	"KES-009/1 notice certain vm-end 7 0 []"
expect again 4 KES-011 \
	"KES-011/1 warning certain resolved 23 32 [[12288,4,23]]"
expect slow 4 KES-012 \
	"KES-012/1 notice certain vm-end $(slow_answers slow)"
expect slow-p99 4 KES-012 \
	"KES-012/1 notice certain vm-end $(between 1 "$(looks slow-p99)" slow-p99) 0 []"
expect slow-stall 4 KES-012 \
	"KES-012/1 warning certain vm-end 1 11 [[8192,11,1]]"
expect budget 4 KES-013 \
	"KES-013/1 notice certain vm-end 1 24594 [[4096,1,1],[32768,24593,24593]]"
expect left-shared-plain 0 KES-014 \
	"KES-014/1 info possible vm-end 1 31 [[4096,4,4],[4104,8,8],[8192,19,19]]"
expect left-shared-kexec 4 KES-014 \
	"KES-014/1 warning likely vm-end 1 13 [[4101,11,11],[10238,2,2]]"
expect reused 4 KES-015 \
	"KES-015/1 warning certain vm-end 3 9 [[4098,2,1],[8196,3,1],[8208,4,1]]"
expect sacred 4 KES-016 \
	"KES-016/1 critical certain vm-end 3 7 [[7,3,1],[158,2,1],[240,2,1]]"
expect loss 4 KES-021 \
	"KES-021/1 warning certain vm-end $("$encstat" replay "$found/loss.ke" list --all --json 2>/dev/null | jq .lost) 0 []"

if [ "$kernel" = sw-protected ]; then
	expect uncommitted 4 KES-001 \
		"KES-001/1 warning certain vm-end 7 57 [[4096,2,1],[4100,4,1],[5120,17,1],[8192,3,1],[8448,7,1],[8704,11,1],[8960,13,1]]"
	expect uncommitted-late 4 KES-001 \
		"KES-001/1 warning certain resolved 3 15 [[4096,7,1],[8192,3,1],[8448,5,1]]" together
	expect unsolicited 4 KES-002 \
		"KES-002/1 critical certain vm-end 5 59 [[4100,4,1],[4352,3,1],[8192,32,1],[8448,7,1],[8704,13,1]]"
	expect fault-loop 4 KES-010 "KES-010/1 warning certain resolved 13 6 [[10752,1,13]]
KES-010/2 warning certain resolved 17 10 [[11264,1,17]]"
	expect left-shared 4 KES-014 \
		"KES-014/1 warning certain vm-end 1 507 [[4096,4,4],[4104,8,8],[8192,128,128],[8347,357,357],[10240,10,10]]"
	expect giant 4 KES-017 \
		"KES-017/1 notice certain vm-end 2 524298 [[4096,262152,2]]"
	# of 13 ranges those that have the most pages; each look is a case, one every 10 seconds
	expect twice 4 KES-018 \
		"KES-018/1 notice certain open $(between 1 "$(looks twice)" twice) $(jq '[.twice[][1]] | add' "$found/twice.truth") $(jq -c \
			'.twice | sort_by(-.[1])[:8] | sort | map([.[0], .[1], .[1]])' "$found/twice.truth")"
	expect giant-stall 4 KES-017 \
		"KES-017/1 warning certain vm-end 1 16384 [[4096,16384,1]]"
fi

# What is shared, grown by 64 KiB for each 0.1 seconds, at the last look that found it to grow; the least is 1% of memory.
pages=$(of_vm budget-growth | jq .pages)
expect budget-growth 4 KES-013 \
	"KES-013/1 notice certain vm-end $(between 1 "$(looks budget-growth)" budget-growth) $pages []"
equal "$(name "findings: budget-growth: whole steps of it")" 0 "$((pages % 16 + (pages < 163) + (pages > 1024)))"

# ---- each run, and its replay ----

for run in "$found"/*.ke; do
	run=$(basename -s .ke "$run")
	case $run in silent | *-not | silent-plain | *-not-plain) ended "$run" 0 ;; *) ended "$run" 4 ;; esac
done

# told RUN: the findings as events tell them: those that begin, with their end, as they are in the end
told() {
	# shellcheck disable=SC2046
	"$encstat" replay "$found/$1.ke" events --findings --json $(config_of "$1") 2>/dev/null |
		jq -sc '[.[] | select(.schema == "kvm-encstat.finding/1")] | group_by(.id) | map(select(.[0].phase == "begin") |
			[.[-1] | .id, .state, .count, .found_ns, .last_ns]) | sort[]'
}
equal "$(name "findings: events tell all of them, from begin to end")" \
	"$(jq -sc 'map([.id, .state, .count, .found_ns, .last_ns]) | sort[]' "$found/loud.out")" "$(told loud)"

# ---- without trampolines: the same, but for what depends on how quick the machine was ----

# timeless RUN: what was found there
timeless() {
	together <"$found/$1.out" | jq -c '[.vm.name, .kind, .severity, .certainty, .ended] +
		if (.name | IN("storm", "slow", "loss")) or .vm.name == "budget-growth" then []
		else [.count, .pages, .ranges] end' | sort
}
for run in "$found"/*-plain.out; do
	run=$(basename -s -plain.out "$run")
	case $run in silent | *-not) continue ;; esac
	equal "$(name "findings: $run: without trampolines the same is found")" "$(timeless "$run")" "$(timeless "$run-plain")"
done

# ---- what only looks like it ----

for run in "$found"/silent.ke "$found"/silent-plain.ke "$found"/*-not.ke "$found"/*-not-plain.ke; do
	[ ! -e "$run" ] ||
		none "$(name "findings: $(basename -s .ke "$run"): nothing is found")" "$(in_short <"${run%.ke}.out")"
done
ran=$(basename -a -s .truth "$found"/*-not.truth)
for name in $ran; do
	echo "$name - $(jq -s --arg name "$name" '[.[] | select(.severity != "info" and .vm.name == $name)] | length' \
		"$found/$(run_of "$name").out")" >>"$found/verdicts"
done
wanted=$(for script in "$here"/../guest/scripts/findings/*-not.guest; do
	[ "$kernel" != sw-protected ] && grep -q type=sw-protected "$script" || basename -s .guest "$script"
done)
equal "$(name "findings: all of it ran")" "$wanted" "$ran"
exit 0
