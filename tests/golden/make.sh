#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Takes the golden captures from the last lab runs, and prints what is expected of them. Read the
# difference before you commit it: what changed here changed for users, too.
set -eu
cd "$(dirname "$0")"
lab=../../build/lab

take() { # NAME KERNEL RUN [truth]
	cp "$lab/$2/out/$3.ke" "$1.ke"
	[ $# -lt 4 ] || cp "$lab/$2/out/$3.truth" "$1.truth"
}

# before-host-plane.ke was made by a version that knew no host plane: it stays as it is.
find . \( -name '*.ke' -o -name '*.out' -o -name '*.truth' \) ! -name 'before-host-plane.ke' -delete
take prime 6.12 prime truth
take boot 6.12 boot-text truth
take two-vms 6.12 two-vms
take refusals 6.1 refusals
take denied 6.1 denied truth
take pageenc 6.1 pageenc truth
take spill 6.12 spill
take late 6.12 late
take killed 6.12 killed
take protected sw-protected protected truth
take names 6.12 names
take reset 6.1 reset truth
take forked 6.12 forked
for script in liar unsolicited faults reset-protected race; do
	take $script sw-protected $script truth
done
take race-plain sw-protected race--no-trampolines truth
./print.sh ../../build/kvm-encstat .
