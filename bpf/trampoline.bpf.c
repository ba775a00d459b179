/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs on KVM's functions, for kernels that allow BPF trampolines. They share the tables of
 * observe.bpf.c; where they cannot be had, that file's tracepoints do. */
#include "conversion.bpf.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* The VMM enters KVM_RUN: one run per entry, where kvm_fpu has two. */
SEC("fentry/kvm_arch_vcpu_ioctl_run")
int BPF_PROG(on_run, struct kvm_vcpu *vcpu)
{
	conversion_answered((u64)vcpu);
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
