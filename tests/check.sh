#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# All tests, after `make check` has built everything; ends with `N passed, N failed`.
#
#   check.sh [PART...]   unit, mutation, fuzz, layers, cli, completions, golden, pictures, report, top, socket, service, metrics, native, packages, audit, disks, lab, qemu, gate, enforce, systemd, daemon; all of them if none is named
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.." || exit 1
. tests/lib.sh
trap 'rm -f "$RESULTS"' EXIT

# The sanitized binary is what the tests of the commands run.
export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export FUZZ_SECONDS=${FUZZ_SECONDS:-6}
kernels=${LAB_KERNELS:-sw-protected 6.1 6.12} # the one with most to do first: two run at once

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

# The first line that each kernel's tests print comes when the kernel is done.
lab() {
	# shellcheck disable=SC2086
	printf '%s\n' $kernels | xargs -P 2 -I {} sh -c "tests/lab/run.sh {} >build/lab-{}.log 2>&1; cat build/lab-{}.log"
}

# Debian's QEMU as the VMM, in the same kernels.
qemu() {
	# shellcheck disable=SC2086
	printf '%s\n' $kernels | xargs -P 2 -I {} sh -c "timeout -k 5 1500 tests/lab/qemu.sh {} >build/qemu-{}.log 2>&1; cat build/qemu-{}.log"
}

# The optional module, in the same kernels.
gate() {
	# shellcheck disable=SC2086
	printf '%s\n' $kernels | xargs -P 2 -I {} sh -c "timeout -k 5 1500 tests/lab/gate.sh {} >build/gate-{}.log 2>&1; cat build/gate-{}.log"
}

# `enforce` with the module that the part before has built.
enforce() {
	# shellcheck disable=SC2086
	printf '%s\n' $kernels | xargs -P 2 -I {} sh -c "timeout -k 5 1500 tests/lab/enforce.sh {} >build/enforce-{}.log 2>&1; cat build/enforce-{}.log"
}

# A whole system with the service, with that module, too.
systemd() {
	printf '%s\n' 6.12 | xargs -P 2 -I {} sh -c "timeout -k 5 1500 tests/lab/systemd.sh {} >build/systemd-{}.log 2>&1; cat build/systemd-{}.log"
}

for part in ${*:-unit mutation fuzz layers cli completions golden pictures report top socket service metrics native packages audit disks lab qemu gate enforce systemd daemon}; do
	printf '\n-- %s\n' "$part"
	case $part in
	unit) unit ;;
	fuzz) fuzz ;;
	lab) lab ;;
	qemu) qemu ;;
	gate) gate ;;
	enforce) enforce ;;
	systemd) systemd ;;
	daemon) tests/lab/daemon.sh 6.12 ;;
	mutation | layers | cli | completions | golden | pictures | report | top | socket | service | metrics | native | packages | audit | disks) tests/$part.sh ;;
	*) fail "there is a part $part" ;;
	esac
done
echo
tally
