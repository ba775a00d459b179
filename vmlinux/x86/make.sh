#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes vmlinux.h: of the running kernel's types, only those that bpf/ reads, and of each only the
# members it reads. CO-RE finds their real offsets on the kernel at hand, so any kernel's BTF will do.
#
#   make.sh [BTF] >vmlinux.h
#
# Needs bpftool. To read one more member, add it below and run this again.
set -eu
btf=${1:-/sys/kernel/btf/vmlinux}
bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)

# struct: members, in any order; a struct that holds another comes after it
wanted='
hlist_head: first
timespec64: tv_sec
hlist_node: next pprev
rb_node: rb_right rb_left
rb_root: rb_node
pt_regs: orig_ax di bx si dx cx
task_struct: pid tgid real_parent group_leader comm files cred preempt_notifiers cgroups mm
files_struct: fdt
fdtable: max_fds fd
path: dentry
qstr: name
dentry: d_name
file: f_inode private_data f_path f_mapping
inode: i_sb
super_block: s_magic
cred: uid
css_set: dfl_cgrp
cgroup: kn
kernfs_node: id
mutex: owner
xarray: xa_head
xa_node: shift slots
address_space: i_pages
preempt_notifier: link
bpf_iter_meta: seq
bpf_iter__task_file: meta task file
'

cat <<'END'
/* SPDX-License-Identifier: GPL-2.0-only */
/* Made by make.sh, which says what this is; do not edit. */
#ifndef VMLINUX_H
#define VMLINUX_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef int pid_t;
typedef __s64 time64_t;
typedef _Bool bool;
enum { false = 0, true = 1 };

/* include/uapi/linux/bpf.h; values are ABI */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1024 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_PROD_POS = 3 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct { int counter; } atomic_t;
typedef struct { long long counter; } atomic64_t;
typedef atomic64_t atomic_long_t;
typedef struct { unsigned int val; } kuid_t;

END

"$bpftool" btf dump file "$btf" format c | awk -v wanted="$wanted" '
BEGIN {
	n = split(wanted, lines, "\n")
	for (i = 1; i <= n; i++) {
		if (split(lines[i], half, ": *") < 2)
			continue
		order[++structs] = half[1]
		m = split(half[2], members, " ")
		for (j = 1; j <= m; j++)
			want[half[1], members[j]] = 1
		left[half[1]] = m
	}
}
/^struct [a-z_0-9]+ \{/ { name = $2; if (!(name in left)) name = ""; next }
/^}/ { name = ""; next }
name != "" {
	member = $0
	sub(/;.*/, "", member)
	sub(/ *:.*/, "", member)
	sub(/\[.*/, "", member)
	sub(/.*[ *\t]/, "", member)
	# one tab: a member of the struct itself; more: of an anonymous part, still reached by its name
	if ((name, member) in want && !((name, member) in seen)) {
		line = $0
		sub(/^\t+/, "\t", line)
		body[name] = body[name] line "\n"
		seen[name, member] = 1
		left[name]--
	}
}
END {
	for (i = 1; i <= structs; i++) {
		if (left[order[i]] > 0) {
			print "vmlinux: struct " order[i] " lacks a member here" >"/dev/stderr"
			bad = 1
		}
		printf "struct %s;\n", order[i]
	}
	print ""
	for (i = 1; i <= structs; i++)
		printf "struct %s {\n%s};\n\n", order[i], body[order[i]]
	exit bad
}'

cat <<'END'
#pragma clang attribute pop

#endif
END
