#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Text pictures in README.md and in the manual are what the program prints of the captures in tests/golden. A line
# "made by: COMMAND", a comment, stands before each; what is between the .Bd or the ``` that follows and its end is
# what the command prints.
#
#   pictures.sh           compares
#   pictures.sh update    writes them anew, and docs/report.png (with chromium), which is not compared
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
export TZ=UTC LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# encstat ARGUMENT...: without what it says on the side
printf '#!/bin/sh\nexec "%s" "$@" 2>/dev/null\n' "${ENCSTAT:-$PWD/build/kvm-encstat}" >"$work/encstat"
chmod +x "$work/encstat"
export PATH=$work:$PATH

# remade FILE: as it should be
remade() {
	awk -v roff="$([[ $1 = *.md ]] || echo 1)" '
		function quoted(line) {
			if (!roff)
				return line
			gsub(/\\/, "\\e", line)
			return line ~ /^[.'\'']/ ? "\\&" line : line
		}
		/made by: / {
			command = $0
			sub(/.*made by: /, "", command)
			sub(/ *-->$/, "", command)
		}
		inside && (/^\.Ed/ || /^```$/) { inside = 0; command = "" }
		!inside { print }
		command && !inside && (/^\.Bd/ || /^```/) {
			while ((command | getline line) > 0)
				print quoted(line)
			if (close(command))
				print "this command fails"
			inside = 1
		}' "$1"
}

files=$(grep -lE '^(\.\\"|<!--) made by: ' README.md docs/*.md man/*.[578])
for file in $files; do
	remade "$file" >"$work/remade"
	if [ "${1-}" = update ]; then
		cat "$work/remade" >"$file"
	else
		same "pictures: $file has what is printed now" "$file" "$work/remade"
	fi
done
[ "${1-}" = update ] || exit 0
encstat report tests/golden/liar.ke -o "$work/report.html" &&
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,760 \
		--screenshot="$PWD/docs/report.png" "file://$work/report.html" >/dev/null 2>&1
