#!/bin/zsh -f
# SPDX-License-Identifier: GPL-2.0-only
#
# Types keys at a zsh with our completion and prints the words of the command line that come out of it:
# types.zsh FOLDER KEYS, with a tab wherever one is pressed
zmodload zsh/zpty
zpty shell "TERM=dumb zsh -f -i"
zpty -w shell "PS1= PS2=; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -D -u; setopt no_beep; kvm-encstat() { print -r -- \"typed:\$*:\" }; print re''ady"
zpty -r shell answer '*ready*'
zpty -w shell "kvm-encstat $2"
zpty -r shell answer '*typed:*:*'
print -r -- ${${answer##*typed:}%%:*}
zpty -d shell
