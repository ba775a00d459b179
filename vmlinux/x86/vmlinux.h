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

struct hlist_head;
struct timespec64;
struct hlist_node;
struct rb_node;
struct rb_root;
struct pt_regs;
struct task_struct;
struct files_struct;
struct fdtable;
struct path;
struct qstr;
struct dentry;
struct file;
struct inode;
struct super_block;
struct cred;
struct css_set;
struct cgroup;
struct kernfs_node;
struct mutex;
struct xarray;
struct xa_node;
struct address_space;
struct preempt_notifier;
struct bpf_iter_meta;
struct bpf_iter__task_file;

struct hlist_head {
	struct hlist_node *first;
};

struct timespec64 {
	time64_t tv_sec;
};

struct hlist_node {
	struct hlist_node *next;
	struct hlist_node **pprev;
};

struct rb_node {
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct pt_regs {
	long unsigned int bx;
	long unsigned int cx;
	long unsigned int dx;
	long unsigned int si;
	long unsigned int di;
	long unsigned int orig_ax;
};

struct task_struct {
	struct hlist_head preempt_notifiers;
	struct mm_struct *mm;
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	const struct cred *cred;
	char comm[16];
	struct files_struct *files;
	struct css_set *cgroups;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct path {
	struct dentry *dentry;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	const struct qstr d_name;
};

struct file {
	struct address_space *f_mapping;
	void *private_data;
	struct inode *f_inode;
	const struct path f_path;
};

struct inode {
	struct super_block *i_sb;
};

struct super_block {
	long unsigned int s_magic;
};

struct cred {
	kuid_t uid;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct kernfs_node {
	u64 id;
};

struct mutex {
	atomic_long_t owner;
};

struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct address_space {
	struct xarray i_pages;
};

struct preempt_notifier {
	struct hlist_node link;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct file *file;
};

#pragma clang attribute pop

#endif
