#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Prints the folder against which a module for a lab kernel is built, KERNEL= of `make gate`; beside it is
# vmlinux, with the kernel's type information:
#
#   headers.sh 6.1 | 6.12 | 6.1-rt | sw-protected
#
# Of Debian's kernels these are the packages of headers, unpacked, never installed; of sw-protected the source, as far
# as a module needs it. They live in the cache, as the kernels do, and are made again when they are not there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lab=$here/../lab
cache=${KVM_ENCSTAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-encstat}/headers

say() { printf 'headers: %s\n' "$*" >&2; }
die() { printf 'headers: %s\n' "$*" >&2; exit 1; }

# unpack RELEASE DIR: the headers and all that they need of the same source
unpack() {
	local packages
	packages="linux-headers-$1 $(apt-cache depends "linux-headers-$1" |
		sed -n 's/^ *Depends: \(linux-headers-.*\|linux-kbuild-.*\)/\1/p')"
	say "fetching" $packages
	# shellcheck disable=SC2086
	(cd "$2" && apt-get download -q $packages >&2)
	for package in "$2"/*.deb; do
		dpkg -x "$package" "$2"
		rm "$package"
	done
	# They count on being in /usr/src.
	echo "include ../$(cd "$2/usr/src" && echo linux-headers-*-common*)/Makefile" \
		>"$2/usr/src/linux-headers-$1/Makefile"
	ln -s "usr/src/linux-headers-$1" "$2/build"
}

# prepare CONFIG DIR: as kernel.sh configures it
prepare() {
	local source=/usr/src/linux-source-6.12.tar.xz tree=$2/build
	[ -e $source ] || die "$source is not there: apt-get install linux-source-6.12"
	say "preparing the source of the 6.12 with software-protected VMs (once; about a minute)"
	mkdir "$tree"
	tar -xf $source -C "$tree" --strip-components=1
	(
		cd "$tree" &&
			make -s tinyconfig &&
			scripts/kconfig/merge_config.sh -m .config "$1" &&
			make -s olddefconfig &&
			nice make -s -j"$(nproc)" modules_prepare
	) >"$2/prepare.log" 2>&1 || die "it did not build; the end of $2/prepare.log: $(tail -n 5 "$2/prepare.log")"
	find "$tree" -mindepth 1 -maxdepth 1 -type d ! -name include ! -name scripts ! -name arch ! -name tools \
		-exec rm -rf {} +
	find "$tree/arch" -mindepth 1 -maxdepth 1 -type d ! -name x86 -exec rm -rf {} +
	rm -rf "$tree/tools/testing" "$tree/tools/perf"
}

kernel=$("$lab/kernel.sh" "$1")
dir=$cache/$(basename "$kernel")-$(sha256sum "$0" | cut -c1-12)
mkdir -p "$cache"
exec 9>"$dir.lock"
flock 9
if [ ! -e "$dir/build" ]; then
	rm -rf "$dir" "$dir.new"
	mkdir "$dir.new"
	case $1 in
	sw-protected) prepare "$lab/sw-protected.config" "$dir.new" ;;
	*) unpack "$(cat "$kernel/release")" "$dir.new" ;;
	esac
	cp "$kernel/vmlinux" "$dir.new/vmlinux"
	[ -e "$dir.new/build/vmlinux" ] || [ "$1" != sw-protected ] || cp "$kernel/vmlinux" "$dir.new/build/vmlinux"
	mv "$dir.new" "$dir"
fi
echo "$dir/build"
