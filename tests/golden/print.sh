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
