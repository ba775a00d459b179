#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Metrics: their text over captures, the exporter, rules and dashboard, and a real Prometheus that scrapes
# the exporter, which asks the daemon's own socket (build/tests/stage: the daemon without a kernel).
# Takes about half a minute.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
export LC_ALL=C.UTF-8 TZ=UTC
work=$(mktemp -d)
started=()
trap '[ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
encstat=build/kvm-encstat-sanitized
exporter=build/kvm-encstat-exporter-sanitized
share=units/share
openmetrics='application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

# ---- the text ----

# What these have is checked against the models by the unit tests; here that nothing changes unseen.
for want in tests/golden/metrics/*.out; do
	name=$(basename -s .out "$want")
	$encstat replay "tests/golden/$name.ke" metrics >"$work/$name.out" 2>"$work/err"
	same "metrics: $name, as OpenMetrics" "$want" "$work/$name.out"
done
for capture in tests/golden/*.ke tests/golden/quiet/*.ke; do
	build/kvm-encstat replay "$capture" metrics --plain 2>/dev/null >"$work/plain"
	promtool check metrics <"$work/plain" 2>&1 || echo "$capture"
done >"$work/lint"
none 'metrics: promtool check metrics has nothing to say of any capture' "$(cat "$work/lint")"
equal 'metrics: of one VM, nothing but its sums with --detail host' 0 \
	"$($encstat replay tests/golden/boot.ke metrics --detail host 2>/dev/null | grep -c '^kvm_encstat_vm_')"
equal 'metrics: VMs beyond --max-vms are in one' 1 \
	"$($encstat replay tests/golden/names.ke metrics --max-vms 2 2>/dev/null | grep -c '^kvm_encstat_vm_requests_open{vm="other",id="0"}')"

$encstat replay tests/golden/boot.ke metrics --textfile "$work/boot.prom" >/dev/null 2>&1
equal 'metrics: a textfile, for all to read' 644 "$(stat -c %a "$work/boot.prom")"
same 'metrics: it is the plain text' <($encstat replay tests/golden/boot.ke metrics --plain 2>/dev/null) "$work/boot.prom"
equal 'metrics: and nothing is left beside it' 1 "$(find "$work" -name 'boot.prom*' | wc -l)"
matches 'metrics: a folder that is not there' \
	"$($encstat replay tests/golden/boot.ke metrics --textfile /nonexistent/x.prom 2>&1)" 'writing /nonexistent/x.prom: No such file'

# ---- rules and dashboard ----

for file in "$share"/prometheus/*.yaml; do
	try "metrics: promtool check rules ${file##*/}" promtool check rules "$file"
done
try 'metrics: each alert comes and goes (promtool test rules)' promtool test rules tests/metrics/rules.test.yaml
sed -n 's/.*- alert: \([A-Za-z]*\).*/\1/p' "$share/prometheus/kvm-encstat.alerts.yaml" | sort >"$work/alerts"
none 'metrics: there is no alert without a test' "$(grep -vwFf <(grep -o 'KvmEncstat[A-Za-z]*' tests/metrics/rules.test.yaml) "$work/alerts")"

# Names as the manual has them, which is made from the table; recorded ones by the rules.
grep -oE '^\.B kvm_encstat_[a-z_]+' man/kvm-encstat-metrics.7 | cut -d ' ' -f 2 |
	sed 's/^\(.*_answer_seconds\)$/\1_bucket/' | sort -u >"$work/known"
sed -n 's/^ *- record: //p' "$share/prometheus/kvm-encstat.rules.yaml" | sort -u >>"$work/known"
grep -hoE '[a-z_]*:?kvm_encstat_[a-z_]+(:[a-z0-9_]+)?' "$share"/prometheus/*.yaml "$share"/grafana/*.json |
	grep -v '_$' | sort -u >"$work/used"
none 'metrics: rules and dashboard use what there is' "$(grep -vxFf "$work/known" "$work/used")"
try 'metrics: the dashboard is JSON, with panels and its variables' jq -e \
	'([.panels[] | select(.targets)] | length) > 10 and ([.templating.list[].name] == ["datasource", "host", "vm"])
	and ([.panels[].id] | length == (unique | length))' "$share/grafana/kvm-encstat.json"
exposure=$(systemd-analyze security --no-pager --offline=true units/kvm-encstat-exporter.service 2>/dev/null |
	sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p')
try "metrics: the exporter's unit leaves little open (${exposure:-?})" awk "BEGIN { exit !(${exposure:-9} < 2) }"

# ---- the exporter ----

# serve NAME OPTION...: starts one; its address goes to $at
serve() {
	local name=$1
	shift
	$exporter --socket "$work/socket" "$@" 2>"$work/$name.err" &
	started+=($!)
	await grep -q '^kvm-encstat-exporter: listening on' "$work/$name.err"
	at=$(sed -n 's/^kvm-encstat-exporter: listening on //p' "$work/$name.err")
}
get() { curl -s --max-time 20 "$@"; }

serve away --listen 127.0.0.1:0
first=$at
equal 'exporter: no daemon, and says so' 'kvm_encstat_up 0' "$(get "$first/metrics" | grep ^kvm_encstat_up)"
equal 'exporter: that is an answer like any other' 200 "$(get -o /dev/null -w '%{http_code}' "$first/metrics")"
matches 'exporter: in its log, why' "$(cat "$work/away.err")" 'socket'

mkfifo "$work/commands"
build/tests/stage "$work/socket" <"$work/commands" >"$work/stage.out" 2>"$work/stage.err" &
stage=$!
started+=($stage)
exec 3>"$work/commands"
# tell COMMAND: to the stage, and waits until it is done
tell() {
	local before
	before=$(grep -cx ok "$work/stage.out")
	echo "$1" >&3
	await eval '[ "$(grep -cx ok "$work/stage.out")" -gt '"$before"' ]'
}
await grep -qx ok "$work/stage.out"
tell names
await eval 'get "$first/metrics" | grep -qx "kvm_encstat_up 1"' # what it was told is kept for half a second
get "$first/metrics" >"$work/plain"
try 'exporter: the daemon is there again' grep -qx 'kvm_encstat_up 1' "$work/plain"
matches 'exporter: and its log says so' "$(cat "$work/away.err")" 'the daemon answers'
none 'exporter: promtool check metrics' "$(promtool check metrics <"$work/plain" 2>&1)"
get -H "Accept: $openmetrics" "$first/metrics" >"$work/open"
equal 'exporter: OpenMetrics for who asks, to its end' '# EOF' "$(tail -n 1 "$work/open")"
equal 'exporter: the same series in both formats' "$(grep -v '^#' "$work/plain" | sed 's/ .*//' | sort | md5sum)" \
	"$(grep -v '^#' "$work/open" | sed 's/ .*//' | sort | md5sum)"
matches 'exporter: and both say what they are' "$(get -I "$first/metrics"; get -I -H "Accept: $openmetrics" "$first/metrics")" \
	'text/plain; version=0.0.4'
equal 'exporter: HEAD has no body' 0 "$(get -I -w '%{size_download}' -o /dev/null "$first/metrics")"
equal 'exporter: nothing but GET and HEAD' 405 "$(get -o /dev/null -w '%{http_code}' -d x=1 "$first/metrics")"
equal 'exporter: nothing but /metrics' '404 404' \
	"$(get -o /dev/null -w '%{http_code}' "$first/") $(get -o /dev/null -w '%{http_code}' --path-as-is "$first/metrics/../x")"
equal 'exporter: a header that is too large' 431 \
	"$(get -o /dev/null -w '%{http_code}' -H "X: $(head -c 60000 /dev/zero | tr '\0' x)" "$first/metrics")"
same 'metrics: the command asks the daemon, where it runs' <(grep -v '^kvm_encstat_\(up\|exporter\)\|^#' "$work/plain") \
	<($encstat metrics --plain --socket "$work/socket" 2>&1 | grep -v '^#')
$encstat metrics --textfile "$work/daemon.prom" --duration 0.1 --interval 1 --socket "$work/socket" 2>"$work/err"
equal 'metrics: a textfile of the daemon' "0 0" "$? $(diff <(grep ^kvm_encstat_vm_ "$work/plain") <(grep ^kvm_encstat_vm_ "$work/daemon.prom") | wc -l)"
# Half requests take all places but do not keep them; garbage takes none.
for i in $(seq 40); do
	exec {fd}<>"/dev/tcp/${first%:*}/${first##*:}" && printf 'GET /met' >&$fd && half+=("$fd")
done 2>/dev/null
for fd in "${half[@]}"; do exec {fd}>&-; done
head -c 4096 /dev/urandom >"/dev/tcp/${first%:*}/${first##*:}"
try 'exporter: after half requests and garbage it serves' await eval 'get "$first/metrics" | grep -qx "kvm_encstat_up 1"'
serve unix --listen "unix:$work/http"
matches 'exporter: on a socket of the file system' "$(get --unix-socket "$work/http" http://x/metrics)" '^kvm_encstat_up 1'
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
	serve six --listen '[::1]:0'
	matches 'exporter: on IPv6' "$(get -g "http://$at/metrics")" '^kvm_encstat_up 1'
else
	skip 'exporter: on IPv6' 'there is none here'
fi
for where in 127.0.0.1 :: ::1:1 127.0.0.1:x host:80 unix: '[::1]'; do
	timeout -s KILL 30 $exporter --listen "$where" >/dev/null 2>"$work/wrong"
	equal "exporter: --listen $where is nothing to listen on" "1 1" "$? $(grep -c 'nothing to listen on' "$work/wrong")"
done
timeout -s KILL 30 $exporter --listen "$first" 2>"$work/taken"
equal 'exporter: an address that is taken' "1 1" "$? $(grep -c 'in use' "$work/taken")"

# ---- Prometheus ----

if ! command -v prometheus >/dev/null; then
	skip 'metrics: with a real Prometheus' 'there is none here'
	exit 0
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir "$work/prometheus"
for file in "$share"/prometheus/*.yaml; do # nobody waits for minutes here
	sed 's/for: .*/for: 0s/' "$file" >"$work/prometheus/${file##*/}"
done
cat >"$work/prometheus/prometheus.yaml" <<-END
	global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
	rule_files: ['*.rules.yaml', '*.alerts.yaml']
	scrape_configs:
	- job_name: kvm-encstat
	  static_configs: [{targets: ['$first']}]
END
prometheus --config.file="$work/prometheus/prometheus.yaml" --storage.tsdb.path="$work/prometheus/data" \
	--web.listen-address="127.0.0.1:$port" --log.level=warn >"$work/prometheus/log" 2>&1 &
started+=($!)
api="http://127.0.0.1:$port/api/v1"
# ask QUERY: the values, one a line; none after a scrape that took too long
ask() { get --data-urlencode "query=$1" "$api/query" | jq -r '.data.result[].value[1]'; }
# comes_to VALUE QUERY
comes_to() { await eval '[ "$(ask '"'$2'"')" = '"$1"' ]'; }
# fires ALERT, STATE...: whether it does so
fires() { get "$api/alerts" | jq -e --arg name "$1" 'any(.data.alerts[]; .labels.alertname == $name and .state == "firing")'; }
rests() { get "$api/alerts" | jq -e --arg name "$1" '.status == "success" and all(.data.alerts[]; .labels.alertname != $name)'; }

try 'prometheus: it scrapes' await eval '[ "$(ask kvm_encstat_up)" = 1 ]'
try 'prometheus: as OpenMetrics, without a fault' comes_to 1 'up{job="kvm-encstat"}'
equal 'prometheus: it knows what each one is' '["counter","stateset","info"]' \
	"$(get "$api/metadata" | jq -c '[.data["kvm_encstat_vm_conversions", "kvm_encstat_vm_confidence", "kvm_encstat_vm"][0].type]')"
grep '^"' "$work/stage.out" | jq -cs 'unique' >"$work/names.want"
same 'prometheus: hostile names come back as they are shown elsewhere' "$work/names.want" \
	<(get "$api/label/vm/values" | jq -c '.data | unique')

tell 'storm 1'
try 'prometheus: a storm makes an alert' await fires KvmEncstatStorm
equal 'prometheus: of that VM' '["storm","1","KES-003"]' \
	"$(get "$api/alerts" | jq -c 'first(.data.alerts[] | select(.labels.alertname == "KvmEncstatStorm").labels) | [.vm, .id, .finding]')"
try 'prometheus: what it counted is what there was' comes_to 200000 'sum(kvm_encstat_vm_conversions_total{id="1"})'
try 'prometheus: and so are their latencies' comes_to 200000 'kvm_encstat_vm_answer_seconds_count{id="1"}'
tell quiet
try 'prometheus: it ends with the storm' await rests KvmEncstatStorm
try 'prometheus: and was counted' comes_to 1 'kvm_encstat_findings_total{finding="KES-003"}'
kill $stage
try 'prometheus: a daemon that is away makes an alert' await fires KvmEncstatDown
mkfifo "$work/idle"
exec 4<>"$work/idle"
build/tests/stage "$work/socket" <&4 >/dev/null 2>&1 &
started+=($!)
try 'prometheus: which ends when it is back' await rests KvmEncstatDown
none 'prometheus: it had nothing to complain of' "$(grep -v 'level=info' "$work/prometheus/log")"
none 'metrics: nor had the sanitizers' "$(grep -h 'ERROR: \|runtime error' "$work"/*.err)"
