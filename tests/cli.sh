#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The command line: usage, errors, and what a host that lacks something is told. No guest is run here.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
encstat=$PWD/build/kvm-encstat-sanitized
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
golden=tests/golden/boot.ke

# says NAME STATUS PATTERN COMMAND...: the status, and the pattern in what it prints
says() {
	local name=$1 status=$2 pattern=$3 output got
	shift 3
	output=$("$@" 2>&1 </dev/null)
	got=$?
	if [ $got -eq "$status" ] && grep -qE -- "$pattern" <<<"$output" &&
		! grep -qE 'libbpf:|ERROR: |runtime error' <<<"$output"; then
		pass "cli: $name"
	else
		fail "cli: $name" "status $got (want $status), no /$pattern/ in: $output"
	fi
}

says 'no command' 2 '^usage' "$encstat"
says 'help' 0 'commands:' "$encstat" --help
says 'version' 0 'kvm-encstat [0-9]' "$encstat" --version
says 'unknown command' 2 "no command 'mpa'" "$encstat" mpa
says 'half a command' 2 'did you mean record' "$encstat" rec
for command in list events map record replay doctor; do
	says "$command --help" 0 "^usage: kvm-encstat $command" "$encstat" $command --help
	says "$command, unknown option" 2 'does not know|wants a capture' "$encstat" $command --nonsense
done
says 'bad duration' 2 "duration cannot be 'soon'" "$encstat" list --duration soon
says 'negative duration' 2 'duration cannot be' "$encstat" list --duration=-1
says 'bad ring size' 2 "ring-size cannot be '12x'" "$encstat" list --ring-size 12x
says 'huge ring size' 2 'ring-size cannot be' "$encstat" list --ring-size 99999999999999999999
says 'bad abi' 2 'map-gpa-range or page-enc-status' "$encstat" list --abi tdx
says 'bad plane' 2 'guest, host or diff' "$encstat" map --plane air
says 'bad format' 2 'text, json, ranges, svg or png' "$encstat" map --format pdf
says 'missing value' 2 'wants a value' "$encstat" record -o
says 'two VMs' 2 "does not take 'b'" "$encstat" map a b
says 'nothing after --' 2 'wants a command' "$encstat" record --
says 'replay without a file' 2 'wants a capture' "$encstat" replay
says 'replay of what cannot be replayed' 2 "'record' does not read" "$encstat" replay $golden record
says 'replay with a duration' 2 'does not know' "$encstat" replay $golden list --duration 1
says 'hostile words are escaped' 2 'x1b' "$encstat" $'\x1b[2Jx'

says 'no such capture' 1 'No such file' "$encstat" replay "$work/none.ke" list
says 'a folder for a capture' 1 'kvm-encstat: ' "$encstat" replay "$work" list
head -c 5000 /dev/zero >"$work/zero.ke"
says 'not a capture' 1 'not a kvm-encstat capture' "$encstat" replay "$work/zero.ke" list
says 'no such VM' 1 "no VM 'nobody'" "$encstat" replay $golden map nobody
says 'diff without a host plane' 0 'has no host plane' "$encstat" replay $golden map --plane diff
says 'diff as JSON' 0 '"has_host_plane":false' "$encstat" replay $golden map --plane diff --json
says 'several VMs are listed' 1 'may be any of several|there are several' \
	"$encstat" replay tests/golden/two-vms.ke map guest
says 'output to a full disk' 1 'writing the output failed' \
	sh -c "'$encstat' replay $golden events --json >/dev/full"
says 'a reader that goes away' 0 '^[{]' sh -c "'$encstat' replay $golden events --json | head -n 1"

# Pictures.
picture=("$encstat" replay $golden map -o "$work/map.png" --format png)
says 'a picture for a terminal' 2 'nothing for a terminal' \
	script -qec "'$encstat' replay $golden map --format png" /dev/null
says 'a picture in letters has colours there' 0 $'\033\\[38;5;152;48;5;152m' env -u NO_COLOR TERM=xterm-256color \
	LC_ALL=C.UTF-8 script -qec "'$encstat' replay $golden map --layout linear" /dev/null
says 'and none with NO_COLOR' 0 '░░░░' env NO_COLOR=1 TERM=xterm-256color LC_ALL=C.UTF-8 \
	script -qec "'$encstat' replay $golden map --layout linear" /dev/null
says 'a picture in a file' 0 ' 0 lost' "${picture[@]}"
says 'it is one' 0 '^PNG' sh -c "head -c 4 '$work/map.png' | tail -c 3"
says 'it is not written over' 1 'replace it with --force' "${picture[@]}"
says 'but with --force' 0 ' 0 lost' "${picture[@]}" --force
says 'no folder for it' 1 'folder it shall be in must exist' "$encstat" replay $golden map -o "$work/none/map.svg"
says 'a picture to a full disk' 1 'No space left.*|disk full' "$encstat" replay $golden map --format svg -o /dev/full
says 'a picture of no plane' 1 'no picture of VM 1: it has no host plane' \
	"$encstat" replay $golden map --format svg --plane diff
says 'a picture too narrow' 2 'pixels from 320' "$encstat" replay $golden map --format svg --width 100
says 'letters too wide' 2 'columns from 24' "$encstat" replay $golden map --width 5000
says 'a range for a list' 2 'are for pictures' "$encstat" replay $golden map --json --range 0x1000+4K
says 'a range that is none' 2 'a range of addresses, such as' "$encstat" replay $golden map --range 17
says 'a range without memory' 1 'has no memory in that range' "$encstat" replay $golden map --range 0x100000000000+4K
says 'a width of nothing' 2 "width cannot be '0'" "$encstat" replay $golden map --width 0
says 'a layout that is none' 2 'linear or hilbert' "$encstat" replay $golden map --layout spiral
says 'a layout of JSON' 2 'for pictures' "$encstat" replay $golden map --json --layout linear
printf 'sacred:\n  - range: 0x1000000+4M\n    name: mine\n' >"$work/sacred.yaml"
says 'ranges of yours are marked' 0 'must stay private' \
	"$encstat" replay $golden map --config "$work/sacred.yaml" --format svg
says 'settings that are wrong' 1 'no file' "$encstat" replay $golden map --config "$work/none" --format svg

whole=tests/golden/prime.ke # of several blocks
head -c $(($(stat -c %s $whole) * 3 / 4)) $whole >"$work/cut.ke"
says 'a cut capture is read and marked' 3 'not closed' "$encstat" replay "$work/cut.ke" list

# Findings: the same from a capture each time, and what scripts are told.
liar=tests/golden/liar.ke
says 'findings: found is status 4' 4 'warning   KES-001.1.1  1 guest' "$encstat" replay $liar findings
says 'findings: nothing is status 0' 0 '^nothing found' "$encstat" replay tests/golden/late.ke findings
says 'findings: severity' 0 '^nothing found' "$encstat" replay $liar findings --severity critical
says 'findings: of one VM' 0 '^nothing found' "$encstat" replay $liar findings 7
says 'findings: since' 0 '^nothing found' "$encstat" replay $liar findings --since 2100-01-01
says 'findings: since is no time' 2 "since cannot be 'noon'" "$encstat" replay $liar findings --since noon
says 'findings: bad severity' 2 "severity cannot be 'bad'" "$encstat" replay $liar findings --severity bad
says 'findings: no configuration' 1 'no file /nonexistent' "$encstat" replay $liar findings --config /nonexistent
printf 'findings:\n  uncommitted: {enabled: no}\n  KES-002: {enabled: no}\n' >"$work/off.yaml"
says 'findings: a detector is off' 0 '^nothing found' "$encstat" replay $liar findings --config "$work/off.yaml"
printf 'findings:\n  uncomitted: {enabled: no}\n' >"$work/bad.yaml"
says 'findings: a bad configuration' 1 'bad.yaml:2:3: .*uncomitted' \
	"$encstat" replay $liar findings --config "$work/bad.yaml"
says 'events --findings: begin' 0 'finding KES-001.1.1 begin, warning' "$encstat" replay $liar events --findings
says 'events --findings: end' 0 'finding KES-001.1.1 end.*vm-end' "$encstat" replay $liar events --findings
says 'explain: all kinds' 0 '^KES-021' "$encstat" explain
says 'explain: a kind by name' 0 '^KES-003 .storm' "$encstat" explain storm
says 'explain: a kind by id' 0 'What to do' "$encstat" explain kes-003
says 'explain: one finding' 0 'HOST: NOT DONE' "$encstat" replay $liar explain KES-001.1.1
says 'explain: one that is not there' 1 'there is no finding .KES-002.1.1' "$encstat" replay $liar explain KES-002.1.1
says 'explain: one finding, live, at once' 2 'replay FILE explain KES-001.1.1' "$encstat" explain KES-001.1.1
says 'explain: nonsense' 2 "'sturm' is no finding" "$encstat" explain sturm
equal 'cli: explain --json has the records' 8 \
	"$("$encstat" replay $liar explain KES-001.1.1 --json 2>/dev/null | jq '.evidence | length')"
same 'man: findings as the program has them' man/kvm-encstat-findings.7 <("$encstat" explain --manual findings)
same 'man: metrics as the program has them' man/kvm-encstat-metrics.7 <("$encstat" explain --manual metrics)
same 'man: journal fields as the program has them' man/kvm-encstat.journal-fields.7 \
	<("$encstat" explain --manual journal-fields)
same 'catalog: as the program has it' units/catalog/kvm-encstat.catalog <("$encstat" explain --manual catalog)
same 'man: settings as the program has them' man/kvm-encstat.yaml.5 <("$encstat" explain --manual settings)

# Policies: what is wrong is said where it is; over captures, what they would have refused.
policies=tests/policies
for file in "$policies"/*.yaml; do
	says "policy check: ${file##*/}" 0 'priority [0-9]+, (enforce|monitor), [0-9]+ rules?$' "$encstat" policy check "$file"
done
says 'policy check: a directory, in order of priority' 0 '^production .*' \
	sh -c "'$encstat' policy check $policies | head -n 1"
says 'policy check: none' 1 'there is no file /nonexistent' "$encstat" policy check /nonexistent
mkdir "$work/policies"
says 'policy check: an empty directory' 1 'there is no \*\.yaml in ' "$encstat" policy check "$work/policies"
printf 'policies:\n- name: p\n  priority: 1\n  mode: enforce\n  rules:\n  - dney: shared\n' >"$work/policies/bad.yaml"
says 'policy check: where the error is' 1 "policies/bad.yaml:6:5: there is no key 'dney'" \
	"$encstat" policy check "$work/policies/bad.yaml"
says 'policy check: what was meant' 1 "did you mean 'deny'" "$encstat" policy check "$work/policies"
says 'policy check: no file' 2 "wants 'FILE'" "$encstat" policy check
says 'policy check: two files' 2 'does not take' "$encstat" policy check a b
says 'policy: no command' 2 '^usage: kvm-encstat policy COMMAND' "$encstat" policy
says 'policy: no such command' 2 "there is no command 'chek'" "$encstat" policy chek
says 'policy: an option of another command' 2 'does not know' "$encstat" policy check --share 0+4K "$policies"
# The examples of the manual, each as it stands there.
awk -v out="$work/example" '/^\.Bd -literal/ { n++; inside = 1; next } /^\.Ed/ { inside = 0 }
	inside { print >(out n ".yaml") }' man/kvm-encstat-policy.5
equal 'man: policies in examples' 7 "$(find "$work" -name 'example*.yaml' | wc -l)"
for file in "$work"/example*.yaml; do
	says "man: the policy in ${file##*/}" 0 'priority' "$encstat" policy check "$file"
	equal "man: ${file##*/} is among the tested ones" 1 \
		"$(for known in "$policies"/*.yaml; do cmp -s "$file" <(grep -v '^#' "$known") && echo; done | wc -l)"
done
cat >"$work/limit.yaml" <<-'END'
	policies:
	- name: limit
	  priority: 2
	  mode: enforce
	  rules:
	  - {deny: shared, shared-above: 32M}
	- name: look
	  priority: 3
	  mode: monitor
	  rules:
	  - {kill: private, touches: 0x7c000+16K}
END
says 'policy test: refused is status 4' 4 '^198 requests, 17 would have been refused, 1 more if monitored' \
	"$encstat" policy test "$work/limit.yaml" $golden
says 'policy test: which line decided' 4 'limit.yaml:6\)' "$encstat" policy test "$work/limit.yaml" $golden
says 'policy test: nothing is status 0' 0 '^198 requests, 0 would have been refused' \
	"$encstat" policy test $policies/places.yaml $golden
says 'policy test: lost records are status 3' 3 ' 0 would have been refused' \
	"$encstat" policy test $policies/places.yaml tests/golden/spill.ke
says 'policy test: a VMM that converts by itself' 4 'by the VMM' sh -c "sed '/name: \"customer/d; /uid:/d; s,/machine.*,\"*\",' \
	$policies/vmm.yaml >'$work/vmm.yaml' && '$encstat' policy test '$work/vmm.yaml' tests/golden/unsolicited.ke"
says 'policy test: no capture' 1 'No such file' "$encstat" policy test $policies/places.yaml "$work/none.ke"
says 'policy test: no policy' 1 'no file' "$encstat" policy test "$work/none.yaml" $golden
says 'policy test: one word' 2 "wants 'FILE CAPTURE'|wants 'CAPTURE'" "$encstat" policy test $policies/places.yaml
equal 'cli: policy test --json counts each request once' 198 "$("$encstat" policy test "$work/limit.yaml" $golden --json 2>/dev/null |
	jq -s 'map(select(.schema == "kvm-encstat.policy-test/1" and (.monitored | not)).requests) | add')"
says 'policy diff: nothing is status 0' 0 '^0 requests are judged otherwise' \
	"$encstat" policy diff $policies/places.yaml $policies/rates.yaml $golden
says 'policy diff: something is status 4' 4 ': allow, now deny \(.*limit.yaml:6\)' \
	"$encstat" policy diff $policies/places.yaml "$work/limit.yaml" $golden
equal 'cli: policy diff --json' '17 allow deny 6' "$("$encstat" policy diff $policies/places.yaml "$work/limit.yaml" $golden --json 2>/dev/null |
	jq -rs 'map(select(.schema == "kvm-encstat.policy-diff/1")) | "\(length) \(.[0].old.action) \(.[0].new.action) \(.[0].new.line)"')"
says 'policy show: of each VM' 0 '^VM 3 .*: 1 rule$' \
	"$encstat" policy show --policy $policies/layers.yaml --capture tests/golden/two-vms.ke
says 'policy show: a VM that is not there' 1 "no VM 'nobody'" \
	"$encstat" policy show nobody --policy $policies --capture $golden
equal 'cli: policy show --json' '0 enforce 6' "$("$encstat" policy show --policy "$work/limit.yaml" --capture $golden --json 2>/dev/null |
	jq -rs 'map(select(.schema == "kvm-encstat.policy/1" and .policy == "limit")) | "\(.[0].place - 1) \(.[0].mode) \(.[0].line)"')"
explain() { "$encstat" policy explain --policy $policies/places.yaml --capture $golden "$@"; }
says 'policy explain: refused' 0 '^deny  0x1000\+4K -> shared' explain --share 0x1000+4K
says 'policy explain: by which line' 0 'decided by: .*places.yaml:10\)' explain --share 0x1000+4K
says 'policy explain: allowed by a rule' 0 '^allow  0x7c000\+16K -> shared' explain 1 --share 0x7c000-0x7ffff
says 'policy explain: no rule' 0 'no rule matches' explain --private 0x1000+4K
says 'policy explain: what' 2 'asks for what' explain
says 'policy explain: no pages' 2 'whole pages' explain --share 0x1000+1
says 'policy explain: no range' 2 'range of addresses' explain --share all
equal 'cli: policy explain --json' 'kvm-encstat.verdict/1 deny 10' \
	"$(explain --share 0x1000+4K --json 2>/dev/null | jq -r '"\(.schema) \(.verdict) \(.line)"')"

# A veto that cannot be armed is refused, with the reason.
says 'enforce: no policy' 1 'no file /nonexistent' "$encstat" enforce --policy /nonexistent
if [ ! -e /sys/module/kvm_encstat_gate ]; then
	says 'enforce: a rule that cannot be enforced' 3 \
		'numbers.yaml:[0-9]+: this rule cannot be enforced: the module kvm_encstat_gate is not loaded' \
		"$encstat" enforce --policy tests/enforce/policies/numbers.yaml -- false
fi

# What the kernel enforces: here nothing. tests/unit/test_loaded.c has the rest.
says 'policy release: two VMs' 2 "does not take 'b'" "$encstat" policy release a b
says 'policy freeze: no VM' 2 "wants 'VM'" "$encstat" policy freeze
says 'policy mode: no mode' 2 "wants 'VM monitor|enforce'" "$encstat" policy mode 1
says 'policy baseline: no VM' 2 "wants 'VM'" "$encstat" policy baseline
says 'policy loaded: a word' 2 "does not take 'db1'" "$encstat" policy loaded db1
if [ -d /sys/fs/bpf ] && [ ! -e /sys/fs/bpf/kvm-encstat ]; then
	for command in loaded 'freeze 1' 'mode 1 monitor' 'baseline 1' 'release 1'; do
		# shellcheck disable=SC2086
		says "policy $command: nothing is enforced" 1 'nothing is enforced here|no BPF file system|run as root' \
			"$encstat" policy $command
	done
	says 'policy release: nothing is kept' 1 'nothing is kept here|run as root' "$encstat" policy release
fi
# Not root, where something is.
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	not_root() {
		unshare -m sh -c 'mount -t bpf bpf /sys/fs/bpf && mkdir -m 700 /sys/fs/bpf/kvm-encstat &&
			exec setpriv --reuid 65534 --clear-groups "$@"' sh "$PWD/build/kvm-encstat" policy "$@"
	}
	says 'policy loaded: not root' 1 'run as root' not_root loaded
	says 'policy release: not root' 1 'run as root' not_root release
	says 'policy freeze: not root' 1 'run as root' not_root freeze 1
else
	skip 'cli: not root, where something is enforced' 'not root, or no mount namespaces here'
fi

# What a host may lack. The plain binary: sanitizers do not go with dropped privileges everywhere.
encstat=$PWD/build/kvm-encstat
if [ ! -e /dev/kvm ]; then
	skip 'cli: what needs KVM' 'no KVM here'
elif [ "$(id -u)" -eq 0 ]; then
	says 'not root' 1 'run as root' setpriv --reuid 65534 --clear-groups "$encstat" list
	says 'not root, doctor' 1 'run as root' setpriv --reuid 65534 --clear-groups "$encstat" doctor
	if unshare -m true 2>/dev/null; then
		says 'no BTF' 1 'CONFIG_DEBUG_INFO_BTF' unshare -m sh -c \
			"mount -t tmpfs none /sys/kernel/btf && exec '$encstat' list"
	else
		skip 'cli: no BTF' 'no mount namespaces here'
	fi
	says 'a command that cannot be run' 1 "cannot run 'no-such-command'" "$encstat" list -- no-such-command
	: >"$work/there.ke"
	says 'a capture that exists' 1 'exists' "$encstat" record -o "$work/there.ke" -- true
	says 'overwritten when told to' 0 'written to' "$encstat" record -f -o "$work/there.ke" -- true
	says 'the status of the command' 7 'written to' "$encstat" record -o "$work/status.ke" -- sh -c 'exit 7'
	says 'a command that is killed' 137 'written to' "$encstat" record -o "$work/killed.ke" -- sh -c 'kill -9 $$'
	says 'a disk that is full' 1 'No space left' "$encstat" list --force --save /dev/full -- true
	says 'a ring that is rounded' 0 'the ring has 8192 bytes' "$encstat" list --ring-size 5000
	says '--verbose works' 0 'no VM|ID' sh -c "'$encstat' list --verbose 2>/dev/null"
else
	skip 'cli: what needs root' 'not root'
fi
