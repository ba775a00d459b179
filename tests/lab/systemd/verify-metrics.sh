# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2016,SC2154
#
# Sourced by verify.sh: what the exporter said after the first phase, against what the VMMs, the kernel, the journal, and a
# client that was told of each event have of the same. `measure` is what was asked.

for what in loaded list; do status scrape.$what; done
status scrape.findings 4 # there are some

# series FAMILY LABEL...: their values
series() {
	local lines label
	lines=$(grep "^kvm_encstat_$1[{ ]" "$out/scrape")
	shift
	for label; do lines=$(grep -F "$label" <<<"$lines"); done
	awk '{ print $NF }' <<<"$lines"
}

# sum FAMILY LABEL...: none, where there is no such series
sum() { series "$@" | awk 'NF { n += $1 } END { if (NR && NF) printf "%.15g\n", n; else print "none" }'; }

# of_vm VM FAMILY LABEL...
of_vm() {
	local vm=$1 family=$2
	shift 2
	sum "vm_$family" "vm=\"$vm\"" "$@"
}

loaded() { jq -r "$1" "$out/scrape.loaded.out"; }

# events VM FILTER: of all that was told of it, in a list
events() {
	jq -rs --arg name "$1" --argjson le "${3-null}" \
		"(map(select(.kind == \"vm-new\" and .name == \$name).vm) | last) as \$vm | map(select(.vm == \$vm)) | $2" "$out/start.events"
}

# What the kernel said before and after: when it was (us), ticks of user and kernel, kB.
read -r before_us before_user before_kernel before_kb <"$out/scrape.before"
read -r _ after_user after_kernel after_kb <"$out/scrape.after"

# told KIND FILTER: of the audit records that were there before
told() {
	of "$1" | jq -r --argjson until "$before_us" "map(select((.__REALTIME_TIMESTAMP | tonumber) < \$until)) | $2"
}

# between NAME LOW VALUE HIGH
between() { try "$(name "$1 ($3)")" awk "BEGIN { exit !($2 <= $3 && $3 <= $4) }"; }

# ---- pages, and how far to trust them ----

equal "$(name 'metrics: shared bytes, and that they are exact')" "$(truth start '[.shared[][1]] | add * 4096') 1 1" \
	"$(of_vm db1 pages_bytes 'plane="guest"' 'state="shared"') \
$(of_vm db1 confidence 'plane="guest"' 'kvm_encstat_vm_confidence="exact"') $(of_vm db1 confidence 'plane="guest"')"

# ---- what was done ----

equal "$(name 'metrics: conversions, a prime number of each VM')" "601 103" \
	"$(of_vm db1 conversions_total) $(of_vm web1 conversions_total)"
for vm in db1 web1; do
	phase=${vm/db1/start}
	equal "$(name "metrics: $vm: hypercalls that were not refused, exits: its VMM's")" \
		"$(truth "$phase" '[.hypercalls - .refused_map.eperm, ([.exits[]] | add)] | join(" ")' | tr -d '"')" \
		"$(of_vm "$vm" hypercalls_total) $(of_vm "$vm" exits_total)"
	equal "$(name "metrics: $vm: conversions, by what the pages became: as they were told")" \
		"$(events "$vm" '[.[] | select(.kind == "converted").to] | [map(select(. == "private")), map(select(. == "shared"))] | map(length) | join(" ")')" \
		"$(of_vm "$vm" conversions_total 'to="private"') $(of_vm "$vm" conversions_total 'to="shared"')"
done

# ---- how long answers took ----

for vm in db1 web1; do
	phase=${vm/db1/start}
	bounds=$(grep "^kvm_encstat_vm_answer_seconds_bucket{vm=\"$vm\"" "$out/scrape" | sed 's/.*le="\([^"]*\)".*/\1/')
	buckets=$(series vm_answer_seconds_bucket "vm=\"$vm\"" | xargs)
	equal "$(name "metrics: $vm: as many answers were timed as its VMM gave, none of them beyond +Inf")" \
		"$(truth "$phase" '.accepted + .denied') $(truth "$phase" '.accepted + .denied')" \
		"$(of_vm "$vm" answer_seconds_count) $(of_vm "$vm" answer_seconds_bucket 'le="+Inf"')"
	try "$(name "metrics: $vm: bounds and buckets only grow")" \
		awk '{ if ($1 != "+Inf" && $1 + 0 <= le || $2 < n) exit 1; le = $1 + 0; n = $2 } END { exit NR < 16 }' \
		<(paste <(echo "$bounds") <(xargs -n 1 <<<"$buckets"))
	equal "$(name "metrics: $vm: each bucket has what was told, one by one, to be that quick")" \
		"$(events "$vm" '[.[] | select(.kind == "converted" or .kind == "denied").latency_ns] as $ns |
			$le | map((. * 1e9 | round) as $bound | $ns | map(select(. <= $bound)) | length) | . + [$ns | length] | join(" ")' \
			"[$(grep -v Inf <<<"$bounds" | paste -sd,)]")" "$buckets"
	equal "$(name "metrics: $vm: and their sum is that of those, in ns")" \
		"$(events "$vm" '[.[] | select(.kind == "converted" or .kind == "denied").latency_ns] | add')" \
		"$(awk -v s="$(series vm_answer_seconds_sum "vm=\"$vm\"")" 'BEGIN { printf "%.0f", s * 1e9 }')"
done
# Its VMM waits for a millisecond each time, by its own clock.
equal "$(name 'metrics: db1: no answer came sooner than its VMM gives any')" 0 "$(of_vm db1 answer_seconds_bucket 'le="0.001"')"

# ---- refusals ----

by_guest=$(truth start .refused_map.eperm) by_vmm=$(truth start .refused_own.eperm)
case $type in default) refusals='31 0' ;; *) refusals='31 12' ;; esac
equal "$(name 'refusals: of the guest, a prime number; of its VMM')" "$refusals" "$by_guest $by_vmm"
refused=$((by_guest + by_vmm))
equal "$(name 'metrics: refusals, of the VM and of the host: as many as guest and VMM saw')" "$refused $refused" \
	"$(of_vm db1 verdicts_total 'action="deny"' 'mode="enforce"') $(sum verdicts_total 'action="deny"' 'mode="enforce"')"
equal "$(name 'metrics: as many as rules in the kernel have decided, as it has for the VM, and as the journal has of them')" \
	"$refused $refused $refused" \
	"$(loaded '[.sets[].rules[].decided] | add') $(loaded '.vms[] | select(.name == "db1").refused') $(told veto length)"
equal "$(name 'metrics: by whom: the audit log has as many of guest and VMM')" "$by_guest $by_vmm" \
	"$(told veto 'map(.KES_LEVEL) | [map(select(. == "gate")), map(select(. == "ioctl"))] | map(length) | join(" ")')"
equal "$(name 'metrics: they are conversions that failed, of the VM and of the host')" "$refused $refused" \
	"$(of_vm db1 conversions_failed_total 'cause="vetoed"') $(sum conversions_failed_total 'cause="vetoed"')"
equal "$(name 'metrics: nothing else failed, and nothing else was said')" "$((2 * refused)) $((2 * refused))" \
	"$(($(sum conversions_failed_total) + $(sum vm_conversions_failed_total))) $(($(sum verdicts_total) + $(sum vm_verdicts_total)))"
# The guest that proved the veto asked, too, before there was any other.
asked=$(($(truth start .hypercalls) + $(truth web1 .hypercalls)))
between 'metrics: what policies were asked about, and little more for their proof' $asked \
	"$(sum policy_asked_total 'about="hypercall"')" $((asked + 16))
equal "$(name 'metrics: what policies were asked, and did not know: as in the kernel')" \
	"$(loaded '.totals | [.hypercalls, .changes, .kept_out, .missed, .leaves,
		.unreadable_passed + .unreadable_refused + .beyond + .busy + .replaced] | join(" ")')" \
	"$(sum policy_asked_total 'about="hypercall"') $(sum policy_asked_total 'about="change"') $(sum policy_kept_out_total) \
$(sum policy_missed_total) $(sum policy_leaves) $(sum policy_doubtful_total)"
equal "$(name 'metrics: one VM has rules, none is frozen, and what should be enforced is')" '1 0 0' \
	"$(sum policy_vms 'state="ruled"') $(sum policy_vms 'state="frozen"') $(sum policy_unarmed)"

# ---- findings ----

equal "$(name 'metrics: findings that go on: those that are listed')" \
	"$(jq -rs 'map(select(.state == "open") | "\(.kind) \(.severity)") | group_by(.) | map("\(.[0]) \(length)") | join("\n")' \
		"$out/scrape.findings.out")" \
	"$(sed -n 's/^kvm_encstat_findings_open{finding="\(.*\)",severity="\(.*\)"} \([1-9].*\)/\1 \2 \3/p' "$out/scrape" | sort)"
equal "$(name 'metrics: findings that began: those of the journal')" \
	"$(told finding-begin 'map("\(.KES_FINDING_KIND) \(.KES_SEVERITY)") | group_by(.) | map("\(.[0]) \(length)") | join("\n")')" \
	"$(sed -n 's/^kvm_encstat_findings_total{finding="\(.*\)",severity="\(.*\)"} \([1-9].*\)/\1 \2 \3/p' "$out/scrape" | sort)"
equal "$(name 'metrics: one of them is what the guest did')" '1 1' \
	"$(of_vm db1 finding_open 'finding="KES-016"' 'severity="critical"') $(of_vm db1 findings_total 'severity="critical"')"

# ---- records ----

equal "$(name 'metrics: nothing was lost, of any VM or the host, as by the ledger')" '0 0 0' \
	"$(sum vm_records_lost_total) $(sum records_lost_total) $(jq -s 'map(.lost) | add' "$out/scrape.list.out")"
records() { sed -n 's/.* \([0-9]*\) records, .*/\1/p' "$out/$1"; }
between 'metrics: records, no fewer than before, no more than later' "$(records scrape.list.err)" "$(sum records_total)" \
	"$(records start.events-err)"

# ---- its own cost ----

between 'metrics: processor time is what the kernel says, in ticks' $((before_user + before_kernel - 1)) \
	"$(sum cpu_seconds_total | awk '{ print $1 * 100 }')" $((after_user + after_kernel + 2))
between 'metrics: memory is what the kernel says, but for what it counts late' $((before_kb - 1024)) \
	"$(($(sum resident_memory_bytes) / 1024))" $((after_kb + 1024))
between 'metrics: it began when systemd started it' "$(tr -d @ <"$out/scrape.start")" "$(sum start_time_seconds)" \
	"$(($(tr -d @ <"$out/scrape.start") + 5))"
# This is the service's second life.
equal "$(name 'metrics: audit records of this life: as the journal has them; none waits, or failed')" \
	"$(audit '([.[] | select(.KES_KIND == "start")][1].KES_SEQ | tonumber) as $first |
		map(select((.KES_SEQ | tonumber) >= $first and (.__REALTIME_TIMESTAMP | tonumber) < '"$before_us"')) | length') 0 0" \
	"$(sum audit_records_total) $(sum audit_spool_bytes) $(sum audit_failures_total)"
equal "$(name 'metrics: all of them were delivered')" "$(sum audit_records_total)" "$(sum audit_delivered_total)"
equal "$(name 'metrics: the daemon answered the exporter, and nobody was turned away')" '1 0 0' \
	"$(sum up) $(sum exporter_failures_total) $(sum socket_dropped_total)"
