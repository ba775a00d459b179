/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One conversion, from the guest's hypercall to the VMM's answer, as steps on the vCPU's entry:
 *
 *   hypercall  -> CALLED, or REFUSED at once where KVM is bound to refuse
 *   exit       -> OPEN, with a REQUEST record
 *   next entry -> IDLE, with an ANSWER record
 *
 * A step that does not fit the state shows what was not seen: a CALLED that is not followed by its
 * exit was refused; an OPEN that is passed over was answered before a hook on the entry was
 * attached.
 */
#ifndef BPF_CONVERSION_H
#define BPF_CONVERSION_H

#include "kvm_abi.h"
#include "memslots.bpf.h"
#include "vm.bpf.h"

static __always_inline u64 exit_area(const struct kes_vcpu *v)
{
	return v->run + KVM_RUN_EXIT_OFFSET;
}

/* A request that came with the vCPU's state v: fills the fields all records of it share. */
static __always_inline void record_conversion(struct kes_record *r, const struct kes_vcpu *v)
{
	r->vcpu = v->vcpu;
	r->conversion.gpa = v->gpa;
	r->conversion.npages = v->npages;
	r->conversion.attrs = v->attrs;
}

/* What KVM puts in the guest's RAX; 0 if that is not known. */
static __always_inline s64 refusal_result(u32 reason)
{
	switch (reason) {
	case KES_REASON_CPL:
		return -KES_KVM_EPERM;
	case KES_REASON_DISABLED:
		return -KES_KVM_ENOSYS;
	case KES_REASON_UNKNOWN:
		return 0;
	default:
		return -KES_KVM_EINVAL;
	}
}

/* reason: kes_reason. The guest sees the matching error in RAX. */
static __always_inline void send_refused(
	struct kes_vm_slot *vm, const struct kes_vcpu *v, u32 reason, u8 flags)
{
	struct kes_record r;

	record_begin(&r, vm, KES_REFUSED);
	record_conversion(&r, v);
	r.flags = flags;
	r.conversion.refused.nr = KES_HC_MAP_GPA_RANGE;
	r.conversion.refused.reason = reason;
	r.conversion.refused.ret = refusal_result(reason);
	record_send(&r, vm, false);
}

static __always_inline void send_answer(
	struct kes_vm_slot *vm, const struct kes_vcpu *v, s64 ret, u8 flags)
{
	struct kes_record r;

	record_begin(&r, vm, KES_ANSWER);
	record_conversion(&r, v);
	r.flags = flags;
	r.conversion.answer.ret = ret;
	r.conversion.answer.request_ns = v->request_ns;
	record_send(&r, vm, false);
}

/* The vCPU's state after a request was dealt with, however. */
static __always_inline void conversion_over(struct kes_vcpu *v)
{
	struct kes_host *h = the_host();

	v->state = KES_VCPU_IDLE;
	if (v->unhooked && h)
		__sync_fetch_and_add(&h->settled, 1);
	v->unhooked = 0;
}

/* Whether conversion hypercalls go to the VMM: KVM_CAP_EXIT_HYPERCALL. */
static __always_inline bool exits_enabled(u64 kvm)
{
	return READ_SIZED(MEMBER(kvm, kvm, arch), kvm_arch, hypercall_exit_enabled) &
	       (1u << KES_HC_MAP_GPA_RANGE);
}

/* A call that should have made an exit did not: something that was looked up once has changed, or
 * cannot be looked up here. */
static __always_inline void settle_called(struct kes_vm_slot *vm, struct kes_vcpu *v)
{
	v->enabled = exits_enabled(v->kvm);
	if (v->enabled)
		send_refused(vm, v, KES_REASON_UNKNOWN, KES_F_INFERRED);
	else
		send_refused(vm, v, KES_REASON_DISABLED, 0);
}

/* Brings the vCPU back to IDLE when something shows that it went on: what hung is told first. */
static __always_inline void settle(struct kes_vm_slot *vm, struct kes_vcpu *v)
{
	if (v->state == KES_VCPU_CALLED)
		settle_called(vm, v);
	else if (v->state == KES_VCPU_OPEN)
		/* The answer is still where the VMM wrote it unless another exit went over it;
		 * those that do not reach that far leave it (io, mmio, halt, memory fault all do).
		 */
		send_answer(vm, v,
			read_u64(exit_area(v) + __builtin_offsetof(struct kvm_run_hypercall, ret)),
			KES_F_LATE);
	conversion_over(v);
}

/* Whether the caller ran 64-bit code: others have their registers cut to 32 bits, after the
 * tracepoint (is_64_bit_hypercall() in arch/x86/kvm/x86.h). */
static __always_inline bool long_mode(u64 vcpu, const struct kes_vcpu *v)
{
	u64 arch = MEMBER(vcpu, kvm_vcpu, arch);

	if (bpf_core_field_exists(struct kvm_vcpu_arch, guest_state_protected) &&
		read_u8(MEMBER(arch, kvm_vcpu_arch, guest_state_protected)))
		return true;
	if (!(read_u64(MEMBER(arch, kvm_vcpu_arch, efer)) & EFER_LMA))
		return false;
	if (!v->cpl_readable)
		return true; /* 32-bit code under a 64-bit kernel: cannot be told here */
	return read_u16(vcpu_vmcb(vcpu) + VMCB_CS_ATTRIB) & VMCB_CS_ATTRIB_LONG;
}

/* What makes KVM call the request itself invalid, NONE if nothing does. */
static __always_inline u32 malformation(const struct kes_vcpu *v)
{
	u64 first = v->gpa >> 12;

	if (v->gpa & 0xfff)
		return KES_REASON_UNALIGNED;
	if (!v->npages)
		return KES_REASON_EMPTY;
	if (first + v->npages <= first)
		return KES_REASON_WRAP;
	return KES_REASON_NONE;
}

/* Why KVM will refuse, in KVM's own order, NONE if it will not; CPL only where it can be read.
 * Whether exits are enabled is looked up once, and again whenever something is to be refused. */
static __always_inline u32 refusal(u64 vcpu, struct kes_vcpu *v)
{
	u32 reason = malformation(v);

	if (v->cpl_readable && read_u8(vcpu_vmcb(vcpu) + VMCB_CPL))
		return KES_REASON_CPL;
	if (v->enabled && !reason)
		return KES_REASON_NONE;
	v->enabled = exits_enabled(v->kvm);
	return v->enabled ? reason : KES_REASON_DISABLED;
}

/* The guest made a conversion hypercall; vcpu is loaded by task, the current one. */
static __always_inline void conversion_called(
	struct task_struct *task, u64 vcpu, u64 nr, u64 gpa, u64 npages, u64 attrs)
{
	struct kes_vm_slot *vm;
	struct kes_vcpu *v = vcpu_find(vcpu, &vm);
	u8 flags = 0;
	u64 *call;
	u32 reason;

	if (!v)
		return;
	settle(vm, v);
	if ((nr | gpa | npages | attrs) >> 32) {
		if (long_mode(vcpu, v)) {
			flags = KES_F_LONG_MODE;
			if (nr >> 32)
				return; /* 64-bit code, another number */
		} else {
			gpa = (u32)gpa;
			npages = (u32)npages;
			attrs = (u32)attrs;
		}
	}
	v->gpa = gpa;
	v->npages = npages;
	v->attrs = attrs;
	v->request_ns = 0;
	reason = refusal(vcpu, v);
	if (reason) {
		send_refused(vm, v, reason, flags);
		return;
	}
	v->state = KES_VCPU_CALLED;
	call = bpf_task_storage_get(&caller, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (call)
		*call = vcpu;
	else
		__sync_fetch_and_add(&vm->lost[KES_CAUSE_TABLE_FULL], 1);
}

/* KVM_EXIT_HYPERCALL goes to the VMM. vcpu was proved to be the one that exits. */
static __always_inline void conversion_requested(u64 vcpu)
{
	struct kvm_run_hypercall call = {};
	struct kes_vm_slot *vm;
	struct kes_vcpu *v = vcpu_find(vcpu, &vm);
	struct kes_control *c = the_control();
	struct kes_host *h = the_host();
	struct kes_record r;

	if (!v || !h || !c)
		return; /* counted where it failed */
	if (bpf_probe_read_kernel(&call, sizeof(call), (void *)exit_area(v))) {
		__sync_fetch_and_add(&vm->lost[KES_CAUSE_UNATTRIBUTED], 1);
		return;
	}
	if (call.nr != KES_HC_MAP_GPA_RANGE)
		return;
	if (v->state == KES_VCPU_OPEN) /* the older answer lay where this request lies now */
		send_answer(vm, v, 0, KES_F_NO_ANSWER);
	v->gpa = call.args[0];
	v->npages = call.args[1];
	v->attrs = call.args[2];
	v->state = KES_VCPU_OPEN;
	if (!c->answers_hooked && !v->unhooked) {
		v->unhooked = 1;
		__sync_fetch_and_add(&h->unhooked, 1);
	}
	record_begin(&r, vm, KES_REQUEST);
	v->request_ns = r.ts_ns;
	record_conversion(&r, v);
	r.flags = (call.flags & KES_EXIT_HYPERCALL_LONG_MODE ? KES_F_LONG_MODE : 0) |
		  (v->unhooked ? KES_F_UNHOOKED : 0);
	r.conversion.request.nr = call.nr;
	record_send(&r, vm, !c->answers_hooked);
	memslots_check(vm, v->kvm, v->request_ns);
}

/* With encrypted registers what KVM has of them does not change, and such a VM cannot be reset. */
static __always_inline bool vcpu_at_reset(u64 vcpu)
{
	u64 arch = MEMBER(vcpu, kvm_vcpu, arch);

	return read_u64(MEMBER(arch, kvm_vcpu_arch, regs) + VCPU_REGS_RIP * sizeof(u64)) ==
		       KES_RESET_RIP &&
	       !(read_u64(MEMBER(arch, kvm_vcpu_arch, cr0)) & KES_CR0_PE);
}

/* A boot vCPU that enters at the reset vector and was elsewhere before: the VMM has reset the VM.
 */
static __always_inline void notice_reset(u64 vcpu, struct kes_vcpu *v)
{
	bool at_reset = vcpu_at_reset(vcpu);
	struct kes_vm_slot *vm;
	struct kes_record r;

	if (at_reset && !v->at_reset) {
		vm = vcpu_vm(v);
		if (vm) {
			record_begin(&r, vm, KES_RESET);
			r.reset.lost = records_lost(vm);
			record_send(&r, vm, true);
		}
	}
	v->at_reset = at_reset;
}

/* The VMM enters KVM_RUN: its answer, if it owed one, is in the run page. */
static __always_inline void vcpu_enters(u64 vcpu)
{
	struct kes_vm_slot *vm;
	struct kes_vcpu *v = bpf_map_lookup_elem(&vcpus, &vcpu);
	s64 ret;

	/* Of a VM that ran already the boot vCPU is known from here on, for a reset; the others
	 * when they ask. */
	if (!v && !read_u32(MEMBER(vcpu, kvm_vcpu, vcpu_id)))
		v = vcpu_add(vcpu, 0);
	if (!v)
		return;
	if (!v->vcpu)
		notice_reset(vcpu, v);
	if (v->state == KES_VCPU_IDLE)
		return;
	vm = vcpu_vm(v);
	if (!vm)
		return;
	if (v->state == KES_VCPU_CALLED) {
		settle(vm, v);
		return;
	}
	/* Open: this is the entry that follows the exit, for an exit in between would have settled
	 * it. */
	ret = read_u64(exit_area(v) + __builtin_offsetof(struct kvm_run_hypercall, ret));
	send_answer(vm, v, ret, 0);
	conversion_over(v);
}

/* Whether some vCPU may have been answered unseen, so that each exit has to be looked at. */
static __always_inline bool answers_may_be_missed(void)
{
	struct kes_control *c = the_control();
	struct kes_host *h = the_host();

	return c && h && h->unhooked != h->settled + c->written_off;
}

/* The vCPU stops again with its request still open here: the answer was not seen as it was given.
 */
static __always_inline void conversion_passed(u64 vcpu)
{
	struct kes_vm_slot *vm;
	struct kes_vcpu *v = vcpu_lookup(vcpu, &vm);

	if (v && v->state == KES_VCPU_OPEN)
		settle(vm, v);
}

#endif
