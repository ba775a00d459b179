#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The packages: built twice with the same bytes, lintian, and what they do to a Debian 12 of their own, in a root
# under /dev/shm: this system stays as it is. As root. Some 3 minutes, of which 2 compile.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh
work=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)")
trap 'rm -rf "$work"' EXIT

# What is built is the tree as it stands, whoever has built in it.
copy() { mkdir -p "$1" && tar -c --exclude=./build --exclude=./.git . | tar -x -C "$1"; }

build_it() {
	make deb >build/packages-1.log 2>&1 &
	copy "$work/at/another/path" &&
		TZ=Pacific/Kiritimati LC_ALL=C make -C "$work/at/another/path" deb >build/packages-2.log 2>&1
	wait $!
}
if ! build_it; then
	fail 'packages: they are built' "$(tail -n 20 build/packages-1.log build/packages-2.log)"
	exit 0
fi
pass 'packages: they are built'
mv "$work/at/another/path/build/deb" "$work/deb2"
rm -rf "$work/at"
debs=(build/deb/*.deb)
for deb in "${debs[@]}"; do
	same "packages: the same bytes wherever and whenever it is built: ${deb##*/}" "$deb" "$work/deb2/${deb##*/}"
done
none 'packages: lintian' "$(lintian --allow-root --fail-on none build/deb/*.changes 2>&1)"
version=$(dpkg-deb -f build/deb/kvm-encstat_*.deb Version)
equal 'packages: make and dkms have the same version' "$version $version" \
	"$(sed -n 's/^VERSION := //p' Makefile) $(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' gate/dkms.conf)"
equal 'packages: what a build needs is what deps.sh says' "$(sed -n "/^build='/,/'\$/p" tests/deps.sh | tr -d "'" |
	sed 's/^build=//' | xargs -n 1 | grep -vxE 'gcc|make' | sort)" \
	"$(sed -n '/^Build-Depends:/,/^$/p' debian/control | sed -n 's/^ \([a-z0-9.-]*\).*/\1/p' | grep -v '^debhelper-compat\|^dh-sequence' | sort)"

# ---- in a Debian ----

# new_root PACKAGE...: a fresh one in $root, with the packages at /debs
new_root() {
	root=$work/root
	rm -rf "$root"
	mkdir -p "$root"
	tar -x -C "$root" -f "$(tests/packages/root.sh "$@")" --exclude='./dev/*' || return 1
	mkdir "$root/debs"
	cp "${debs[@]}" "$root/debs/"
	mknod -m 666 "$root/dev/null" c 1 3
}

# inside COMMAND...
inside() {
	unshare --mount --pid --fork --kill-child chroot "$root" /bin/sh -c \
		'mount -t proc proc /proc; mount -t tmpfs run /run; ln -sfn /proc/self/fd /dev/fd; export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C; exec "$@"' \
		sh "$@" 2>&1
}

# everything DIR: what files there are, but for dpkg's and ldconfig's own
everything() {
	(cd "$root" && find . -xdev \( -path ./dev -o -path ./run -o -path ./var/lib/dpkg -o -path ./var/cache -o -path ./var/log -o -path ./proc -o -path ./debs \) \
		-prune -o -print | grep -vE '^\./(etc/(group|gshadow|passwd|shadow)-?|var/lib/systemd/(catalog|deb-systemd).*)$' | sort)
}

if ! new_root; then
	fail 'packages: there is a Debian to install into'
	exit 0
fi
everything >"$work/before"
try 'packages: install' inside dpkg -i "/debs/kvm-encstat_${version}_amd64.deb"
equal 'packages: it runs' "kvm-encstat $version" "$(inside kvm-encstat --version)"
matches 'packages: its group is there' "$(cat "$root/etc/group")" '^kvm-encstat:'
matches 'packages: the service is enabled' "$(find "$root/etc/systemd/system" -name 'kvm-encstat*' 2>&1)" kvm-encstat
try 'packages: its configuration is right' inside kvm-encstat config check
try 'packages: so is its policy' inside kvm-encstat policy check /etc/kvm-encstat/policy.d
units=$(dpkg-deb -c "build/deb/kvm-encstat_${version}_amd64.deb" | sed -nE 's,.*\./(lib/systemd/system/.*\.(service|socket|timer))$,/\1,p')
matches 'packages: the service is among the units' "$units" 'system/kvm-encstat\.service'
# shellcheck disable=SC2086
try 'packages: systemd has no complaint about the units' inside systemd-analyze verify --man=no $units
for unit in $(grep 'service$' <<<"$units"); do
	try "packages: ${unit##*/}: exposed less than 3.0 of 10" inside systemd-analyze security --offline=true --threshold=29 "$unit"
done
none 'packages: as installed, nothing is refused' "$(grep -rE 'mode: *enforce$' "$root/etc/kvm-encstat" | grep -v '#')"

echo '# mine' >>"$root/etc/kvm-encstat/kvm-encstat.yaml"
echo 'findings: {}' >"$root/etc/kvm-encstat/conf.d/mine.yaml"
tests/packages/next.sh "build/deb/kvm-encstat_${version}_amd64.deb" "$root/debs/next.deb"
try 'packages: upgrade' inside dpkg --force-confdef --force-confold -i /debs/next.deb
equal 'packages: an upgrade keeps the configuration' '# mine' "$(tail -n 1 "$root/etc/kvm-encstat/kvm-encstat.yaml")"
try 'packages: remove' inside dpkg -r kvm-encstat
equal 'packages: remove keeps the configuration' '# mine' "$(tail -n 1 "$root/etc/kvm-encstat/kvm-encstat.yaml" 2>&1)"
none 'packages: remove takes the program' "$(find "$root/usr/sbin" -name 'kvm-encstat*')"
mkdir -p "$root/var/lib/kvm-encstat" && echo state >"$root/var/lib/kvm-encstat/state"
try 'packages: purge' inside dpkg -P kvm-encstat
everything >"$work/after"
same 'packages: after a purge all is as it was' "$work/before" "$work/after"

# ---- the module, by DKMS ----

if ! new_root dkms linux-headers-amd64 dwarves xz-utils; then
	fail 'packages: there is a Debian with headers'
	exit 0
fi
# For a kernel that does not run: its type information is in /boot, where the lab has it from.
kernel=$(ls "$root/lib/modules" | head -n 1)
packed=$(tests/lab/kernel.sh 6.1)
equal 'packages: dkms: the headers are of the lab kernel 6.1' "$kernel" "$(cat "$packed/release")"
cp "$packed/vmlinuz" "$root/boot/vmlinuz-$kernel"
try 'packages: dkms: install' inside dpkg -i "/debs/kvm-encstat-gate-dkms_${version}_all.deb"
matches 'packages: dkms: the module is built' "$(inside dkms install "kvm-encstat-gate/$version" -k "$kernel"; inside dkms status)" \
	"kvm-encstat-gate/$version, $kernel.*: installed"
equal 'packages: dkms: it is one for that kernel' "$kernel" \
	"$(modinfo -F vermagic "$root/lib/modules/$kernel/updates/dkms/kvm_encstat_gate.ko"* 2>&1 | cut -d ' ' -f 1)"
try 'packages: dkms: purge' inside dpkg -P kvm-encstat-gate-dkms
none 'packages: dkms: purge takes the module' "$(find "$root/lib/modules" "$root/usr/src" "$root/var/lib/dkms" -name '*kvm?encstat*')"
