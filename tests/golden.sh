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

# Pictures: well-formed, and the one in the README is what is drawn now.
encstat=build/kvm-encstat-sanitized
$encstat replay tests/golden/boot.ke map --format svg -o "$work/boot.svg" 2>/dev/null
same "golden: docs/boot.svg" docs/boot.svg "$work/boot.svg"
for capture in tests/golden/*.ke tests/golden/quiet/*.ke; do
	for plane in guest host diff; do
		for layout in linear hilbert; do
			$encstat replay "$capture" map 1 --plane $plane --layout $layout --format svg -o "$work/map.svg" -f \
				2>/dev/null
			case $? in
			1) continue ;; # it has no such plane
			0 | 3) xmllint --noout "$work/map.svg" && continue ;;
			esac
			echo "$capture $plane $layout"
		done
	done
done >"$work/pictures" 2>&1
none "golden: pictures of all captures are well-formed XML" "$(cat "$work/pictures")"

# Guests that do nothing wrong, for some time (tests/golden/quiet/make.sh): nothing is found above information, and of
# that only what a TDX guest's firmware shares where there is no memory.
quiet() { # NAME [OPTION...]
	local name=$1
	shift
	build/kvm-encstat-sanitized replay "tests/golden/quiet/$name.ke" findings --json "$@" 2>&1 >"$work/quiet.out" |
		grep -v 'records, 0 lost$' >"$work/quiet.err"
	jq -c '[.id, .severity, .count, .pages, [.ranges[] | [.gfn, .npages, .count]]]' "$work/quiet.out"
	cat "$work/quiet.err"
}
for capture in tests/golden/quiet/*.ke; do
	name=$(basename -s .ke "$capture")
	config=tests/guest/scripts/quiet/$name.yaml
	# shellcheck disable=SC2046
	got=$(quiet "$name" $([ ! -e "$config" ] || echo --config "$config"))
	if [ "$name" = tdx-boot ]; then
		equal "golden: quiet/$name: nothing but what lies outside of memory" \
			'["KES-006.1.1","info",768,393216,[[655360,393216,768]]]' "$got"
	else
		none "golden: quiet/$name: nothing is found" "$got"
	fi
	equal "golden: quiet/$name: some time passes in it, and nothing is lost" true \
		"$(build/kvm-encstat-sanitized replay "$capture" events --json 2>/dev/null |
			jq -s '(.[-1].ts_ns - .[0].ts_ns) / 1e9 > 10 and (map(select(.kind == "loss")) | length) == 0')"
done
equal "golden: quiet/linux-boot-snp: it is by SNP's settings that accepting memory is nothing" \
	'["KES-005.1.1","notice",512]' "$(quiet linux-boot-snp | jq -c '.[:3]')"
