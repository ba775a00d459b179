#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Prints all golden captures in all ways into a folder: print.sh BINARY FOLDER
set -u
here=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C TZ=UTC
for capture in "$here"/*.ke; do
	name=$(basename "$capture" .ke)
	for command in 'list' 'list --json' 'events' 'events --json' 'map 1' 'map 1 --json' 'map 1 --format ranges' \
		'map 1 --plane host' 'map 1 --plane host --json' 'map 1 --plane diff' 'map 1 --plane diff --json' findings 'findings --json'; do
		# shellcheck disable=SC2086
		"$1" replay "$capture" $command >"$2/$name.$(tr -d ' -' <<<"$command").out" 2>&1
		echo "status $?" >>"$2/$name.$(tr -d ' -' <<<"$command").out"
	done
done

# Some of them as pictures.
print() { # BINARY FOLDER NAME COMMAND
	# shellcheck disable=SC2086
	"$1" replay "$here/$3.ke" $4 >"$2/$3.$(tr -d ' -' <<<"$4").out" 2>/dev/null
	echo "status $?" >>"$2/$3.$(tr -d ' -' <<<"$4").out"
}
for name in boot late liar spill; do
	for command in 'map 1 --layout linear' 'map 1 --layout hilbert --width 100' 'map 1 --format svg'; do
		print "$1" "$2" $name "$command"
	done
done
print "$1" "$2" liar 'map 1 --format svg --layout hilbert --plane diff'
print "$1" "$2" liar 'map 1 --layout linear --plane diff'
print "$1" "$2" boot 'map 1 --range 0x4000000+16M'
print "$1" "$2" boot 'map 1 --range 0x4200000+64K --layout hilbert --width 100'
LC_ALL=C.UTF-8 "$1" replay "$here/boot.ke" map 1 --layout linear --width 100 >"$2/boot.blocks.out" 2>/dev/null
