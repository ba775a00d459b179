#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes of a package the next version of it, with another default configuration: next.sh DEB OUT
set -euo pipefail
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
dpkg-deb -R "$1" "$tree"
sed -i 's/^Version: .*/&+next/' "$tree/DEBIAN/control"
echo '# a later default' >>"$tree/etc/kvm-encstat/kvm-encstat.yaml"
dpkg-deb --root-owner-group -b "$tree" "$2" >/dev/null
