#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All tests, after `make check` has built everything; ends with `N passed, N failed`.
#
#   check.sh [PART...]   unit, mutation, fuzz, layers, cli, completions, golden, pictures, report, top, socket, service, metrics, native, packages, audit, fleet, disks, lab, qemu, gate, enforce, systemd, daemon; all of them if none is named
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.." || exit 1
. tests/lib.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The sanitized binary is what the tests of the commands run.
export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export FUZZ_SECONDS=${FUZZ_SECONDS:-6}
kernels=${LAB_KERNELS:-sw-protected 6.1 6.12} # the one with most to do first

# cmocka prints one line a test; each counts.
unit() {
	local test log
	for test in build/tests/test_*; do
		[ -x "$test" ] && [ -f "$test" ] || continue
		case $test in *.d) continue ;; esac
		log=build/${test##*/}.log
		CMOCKA_MESSAGE_OUTPUT=TAP "$test" >"$log" 2>&1
		while read -r line; do
			case $line in
			"ok "*) pass "unit ${test##*/test_}: ${line#*- }" ;;
			"not ok "*) fail "unit ${test##*/test_}: ${line#*- }" "$(tail -n 15 "$log")" ;;
			esac
		done <"$log"
		grep -q '^1\.\.' "$log" && ! grep -q 'ERROR: \|runtime error' "$log" ||
			fail "unit ${test##*/test_}: ran to its end" "$(tail -n 15 "$log")"
	done
}

fuzz() {
	local fuzzer corpus
	for fuzzer in $(printf '%s\n' tests/fuzz/fuzz_*.c | sed 's/.*fuzz_//; s/\.c$//'); do
		corpus=${XDG_CACHE_HOME:-$HOME/.cache}/kvm-encstat/corpus/$fuzzer
		mkdir -p "$corpus"
		try "fuzz $fuzzer for $FUZZ_SECONDS s" build/fuzz/fuzz_$fuzzer -max_total_time="$FUZZ_SECONDS" \
			-max_len=16384 -timeout=10 -artifact_prefix=build/fuzz/ "$corpus" \
			$([ ! -d tests/fuzz/corpus/$fuzzer ] || echo tests/fuzz/corpus/$fuzzer)
	done
}

# part PART [KERNEL]
part() {
	case $1 in
	unit) unit ;;
	fuzz) fuzz ;;
	lab) tests/lab/run.sh "$2" ;;
	qemu | gate | enforce | systemd | daemon) timeout -k 5 1500 tests/lab/"$1".sh "$2" ;;
	native) tests/native.sh; tests/native-daemon.sh ;;
	*) tests/"$1".sh ;;
	esac
}

# The whole plan: PART or PART:KERNEL, those that take longest first.
plan() {
	local kernel
	echo "lab:${kernels%% *}"
	echo packages
	for kernel in $kernels; do
		printf '%s\n' "gate:$kernel" "enforce:$kernel"
	done
	echo "systemd:${kernels%% *}" # three minutes of a CPU for each kernel; the others by hand
	for kernel in $kernels; do
		[ "$kernel" = "${kernels%% *}" ] || echo "lab:$kernel"
		echo "qemu:$kernel"
	done
	for kernel in $kernels; do
		[ "$kernel" = 6.12 ] || echo "daemon:$kernel" # it has the hooks of the self-built one
	done
	printf '%s\n' cli native service disks fuzz audit unit socket fleet mutation metrics golden report top \
		layers completions pictures
}

# What has to come before: who needs what that has built; and what is about the VMs of this host keeps to itself.
needs() { # PART or PART:KERNEL
	case $1 in
	enforce:*) echo "gate:${1#*:}" ;;
	systemd:*) echo packages "gate:${1#*:}" ;;
	native) echo cli ;;
	service) echo cli native ;;
	disks) echo cli native service ;;
	esac
}

# timed PART or PART:KERNEL: all that it has to say at once, with how long it took and for how much of that it had a CPU
timed() {
	local log=$work/$1.log TIMEFORMAT='%0R s, %0U and %0S s of a CPU'
	export RESULTS=$work/$1.results
	: >"$RESULTS"
	# shellcheck disable=SC2086 # one word or two
	{ time part ${1/:/ } >"$log" 2>&1; } 2>"$work/$1.time"
	[ -s "$RESULTS" ] || fail "$1: has tests" >>"$log"
	{
		flock 9
		printf '\n-- %s: %s\n' "${1/:/ }" "$(cat "$work/$1.time")"
		cat "$log"
	} 9>"$work/lock"
	: >"$work/$1.done"
}

is_ready() { # PART or PART:KERNEL
	local need
	for need in $(needs "$1"); do
		case " ${wanted[*]} " in *" $need "*) [ -e "$work/$need.done" ] || return ;; esac
	done
}

# start_one: the first that is ready; false if none is
start_one() {
	local i
	for i in "${!pending[@]}"; do
		is_ready "${pending[i]}" || continue
		timed "${pending[i]}" &
		unset "pending[i]"
		return
	done
	return 1
}

known=" $(plan | sed 's/:.*//' | sort -u | xargs) "
parts=${*:-$known}
for part in $parts; do
	case $known in *" $part "*) ;; *) fail "there is a part $part" ;; esac
done
wanted=()
for part in $(plan); do
	case " $parts " in *" ${part%:*} "*) wanted+=("$part") ;; esac
done
pending=("${wanted[@]}")
while [ ${#pending[@]} -gt 0 ]; do
	[ "$(jobs -rp | wc -l)" -lt "${CHECK_JOBS:-$(nproc)}" ] && start_one || wait -n
done
wait
cat "$work"/*.results >>"$RESULTS" 2>/dev/null
echo
tally
status=$?
rm -f "$RESULTS"
exit $status
