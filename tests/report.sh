#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# `report`: its command line, what is in the file, and the page in headless Chromium.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
export TZ=UTC LC_ALL=C.UTF-8
encstat=${ENCSTAT:-build/kvm-encstat-sanitized}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for capture in tests/golden/*.ke tests/golden/quiet/*.ke; do
	name=$(basename -s .ke "$capture")
	$encstat report "$capture" -o "$work/$name.html" 2>"$work/err"
	case $? in
	0 | 3) ;;
	*) cat "$work/err" ;;
	esac
	[ "$(stat -c %s "$work/$name.html")" -lt 2000000 ] || echo "$name is too large"
	sed -n 's/.*id="data">//; T; :a; N; s,</script>.*,,; T a; p' "$work/$name.html" | jq -e .vms >/dev/null || echo "$name: its data is no JSON"
	grep -qE '(src|href)="?(https?:)?//' "$work/$name.html" && echo "$name refers to something outside"
	# Nothing that others wrote is markup: two scripts, one style, one script's end each.
	[ "$(grep -o '<script' "$work/$name.html" | wc -l)" = 2 ] || echo "$name has other scripts"
	iconv -f UTF-8 -t UTF-8 "$work/$name.html" >/dev/null || echo "$name is not UTF-8"
done >"$work/all" 2>&1
none "report: a page of each capture: small, whole, JSON inside, nothing from outside" "$(cat "$work/all")"

$encstat report tests/golden/boot.ke -o "$work/boot.html" >"$work/out" 2>&1
equal "report: a file that is there stays" 1 $?
matches "report: and says so" "$(cat "$work/out")" '^kvm-encstat: creating .*boot.html: File exists'
$encstat report tests/golden/boot.ke -o "$work/boot.html" --force 2>/dev/null
equal "report: --force replaces it" 0 $?
cp tests/golden/boot.ke "$work/own.ke"
$encstat report "$work/own.ke" -o "$work/own.ke" --force >/dev/null 2>&1
equal "report: never the capture itself" 1 $?
same "report: which is as it was" tests/golden/boot.ke "$work/own.ke"
$encstat replay tests/golden/boot.ke report 2>/dev/null >"$work/replayed.html"
same "report: replay CAPTURE report does the same" "$work/boot.html" "$work/replayed.html"
$encstat report tests/golden/boot.ke --policy tests/policies -o "$work/policy.html" 2>"$work/err"
matches "report: what another policy would have said" "$(cat "$work/policy.html" "$work/err")" 'would have been refused'
$encstat report >/dev/null 2>&1
equal "report: wants a capture" 2 $?

ids() { grep -oE ' id="[a-z0-9A-Z.-]+"' "$1" | sed 's/.*"\(.*\)"/\1/' | tr '\n' ' '; }
equal "report: liar: what is on its page, in this order" 'contents summary vms findings finding-KES-001.1.1 policy vm-1 vm-1-map vm-1-time vm-1-cell vm-1-shared vm-1-shared-t vm-1-shared-d vm-1-rates vm-1-rates-t vm-1-rates-d vm-1-latency vm-1-latency-t vm-1-latency-d about data ' \
	"$(ids "$work/liar.html")"
matches "report: spill: what was lost is in plain sight" "$(cat "$work/spill.html")" 'alert bad.*1032 records were lost'
$encstat replay tests/golden/liar.ke explain KES-001.1.1 2>/dev/null >"$work/explained"
sed -n '/<pre/,/<\/pre>/p' "$work/liar.html" | sed 's/<pre[^>]*>//; s,</pre>,,; s/&gt;/>/g; s/&lt;/</g; s/&quot;/"/g; s/&#39;/'"'"'/g; s/&amp;/\&/g' |
	sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$work/evidence"
equal "report: a finding says what explain says" "$(cat "$work/explained")" "$(cat "$work/evidence")"

if ! command -v chromium >/dev/null; then
	skip 'report: in a browser' 'there is no chromium here'
	exit 0
fi
for name in boot liar; do
	shared=$($encstat replay "tests/golden/$name.ke" list --json --all 2>/dev/null | jq 'select(.id == 1) | .pages.shared')
	tests/report/browse.py "$work/$name.html" 1 "$shared" >"$work/browse" 2>&1
	while read -r word rest; do
		case $word in
		ok) pass "report: browser: $name: $rest" ;;
		*) fail "report: browser: $name: $word $rest" ;;
		esac
	done <"$work/browse"
	equal "report: browser: $name: went to its end" 1 "$(grep -c '^ok no complaints' "$work/browse")"
done
