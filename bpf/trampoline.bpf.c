/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs on KVM's functions, for kernels that allow BPF trampolines. They share the tables of
 * observe.bpf.c; where they cannot be had, that file's tracepoints do. */
#include "attributes.bpf.h"
#include "conversion.bpf.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* The VMM enters KVM_RUN: one run per entry, where kvm_fpu has two. */
SEC("fentry/kvm_arch_vcpu_ioctl_run")
int BPF_PROG(on_run, struct kvm_vcpu *vcpu)
{
	vcpu_enters((u64)vcpu);
	return 0;
}

/* The last reference to a VM is gone; its memslots are still there. */
SEC("fentry/kvm_arch_destroy_vm")
int BPF_PROG(on_destroy, struct kvm *kvm)
{
	struct kes_vm_slot *vm;
	u32 slot;

	vm = vm_lookup((u64)kvm, &slot);
	if (vm) {
		memslots_send(vm, (u64)kvm);
		vm_end(vm, (u64)kvm, slot);
	}
	return 0;
}

/* ---- calls that set memory attributes: attached when a VM comes that can have some ---- */

/* Any ioctl is entered. */
SEC("fentry/__x64_sys_ioctl")
int BPF_PROG(on_ioctl, struct pt_regs *regs)
{
	if ((u32)regs->si == KES_SET_MEMORY_ATTRIBUTES)
		call_entered(regs->di, regs->dx);
	return 0;
}

/* It returns: seen of every call that on_ioctl saw, for both are in one trampoline. */
SEC("fexit/__x64_sys_ioctl")
int BPF_PROG(on_ioctl_end, struct pt_regs *regs, long ret)
{
	if ((u32)regs->si == KES_SET_MEMORY_ATTRIBUTES)
		call_left(regs->di, regs->dx, ret);
	return 0;
}

/* KVM asks this first of all when it has taken its lock to set attributes, and on other occasions.
 */
SEC("fentry/kvm_range_has_memory_attributes")
int BPF_PROG(on_attributes_locked, struct kvm *kvm, u64 start, u64 end, u64 mask, u64 attributes)
{
	call_locked((u64)kvm, start, end, attributes);
	return 0;
}
