#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes the quiet captures anew, in the lab: guests that do nothing wrong, for some time, of which nothing is to be found
# (tests/golden.sh). It takes some minutes and is no part of the tests. What they do is in
# tests/guest/scripts/quiet.
#
#   make.sh [NAME...]
set -eu
cd "$(dirname "$0")"
lab=../../lab scripts=../../guest/scripts/quiet
build=${BUILD:-../../../build}

# The guests are of software-protected type, so that there is a host plane, where nothing speaks against it.
kernel_of() {
	if grep -q type=sw-protected "$scripts/$1.guest"; then echo sw-protected; else echo 6.12; fi
}

make() { # NAME
	local job
	job=$(mktemp -d)
	cp "$scripts/$1".* "$job/"
	cat >"$job/run" <<-END
		cp -a /job/root/. /
		kvm-encstat findings --json --save /job/$1.ke -- guest -name $1 --truth /job/$1.truth /job/$1.guest
		echo \$? >/job/status
	END
	"$lab/bundle.sh" "$job/root" "$build/kvm-encstat" "$build/tests/guest"
	"$lab/boot.sh" "$(kernel_of "$1")" "$job" 300
	echo "$1: status $(cat "$job/status"), $(jq -c '[.requests, .attribute_calls]' "$job/$1.truth") requests and calls"
	cat "$job/stdout" "$job/stderr"
	cp "$job/$1.ke" .
	rm -r "$job"
}

if [ $# -eq 0 ]; then
	for script in "$scripts"/*.guest; do
		set -- "$@" "$(basename -s .guest "$script")"
	done
fi
for name; do
	make "$name"
done
ls -l -- *.ke
