#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Puts binaries into a folder, with the shared libraries and the loader they need:
#
#   bundle.sh DEST BINARY...
#
# The binaries go to DEST/bin, the rest to where it is here, under DEST, so that in a lab kernel, which
# has busybox and nothing else, `cp -a /job/root/. /` makes them run by name.
set -euo pipefail

[ $# -ge 2 ] || { echo "usage: bundle.sh DEST BINARY..." >&2; exit 2; }
dest=$1
shift

mkdir -p "$dest/bin"
for binary; do
	install -m 755 "$binary" "$dest/bin/"
	missing=$(ldd "$binary" 2>/dev/null | awk '/not found/ {print $1}') || :
	[ -z "$missing" ] || { echo "bundle.sh: $binary needs $missing, which is not here" >&2; exit 1; }
	# A static binary has none; a line is "NAME => PATH (ADDRESS)", the loader's "PATH (ADDRESS)".
	{ ldd "$binary" 2>/dev/null || :; } | awk '$2 == "=>" {print $3} $1 ~ /^\// {print $1}'
done | sort -u | while read -r library; do
	install -D -m 755 "$(readlink -f "$library")" "$dest$library"
done
