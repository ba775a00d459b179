#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The rules that the tree keeps: who may include whom, an SPDX line in each file, no unbounded string
# functions, options said alike in help and in the manual.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

# allowed LAYER INCLUDED...: files of src/LAYER include headers of these layers only
allowed() {
	local layer=$1 bad
	shift
	bad=$(grep -rnE '^#include "(config|top|report|audit|metrics|service|exporter|base|model|picture|capture|detect|policy|output|cli|bpf)/' "src/$layer" |
		grep -vE "\"($(IFS='|'; echo "$*"))/")
	none "layers: $layer includes $*" "$bad"
}

allowed base base
allowed model base model
allowed picture base model picture
allowed capture base model capture bpf
allowed detect base model detect
allowed policy base model detect policy
allowed config base model detect config
allowed output base model picture detect policy output config
allowed top base model picture detect policy output top
allowed report base model picture detect policy output report
allowed audit base model detect policy output audit config
allowed metrics base model detect policy output metrics config
allowed service base model capture detect policy output audit metrics service config
allowed exporter base metrics service exporter
allowed cli base model picture capture detect policy output report top audit metrics service cli config
none "layers: only top/screen.c uses curses" \
	"$(grep -rlE '#include <(n?curses|term)' src | grep -v '^src/top/screen\.c$')"
none "layers: only src/exporter uses libmicrohttpd" \
	"$(grep -rlE '#include <microhttpd' src | grep -v '^src/exporter/')"
none "layers: what may do much does not speak HTTP" "$(ldd build/kvm-encstat | grep microhttpd)"
none "layers: the exporter has nothing of what may do much" \
	"$(ldd build/kvm-encstat-exporter | grep -E 'libbpf|libsystemd|libcap-ng')"
none "layers: only src/audit, src/service and src/cli/cmd_daemon* use libsystemd" \
	"$(grep -rlE '#include <systemd/' src | grep -vE '^src/(audit|service)/|^src/cli/(cmd_)?daemon')"
none "layers: only capture/live* uses libbpf" \
	"$(grep -rlE '#include <bpf/' src | grep -v '^src/capture/live')"
equal "layers: nothing but main.c has a main()" 'src/cli/main.c src/exporter/main.c' \
	"$(grep -rlE '^int main\(' src | sort | xargs)"
none "layers: nothing calls exit()" "$(grep -rnE '[^_]exit\(' src | grep -vE '_exit\(|[a-z]_exit')"

none "spdx: in each file" "$(git ls-files 2>/dev/null | grep -vE \
	'^LICENSE$|^debian/(changelog|source/format|.*\.(install|dkms))$|^docs/.*\.(svg|png)$|^tests/fuzz/corpus/|^tests/golden/.*\.(ke|out|truth)$' |
	while read -r file; do grep -q 'SPDX-License-Identifier: GPL-2.0-only' "$file" || echo "$file"; done)"
none "source: no unbounded string functions" \
	"$(grep -rnE '\b(atoi|strcpy|strcat|sprintf|gets)\(' src)"

# options_of PAGE: what its section OPTIONS has
options_of() {
	sed -n '/^\.Sh OPTIONS/,/^\.Sh [^O]/p' "$1" | grep -oE 'Ic \\-\\-[a-z\\-]+' | sed 's/^Ic //; s/\\//g' | sort -u
}

# offered COMMAND: what its help has, or that of the commands in it
offered() {
	local command
	[ "$1" = policy ] && set -- policy\ {check,test,diff,show,explain,loaded,release,freeze,mode,baseline}
	[ "$1" = config ] && set -- config\ {check,show}
	[ "$1" = audit ] && set -- audit audit\ verify
	for command; do
		# shellcheck disable=SC2086 # two words
		build/kvm-encstat $command --help
	done | sed -nE 's/^ +(-., )? *(--[a-z-]+).*/\2/p' | sort -u
}

for command in list events map top findings explain policy enforce audit record report replay metrics daemon config doctor; do
	help=$(build/kvm-encstat "$command" --help)
	matches "man: $command has help" "$help" "^usage: kvm-encstat $command"
	equal "man: $command has the options of its help" "$(offered "$command")" \
		"$(options_of "man/kvm-encstat-$command.8")"
	matches "man: $command is in the overview" "$(cat man/kvm-encstat.8)" "^\.It Xr kvm-encstat-$command 8"
done
none 'man: groff has no complaint' "$(groff -mandoc -Tutf8 -ww -z man/*.[578] 2>&1)"
equal "man: the exporter has the options of its help" \
	"$(build/kvm-encstat-exporter --help | sed -nE 's/^ +(-., )? *(--[a-z-]+).*/\2/p' | sort -u)" \
	"$(options_of man/kvm-encstat-exporter.8)"
