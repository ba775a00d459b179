#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# What has to be installed, by its Debian 12 name.
#
#   deps.sh build     name what a build lacks, all at once, and fail
#   deps.sh install   install what the build and the tests lack (root)
set -eu

build='gcc make clang-14 llvm-14 bpftool libbpf-dev libelf-dev zlib1g-dev libzstd-dev libxxhash-dev
libjson-c-dev libsmartcols-dev libfyaml-dev libncurses-dev libpng-dev libsystemd-dev libmicrohttpd-dev
libseccomp-dev libcap-ng-dev pkg-config linux-libc-dev'
tests='libcmocka-dev libclang-rt-14-dev libroaring-dev jq qemu-system-x86 busybox-static kmod cpio zstd xz-utils
linux-source-6.12 flex bison bc libssl-dev dwarves python3 libxml2-utils util-linux coreutils git procps tmux chromium
systemd systemd-journal-remote nginx-light openssl prometheus curl lintian debhelper dh-dkms fakeroot mmdebstrap zsh groff strace'

missing() {
	installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || :)
	for package; do
		case "
$installed
" in
		*"
installed $package
"*) ;;
		*) printf ' %s' "$package" ;;
		esac
	done
}

command -v dpkg-query >/dev/null || exit 0 # not Debian: the compiler will tell

case $1 in
build)
	lack=$(missing $build)
	[ -z "$lack" ] && exit 0
	printf 'kvm-encstat: these packages are missing:%s\n' "$lack" >&2
	printf 'kvm-encstat: apt-get install%s, or make deps\n' "$lack" >&2
	exit 1
	;;
install)
	lack=$(missing $build $tests)
	[ -z "$lack" ] && exit 0
	if [ "$(id -u)" != 0 ]; then
		printf 'kvm-encstat: root is needed to install:%s\n' "$lack" >&2
		exit 1
	fi
	printf 'installing:%s\n' "$lack"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q
	# shellcheck disable=SC2086
	apt-get install -q -y --no-install-recommends $lack
	;;
esac
