# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced, by lib.sh and by benchmarks.

# await COMMAND...: until it is so; a minute at most
await() {
	local end=$((SECONDS + 60))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
