# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154
#
# Sourced by verify.sh: what the journal has of it, record by record and field by field.
jq -c 'select(.KES_SEQ)' "$out/first.json" | jq -sc 'unique_by(.KES_SEQ | tonumber)[]' >"$out/audit.json"

# audit FILTER: of all records, in a list, in order
audit() { jq -sc "$1" "$out/audit.json"; }

# of KIND [FILTER]
of() { audit "[.[] | select(.KES_KIND == \"$1\")]${2-}"; }

digest() { sha256sum "$1" | cut -d ' ' -f 1; }

# ---- what operators did, in order ----

files='config config' # kvm-encstat.yaml and a drop-in
more="$files config"
equal "$(name 'audit: one log, by one host, in one boot')" '[1,1,1]' \
	"$(audit '[map(.KES_LOG), map(.KES_MACHINE), map(.KES_BOOT)] | map(unique | length)')"
equal "$(name 'audit: numbered from 1, without a gap')" true "$(audit '[.[].KES_SEQ | tonumber] == [range(1; length + 1)]')"
equal "$(name 'audit: what was done to the service, in order')" \
	"chain start config stop start $files policy armed policy $more stop start $more policy armed resumed start $more policy armed stop start $more policy armed changed changed stop start $more released stop" \
	"$(audit 'map(.KES_KIND | select(IN("chain", "start", "stop", "resumed", "config", "policy", "armed", "changed", "released"))) | join(" ")' | tr -d '"')"
equal "$(name 'audit: policies, with their digests: as it was, changed, and as it stayed')" \
	"$(printf '["%s","%s"]' /etc/kvm-encstat/db1.yaml "$(digest "$here/systemd/db1.yaml")")$(for _ in 1 2 3 4; do
		printf ',["%s","%s"]' /etc/kvm-encstat/db1.yaml "$(digest "$here/systemd/db1-later.yaml")"; done)" \
	"$(of policy '| map([.KES_POLICY, .KES_DIGEST])' | sed 's/^\[//; s/\]$//')"
equal "$(name 'audit: policies: who asked for the one that was read anew')" '[null,"0 kvm-encstat",null,null,null]' \
	"$(of policy '| map(if .KES_WHO_PID then "\(.KES_WHO_UID) \(.KES_WHO_COMM)" else null end)')"
case $kernel in 6.1) form=lsm/file_ioctl ;; *) form=lsm.s/file_ioctl ;; esac # sleepable from 6.2 on
equal "$(name 'audit: armed: how')" "[\"$form\"]" "$(of armed '| map(.KES_FORM) | unique')"
equal "$(name 'audit: the configuration that was changed, and what in it')" \
	"[[\"/etc/kvm-encstat/conf.d/storm.yaml\",\"$(printf 'findings: {storm: {rate: 977}}\n' | sha256sum | cut -d ' ' -f 1)\",true]]" \
	"$(of config '| map(select(.MESSAGE | test("changed: findings"))) | map(select(.KES_FILE | endswith("storm.yaml"))) |
		map([.KES_FILE, .KES_DIGEST, (.MESSAGE | test("changed: findings$"))])')"
equal "$(name 'audit: changed: what, whose, by whom')" '[["freeze","db1","0"],["release","db1","0"]]' \
	"$(of changed '| map([.KES_ACTION, .KES_VM_NAME, .KES_WHO_UID])')"
equal "$(name 'audit: released: by whom')" '[["0","on request"]]' "$(of released '| map([.KES_WHO_UID, .KES_WHY])')"
equal "$(name 'audit: after kill -9: the end before was none')" '[["no",true]]' \
	"$(of resumed '| map([.KES_CLEAN, (.PRIORITY == "4")])')"
equal "$(name 'audit: the log of the next boot names where this one ended')" \
	"$(audit '[.[-1] | .KES_LOG, .KES_SEQ, .KES_CHAIN] | join(":")')" \
	"$(jq -c 'select(.KES_KIND == "chain").KES_PREVIOUS' "$out/again.json")"

# ---- VMs ----

equal "$(name 'audit: VMs that came; and of no other anything is told, such as those that prove the veto')" \
	'["db1","web1"] ["db1","web1"]' "$(of vm-new '| map(.KES_VM_NAME) | unique') $(audit 'map(.KES_VM_NAME // empty) | unique')"
equal "$(name 'audit: what was suspicious in the first phase began, and ended')" '["finding-begin","finding-end"]' \
	"$(audit 'map(select(.KES_FINDING_KIND == "KES-016" and .KES_SEVERITY == "critical" and .KES_FINDING_NAME == "sacred" and
		.KES_GFN == "192" and .KES_VM_NAME == "db1" and .KES_KIND != "finding-update").KES_KIND) | unique')"
equal "$(name 'audit: web1 ended: its last figures are the VMM'"'"'s')" \
	"$(jq -c '[(.accepted | tostring), "0", "0", ([.shared[][1]] | add | tostring), "0", "exact"]' "$out/web1.truth")" \
	"$(of vm-end '[] | select(.KES_VM_NAME == "web1") | [.KES_CONVERTED, .KES_DENIED, .KES_REFUSED, .KES_SHARED_PAGES, .KES_UNKNOWN_PAGES, .KES_CONFIDENCE]')"
equal "$(name 'audit: web1: its summaries add up')" "$(truth web1 .accepted)" \
	"$(of summary '| map(select(.KES_VM_NAME == "web1").KES_CONVERTED | tonumber) | add')"
equal "$(name 'audit: db1 ended, and its figures are not called exact')" '["stale"]' \
	"$(of vm-end '| map(select(.KES_VM_NAME == "db1").KES_CONFIDENCE)')"

# ---- vetoes ----

# Each of the four vCPUs asked for a page of its own.
rule=/etc/kvm-encstat/db1.yaml:8
equal "$(name 'audit: vetoes of the first phase: whose, which page, by which rule, how often')" \
	"$(for vcpu in 0 1 2 3; do
		printf '["db1","6ba7b810-9dad-11d1-80b4-00c04fd430c8","%s","%s","%s","1","shared","12","gate","deny","%s","/etc/kvm-encstat/db1.yaml","4",%s]\n' \
			$type $vcpu $(($(refused start $vcpu) / 4096)) $rule $(asks_refused $vcpu)
	done)" \
	"$(of veto | jq -c --argjson from $((0x8004)) 'map(select(.KES_LEVEL == "gate" and (.KES_GFN | tonumber) >= $from and
		(.KES_GFN | tonumber) < $from + 4) | [.KES_VM_NAME, .KES_VM_UUID, .KES_VM_TYPE, .KES_VCPU, .KES_GFN,
		.KES_NPAGES, .KES_TO, .KES_NR, .KES_LEVEL, .KES_ACTION, .KES_RULE, .KES_POLICY, .PRIORITY]) |
		group_by(.)[] | .[0] + [length]')"
[ "$type" != sw-protected ] || equal "$(name 'audit: and those of its VMM, three times')" \
	"$(for vcpu in 0 1 2 3; do printf '["%s","vmm","1","%s",3]\n' $(($(refused start $vcpu) / 4096)) $rule; done)" \
	"$(of veto | jq -c --argjson from $((0x8004)) 'map(select(.KES_LEVEL == "ioctl" and (.KES_GFN | tonumber) >= $from and
		(.KES_GFN | tonumber) < $from + 4) | [.KES_GFN, .KES_BY, .KES_ERRNO, .KES_RULE]) |
		group_by(.)[] | .[0] + [length]')"
# Until the service was restarted all were seen: told, or counted.
equal "$(name 'audit: journalctl finds them by name and kind')" "$(of veto '| map(.KES_SEQ) | unique | length')" \
	"$(jq -s 'map(select(.KES_VM_NAME == "db1" and .KES_KIND == "veto").KES_SEQ) | unique | length' "$out/vetoes.json")"
matches "$(name 'audit: journalctl -x explains')" "$(tr -s '░ \n' ' ' <"$out/armed.text")" \
	'proved on a guest of kvm-encstat.s own before this record was written'
none "$(name 'audit: each kind has the MESSAGE_ID that the manual gives it')" \
	"$(audit 'map([.KES_KIND, .MESSAGE_ID]) | unique[] | join(" ")' | tr -d '"' | while read -r kind id; do
		tr -d '\\' <"$here/../../man/kvm-encstat.journal-fields.7" | grep -q "^.BR $kind \" ($id," || echo "$kind $id"
	done)"
