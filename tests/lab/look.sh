# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced by verify*.sh, after lib.sh, with their arguments: ways to look at what a lab run left behind.
# shellcheck disable=SC2034
kernel=$1 out=$2
encstat=${ENCSTAT:-$here/../../build/kvm-encstat}

name() { printf 'lab %s: %s' "$kernel" "$1"; }

# replayed NAME COMMAND...: what a replay of the capture prints is byte for byte what live printed
replayed() {
	local what=$1
	shift
	"$encstat" replay "$out/$what.ke" "$@" >"$out/$what.replayed" 2>"$out/$what.replay.err"
	same "$(name "$what: replay prints what live printed")" "$out/$what.out" "$out/$what.replayed"
}

# From a map in JSON, a state's ranges as [[gfn, npages], ...]
ranges() { # STATE
	jq -c "[.ranges[] | select(.state == \"$1\") | [.gfn, .npages]]"
}

# map_of CAPTURE ID [OPTION...]
map_of() {
	local capture=$1 id=$2
	shift 2
	"$encstat" replay "$out/$capture.ke" map "$id" --json "$@" 2>/dev/null
}

# check_map NAME CAPTURE ID TRUTH-LINE [OPTION...]: the map equals the VMM's truth page by page
check_map() {
	local what=$1 capture=$2 id=$3 truth=$4 map
	shift 4
	map=$(map_of "$capture" "$id" "$@")
	equal "$(name "$what: shared pages equal the VMM's truth")" \
		"$(jq -c .shared <<<"$truth")" "$(ranges shared <<<"$map")"
	equal "$(name "$what: no page unknown")" 0 "$(jq .pages.unknown <<<"$map")"
	equal "$(name "$what: all memory is there")" \
		"$(jq '[.memslots[][1]] | add' <<<"$truth")" \
		"$("$encstat" replay "$out/$capture.ke" list --json 2>/dev/null |
			jq "select(.id == $id).memory_pages")"
	equal "$(name "$what: exact")" exact "$(jq -r .confidence <<<"$map")"
}

status() { equal "$(name "$1: exit status")" "$2" "$(cat "$out/$1.status")"; }

# kinds NAME KIND: how many events of a kind live printed
kinds() { jq -s "[.[] | select(.kind == \"$2\")] | length" "$out/$1.out"; }

is_prime() {
	factor "$1" | awk '{exit NF != 2}'
}

# differences_of TRUTH: where the planes must differ, [[gfn, npages, guest, host], ...], worked out page by page
differences_of() {
	jq -r '(.memslots[] | "m \(.[0]) \(.[1])"), (.shared[] | "s \(.[0]) \(.[1])"),
		(.host_private[] | "p \(.[0]) \(.[1])")' "$1" |
		awk '{ for (i = 0; i < $3; i++) { page[$2 + i] = 1; is[$1, $2 + i] = 1 } }
		END {
			for (gfn in page) {
				shared = ("s", gfn) in is; private = ("p", gfn) in is
				if (shared && private) print gfn, 1, "shared", "private"
				else if (!shared && !private && ("m", gfn) in is) print gfn, 1, "private", "shared"
			}
		}' | sort -n | join_ranges
}

# join_ranges: lines "gfn npages guest host", sorted, as JSON, those that touch and are alike in one
join_ranges() {
	awk 'function flush() { if (n) printf "%s[%d,%d,\"%s\",\"%s\"]", sep, from, n, guest, host; if (n) sep = "," }
		BEGIN { printf "[" }
		n && $1 == from + n && $3 == guest && $4 == host { n += $2; next }
		{ flush(); from = $1; n = $2; guest = $3; host = $4 }
		END { flush(); print "]" }'
}
