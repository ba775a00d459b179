#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Captures made in the lab from real guests, replayed: each command prints what it printed then, and what
# the VMM wrote down as the truth holds. tests/golden/make.sh makes them anew.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
export LC_ALL=C TZ=UTC
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tests/golden/print.sh build/kvm-encstat-sanitized "$work"
for want in tests/golden/*.out; do
	same "golden: ${want##*/}" "$want" "$work/${want##*/}"
done
for want in tests/golden/*.truth; do
	capture=${want%.truth}
	equal "golden: ${capture##*/}: the VMM's truth" "$(jq -c .shared "$want")" \
		"$(build/kvm-encstat replay "$capture.ke" map 1 --json 2>/dev/null |
			jq -c '[.ranges[] | select(.state == "shared") | [.gfn, .npages]]')"
	[ "$(jq -r .type "$want")" = sw-protected ] && [ "$(jq -c .contested "$want")" = '[]' ] || continue
	equal "golden: ${capture##*/}: the VMM's truth of the host plane" "$(jq -c .host_private "$want")" \
		"$(build/kvm-encstat replay "$capture.ke" map 1 --plane host --json 2>/dev/null |
			jq -c '[.ranges[] | select(.state == "private") | [.gfn, .npages]]')"
done
