#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes one lab kernel and prints the folder that holds it:
#
#   vmlinuz         the kernel
#   vmlinux         the same, unpacked, where it can be booted like that (quicker under emulation)
#   initrd.zst      busybox, the modules KVM and the share need, tests/lab/init
#   release         what uname -r says there
#
#   kernel.sh 6.1 | 6.12 | 6.1-rt | sw-protected
#
# 6.1, 6.12 and 6.1-rt (PREEMPT_RT) are Debian 12's own packages, unpacked, never installed; sw-protected is Debian's 6.12
# source with CONFIG_KVM_SW_PROTECTED_VM, which no distribution turns on. All of it lives outside the
# checkout, keyed by version and by what goes into it, and is made again when it is not there.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${KVM_ENCSTAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvm-encstat}/lab

say() { printf 'lab: %s\n' "$*" >&2; }
die() { printf 'lab: %s\n' "$*" >&2; exit 1; }
key() { cat "$@" | sha256sum | cut -c1-12; }

# The concrete package behind one of Debian's linux-image metapackages.
image_package() {
	apt-cache depends "$1" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

# The same on a fresh machine too, which has no package lists.
find_image() {
	image_package "$1" | grep . || { apt-get update -q >&2 && image_package "$1"; }
}

# unpack_image METAPACKAGE DIR: vmlinuz, release and the modules in load order
unpack_image() {
	local package tree release leaf
	package=$(image_package "$1")
	[ -n "$package" ] || die "apt knows no $1: run apt-get update"
	say "fetching $package"
	(cd "$2" && apt-get download -q "$package" >&2)
	tree=$2/tree
	dpkg -x "$2"/linux-image-*.deb "$tree"
	rm "$2"/linux-image-*.deb
	release=${package#linux-image-}
	mv "$tree/boot/vmlinuz-$release" "$2/vmlinuz"
	echo "$release" >"$2/release"

	[ -d "$tree/usr/lib/modules" ] && tree=$tree/usr # wherever the package keeps its modules
	find "$tree/lib/modules" -name '*.ko.xz' -exec xz -d {} +
	depmod -b "$tree" "$release"
	mkdir -p "$2/modules"
	for leaf in virtio_pci 9pnet_virtio 9p irqbypass kvm ccp kvm-amd; do
		modprobe -d "$tree" -S "$release" --show-depends "$leaf" |
			awk '$1 == "insmod" {print $2}'
	done | awk '!seen[$0]++' | while read -r path; do
		cp "$path" "$2/modules/"
		basename "$path"
	done >"$2/modules/order"
	rm -rf "$2/tree"
}

# compile CONFIG DIR: a bzImage in DIR/build. Chained, since `set -e` does not count where a failure is
# looked at.
compile() (
	cd "$2/build" &&
		make -s tinyconfig &&
		scripts/kconfig/merge_config.sh -m .config "$1" &&
		make -s olddefconfig &&
		grep -q CONFIG_KVM_SW_PROTECTED_VM=y .config &&
		nice make -s -j"$(nproc)" bzImage &&
		make -s kernelrelease >"$2/release"
)

# build_kernel CONFIG DIR: vmlinuz and release from Debian's linux-source package
build_kernel() {
	local source=/usr/src/linux-source-6.12.tar.xz build=$2/build log=$2/build.log
	[ -e $source ] || die "$source is not there: apt-get install linux-source-6.12"
	say "building a 6.12 with software-protected VMs (once; about 6 minutes on two cores)"
	mkdir -p "$build"
	tar -xf $source -C "$build" --strip-components=1
	compile "$1" "$2" >"$log" 2>&1 ||
		die "the kernel did not build; the end of $log: $(tail -n 5 "$log")"
	mv "$build/arch/x86/boot/bzImage" "$2/vmlinuz"
	rm -rf "$build"
	mkdir -p "$2/modules"
	: >"$2/modules/order"
}

# unpack_kernel VMLINUZ VMLINUX: nothing is made of a kernel without the PVH entry that a direct boot needs.
# The compressed part lies where the boot protocol's header says (Documentation/arch/x86/boot.rst).
unpack_kernel() {
	local sectors offset length tool
	field() { od -A n -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }
	sectors=$(field "$1" $((0x1f1)) 1)
	offset=$(($(field "$1" $((0x248)) 4) + (sectors + 1) * 512))
	length=$(field "$1" $((0x24c)) 4)
	case $(tail -c +$((offset + 1)) "$1" | head -c 6 | od -A n -t x1 | tr -d ' ') in
	fd377a585a00) tool="xz -dc" ;;
	28b52ffd*) tool="zstd -dcq" ;;
	1f8b*) tool="gzip -dc" ;;
	*) return 0 ;;
	esac
	# The last four bytes of the payload are its unpacked size: the tools complain, or do not, and go on.
	tail -c +$((offset + 1)) "$1" | head -c $((length - 4)) | $tool >"$2.new" 2>/dev/null || :
	if readelf -n "$2.new" 2>/dev/null | grep -q 'Xen.*0x00000012'; then
		mv "$2.new" "$2"
	else
		rm -f "$2.new"
	fi
}

make_initrd() {
	local root=$1/root
	mkdir -p "$root"/{bin,dev,proc,sys,job,tmp,etc}
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp -r "$1/modules" "$root/modules"
	install -m 755 "$here/init" "$root/init"
	(cd "$root" && find . | cpio -o -H newc --quiet | zstd -q -10) >"$1/initrd.zst"
	rm -rf "$root" "$1/modules"
}

case ${1-} in
6.1) what=linux-image-amd64 ;;
6.12) what=linux-image-6.12-amd64 ;;
6.1-rt) what=linux-image-rt-amd64 ;;
sw-protected) what=$here/sw-protected.config ;;
*) die "usage: kernel.sh 6.1 | 6.12 | 6.1-rt | sw-protected" ;;
esac
if [ -e "$what" ]; then
	from=build_kernel inputs=("$what") version=$(dpkg-query -W -f '${Version}' linux-source-6.12)
else
	from=unpack_image inputs=() version=$(find_image "$what")
fi

# The slow half (download, build) and the quick half (initrd) have keys of their own, so that a new init
# does not build a kernel again.
dir=$cache/$1-$(printf '%s' "$version" | key - "${inputs[@]}")
initrd_key=$(key "$here/init" "$0")
mkdir -p "$cache"
exec 9>"$dir.lock"
flock 9
if [ ! -e "$dir/vmlinuz" ]; then
	rm -rf "$dir" "$dir.new"
	mkdir "$dir.new"
	$from "$what" "$dir.new"
	mv "$dir.new" "$dir"
fi
if [ ! -e "$dir/unpacked" ]; then
	unpack_kernel "$dir/vmlinuz" "$dir/vmlinux"
	: >"$dir/unpacked"
fi
if [ "$(cat "$dir/initrd.key" 2>/dev/null)" != "$initrd_key" ]; then
	rm -rf "$dir/initrd"
	mkdir "$dir/initrd"
	cp -r "$dir/modules" "$dir/initrd/modules"
	make_initrd "$dir/initrd"
	mv "$dir/initrd/initrd.zst" "$dir/initrd.zst"
	rm -rf "$dir/initrd"
	echo "$initrd_key" >"$dir/initrd.key"
fi
echo "$dir"
