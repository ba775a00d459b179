/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls that are ioctls, by the registers that they came with. */
#ifndef BPF_IOCTL_H
#define BPF_IOCTL_H

#include "kvm_abi.h"
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>

#define NR_IOCTL      16 /* arch/x86/entry/syscalls/syscall_64.tbl */
#define NR_IOCTL_I386 54

/* Whether the current thread is in a call that sets attributes. */
static __always_inline bool in_call(struct task_struct *task)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	u64 nr = BPF_CORE_READ(regs, orig_ax) & ~0x40000000ull; /* x32's bit */

	if (nr == NR_IOCTL)
		return (u32)BPF_CORE_READ(regs, si) == KES_SET_MEMORY_ATTRIBUTES;
	return nr == NR_IOCTL_I386 && (u32)BPF_CORE_READ(regs, cx) == KES_SET_MEMORY_ATTRIBUTES;
}

/* Whether the veto is about such ioctls: all others of the host pass here, too. */
static __always_inline bool is_ours(u32 cmd)
{
	return cmd == KES_KVM_RUN || cmd == KES_SET_MEMORY_ATTRIBUTES ||
	       cmd == KES_SET_MEMORY_ATTRIBUTES2;
}

#endif
