#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The lab tests on one kernel: boots it with tests/lab/suite, then verifies.
#
#   run.sh 6.1 | 6.12 | sw-protected
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
build=$here/../../build
job=$build/lab/$1

rm -rf "$job"
mkdir -p "$job/out"
cp "$here/suite" "$job/run"
cp "$here"/suite-* "$here/names" "$job/"
cp -r "$here/../guest/scripts" "$job/scripts"
echo "$1" >"$job/kind"
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)
"$here/bundle.sh" "$job/root" "$build/kvm-encstat" "$build/tests/guest" "$build/tests/verdict" \
	"$build/tests/counted" "$build/tests/rest" "$bpftool"
if "$here/boot.sh" "$1" "$job" 3600 >"$job/boot.log" 2>&1; then
	pass "lab $1: booted and ran"
	for part in "$here"/verify*.sh; do
		"$part" "$1" "$job/out"
	done
else
	fail "lab $1: booted and ran" "$(cat "$job/boot.log")"
fi
