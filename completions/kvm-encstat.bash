# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of kvm-encstat for bash. What it knows comes from the program's own tables, at build time:
# src/cli/table.h says what the fields are.

_kvm_encstat_table() {
	cat <<'END'
@TABLE@
END
}

# Those that the daemon knows. Where it does not run nothing is loaded only to complete a word.
_kvm_encstat_vms() {
	[ -S /run/kvm-encstat/io.kvmencstat ] &&
		timeout 1 kvm-encstat list 2>/dev/null | awk 'NR > 1 && $3 ~ /^[A-Za-z0-9._\/-]+$/ {print $1; print $3}'
}

# follows COMMAND WORD: what is to follow it
_kvm_encstat_follows() {
	awk -F '\t' -v command="$1" -v word="$2" '$1 == command && $2 == word {print $3; exit}' <<<"$table"
}

# words COMMAND PREFIX: those that may follow and begin so
_kvm_encstat_words() {
	awk -F '\t' -v command="$1" -v prefix="$2" \
		'$1 == command && $2 != "" && $2 != "--" && index($2, prefix) == 1 {print $2}' <<<"$table"
}

_kvm_encstat() {
	local table cur=${COMP_WORDS[COMP_CWORD]} prev='' command='' follows file=0 i
	table=$(_kvm_encstat_table)
	COMPREPLY=()
	[ "$cur" != = ] || cur='' # --format=: bash takes it for a word
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [ "${COMP_WORDS[i]}" = -- ] && [ "$(_kvm_encstat_follows "$command" --)" = program ]; then
			if declare -F _command_offset >/dev/null; then
				_command_offset $((i + 1))
			else
				mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			fi
			return
		fi
		[ "${COMP_WORDS[i]}" != = ] || continue
		prev=${COMP_WORDS[i]}
		if [ "$command" = replay ] && [ $file = 0 ]; then
			file=1 # the capture; what follows is a command
		elif [ "$(_kvm_encstat_follows "$command" "$prev")" = command ]; then
			command=${command:+$command }$prev
		fi
	done
	follows=-
	[[ $prev != -* ]] || follows=$(_kvm_encstat_follows "$command" "$prev")
	if [ "${follows:--}" = - ]; then # not the value of an option
		mapfile -t COMPREPLY < <(_kvm_encstat_words "$command" "$cur")
		[[ $cur != -* ]] || return
		mapfile -t COMPREPLY < <(printf '%s\n' "${COMPREPLY[@]}" | grep -v '^-')
		follows=$(_kvm_encstat_follows "$command" '')
		case $command$file in
		replay0) COMPREPLY=() ;;
		replay1) follows=- ;;
		esac
		[ -n "${COMPREPLY[*]}" ] || COMPREPLY=()
	fi
	case $follows in
	=*) mapfile -t COMPREPLY < <(compgen -W "${follows#=}" -- "$cur") ;;
	,*) mapfile -t COMPREPLY < <(compgen -P "$([[ $cur != *,* ]] || echo "${cur%,*},")" -W "${follows#,}" -- "${cur##*,}") ;;
	vm) mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "$(_kvm_encstat_vms)" -- "$cur") ;;
	file)
		compopt -o filenames 2>/dev/null
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur")
		;;
	esac
}

complete -F _kvm_encstat kvm-encstat
