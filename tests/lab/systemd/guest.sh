#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Prints the script of the VM db1, for tests/guest:
#
#   guest.sh TYPE      default | sw-protected
#
# Four vCPUs convert pages of their own all the while something is done to the service, over and over; and each asks for a
# page that is refused to it: at each phase another one, so that one that once came out stays to be seen. When
# it is done they go on for a prime number of conversions, and stand still. What they wait for, and say, is
# in /run/lab: PHASE.go, PHASE.loading (they convert), PHASE.end (it is done), PHASE.truth and PHASE.paused.
set -u
. "$(dirname "$0")/phases"
type=$1

# What the VMM asks for by itself; either ends a table of operations, so that they look for the end after each turn.
vmm() {
	case $type in
	default) echo "write $(refused "$1" "$2") 1" ;;
	*) echo "attributes $(refused "$1" "$2") 1 shared expect=$3 times=$4" ;;
	esac
}

# pages PHASE VCPU COUNT SEED: conversions of its own
pages() { echo "random $3 $4 min=$((16 + 16 * $2))M max=$((32 + 16 * $2))M sizes=4k"; }

# turn PHASE VCPU: once round
turn() {
	pages "$1" "$2" 13 "$(($(number "$1") * 8 + $2))"
	echo "share $(refused "$1" "$2") 1"
	[ "$2" != 0 ] || echo "share $(refused_later "$1") 1"
	vmm "$1" "$2" any 1
}

# load PHASE VCPU FILE
load() { echo "until /run/lab/$3"; turn "$1" "$2"; echo end; }

# pause PHASE VCPU NEXT: all stand still
pause() {
	echo "barrier $1"
	[ "$2" != 0 ] || printf '%s\n' "truth /run/lab/$1.truth" "touch-file /run/lab/$1.paused" "wait-file /run/lab/$3.go"
	echo "barrier $1-over"
}

# Of all vCPUs together 601 are done, and later on, after each phase, 127.
start() {
	pages start "$1" "$(set -- "$1" 149 148 150 151; shift $(($1 + 1)); echo "$1")" "$1"
	[ "$1" != 0 ] || printf '%s\n' "share $(refused_later start) 1" "private $(refused_later start) 1"
	[ "$1" != 1 ] || echo 'share 0xc0000 1' # which is suspicious
	echo "share $(refused start "$1") 1 times=$(asks_refused "$1") stride=0"
	[ "$type" = default ] || vmm start "$1" 1 3
}

# phase PHASE VCPU
phase() {
	echo 'delay 30000' # no faster, so that what is emulated beside it has time, too
	turn "$1" "$2"
	[ "$2" != 0 ] || echo "touch-file /run/lab/$1.loading"
	echo 'repeat 7' # however soon it is done
	turn "$1" "$2"
	echo end
	[ "$1" != kill ] || {
		load "$1" "$2" kill.killed
		# Nobody sees this.
		[ "$2" != 0 ] || printf '%s\n' "share $missed" 'touch-file /run/lab/kill.missed'
	}
	load "$1" "$2" "$1.end"
	echo 'delay 1000'
	pages "$1" "$2" $((32 - ($2 == 0))) "$(($(number "$1") * 8 + $2 + 4))"
	[ "$1$2" != reload0 ] || echo "share $(refused_later reload 1) 1"
}

echo "vm name=db1 memory=256M vcpus=4 type=$type refusals=any"
for vcpu in 0 1 2 3; do
	echo "vcpu $vcpu"
	echo 'delay 1000'
	echo 'wait-file /run/lab/start.go'
	set -- $phases
	while [ $# -gt 0 ]; do
		if [ "$1" = start ]; then start $vcpu; else phase "$1" $vcpu; fi
		pause "$1" $vcpu "${2-released}"
		shift
	done
	# Nothing is enforced any more.
	[ $vcpu != 0 ] || echo "share $(refused start 0) 1"
done
