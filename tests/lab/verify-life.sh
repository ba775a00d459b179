#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Looks at what tests/lab/suite-life left behind: VMs and modules that came and went.
#
#   verify-life.sh KERNEL DIR
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
. "$here/look.sh"

# ---- modules ----

if [ "$kernel" != sw-protected ]; then
	for run in module-late module-again; do
		status $run 0
		none "$(name "$run: kvm could be unloaded while it was not watched")" "$(cat "$out/$run.unload")"
		matches "$(name "$run: and not while it was")" "$(cat "$out/$run.rmmod")" "'kvm'.*(in use|busy|unavailable)"
		check_map $run $run 1 "$(cat "$out/$run.truth")"
	done
fi

# ---- whose VM it is ----

for options in '' --no-trampolines; do
	for shape in forked handed; do
		run=$shape$options
		status "$run" 0
		equal "$(name "$run: one VM, its VMM's, though two hold it")" \
			"[1,$(cat "$out/$run.pid"),true,$(jq '[.memslots[][1]] | add' "$out/$run.truth")]" \
			"$(jq -sc '[length, .[0].pid, .[0].alive, .[0].memory_pages]' "$out/$run.both")"
		equal "$(name "$run: it lives as long as it is held")" '[1,true]' \
			"$(jq -sc '[length, .[0].alive]' "$out/$run.holder")"
		equal "$(name "$run: by another process then")" false \
			"$(jq -sc ".[0].pid == $(cat "$out/$run.pid")" "$out/$run.holder")"
		equal "$(name "$run: then it is gone")" 0 "$(jq -s length "$out/$run.none")"
		equal "$(name "$run: its end was seen, once")" 1 \
			"$("$encstat" replay "$out/$run.ke" events --json 2>/dev/null |
				jq -s '[.[] | select(.kind == "vm-end" and .pid == '"$(cat "$out/$run.pid")"')] | length')"
	done
	equal "$(name "outlived$options: its process lives")" lives "$(cat "$out/outlived$options.process")"
	equal "$(name "outlived$options: and the VM is gone")" '[1,false]' \
		"$(jq -sc '[length, .[0].alive]' "$out/outlived$options.out")"
done

# ---- short lives ----

status lives 0
equal "$(name "lives: all 500 were seen, from birth to end")" '[500,500]' \
	"$(jq -sc '[(map(select(.kind == "vm-new" and .born)) | map(.vm) | unique | length),
		(map(select(.kind == "vm-end")) | length)]' "$out/lives.out")"
before=$(awk '{print $2}' "$out/lives.before") after=$(awk '{print $2}' "$out/lives.after")
try "$(name "lives: 250 more took no memory ($before, then $after KiB)")" test "$((after - before))" -le 512
equal "$(name "lives: nothing of them is left in the kernel's tables")" 0 "$(jq length "$out/lives.slot_of")"

# ---- a VMM that is killed ----

status shot 0
equal "$(name "shot: the open request is closed as unanswered")" '[[512,5]]' \
	"$(jq -sc '[.[] | select(.kind == "unanswered") | [.gfn, .npages]]' "$out/shot.out")"
equal "$(name "shot: what was answered stays")" '[[256,2]]' "$(map_of shot 1 | ranges shared)"

# ---- names ----

status names 0
for command in 'list' 'list --json' 'events' 'events --json'; do
	# shellcheck disable=SC2086
	"$encstat" replay "$out/names.ke" $command >"$out/names.shown" 2>/dev/null
	none "$(name "names: $command shows no control character")" \
		"$(LC_ALL=C grep -nP '[\x00-\x09\x0b-\x1f\x7f]' "$out/names.shown")"
	try "$(name "names: $command is UTF-8")" iconv -f UTF-8 -t UTF-8 "$out/names.shown"
done
"$encstat" replay "$out/names.ke" list --json >"$out/names.json" 2>/dev/null
equal "$(name "names: as many VMs as names")" "$(($(grep -vc '^#' "$here/names") + 2))" "$(jq -s length "$out/names.json")"
equal "$(name "names: found running as seen from birth")" "$(jq -sc '[.[].name]' "$out/names.json")" \
	"$(jq -sc '[.[].name]' "$out/names.running")"
equal "$(name "names: escaped, and recognisable")" '"\\x1b[2Jcleared"' "$(jq -s '.[0].name' "$out/names.json")"
equal "$(name "names: QEMU's commas, and the uuid")" '["db,1","11111111-2222-3333-4444-5555deadbeef"]' \
	"$(jq -sc '.[-1] | [.name, .uuid]' "$out/names.json")"
equal "$(name "names: 64 KiB are cut")" '"xxx..."' "$(jq -s '.[-2].name | "\(.[0:3])\(.[-3:])"' "$out/names.json")"
equal "$(name "names: a VM is found by its name")" 'db,1' \
	"$("$encstat" replay "$out/names.ke" map db,1 --json 2>/dev/null | jq -r .vm.name)"
equal "$(name "names: and by its uuid")" 'db,1' \
	"$("$encstat" replay "$out/names.ke" map 11111111-2222-3333-4444-5555DEADBEEF --json 2>/dev/null | jq -r .vm.name)"

# ---- resets ----

for run in reset reset-plain; do
	status $run 0
	equal "$(name "$run: seen, once")" "$(jq .resets "$out/$run.truth")" "$(kinds $run reset)"
	equal "$(name "$run: what stayed shared")" "$(jq '[.left_shared[][1]] | add' "$out/$run.truth")" \
		"$(jq 'select(.kind == "reset").shared_pages' "$out/$run.out")"
	check_map $run $run 1 "$(cat "$out/$run.truth")"
done

# ---- the self-test ----

check() { jq -s ".[] | select(.check == \"$2\").good" "$out/selftest$1.out"; }
for options in '' --no-trampolines; do
	run=selftest$options
	equal "$(name "$run: conversions, and a known map")" 'true true' \
		"$(check "$options" conversions) $(check "$options" map)"
	if [ "$kernel" = sw-protected ]; then
		equal "$(name "$run: changes of attributes, and a known host plane")" 'true true' \
			"$(check "$options" changes) $(check "$options" host-map)"
		equal "$(name "$run: all is proved")" "$([ -n "$options" ] && echo 3 || echo 0)" "$(cat "$out/$run.status")"
	else
		equal "$(name "$run: what no VM here can prove is not called proved")" 'false false' \
			"$(check "$options" changes) $(check "$options" host-map)"
		equal "$(name "$run: so it is not all")" 3 "$(cat "$out/$run.status")"
	fi
	equal "$(name "$run: every attached hook was seen firing")" 0 \
		"$(jq -s '[.[] | select(.state == "attached" and .fired == 0)] | length' "$out/$run.out")"
done
if [ "$kernel" != 6.1 ]; then
	equal "$(name "selftest: the hooks on the ioctl are attached and fire")" 3 \
		"$(jq -s '[.[] | select(.name == "fentry/__x64_sys_ioctl" or .name == "fexit/__x64_sys_ioctl" or
			.name == "fentry/kvm_range_has_memory_attributes") |
			select(.state == "attached" and .fired > 0)] | length' "$out/selftest.out")"
fi
exit 0
