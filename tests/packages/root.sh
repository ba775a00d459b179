#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Prints the path of a tar of a small Debian 12 with systemd and all that our package depends on, but not
# with our package; as root. It lives in the cache, and is made again when it is not there:
#
#   root.sh [PACKAGE...]   with these, too
set -euo pipefail

cache=${KVM_ENCSTAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-encstat}/debian
packages='systemd systemd-sysv dbus kmod libbpf1 libcap-ng0 libfyaml0 libjson-c5 libmicrohttpd12 libncursesw6
libpng16-16 libseccomp2 libsmartcols1 libsystemd0 libxxhash0 libzstd1 zlib1g'

key=$(sha256sum <<<"1 $packages $*" | cut -c1-12) # the number goes up where what is below changes
mkdir -p "$cache"
exec 9>"$cache/$key.lock"
flock 9
if [ ! -e "$cache/$key.tar" ]; then
	printf 'debian: making a root (once; a few minutes)\n' >&2
	# shellcheck disable=SC2086
	TMPDIR=$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) mmdebstrap --quiet --variant=minbase --include="$(echo $packages "$@" | tr ' ' ,)" \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' bookworm "$cache/$key.new.tar" >&2
	mv "$cache/$key.new.tar" "$cache/$key.tar"
fi
echo "$cache/$key.tar"
