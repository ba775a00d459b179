#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Prints what bash offers: completions.bash FILE WORD... (the last one is what has been typed of it)
. "$1"
shift
COMP_WORDS=(kvm-encstat "$@")
COMP_CWORD=$#
_kvm_encstat 2>/dev/null
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
