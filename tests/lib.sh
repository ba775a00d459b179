# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the test scripts share: counting, and one line per test. Results are added up over processes in
# $RESULTS, a file with one word per test.

RESULTS=${RESULTS:-$(mktemp)}
export RESULTS
. "$(dirname "${BASH_SOURCE[0]}")/await.sh"

pass() {
	echo pass >>"$RESULTS"
	printf 'ok    %s\n' "$1"
}

fail() { # NAME [WHY]
	echo fail >>"$RESULTS"
	printf 'FAIL  %s\n' "$1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/      /' | head -n 20
}

skip() { # NAME WHY
	echo skip >>"$RESULTS"
	printf 'skip  %s: %s\n' "$1" "$2"
}

# try NAME COMMAND...: passes when the command does; its output is shown when it does not.
try() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then pass "$name"; else fail "$name" "$output"; fi
}

# same NAME WANT-FILE GOT-FILE: byte for byte
same() {
	if cmp -s "$2" "$3"; then pass "$1"; else fail "$1" "$(diff "$2" "$3" | head -n 10)"; fi
}

# none NAME GOT: nothing was found
none() {
	if [ -z "$2" ]; then pass "$1"; else fail "$1" "$2"; fi
}

# equal NAME WANT GOT; wanting nothing is a fault of the test: a file that is not there, for instance
equal() {
	if [ -n "$2" ] && [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "want: $2
got:  $3"; fi
}

# matches NAME TEXT PATTERN: an extended regular expression
matches() {
	if printf '%s' "$2" | grep -qE -- "$3"; then pass "$1"; else fail "$1" "no /$3/ in: $2"; fi
}

# The last line of a run; its status says whether all passed.
tally() {
	local passed failed skipped
	passed=$(grep -c pass "$RESULTS")
	failed=$(grep -c fail "$RESULTS")
	skipped=$(grep -c skip "$RESULTS")
	if [ "$skipped" -gt 0 ]; then
		printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
	else
		printf '%s passed, %s failed\n' "$passed" "$failed"
	fi
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
