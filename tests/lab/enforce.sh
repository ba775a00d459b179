#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# `enforce` on one kernel: guests whose hypercalls a policy refuses (tests/enforce/suite), seen from three sides:
# what the guest got, what its VMM was asked, what the tool says. After gate.sh, which has built the module.
#
#   enforce.sh 6.1 | 6.12 | sw-protected
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
build=${BUILD:-$here/../../build}
kernel=$1 job=$build/lab/enforce-$1 out=$build/lab/enforce-$1/out
encstat=$build/kvm-encstat
module=$build/lab/gate-$1/kvm_encstat_gate.ko

. "$here/../enforce/look.sh"

if [ ! -e "$module" ]; then
	fail "$(name "the module is there")" "tests/lab/gate.sh $kernel builds it"
	exit 0
fi
rm -rf "$job"
mkdir -p "$job/out"
cp "$module" "$job/"
cp "$here/../enforce/suite" "$job/run"
cp "$here"/../enforce/suite-* "$job/"
cp -r "$here/../enforce/policies" "$job/policies"
cp -r "$here/../guest/scripts/enforce" "$job/scripts"
cp -r "$here/../guest/scripts/veto" "$job/veto"
echo "$kernel" >"$job/kind"
"$here/bundle.sh" "$job/root" "$encstat" "$build/tests/guest" "$(command -v bpftool || echo /usr/sbin/bpftool)"
if ! "$here/boot.sh" "$kernel" "$job" 300 >"$job/boot.log" 2>&1; then
	fail "$(name "booted and ran")" "$(cat "$job/boot.log")"
	exit 0
fi
pass "$(name "booted and ran")"
none "$(name "the kernel has nothing to complain")" \
	"$(grep -E 'BUG|WARNING|Oops|RIP:|Call Trace|rcu.*stall|blocked for' "$out/dmesg" | head -n 5)"

status no-module 3
matches "$(name "no module: which rule cannot be enforced, and where it is")" "$(cat "$out/no-module.err")" \
	'level2.yaml:[0-9]+: this rule cannot be enforced: the module kvm_encstat_gate is not loaded'
none "$(name "no module: the command is not started")" "$(cat "$out/no-module.truth" 2>/dev/null)"
status bare 3
matches "$(name "no module: a VM that nothing can be refused to is named")" "$(cat "$out/bare.err")" \
	'VM [0-9]+: what its guest asks for is NOT refused'
equal "$(name "no module: nothing is refused to it")" '1009 0' "$(truth bare .requests) $(truth bare .refused_map.eperm)"

# What a policy refuses of a known number of conversions, foretold from a run without it.
status free 0
foretold=$("$encstat" policy test "$here/../enforce/policies/range.yaml" "$out/free.ke" --json 2>/dev/null |
	jq -s '[.[] | select(.action == "deny").requests] | add')
equal "$(name "without a veto: all come out")" 1009 "$(truth free .requests)"
status range 0
matches "$(name "range: armed and proved")" "$(cat "$out/range.err")" 'the veto is armed and proved'
equal "$(name "range: as many refused as policy test foretold")" "$foretold" "$(verdicts range deny)"
equal "$(name "range: the guest saw each refusal, with EPERM")" "$foretold" "$(truth range .refused_map.eperm)"
equal "$(name "range: the VMM was asked for all others")" $((1009 - foretold)) "$(truth range .requests)"
none "$(name "range: the VMM was asked for nothing that is refused")" \
	"$(jq -c '.conversions[] | select((.attrs < 16 and .gfn < 8192 and .gfn + .npages > 4096 and
		(.gfn < 6144 or .gfn + .npages > 6400)) or .npages > 512)' "$out/range.truth")"
equal "$(name "range: its map is what the VMM has")" "$(jq -c .shared "$out/range.truth")" \
	"$("$encstat" replay "$out/range.ke" map 2 --json 2>/dev/null |
		jq -c '[.ranges[] | select(.state == "shared") | [.gfn, .npages]]')"

status monitor 0
equal "$(name "monitor: nothing is refused")" "1009 0" "$(truth monitor .requests) $(truth monitor .refused_map.eperm)"
equal "$(name "monitor: what would have been is told")" "$foretold" \
	"$(jq -s '[.[] | select(.would == "deny")] | length' "$out/monitor.out")"

status numbers 1 # the guest did not expect that hypercall 5 is refused
equal "$(name "numbers: 5 and above, and user mode, are refused")" 14 "$(verdicts numbers deny)"
equal "$(name "numbers: kernel mode converts")" 1 "$(truth numbers .requests)"

status kill 137
equal "$(name "kill: told")" 1 "$(verdicts kill kill)"

status named 0
equal "$(name "named: the VM with that name shares nothing")" '[]' "$(jq -c .shared "$out/closed.truth")"
equal "$(name "named: the other one does")" "[[4096,11],[8192,2]]" "$(jq -c .shared "$out/open.truth")"

status short 3
matches "$(name "short: a VM that does not get its rules is named")" "$(cat "$out/short.err")" \
	'VM [0-9]+ does not get its rules, and stays under those for every VM: .*more than 64 rules'
equal "$(name "short: it is under those for every VM")" '[[8192,2]]' "$(jq -c .shared "$out/short.truth")"

status stopped 0
equal "$(name "stopped: refused while the tool is stopped")" 211 "$(truth stopped .refused_map.eperm)"
equal "$(name "stopped: told afterwards")" 211 "$(verdicts stopped deny)"

status reload 0
equal "$(name "reload: what both policies refuse never comes out")" 0 \
	"$(jq '[.conversions[] | select(.gfn == 4096)] | length' "$out/reload.truth")"
equal "$(name "reload: what only the new one refuses came out until then, and not after it was first refused")" \
	'true 0' "$(jq '.requests > 0' "$out/reload.truth") $("$encstat" replay "$out/reload.ke" events --json 2>/dev/null |
		jq -s 'map(select(.gfn == 8192)) | (map(.action == "deny") | index(true)) as $first |
			[.[$first:][] | select(.kind == "converted")] | length')"
matches "$(name "reload: a policy that is wrong changes nothing, and is said")" "$(cat "$out/reload.err")" \
	'old policies go on: .*policy.yaml:'

equal "$(name "afterwards the module is as it was")" N "$(cat "$out/armed-after")"
equal "$(name "afterwards no program stays")" 0 "$(cat "$out/left-behind")"

for part in level1 level2 keep; do
	. "$here/../enforce/verify-$part.sh"
done
verify_level1_of level1 no
[ "$kernel" != sw-protected ] || verify_level1_of level1-gate yes
