/* SPDX-License-Identifier: GPL-2.0-only */
/* VMs and vCPUs: from KVM's pointers to our ids. */
#ifndef BPF_VM_H
#define BPF_VM_H

#include "read.bpf.h"
#include "record.bpf.h"

/* The vCPU that the current task has loaded, 0 if none: KVM's preempt notifier is a member of it.
 */
static __always_inline u64 loaded_vcpu(struct task_struct *task)
{
	u64 link = (u64)task->preempt_notifiers.first;

	if (!link)
		return 0;
	return link - bpf_core_field_offset(struct kvm_vcpu, preempt_notifier) -
	       bpf_core_field_offset(struct preempt_notifier, link);
}

/* Set from the clock when KVM makes the VM, so that no two VMs have the same. */
static __always_inline s64 vm_clock_offset(u64 kvm)
{
	return read_u64(MEMBER(MEMBER(kvm, kvm, arch), kvm_arch, kvmclock_offset));
}

static __always_inline u32 vm_type(u64 kvm)
{
	if (bpf_core_field_exists(struct kvm_arch, vm_type))
		return READ_SIZED(MEMBER(kvm, kvm, arch), kvm_arch, vm_type);
	if (host_is_svm && bpf_core_type_exists(struct kvm_svm)) {
		u64 sev = kvm - bpf_core_field_offset(struct kvm_svm, kvm) +
			  bpf_core_field_offset(struct kvm_svm, sev_info);

		if (read_u8(MEMBER(sev, kvm_sev_info, es_active)))
			return KES_VM_SEV_ES;
		if (read_u8(MEMBER(sev, kvm_sev_info, active)))
			return KES_VM_SEV;
	}
	return KES_VM_DEFAULT;
}

/* Fills a VM_NEW record about kvm, whose VMM is task's process. */
static __always_inline void vm_describe(struct kes_vm_new *new, u64 kvm, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);

	new->pid = BPF_CORE_READ(task, tgid);
	new->uid = BPF_CORE_READ(task, cred, uid.val);
	new->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	new->type = vm_type(kvm);
	new->hypercalls = READ_SIZED(MEMBER(kvm, kvm, arch), kvm_arch, hypercall_exit_enabled);
	BPF_CORE_READ_INTO(&new->comm, leader, comm);
}

static __always_inline struct kes_vm_slot *vm_lookup(u64 kvm, u32 *ret_slot)
{
	u32 *slot = bpf_map_lookup_elem(&slot_of, &kvm);
	struct kes_vm_slot *vm;

	if (!slot)
		return NULL;
	*ret_slot = *slot;
	vm = bpf_map_lookup_elem(&vms, slot);
	return vm && vm->id && vm->kvm == kvm ? vm : NULL;
}

/* Whether KVM keeps attributes of the VM's pages (kvm_arch_has_private_mem()). */
static __always_inline bool vm_has_attributes(u64 kvm)
{
	return bpf_core_field_exists(struct kvm, mem_attr_array) &&
	       bpf_core_field_exists(struct kvm_arch, has_private_mem) &&
	       read_u8(MEMBER(MEMBER(kvm, kvm, arch), kvm_arch, has_private_mem));
}

/* What is not in VM_NEW, when it is not what was said last. */
static __always_inline void send_vm_info(struct kes_vm_slot *vm, u64 kvm, bool wake)
{
	u32 vcpus = read_u32(MEMBER(kvm, kvm, created_vcpus));
	u32 attributes = vm_has_attributes(kvm);
	struct kes_record r;

	vm->creator = read_u32(MEMBER(kvm, kvm, userspace_pid));
	if (vcpus == vm->told_vcpus && attributes == vm->has_attributes)
		return;
	vm->told_vcpus = vcpus;
	vm->has_attributes = attributes;
	record_begin(&r, vm, KES_VM_INFO);
	r.vm_info.vcpus = vcpus;
	r.vm_info.flags = attributes ? KES_VM_HAS_ATTRIBUTES : 0;
	r.vm_info.creator = vm->creator;
	record_send(&r, vm, wake);
}

static __always_inline void send_vm_new(
	struct kes_vm_slot *vm, u64 kvm, struct task_struct *task, bool wake)
{
	struct kes_record r;

	record_begin(&r, vm, KES_VM_NEW);
	r.flags = vm->born ? KES_F_BORN : 0;
	vm_describe(&r.vm_new, kvm, task);
	record_send(&r, vm, wake); /* one that is found alive was looked for, or has time */
	send_vm_info(vm, kvm, wake);
}

/* Who an earlier life of the C half knew there; NULL: nobody, or it was another VM. */
static __always_inline const struct kes_known *vm_known(u64 kvm, s64 clock_offset)
{
	const struct kes_known *known = bpf_map_lookup_elem(&known_vms, &kvm);

	return known && known->clock_offset == clock_offset ? known : NULL;
}

#define VM_LISTED (1 << 7) /* the inventory found it: its reader looks at the ring by itself */

/* Gives kvm an id and says so to the C half. flags: KES_F_BORN, or VM_LISTED, or 0 for one found
 * alive in another way. NULL when the tables are full, which is counted. */
static __noinline struct kes_vm_slot *vm_add(
	u64 kvm, struct task_struct *task, u8 flags, u32 *ret_slot)
{
	const struct kes_known *known;
	struct kes_host *h = the_host();
	struct kes_vm_slot *vm;
	u32 slot;

	if (!h)
		return NULL;
	if (bpf_map_pop_elem(&free_slots, &slot))
		slot = h->slots < KES_MAX_VMS ? __sync_fetch_and_add(&h->slots, 1) : KES_MAX_VMS;
	vm = bpf_map_lookup_elem(&vms, &slot);
	if (!vm) { /* as many VMs as we have slots */
		host_lost(KES_CAUSE_TABLE_FULL);
		return NULL;
	}
	vm->clock_offset = vm_clock_offset(kvm);
	known = vm_known(kvm, vm->clock_offset);
	vm->seq = known ? known->seq : 0;
	for (int i = 0; i < KES_CAUSE_MAX; i++)
		vm->lost[i] = known ? known->lost[i] : 0;
	vm->memslots_generation = ~0ull;
	vm->memslots_checked_ns = 0;
	vm->told_vcpus = ~0u;
	vm->has_attributes = 0;
	vm->looked_empty = 0;
	vm->calls = 0;
	vm->pid = BPF_CORE_READ(task, tgid);
	vm->born = flags & KES_F_BORN;
	vm->id = known ? known->id : __sync_fetch_and_add(&h->vms, 1) + 1;
	vm->kvm = kvm;
	if (bpf_map_update_elem(&slot_of, &kvm, &slot, BPF_NOEXIST)) { /* another vCPU was first */
		vm->id = 0;
		vm->kvm = 0;
		bpf_map_push_elem(&free_slots, &slot, 0);
		return vm_lookup(kvm, ret_slot);
	}
	*ret_slot = slot;
	send_vm_new(vm, kvm, task, !(flags & VM_LISTED));
	return vm;
}

/* The VM ended, or another was born where it was: the C half collects its last figures and frees
 * the slot. */
static __always_inline void vm_end(struct kes_vm_slot *vm, u64 kvm, u32 slot)
{
	struct kes_record r;

	record_begin(&r, vm, KES_VM_END);

	r.vm_end.sent = vm->seq;
	r.vm_end.slot = slot;
	record_send(&r, vm, true);
	vm->kvm = 0;
	bpf_map_delete_elem(&slot_of, &kvm);
}

/* Address of the vCPU's VMCB; 0 where kvm-amd does not drive it. */
static __always_inline u64 vcpu_vmcb(u64 vcpu)
{
	if (!host_is_svm || !bpf_core_type_exists(struct vcpu_svm))
		return 0;
	return read_u64(
		MEMBER(vcpu - bpf_core_field_offset(struct vcpu_svm, vcpu), vcpu_svm, vmcb));
}

/* svm->current_vmcb->ptr is svm->vmcb by KVM's own invariant: where that holds, kvm-amd's types
 * fit. */
static __always_inline bool vcpu_is_svm(u64 vcpu)
{
	u64 vmcb = vcpu_vmcb(vcpu), current;

	if (!vmcb || !bpf_core_type_exists(struct kvm_vmcb_info))
		return false;
	current = read_u64(MEMBER(
		vcpu - bpf_core_field_offset(struct vcpu_svm, vcpu), vcpu_svm, current_vmcb));
	return read_u64(MEMBER(current, kvm_vmcb_info, ptr)) == vmcb;
}

/* Whether the vCPU was ever in the guest; false also where KVM does not say so. */
static __always_inline bool vcpu_has_run(u64 vcpu)
{
	u64 arch = MEMBER(vcpu, kvm_vcpu, arch);

	return bpf_core_field_exists(((struct kvm_vcpu_arch *)0)->last_vmentry_cpu) &&
	       (int)read_u32(MEMBER(arch, kvm_vcpu_arch, last_vmentry_cpu)) != -1;
}

/* Enters the vCPU into the table, over whatever was known of a vCPU at this address before. */
static __noinline struct kes_vcpu *vcpu_add(u64 vcpu, u8 vm_flags)
{
	u64 kvm = read_u64(MEMBER(vcpu, kvm_vcpu, kvm));
	struct kes_vcpu new = {.kvm = kvm}, *old;
	struct kes_host *h = the_host();
	struct kes_vm_slot *vm;

	old = bpf_map_lookup_elem(&vcpus, &vcpu);
	if (old && old->unhooked && h) /* of a vCPU that is no more */
		__sync_fetch_and_add(&h->settled, 1);
	if (!kvm) {
		host_lost(KES_CAUSE_UNATTRIBUTED);
		return NULL;
	}
	vm = vm_lookup(kvm, &new.slot);
	if (!vm)
		vm = vm_add(kvm, bpf_get_current_task_btf(), vm_flags, &new.slot);
	if (!vm)
		return NULL;
	new.vm = vm->id;
	new.run = read_u64(MEMBER(vcpu, kvm_vcpu, run));
	new.vcpu = read_u32(MEMBER(vcpu, kvm_vcpu, vcpu_id));
	new.cpl_readable = vcpu_is_svm(vcpu);
	new.at_reset = !vcpu_has_run(vcpu);
	if (bpf_map_update_elem(&vcpus, &vcpu, &new, BPF_ANY)) {
		__sync_fetch_and_add(&vm->lost[KES_CAUSE_TABLE_FULL], 1);
		return NULL;
	}
	return bpf_map_lookup_elem(&vcpus, &vcpu);
}

/* KVM made a vCPU, or somebody wrote the TSC of one that has not run yet. */
static __always_inline void vcpu_born(u64 vcpu)
{
	u64 kvm = read_u64(MEMBER(vcpu, kvm_vcpu, kvm));
	struct kes_vm_slot *vm;
	u32 slot;

	vm = vm_lookup(kvm, &slot);
	if (read_u32(MEMBER(vcpu, kvm_vcpu, vcpu_idx))) {
		vcpu_add(vcpu, 0);
		if (vm)
			send_vm_info(vm, kvm, true);
		return;
	}
	if (vm && vm->clock_offset != vm_clock_offset(kvm)) {
		vm_end(vm, kvm, slot); /* another VM, where one was whose end nobody saw */
		vm = NULL;
	}
	vcpu_add(vcpu, KES_F_BORN);
	vm = vm_lookup(kvm, &slot); /* the inventory may have entered it meanwhile */
	if (vm && !vm->born) { /* seen between its birth and its first vCPU's: nothing was missed */
		vm->born = 1;
		send_vm_new(vm, kvm, bpf_get_current_task_btf(), true);
	}
}

/* The VM of a vCPU's entry; NULL if the entry is left over from a VM that ended. */
static __always_inline struct kes_vm_slot *vcpu_vm(const struct kes_vcpu *v)
{
	struct kes_vm_slot *vm = bpf_map_lookup_elem(&vms, &v->slot);

	return vm && vm->id == v->vm && vm->kvm ? vm : NULL;
}

/* The vCPU's entry and its VM's, if they are known and not left over from a VM that ended. */
static __always_inline struct kes_vcpu *vcpu_lookup(u64 vcpu, struct kes_vm_slot **ret_vm)
{
	struct kes_vcpu *v = bpf_map_lookup_elem(&vcpus, &vcpu);
	struct kes_vm_slot *vm = v ? vcpu_vm(v) : NULL;

	if (!vm)
		return NULL;
	*ret_vm = vm;
	return v;
}

/* The same, entering it when this is the first that is seen of it. */
static __always_inline struct kes_vcpu *vcpu_find(u64 vcpu, struct kes_vm_slot **ret_vm)
{
	struct kes_vcpu *v = vcpu_lookup(vcpu, ret_vm);

	if (v)
		return v;
	if (!vcpu_add(vcpu, 0))
		return NULL;
	return vcpu_lookup(vcpu, ret_vm);
}

#endif
