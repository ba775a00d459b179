#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Writes docs/findings.md: what came of each detector in the last lab runs (tests/lab/run.sh, with what verify-findings.sh
# left in them) and in the quiet captures. So no number there is written by hand.
#
#   table-findings.sh [LABDIR] >docs/findings.md
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
lab=${1:-$root/build/lab}
encstat=${ENCSTAT:-$root/build/kvm-encstat}
kernels=$(for kernel in 6.1 6.12 sw-protected; do [ ! -e "$lab/$kernel/out/findings/verdicts" ] || echo $kernel; done)
quiet=$(mktemp)
trap 'rm -f "$quiet"' EXIT

[ -n "$kernels" ] || { echo "table-findings.sh: no lab runs in $lab: tests/lab/run.sh makes them" >&2; exit 1; }

# Everything found in quiet guests.
for capture in "$root"/tests/golden/quiet/*.ke; do
	config=$root/tests/guest/scripts/quiet/$(basename -s .ke "$capture").yaml
	# shellcheck disable=SC2046
	"$encstat" replay "$capture" findings --json $([ ! -e "$config" ] || echo --config "$config") 2>/dev/null >>"$quiet"
done

# findings_of KERNEL: all that was found there, in runs where something was to be found
findings_of() {
	local run
	for run in "$lab/$1/out/findings"/*.ke; do
		case $run in */silent.ke | *-plain.ke | *-not.ke) ;; *) cat "${run%.ke}.out" ;; esac
	done
}

# of NAME KIND: what was found of this kind in guest NAME, on all kernels, each with when the guest did something first
of() {
	local kernel run
	for kernel in $kernels; do
		run=$lab/$kernel/out/findings/loud.ke
		[ ! -e "${run%loud.ke}$1.ke" ] || run=${run%loud.ke}$1.ke
		findings_of "$kernel" | jq -c --arg name "$1" --arg kind "$2" --argjson first "$(first_of "$run" "$1")" \
			'select(.vm.name == $name and .kind == $kind) | .first_ns = $first'
	done
}

# first_of CAPTURE NAME: when this guest asked for something, or faulted, first
first_of() {
	"$encstat" replay "$1" events "$2" --json 2>/dev/null |
		jq -n 'first(inputs | select(.kind == "converted" or .kind == "denied" or .kind == "refused" or
			.kind == "unanswered" or .kind == "fault").ts_ns) // 0'
}

# words: lines as one, with commas
words() { paste -sd, | sed 's/,/, /g'; }

# guests KIND: those that are to show it
guests() {
	local kernel
	for kernel in $kernels; do
		awk -v kind="$1" '$2 == kind {print $1}' "$lab/$kernel/out/findings/verdicts"
	done | awk '!seen[$0]++'
}

# right KIND: whether each guest showed it as often and where it had happened
right() {
	local kernel
	for kernel in $kernels; do
		awk -v kind="$1" -v kernel="$kernel" '$2 == kind && $3 != "yes" {print $1 " on " kernel}' \
			"$lab/$kernel/out/findings/verdicts"
	done | words | sed 's/^$/yes/; t; s/^/**no**: /'
}

# where KIND GUEST...: the kernels on which all of the guests that ran there showed it
where() {
	local kind=$1 kernel name ran missing
	shift
	for kernel in $kernels; do
		ran=0 missing=
		for name; do
			grep -q "^$name $kind " "$lab/$kernel/out/findings/verdicts" || continue
			ran=1
			findings_of "$kernel" |
				jq -e -n --arg name "$name" --arg kind "$kind" \
					'[inputs | select(.vm.name == $name and .kind == $kind)] | length > 0' >/dev/null ||
				missing+=" $name"
		done
		[ $ran = 0 ] || echo "$kernel${missing:+ (**not**$missing)}"
	done | words
}

# false KIND: how often it was found in its look-alikes, and in all others of them
false_alarms() {
	local kernel
	for kernel in $kernels; do
		cat "$lab/$kernel/out/findings"/silent*.out "$lab/$kernel/out/findings"/*-not*.out 2>/dev/null
	done | jq -s --arg kind "$1" '[.[] | select(.kind == $kind and .severity != "info")] | length'
}

in_quiet() { jq -s --arg kind "$1" '[.[] | select(.kind == $kind and .severity != "info")] | length' "$quiet"; }

# span: numbers of nanoseconds, as from the shortest to the longest
span() {
	sort -n | awk '{ ms = $1 / 1e6; text = ms == 0 ? "at once" : ms < 10 ? sprintf("%.1f ms", ms) : ms < 1000 ? \
			sprintf("%.0f ms", ms) : sprintf("%.1f s", ms / 1000) }
		NR == 1 { first = text } END { print NR == 0 ? "" : first == text ? text : first " to " text }'
}

row() { # KIND NAME SEVERITY
	local kind=$1 names found name times all severities where
	names=$(guests "$kind")
	if [ -z "$names" ]; then
		where=$(for kernel in $kernels; do
			findings_of "$kernel" | jq -e -n --arg kind "$kind" \
				'[inputs | select(.kind == $kind)] | length > 0' >/dev/null && echo "$kernel"
		done | words)
		echo "| $kind | $2 | $3 | none | ${where:-not tried} | - | $(false_alarms "$kind") | $(in_quiet "$kind") | - | - |"
		return
	fi
	found=$(for name in $names; do of "$name" "$kind"; done)
	times=$(jq '.found_ns - .begin_ns' <<<"$found" | span)
	all=$(jq '.found_ns - .first_ns' <<<"$found" | span)
	severities=$(jq -r .severity <<<"$found" | awk '!seen[$0]++' | words)
	# shellcheck disable=SC2086
	echo "| $kind | $2 | $severities | $(printf '`%s`\n' $names | words) | $(where "$kind" $names) | $(right "$kind") |" \
		"$(false_alarms "$kind") | $(in_quiet "$kind") | $times | $all |"
}

alike=$(for kernel in $kernels; do basename -a -s .truth "$lab/$kernel/out/findings"/*-not.truth; done | sort -u | wc -l)
runs=$(for kernel in $kernels; do cat "$lab/$kernel/out/findings"/*-not.truth; done | wc -l)
seconds=$(for capture in "$root"/tests/golden/quiet/*.ke; do
	"$encstat" replay "$capture" events --json 2>/dev/null | jq -s '(.[-1].ts_ns - .[0].ts_ns) / 1e9'
done | awk '{ n++; s += $1 } END { printf "%d captures, %.0f seconds", n, s }')

cat <<END
<!-- SPDX-License-Identifier: GPL-2.0-only -->
<!-- written by tests/lab/table-findings.sh from lab runs: do not edit -->
# Detectors, tried on real guests

What each detector is, why it matters and what to do: \`kvm-encstat explain KES-NNN\`, or kvm-encstat-findings(7).

| id | name | severity | lab guest that makes it happen | found on | count and ranges right | false alarms in look-alikes | in quiet guests | from first case to finding | from the guest's first request |
|---|---|---|---|---|---|---|---|---|---|
END
n=1
while line=$("$encstat" explain "$(printf 'KES-%03d' $n)" 2>/dev/null | head -n 1) && [ -n "$line" ]; do
	row "${line%% *}" "$(sed 's/^[^(]*(\([^)]*\)).*/\1/' <<<"$line")" "${line##*; }"
	n=$((n + 1))
done
cat <<END

Kernels: $(for kernel in $kernels; do echo "$kernel"; done | words); emulated. Each guest is \`tests/guest/scripts/findings/NAME.guest\`, with its settings beside
it where it has some of its own (\`NAME.yaml\`; \`loss\` has a ring of 4 KiB); all others run with those of \`patient.yaml\`, which are the defaults but for times and
rates that depend on how fast the machine is. It says which count and which ranges must come out, most of them primes; \`verify-findings.sh\` holds the
findings against that, wants nothing besides above information, wants a replay to print the same, and the same to be found with \`--no-trampolines\`.

Look-alikes: $alike scripts (\`NAME-not.guest\`), $runs VMs over these kernels, with the same settings. Quiet guests: $seconds of boots as of SEV, SNP
and TDX guests, of network traffic, and of what comes before a live migration (\`tests/golden/quiet\`). The number is that of findings of this
kind above information in all of them. With default settings, but for \`linux-boot-snp\`, which has those of SNP guests.

Times are those of the records. What is no case before it comes often enough (the 64th flip of a range, the 10001st conversion beyond the rate) is found
at once then; how long that took this guest is in the last column, since its first request or fault. What is looked at once a second (\`budget\`, \`slow\` while it lasts, \`sweep\`) may have gone on for a second before its first case.

Not tried in the lab: \`blind\` (no hook is missing there; unit tests do it)$(
	[ -n "$(for kernel in $kernels; do findings_of "$kernel"; done | jq -r 'select(.name == "kernel").kind' | head -n 1)" ] ||
		echo ", \`kernel\` (none of these has a version number that stands for a bug; unit tests)").
END
