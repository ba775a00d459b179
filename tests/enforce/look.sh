# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Sourced by tests/lab/enforce.sh: ways to look at what tests/enforce/suite left behind.

name() { printf 'enforce %s: %s' "$kernel" "$1"; }

status() { equal "$(name "$1: exit status")" "$2" "$(cat "$out/$1.status")"; }

# truth NAME FILTER: of all VMs of the run together
truth() { jq -s "[.[]$2] | add" "$out/$1.truth"; }

# verdicts NAME ACTION
verdicts() { jq -s --arg action "$2" '[.[] | select(.kind == "verdict" and .action == $action)] | length' "$out/$1.out"; }

# of SESSION VM [FILTER]: what the session told of that VM, in a list
of() {
	jq -sc --argjson vm "$(number_of "$1" "$2")" "[.[] | select(.vm == \$vm)]${3-}" "$out/$1.out"
}

# told SESSION VM ACTION: how many verdicts of it
told() { of "$1" "$2" "| map(select(.kind == \"verdict\" and .action == \"$3\")) | length"; }

# number_of SESSION VM: the tool's
number_of() {
	"$encstat" replay "$out/$1.ke" list --all --json 2>/dev/null | jq "select(.name == \"$2\").id"
}

# sides SESSION VM REFUSED CAME [STATUS]: the guest saw so many conversions refused, its VMM was asked for so many,
# the tool tells the same; and its map is the VMM's
sides() {
	local number
	equal "$(name "$2: the guest ends as it should")" "${5:-0}" "$(cat "$out/$2.guest-status")"
	equal "$(name "$2: refused, by the guest's word and by the tool's; and what came out")" "$3 $3 $4" \
		"$(truth "$2" .refused_map.eperm) $(told "$1" "$2" deny) $(truth "$2" .requests)"
	number=$(number_of "$1" "$2")
	equal "$(name "$2: the tool's map is what the VMM has")" "$(jq -c .shared "$out/$2.truth")" \
		"$("$encstat" replay "$out/$1.ke" map "$number" --json 2>/dev/null |
			jq -c '[.ranges[] | select(.state == "shared") | [.gfn, .npages]]')"
}

shared_pages() { jq '[.shared[][1]] | add' "$out/$1.truth"; }

# most_shared VM: the most pages that were shared at any time, by its VMM's answers
most_shared() {
	jq -r '.conversions[] | select(.ret == 0) | "\(.gfn) \(.npages) \(.attrs)"' "$out/$1.truth" |
		awk '{
			for (i = $1; i < $1 + $2; i++) { n += ($3 < 16) - shared[i]; shared[i] = $3 < 16 }
			if (n > most) most = n
		}
		END {print most + 0}'
}

# account SESSION VM LIMIT: how many requests one vCPU made, in order, and how many of them came to another end than
# by an account of its own
account() {
	"$encstat" replay "$out/$1.ke" events --json 2>/dev/null | jq -r --argjson vm "$(number_of "$1" "$2")" \
		'select(.vm == $vm and (.kind == "converted" or .kind == "verdict")) |
			"\(if .kind == "converted" then 1 else 0 end) \(.gfn) \(.npages) \(.to)"' |
		awk -v limit="$3" '{
			more = 0
			for (i = $2; i < $2 + $3; i++) more += !shared[i]
			fits = $4 == "private" || !more || n + more <= limit
			wrong += fits != $1
			if (!$1) next
			for (i = $2; i < $2 + $3; i++) { n += ($4 == "shared") - shared[i]; shared[i] = $4 == "shared" }
		}
		END {print NR, wrong + 0}'
}

# requests_of SESSION VM: lines "ns passed pages", in time, of what its guest asked for
requests_of() {
	"$encstat" replay "$out/$1.ke" events --json 2>/dev/null |
		jq -r --argjson vm "$(number_of "$1" "$2")" 'select(.vm == $vm) |
			if .kind == "converted" then [.ts_ns - .latency_ns, 1, .npages]
			elif .kind == "verdict" then [.ts_ns, 0, .npages] else empty end | join(" ")' | sort -n
}

# bucket SESSION VM RATE BURST [PAGES]: a bucket of its own, over the times of requests; those are some
# microseconds late, so that one token may be in doubt
bucket() {
	local got want
	got=$(requests_of "$1" "$2" | awk '$2 {n++} END {print n + 0}')
	want=$(requests_of "$1" "$2" | awk -v rate="$3" -v burst="$4" -v pages="${5-}" '
		{
			level -= (last ? $1 - last : 0) / 1e9 * rate; last = $1
			if (level < 0) level = 0
			tokens = pages ? $3 : 1
			if (level + tokens <= burst) { level += tokens; n++ }
		}
		END {print n + 0}')
	if [ -n "$got" ] && { [ "$got" -ge "$4" ] || [ -n "${5-}" ]; } && [ $((got - want)) -le 1 ] && [ $((want - got)) -le 1 ]; then
		pass "$(name "$2: as many as the bucket takes")"
	else
		fail "$(name "$2: as many as the bucket takes")" "passed $got, by the times of requests $want"
	fi
}

# thawed SESSION VM LEVEL: was frozen, and went on afterwards. A vCPU whose thread had not yet got so far counts the exit
# by which it was taken out between the looks: one for each of the two at most, where one that runs makes thousands.
thawed() {
	equal "$(name "$1/$2: told, once")" "1 $3" "$(told "$1" "$2" freeze) $(of "$1" "$2" \
		'| map(select(.action == "freeze"))[0].level' | tr -d '"')"
	equal "$(name "$1/$2: no vCPU was in the guest while it was frozen")" 'true true' "$(jq -rs 'map([.exits[]] | add // 0) as $exits |
		"\($exits[1] - $exits[0] <= 2) \(.[0].requests == .[1].requests)"' "$out/$2.first" "$out/$2.later")"
	equal "$(name "$1/$2: KVM_RUN was refused all the while")" true \
		"$(jq -s '.[1].run_refused > .[0].run_refused' "$out/$2.first" "$out/$2.later")"
	equal "$(name "$1/$2: the one that asked did not get on")" 0 "$(cat "$out/$2.asked")"
	equal "$(name "$1/$2: released when enforcement ended")" "0 [[8192,1]]" \
		"$(cat "$out/$2.guest-status") $(jq -c .shared "$out/$2.truth")"
}
