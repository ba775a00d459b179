# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced, after lib.sh: a real journald as a plain process, in a mount namespace where nobody else's journal is.

journald=/lib/systemd/systemd-journald
journald_pid=

# journald_alone NAME: the script goes on in such a namespace; where there can be none it ends, and NAME is skipped
journald_alone() {
	if [ "$(id -u)" -ne 0 ] || ! [ -x $journald ] || ! unshare -m true 2>/dev/null; then
		skip "$1" 'no root, no journald or no mount namespaces here'
		exit 0
	fi
	[ -n "${JOURNALD_ALONE-}" ] || JOURNALD_ALONE=1 exec unshare -m --propagation private "$0"
	export LC_ALL=C TZ=UTC SYSTEMD_PAGER=
	mkdir -p /run/log /run/systemd
	mount -t tmpfs tmpfs /run/systemd
	mkdir -p /run/systemd/journald.conf.d /run/systemd/journal
	[ -s /etc/machine-id ] || { echo 00112233445566778899aabbccddeeff >/run/systemd/id && mount --bind /run/systemd/id /etc/machine-id; }
}

# journald_starts [SETTING...]
journald_starts() {
	printf '%s\n' '[Journal]' Storage=volatile ReadKMsg=no Audit=no "$@" >/run/systemd/journald.conf.d/test.conf
	$journald 2>>"$work/journald.err" &
	journald_pid=$!
	await test -S /run/systemd/journal/socket
}

journald_ends() { # SIGNAL
	[ -z "$journald_pid" ] || { kill -"$1" "$journald_pid" && wait "$journald_pid"; } 2>/dev/null
	journald_pid=
	rm -f /run/systemd/journal/socket
}
