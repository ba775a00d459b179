/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's own types, as far as bpf/ reads them. They live in kvm.ko or kvm-amd.ko, whose BTF libbpf
 * searches too; CO-RE finds the real offsets, so only names and types matter here.
 */
#ifndef BPF_KVM_H
#define BPF_KVM_H

#include "vmlinux.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kvm_memory_slot {
	struct hlist_node id_node[2];
	struct rb_node gfn_node[2];
	u64 base_gfn;
	unsigned long npages;
	unsigned long userspace_addr;
	u32 flags;
	short id;
	struct {
		struct file *file;
		unsigned long pgoff;
	} gmem; /* 6.8 */
};

struct kvm_memslots { /* 5.17 */
	u64 generation;
	struct rb_root gfn_tree;
	struct hlist_head id_hash[128];
	int node_idx;
};

struct kvm_arch {
	unsigned long hypercall_exit_enabled; /* a u32 or u64 by version: read by its size */
	unsigned long vm_type;                /* 6.8; the same */
	s64 kvmclock_offset;
	bool has_private_mem; /* 6.10 */
};

struct kvm {
	struct mutex slots_lock;
	struct mm_struct *mm; /* of the VMM: only who has it may use the VM */
	struct kvm_memslots *memslots[2];
	struct xarray vcpu_array; /* 5.16 */
	unsigned long nr_memslot_pages;
	int created_vcpus;
	struct kvm_arch arch;
	pid_t userspace_pid;
	struct xarray mem_attr_array; /* 6.8: gfn -> attributes, absent is 0 */
};

#define VCPU_REGS_RIP 16 /* arch/x86/include/asm/kvm_host.h, enum kvm_reg */

struct kvm_vcpu;

struct kvm_vcpu_arch {
	unsigned long regs[17];
	unsigned long cr0;
	u64 efer;
	bool guest_state_protected;
	int (*complete_userspace_io)(struct kvm_vcpu *vcpu);
	int last_vmentry_cpu; /* -1: it never ran */
};

struct kvm_run;

struct kvm_vcpu {
	struct kvm *kvm;
	struct preempt_notifier preempt_notifier;
	int vcpu_id;
	int vcpu_idx;
	struct mutex mutex;
	struct kvm_run *run;
	bool wants_to_run; /* 6.11: KVM's own copy of !immediate_exit */
	void *pid;         /* of the task that last ran it; NULL: it never ran */
	struct kvm_vcpu_arch arch;
};

/* A mutex on kernels with PREEMPT_RT. */
struct rt_mutex_base {
	struct task_struct *owner;
};

struct mutex___rt {
	struct rt_mutex_base rtmutex;
};

/* kvm-amd.ko */
struct kvm_vmcb_info {
	void *ptr;
};

struct vcpu_svm {
	struct kvm_vcpu vcpu;
	void *vmcb;
	struct kvm_vmcb_info *current_vmcb;
};

struct kvm_sev_info {
	bool active;
	bool es_active;
};

struct kvm_svm {
	struct kvm kvm;
	struct kvm_sev_info sev_info;
};

/* guest_memfd's file has one as private_data (virt/kvm/guest_memfd.c) */
struct kvm_gmem { /* 6.8 */
	struct kvm *kvm;
};

#pragma clang attribute pop

/* struct kvm_run (include/uapi/linux/kvm.h): ABI. */
#define KVM_RUN_IMMEDIATE_EXIT 1
#define KVM_RUN_EXIT_REASON    8

/* Its part for KVM_EXIT_HYPERCALL, at offset 32. */
#define KVM_RUN_EXIT_OFFSET 32
struct kvm_run_hypercall {
	u64 nr;
	u64 args[6];
	u64 ret;
	u64 flags; /* before 6.4: u32 longmode, u32 pad */
};

/* The same place for KVM_EXIT_MEMORY_FAULT. */
struct kvm_run_memory_fault {
	u64 flags;
	u64 gpa;
	u64 size;
};

/* The argument of KVM_SET_MEMORY_ATTRIBUTES: struct kvm_memory_attributes (6.8). */
struct memory_attributes {
	u64 gpa, size, attributes, flags;
};

/* The VMCB's state save area: AMD64 Architecture Programmer's Manual vol. 2, appendix B. */
#define VMCB_CS_ATTRIB      0x412
#define VMCB_CS_ATTRIB_LONG (1u << 9)
#define VMCB_CPL            0x4cb
#define EFER_LMA            (1ull << 10)

#endif
