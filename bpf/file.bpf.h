/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of KVM's, by their names: VMs and vCPUs are anonymous inodes. */
#ifndef BPF_FILE_H
#define BPF_FILE_H

#include "read.bpf.h"

#define ANON_INODE_FS_MAGIC 0x09041934 /* include/uapi/linux/magic.h */

enum kvm_file {
	FILE_OTHER,
	FILE_VM,   /* "kvm-vm": private_data is its struct kvm */
	FILE_GMEM, /* "[kvm-gmem]": private_data is its struct kvm_gmem */
	FILE_VCPU, /* "kvm-vcpu:N": private_data is its struct kvm_vcpu */
};

static __always_inline enum kvm_file file_kind(struct file *file)
{
	char name[10] = {};

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return FILE_OTHER;
	bpf_probe_read_kernel_str(
		name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	if (name[0] == '[' && name[1] == 'k' && name[2] == 'v' && name[3] == 'm' &&
		name[4] == '-' && name[5] == 'g')
		return FILE_GMEM;
	if (name[0] != 'k' || name[1] != 'v' || name[2] != 'm' || name[3] != '-' || name[4] != 'v')
		return FILE_OTHER;
	if (name[5] == 'm' && !name[6])
		return FILE_VM;
	if (name[5] == 'c' && name[6] == 'p' && name[7] == 'u' && name[8] == ':')
		return FILE_VCPU;
	return FILE_OTHER;
}

/* The file that the task has open as fd; 0 if there is none. Another thread may put another one
 * there at any time, so who asks must prove what it is. */
static __always_inline u64 fd_file(struct task_struct *task, u32 fd)
{
	u64 files;

	if (fd >= BPF_CORE_READ(task, files, fdt, max_fds))
		return 0;
	files = (u64)BPF_CORE_READ(task, files, fdt, fd);
	return read_u64(files + fd * sizeof(u64));
}

#endif
