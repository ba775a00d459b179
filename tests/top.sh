#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# `top` on a real terminal: tmux is the terminal, a shell in it starts the program on a capture. What it
# shows, what keys do, and that the terminal is afterwards as it was, however the program ends.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
encstat=${ENCSTAT:-build/kvm-encstat-sanitized}
work=$(mktemp -d)
# Nobody's settings, and a server of our own.
terminal() { tmux -L "kes-top-$$" -f /dev/null "$@"; }
trap 'terminal kill-server 2>/dev/null; rm -rf "$work"' EXIT
export TZ=UTC LC_ALL=C.UTF-8 ASAN_OPTIONS=detect_leaks=0:abort_on_error=0
export XDG_CONFIG_HOME=$work/config
unset NO_COLOR

if ! command -v tmux >/dev/null; then
	skip 'top: on a terminal' 'there is no tmux here'
	exit 0
fi

screen() { terminal capture-pane -p -t kes; }
keys() { terminal send-keys -t kes "$@"; }

# shows NAME PATTERN: within 20 seconds the screen has it
shows() {
	local tries
	for tries in $(seq 200); do
		screen >"$work/screen"
		if grep -qE -- "$2" "$work/screen"; then
			pass "top: $1"
			return 0
		fi
		sleep 0.1
	done
	fail "top: $1" "no /$2/ after $tries looks at:
$(cat "$work/screen")"
	return 1
}

# What a shell leaves its terminal like: modes, which screen, cursor, mouse, keypad.
state() {
	terminal display-message -p -t kes \
		'screen #{alternate_on} cursor #{cursor_flag} mouse #{mouse_any_flag} keypad #{keypad_flag} #{keypad_cursor_flag}'
	keys "stty -g >$work/modes; echo \$((6 * 7))modes" Enter
	shows "$1: the shell is there" '^42modes' >/dev/null
	cat "$work/modes"
	keys clear Enter
}

start() { # [OPTION...]: plays a capture; nothing of the shell is left on the screen
	keys "clear; $encstat top --from tests/golden/two-vms.ke --speed 1000 $*" Enter
	shows "start${*:+ $*}" 'F10Quit'
}
pid() { pgrep -P "$(terminal display-message -p -t kes '#{pane_pid}')" -f "$encstat top"; }

# ends NAME: the shell has its prompt again, and the terminal is what it was
ends() {
	shows "$1: the shell goes on" '^ready>' >/dev/null || true
	equal "top: $1: the terminal is as it was" "$before" "$(state "$1")"
}

terminal new-session -d -s kes -x 80 -y 24 "env PS1='ready> ' bash --norc --noprofile -i"
shows 'the terminal is there' '^ready>' >/dev/null
before=$(state before)

start
shows 'the table' '1 +207 guest\[207\] +default +1.0G +371M'
shows 'three VMs, and the end of the capture' 'ended 3.*end$'
keys '>' '>' '>' '>' '>'
shows 'sorted by what is shared' '▼SHARED'
keys I
shows 'turned round' '▲SHARED'
keys '\' 'shared>40%'
shows 'a filter is typed' '^Filter: shared>40%'
keys Enter
shows 'one VM is left' 'filter: shared>40%  1 shown'
keys Enter
shows 'a VM is opened' '^ VM 2  guest\[207\]'
shows 'its page map' 'guest, exact, all memory  cell [0-9]+K$'
shows 'what is under the cursor' '^ \[0x0, 0x[0-9a-f]+\) .* private '
keys + + +
shows 'nearer' 'guest, exact, [0-9]+-[0-9]+%  cell [0-9]+K$'
keys PageDown Right Right Down
shows 'further on' '^ \[0x[1-9a-f][0-9a-f]+, 0x'
keys g '0x2c3000' Enter
shows 'at an address' '^ \[0x2c[0-9a-f]+, .* shared '
keys g 'gfn 99999999' Enter
shows 'where no memory is' 'no memory is at 0x5f5e0ff000'
keys n
shows 'at the next range' '^ \[0x[4-9a-f][0-9a-f]+, .* shared '
keys p
shows 'without a host plane' 'attributes|host plane'
keys H
shows 'on a curve' '^ 0 '
keys H 0
shows 'all of it' 'guest, exact, all memory  cell [0-9]+K$'
keys Tab
shows 'its answers' 'Answers took'
keys ' '
shows 'the next page of it' '^ Hypercalls'
keys G
shows 'its last page' 'Ranges that are not private|0x[0-9a-f]+ .*shared$'
keys Escape
shows 'back at the map' 'guest, exact, all memory  cell'
keys Escape
shows 'back at the table' '▲SHARED'
keys Escape
shows 'without the filter' '^ +1 +207'
keys F8
shows 'events' '^ Events: [0-9]+'
keys F7
shows 'findings' '^ Findings: '
keys 1 '?'
shows 'help' 'keys; Esc goes back'
keys Escape
keys F6
shows 'the columns to sort by' 'Enter sorts by this column'
keys Escape B
shows 'played again' 'ended 3.*end$'
terminal resize-window -t kes -x 132 -y 43
shows 'a larger window' 'REF/s +OPEN +AGE'
terminal resize-window -t kes -x 40 -y 10
shows 'a very small one' 'ID NAME +TYPE +.?SHARED FIND$'
terminal resize-window -t kes -x 80 -y 24
shows 'and as it was' '>SH/s +>PR/s FIND'
keys q
ends 'quit'

start --ascii --theme mono
shows 'in ASCII' '\^ID'
none 'top: in ASCII: nothing else is on the screen' "$(screen | LC_ALL=C grep '[^ -~]')"
keys F10
ends 'F10'

start --speed step
shows 'a capture that waits' '\+0\.0s paused'
none 'top: a capture that waits: most of it is still to come' "$(grep '^ *3 .*guest' "$work/screen")"
keys '}'
shows 'ten intervals on' 'ended 3.*end$'
keys '{'
shows 'and back' '\+0\.0s paused'
keys P
shows 'and it goes on' 'ended 3.*end$'
keys q
ends 'after it waited'

for signal in TERM HUP INT; do
	start
	kill -s "$signal" "$(pid)"
	ends "SIG$signal"
done
for signal in SEGV ABRT QUIT; do
	start
	kill -s "$signal" "$(pid)"
	ends "SIG$signal"
done

start
keys C-z
shows 'stopped by Ctrl-Z' 'Stopped|ready>'
equal 'top: stopped: the terminal is as it was' "$before" "$(state stopped)"
keys fg Enter
shows 'and goes on' '1 +207 guest\[207\] +default'
keys q
ends 'after it was stopped'

# ---- settings ----

saved=$XDG_CONFIG_HOME/kvm-encstat/top.yaml
none 'top: nothing is saved unless it is asked for' "$(ls "$XDG_CONFIG_HOME" 2>/dev/null)"
start --sort shared --theme light
shows 'sorted by an option' '▼SHARED'
keys W
shows 'saved' "saved to $saved"
keys q
ends 'after it was saved'
equal 'top: what was saved' 'theme: light,sort: shared,order: falling' \
	"$(grep -E '^(theme|sort|order)' "$saved" | paste -sd,)"
start
shows 'as it was saved' '▼SHARED'
matches 'top: in colours, as saved' "$(terminal capture-pane -p -e -t kes)" '\[([0-9]+;)*[34][0-8]'
keys q
ends 'with settings'
keys 'export NO_COLOR=1' Enter
start
shows 'NO_COLOR: as it was saved' '▼SHARED'
none 'top: but NO_COLOR is stronger' "$(terminal capture-pane -p -e -t kes | grep -E $'\033''\[([0-9]+;)*[34][0-8]')"
keys q
ends 'with NO_COLOR'
keys 'unset NO_COLOR' Enter
equal 'top: tables know no settings' "$(XDG_CONFIG_HOME=/nonexistent $encstat top --from tests/golden/two-vms.ke --once 2>/dev/null)" \
	"$($encstat top --from tests/golden/two-vms.ke --once 2>/dev/null)"

echo 'sort: nonsense' >"$saved"
keys "clear; $encstat top --from tests/golden/two-vms.ke --speed 1000" Enter
shows 'settings that are not understood are said' "top.yaml:1:7: there is no column 'nonsense'"
keys j W
shows 'and not written over without a question' 'Keep it as top.yaml.bad, and save'
keys n
equal 'top: no leaves them' 'sort: nonsense' "$(cat "$saved")"
keys W y
shows 'yes saves' 'saved to'
equal 'top: and keeps what was there' 'sort: nonsense' "$(cat "$saved.bad")"
matches 'top: and it is good again' "$(cat "$saved")" '^sort: id$'
keys q
ends 'with bad settings'

start
kill -s STOP "$(pid)"
shows 'stopped from outside' 'Stopped|ready>' >/dev/null
keys "stty sane; fg" Enter
shows 'goes on after it' '1 +207 guest\[207\] +default'
keys j
keys q
shows 'quit after it: the shell goes on' '^ready>'

keys "clear; TERM=no-such-terminal $encstat top --from tests/golden/two-vms.ke" Enter
shows 'a terminal that nobody knows is said' "terminal of type 'no-such-terminal'"

# ---- without a terminal ----

equal 'top: --once prints one table' 3 \
	"$($encstat top --from tests/golden/two-vms.ke --once 2>/dev/null </dev/null | grep -c 'guest\[207\]')"
equal 'top: JSON: as many conversions as there are events of' \
	"$($encstat replay tests/golden/two-vms.ke events --json 2>/dev/null | jq -sc '. as $all | [1, 2, 3 | . as $vm |
		[("shared", "private") as $to | [$all[] | select(.kind == "converted" and .vm == $vm and .to == $to)] | length]] | .[]' |
		paste -sd,)" \
	"$($encstat top --from tests/golden/two-vms.ke --once --json 2>/dev/null |
		jq -c '[.totals.to_shared, .totals.to_private]' | paste -sd,)"
equal 'top: --filter and --sort' '2 1' \
	"$($encstat top --from tests/golden/two-vms.ke --once --json --filter 'shared>0' --sort percent 2>/dev/null |
		jq .vm | paste -sd' ')"
equal 'top: --samples' 2 \
	"$($encstat top --from tests/golden/quiet/linux-boot.ke -n 2 2>/dev/null | grep -c '^ID')"
for wrong in '--filter nope=1' '--sort nope' '--columns id,nope' '--interval 0' '--speed fast' '--samples 0' \
	'--theme pink'; do
	# shellcheck disable=SC2086
	$encstat top --from tests/golden/two-vms.ke --once $wrong >"$work/out" 2>"$work/err"
	equal "top: $wrong is an error of usage" "2 0" "$? $(wc -c <"$work/out")"
done
