#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boots a stock Debian kernel under emulation, runs a guest in it that looks like a confidential guest's
# boot, and shows what kvm-encstat says of it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$here/../../build
job=$build/demo
kernel=${1:-6.12}

rm -rf "$job"
mkdir -p "$job"
cat >"$job/run" <<'END'
cp -a /job/root/. /
kvm-encstat record -o /job/boot.ke -- guest /job/boot.guest
END
cp "$here/../guest/scripts/boot.guest" "$job/boot.guest"
"$here/bundle.sh" "$job/root" "$build/kvm-encstat" "$build/tests/guest"

show() {
	printf '\n$ kvm-encstat %s\n' "$*"
	"$build/kvm-encstat" "$@" 2>&1
}

echo "Booting Debian's $kernel kernel; in it, kvm-encstat records a guest that boots:"
printf '\n$ kvm-encstat record -o boot.ke -- guest boot.guest\n'
"$here/boot.sh" "$kernel" "$job" 110
cat "$job/stderr"
cd "$job"
show replay boot.ke list
show replay boot.ke events | sed -n '1,16p'
echo "... and so on"
show replay boot.ke map
