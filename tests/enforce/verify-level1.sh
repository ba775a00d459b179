# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Sourced by tests/lab/enforce.sh: what suite-level1 left.
#
#   verify-level1 SESSION GATE
#
# GATE: yes, with the module, so that guests are judged at the hypercall.

# errnos VM FIELD: what of it failed, as {"eperm":5}
errnos() { jq -c "[.$2 | to_entries[] | select(.value > 0)] | from_entries" "$out/$1.truth"; }

# host SESSION VM: the tool's word about KVM's attributes, as the truth has it
host() {
	"$encstat" replay "$out/$1.ke" map "$(number_of "$1" "$2")" --plane host --json 2>/dev/null |
		jq -c '[.ranges[] | select(.state == "private") | [.gfn, .npages]]'
}

# host_is SESSION VM: the kernel's attributes are what the VMM's successful calls have set, the guest's own part
# left out
host_is() {
	equal "$(name "$1/$2: KVM's attributes are what came of the calls that were not refused")" \
		"$(jq -c .host_private "$out/$2.truth")" "$(host "$1" "$2")"
}

# by SESSION VM ACTION: how many verdicts by guest and by VMM, and where
by() {
	of "$1" "$2" "| map(select(.kind == \"verdict\" and .action == \"$3\")) |
		group_by(.level + (.by // \"\")) | map([.[0].level, .[0].by, length])"
}

verify_level1() {
	local session=$1 gate=$2 asked vm number
	[ "$gate" = yes ] && asked='["gate",null,' || asked='["ioctl","guest",'
	for vm in attributes vmm unreadable readable foreign rewrite often launch eperm eacces ebusy eagain einval everything \
		watched free frozen-seen; do
		equal "$(name "$session/$vm: the guest ends as it should")" 0 "$(cat "$out/$vm.guest-status")"
	done

	equal "$(name "$session/attributes: refused, of what the guest asked for")" "${asked}124]" \
		"$(by "$session" attributes deny | sed 's/^.\(.*\).$/\1/')"
	[ "$gate" = yes ] || equal "$(name "$session/attributes: the VMM's calls failed")" '{"eperm":124}' \
		"$(errnos attributes refused_attributes)"
	equal "$(name "$session/attributes: one page is shared")" '[[4221,1]]' "$(jq -c .shared "$out/attributes.truth")"
	host_is "$session" attributes

	for vm in eperm:1 eacces:13 ebusy:16 eagain:11 einval:22; do
		number=${vm#*:} vm=${vm%:*}
		equal "$(name "$session/$vm: the VMM's calls failed with it")" "{\"$vm\":3}" "$(errnos "$vm" refused_own)"
		equal "$(name "$session/$vm: so says the tool")" "[$number]" "$(of "$session" $vm \
			'| map(select(.action == "deny" and .level == "ioctl").errno) | unique')"
		equal "$(name "$session/$vm: by whom, and where")" "[${asked}5],[\"ioctl\",\"vmm\",3]]" \
			"$(by "$session" $vm deny)"
		if [ "$gate" = yes ]; then
			equal "$(name "$session/$vm: the guest saw EPERM, the VMM nothing")" '5 {}' \
				"$(jq .refused_map.eperm "$out/$vm.truth") $(errnos $vm refused_attributes)"
		else
			equal "$(name "$session/$vm: for the guest, too")" "{\"$vm\":5}" "$(errnos $vm refused_attributes)"
		fi
		host_is "$session" $vm
	done

	equal "$(name "$session/vmm: what no guest asked for, and is shared")" '[["ioctl","vmm",13]]' \
		"$(by "$session" vmm deny)"
	equal "$(name "$session/vmm: 13 shared refused, 7 private and 3 asked for not")" '{"eperm":13} 7 3 {}' \
		"$(errnos vmm refused_own) $(jq -r '"\(.attributes_ok) \(.accepted)"' "$out/vmm.truth") $(errnos vmm refused_attributes)"
	host_is "$session" vmm

	equal "$(name "$session/everything: all but what was before the guest ran")" \
		"[${asked}11],[\"ioctl\",\"vmm\",5]]" "$(by "$session" everything deny)"
	equal "$(name "$session/everything: it stays private")" '[[0,16384]]' "$(jq -c .host_private "$out/everything.truth")"
	host_is "$session" everything
	equal "$(name "$session/launch: what comes before the guest is not refused")" '5 {} []' \
		"$(jq .attributes_ok "$out/launch.truth") $(errnos launch refused_own) $(by "$session" launch deny)"
	for vm in watched free; do
		equal "$(name "$session/$vm: nothing is refused")" '11 5 {}' \
			"$(jq -r '"\(.accepted) \(.attributes_ok)"' "$out/$vm.truth") $(errnos $vm refused_own)"
		host_is "$session" $vm
	done
	equal "$(name "$session/watched: told what would have been")" 16 \
		"$(of "$session" watched '| map(select(.would == "deny")) | length')"
	equal "$(name "$session/free: nothing is told")" '[]' "$(of "$session" free '| map(select(.kind == "verdict"))')"

	equal "$(name "$session/often: a bucket for what the guest asks, and one for what the VMM does")" true \
		"$(jq --argjson leaked "$(leaked "$session" often)" \
			'(.accepted, .attributes_ok) |= (. >= 7 and . <= 8 + $leaked) | .accepted and .attributes_ok' "$out/often.truth")"
	equal "$(name "$session/often: the tool tells what was refused")" \
		"$(jq '(31 - .accepted) + (13 - .attributes_ok)' "$out/often.truth")" "$(told "$session" often deny)"

	verify_unreadable "$session"
	verify_gmem

	equal "$(name "$session/foreign: judged, before KVM fails it")" '3 [["ioctl","vmm",3]] 1' \
		"$(jq .foreign.eperm "$out/foreign.truth") $(by "$session" foreign deny) $(jq .attributes_ok "$out/foreign.truth")"

	equal "$(name "$session/rewrite: what was refused is told")" "$(jq .rewrite.eperm "$out/rewrite.truth")" \
		"$(of "$session" rewrite '| map(select(.kind == "verdict" and .action == "deny" and (.replaced | not))) | length')"
	equal "$(name "$session/rewrite: some were, some not")" 'true 20011' \
		"$(jq -r '"\(.rewrite.eperm > 0 and .rewrite.ok > 0) \([.rewrite[]] | add)"' "$out/rewrite.truth")"
	equal "$(name "$session/rewrite: each that slipped through is told")" "$(slipped "$session" | head -n 1)" \
		"$(slipped "$session" | tail -n 1)"

	equal "$(name "$session/kill: told, and the VMM is gone")" '1 137' \
		"$(told "$session" kill kill) $(cat "$out/kill.guest-status")"
	[ "$gate" = yes ] && thawed "$session" frozen-seen gate || thawed "$session" frozen-seen ioctl
}

# What sleeps reads all that KVM could; else nothing that is not in memory. KVM fails 5 of 16 by itself.
# leaked SESSION VM: tokens that a bucket which leaks one a second lost while the VM was there, at the most
leaked() {
	"$encstat" replay "$out/$1.ke" events --json 2>/dev/null |
		jq -s --argjson vm "$(number_of "$1" "$2")" 'map(select(.vm == $vm).ts_ns) | (max - min) / 1e9 | ceil'
}

# The call that kernels to come have for guest_memfd: nothing of it can be read, whatever it is about.
verify_gmem() {
	equal "$(name "$session/gmem: this kernel does not know that call")" 'ENOTTY ENOTTY' "$(cat "$out/../$session.gmem-before")"
	equal "$(name "$session/gmem: refused to a VM that has run, not to one that is launched")" 'EPERM ENOTTY' \
		"$(cat "$out/../$session.gmem")"
	equal "$(name "$session/gmem: told as what cannot be read")" '[[true,"deny",1]]' \
		"$(jq -sc '[.[] | select(.kind == "verdict") | [.unreadable, .action, .errno]]' "$out/../$session.gmem-out")"
}

verify_unreadable() {
	local session=$1 refused passed bad=5
	refused=$(errnos unreadable refused_own) passed=$(errnos readable refused_own)
	grep -q 'lsm.s/file_ioctl' "$out/../$session.err" || bad=16
	equal "$(name "$session/unreadable: refused what cannot be read, and what the policy refuses")" \
		"{\"eperm\":$((bad + 3))} $((16 - bad))" "$refused $(jq .attributes_ok "$out/unreadable.truth")"
	equal "$(name "$session/unreadable: told as that")" "$bad" \
		"$(of "$session" unreadable '| map(select(.unreadable and .action == "deny")) | length')"
	equal "$(name "$session/readable: what cannot be read passes")" '{"eperm":3,"efault":5} 11' \
		"$passed $(jq .attributes_ok "$out/readable.truth")"
	equal "$(name "$session/readable: which is told")" "$bad" \
		"$(of "$session" readable '| map(select(.unreadable and .action == "allow")) | length')"
	matches "$(name "$session: and said at the end")" "$(cat "$out/../$session.err")" \
		"could not be read: $bad refused, $bad passed"
}

# findings SESSION VM: verdicts about what was found, as [action, would]
findings() { of "$1" "$2" '| map(select(.kind == "verdict" and .level == "finding") | [.action, .would])'; }

verify_found() {
	equal "$(name "$1/found-told: told")" '[["log",null]] 0' "$(findings "$1" found-told) $(cat "$out/found-told.guest-status")"
	equal "$(name "$1/found-watched: told what would have been")" '[["allow","freeze"]] 0 0' \
		"$(findings "$1" found-watched) $(cat "$out/found-watched.guest-status") $(jq .run_refused "$out/found-watched.truth")"
	equal "$(name "$1/found-killed: killed")" '[["kill",null]] 137' "$(findings "$1" found-killed) $(cat "$out/found-killed.guest-status")"
	equal "$(name "$1/found-other: no rule is about that")" '[] 0' "$(findings "$1" found-other) $(cat "$out/found-other.guest-status")"
	equal "$(name "$1/found-frozen: frozen until enforcement ended")" '[["freeze",null]] 0 true' \
		"$(findings "$1" found-frozen) $(cat "$out/found-frozen.guest-status") $(jq '.run_refused > 0' "$out/found-frozen.truth")"
	matches "$(name "$1: said by whom")" "$(cat "$out/../$1.err")" 'KES-008[.0-9]*: freeze, by /job/policies/level1.yaml:[0-9]+$'
}

# slipped SESSION: how many calls made shared what the policy refuses, by what KVM did; how many are told as that
slipped() {
	"$encstat" replay "$out/$1.ke" events --json 2>/dev/null | jq -sr --argjson vm "$(number_of "$1" rewrite)" \
		'map(select(.vm == $vm and .gfn == 4096)) | (map(select(.kind == "attributes" and .ret == 0)) | length),
		(map(select(.replaced)) | length)'
}

# form SESSION: how ioctls are hooked there
form() {
	case $kernel:$1 in
	*:level1-fmod) echo fmod_ret/security_file_ioctl ;;
	6.1:*) echo lsm/file_ioctl ;;
	*) echo lsm.s/file_ioctl ;;
	esac
}

# verify_level1_of SESSION GATE: where the kernel has attributes
verify_level1_of() {
	status "$1" 0
	none "$(name "$1: all was counted")" "$(grep -E 'NOT ASKED' "$out/$1.err")"
	ln -sf ../"$1".ke ../"$1".out "$out/$1/"
	equal "$(name "$1: the best form that this kernel takes")" "$(form "$1")" \
		"$(sed -n "s/.*the VMMs' ioctls (\([^)]*\)).*/\1/p" "$out/$1.err")"
	same "$(name "$1: other ioctls are what they were")" "$out/before.ioctls" "$out/$1.ioctls"
	local out=$out/$1
	verify_found "$1"
	case $kernel in
	sw-protected) verify_level1 "$1" "$2" ;;
	6.12)
		equal "$(name "$1/compat-default: 32-bit calls are refused")" '0 {"eperm":7} 2' \
			"$(cat "$out/compat-default.guest-status") $(errnos compat-default refused_own) $(jq .attributes_ok "$out/compat-default.truth")"
		equal "$(name "$1/compat-default: told")" '[["ioctl","vmm",7]]' "$(by "$1" compat-default deny)"
		;;
	esac
}
