#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Options are the same wherever they are said: in the program's table, in its help, in the completions; layers.sh
# has the manual. And the completions really complete, in bash and in zsh. Some 10 seconds.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
encstat=build/kvm-encstat

# What the shells know is what the program says.
table=$("$encstat" --table)
for file in kvm-encstat _kvm-encstat; do
	equal "completions: $file has the program's table" "$table" \
		"$(sed -n "/^\tcat <<'END'/,/^END/p" build/completions/$file | sed '1d;$d')"
done

# The commands, and those within them.
while IFS=$'\t' read -r outer inner; do
	[ "$outer" = replay ] && continue
	# shellcheck disable=SC2086 # none, or one, or two words
	set -- $outer $inner
	help=$("$encstat" "$@" --help | sed -nE 's/^ +(-., )? *(--[a-z-]+).*/\2/p' | sort -u)
	equal "completions: options of '$*'" "$help" \
		"$(tests/completions/offers.bash build/completions/kvm-encstat "$@" -- | sort -u)"
done < <(awk -F '\t' '$3 == "command" {print $1 "\t" $2}' <<<"$table")

offers() { # WANT WORD...: bash offers these, in any order
	local want=$1
	shift
	equal "completions: bash: $*" "$want" \
		"$(tests/completions/offers.bash build/completions/kvm-encstat "$@" | sort | paste -sd ' ')"
}
offers 'map metrics' m
offers 'check show' config ''
offers '--force --format' map --fo
offers 'json png ranges svg text' map --format ''
offers 'svg' map --format = s
offers 'warning' findings -d 3 --severity w
offers 'id,name' top --columns id,na
offers 'README.md' replay READM
offers 'map metrics' replay a.ke m
offers '--plane' replay a.ke map --pl
offers 'README.md' record -o READM
none 'completions: bash: nothing for what takes nothing' "$(tests/completions/offers.bash build/completions/kvm-encstat list x)"
offers 'check' policy ch
matches 'completions: bash: a command after --' "$(tests/completions/offers.bash build/completions/kvm-encstat map -- bas)" '^bash$'

types() { # WANT KEYS: what zsh makes of them
	equal "completions: zsh: ${2//$'\t'/<tab>}" "$1" "$(timeout 30 tests/completions/types.zsh "$PWD/build/completions" "$2")"
}
if ! command -v zsh >/dev/null; then
	skip 'completions: zsh' 'there is none'
else
	types 'map --plane host' $'ma\t--pla\th\t'
	types 'policy check README.md' $'pol\tch\tREADM\t'
	types 'replay README.md findings --severity warning' $'repl\tREADM\tfin\t--sev\tw\t'
	types 'top --columns id,name' $'to\t--col\tid,na\t'
	types 'map --format=svg' $'map --format=s\t'
fi
