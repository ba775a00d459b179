#compdef kvm-encstat
# SPDX-License-Identifier: GPL-2.0-only
# Completion of kvm-encstat for zsh. What it knows comes from the program's own tables, at build time:
# src/cli/table.h says what the fields are.

_kvm_encstat_table() {
	cat <<'END'
@TABLE@
END
}

# Those that the daemon knows. Where it does not run nothing is loaded only to complete a word.
_kvm_encstat_vms() {
	[[ -S /run/kvm-encstat/io.kvmencstat ]] &&
		timeout 1 kvm-encstat list 2>/dev/null | awk 'NR > 1 && $3 ~ /^[A-Za-z0-9._\/-]+$/ {print $1; print $3}'
}

# field COMMAND WORD: what is to follow it
_kvm_encstat_follows() {
	local row
	for row in $rows; do
		[[ $row == "$1"$'\t'"$2"$'\t'* ]] || continue
		print -r -- "${${row#*$'\t'*$'\t'}%%$'\t'*}"
		return
	done
}

_kvm_encstat() {
	local -a rows shown list
	local command='' prev='' follows=- file=0 i row word
	rows=(${(f)"$(_kvm_encstat_table)"})
	for ((i = 2; i < CURRENT; i++)); do
		if [[ $words[i] == -- && $(_kvm_encstat_follows "$command" --) == program ]]; then
			shift $i words
			((CURRENT -= i))
			_normal
			return
		fi
		prev=$words[i]
		if [[ $command == replay && $file == 0 ]]; then
			file=1 # the capture; what follows is a command
		elif [[ $(_kvm_encstat_follows "$command" "$prev") == command ]]; then
			command=${command:+$command }$prev
		fi
	done
	if [[ $PREFIX == --*=* ]]; then
		follows=$(_kvm_encstat_follows "$command" "${PREFIX%%=*}")
		compset -P '*='
	elif [[ $prev == -* ]]; then
		follows=$(_kvm_encstat_follows "$command" "$prev")
	fi
	if [[ ${follows:--} == - ]]; then # not the value of an option
		for row in $rows; do
			[[ $row == "$command"$'\t'* ]] || continue
			word=${${row#*$'\t'}%%$'\t'*}
			[[ -n $word && $word != -- && ( $PREFIX == -* || $word != -* ) ]] || continue
			shown+=("${word//:/\\:}:${row##*$'\t'}")
		done
		[[ $command == replay && $file == 0 && $PREFIX != -* ]] && shown=()
		(($#shown)) && _describe -t words word shown
		[[ $PREFIX == -* ]] && return
		follows=$(_kvm_encstat_follows "$command" '')
		[[ $command == replay && $file == 1 ]] && follows=-
	fi
	case $follows in
	'='*) compadd -- ${=follows#=} ;;
	','*) compset -P '*,'; compadd -S '' -- ${=follows#,} ;;
	vm) list=(${(f)"$(_kvm_encstat_vms)"}); compadd -- $list ;;
	file) _files ;;
	esac
}

_kvm_encstat "$@"
