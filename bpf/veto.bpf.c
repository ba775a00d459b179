/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The veto.
 *
 * Level 2, the gate: gate/'s module asks about each hypercall before KVM acts on it. What is
 * refused fails in the guest, and the VMM never hears of it.
 *
 * Level 1, on stock kernels: the VMM's ioctl that changes memory attributes fails, and so does
 * KVM_RUN of a VM that is frozen. As a fmod_ret program, or as an LSM's, which may sleep.
 *
 * It shares the tables of observe.bpf.c, but needs no program of it, so that it may outlive them.
 */
#include "change.bpf.h"
#include "conversion.bpf.h"
#include "state.bpf.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define EINTR   4
#define REFUSED 1 /* any value refuses: the module gives the guest its own */

/* ---- the request and the answer of the policy ---- */

static __always_inline u64 vm_memory(u64 kvm)
{
	return bpf_core_field_exists(((struct kvm *)0)->nr_memslot_pages)
		       ? read_u64(MEMBER(kvm, kvm, nr_memslot_pages))
		       : 0;
}

/* Whether KVM will let a guest's conversion through: else it makes nothing shared. */
static __always_inline bool is_valid(u64 kvm, const struct kes_ask *ask, u64 gpa)
{
	return !(gpa & 0xfff) && ask->npages && ask->gfn + ask->npages > ask->gfn && !ask->cpl &&
	       exits_enabled(kvm);
}

static __always_inline void note(u64 kvm, const struct kes_rule_set *set,
	const struct kes_policed *which, const struct decision *d, u16 vcpu)
{
	struct kes_vm_slot *vm;
	struct kes_record r;
	u32 slot;

	if (!is_worth_telling(d))
		return;
	if (d->verdict.action != KES_ALLOW)
		count_rule(which->set, d->verdict.rule, false);
	count_rule(which->set, d->verdict.monitored, true);
	count_denial(kvm, &d->verdict);
	vm = vm_lookup(kvm, &slot);
	if (!vm)
		vm = vm_add(kvm, bpf_get_current_task_btf(), 0, &slot);
	if (!vm)
		return; /* counted there */
	record_begin(&r, vm, KES_VERDICT);
	r.vcpu = vcpu;
	fill_verdict(&r, d, set, which->serial);
	record_send(&r, vm, d->verdict.action >= KES_DENY);
}

/* ---- level 2: a guest's hypercall. Nothing preempts it: the module sees to that ---- */

static __always_inline void fill_request(
	struct decision *d, const struct kes_rule_set *set, u64 vcpu, u64 nr, u64 gpa, u64 npages)
{
	d->ask.asker = KES_BY_GUEST;
	d->ask.now_ns = bpf_ktime_get_ns();
	d->ask.nr = nr < 65535 ? nr : 65535;
	if ((set->users | set->limiting) && vcpu_is_svm(vcpu))
		d->ask.cpl = read_u8(vcpu_vmcb(vcpu) + VMCB_CPL);
	d->ask.what = KES_ASK_OTHER;
	if (nr != KES_HC_MAP_GPA_RANGE)
		return;
	d->ask.gfn = gpa >> 12;
	d->ask.npages = npages;
	d->ask.what = d->attrs & KES_MAP_GPA_ENCRYPTED ? KES_ASK_PRIVATE : KES_ASK_SHARED;
}

SEC("fmod_ret/security_kvm_encstat_gate")
int BPF_PROG(on_gate, struct kvm_vcpu *kvm_vcpu, unsigned long nr, unsigned long a0,
	unsigned long a1, unsigned long a2, unsigned long a3, int ret)
{
	u64 vcpu = (u64)kvm_vcpu, kvm;
	struct kes_veto_totals *totals = the_totals();
	struct kes_veto *v = the_veto();
	struct decision d = {.attrs = (u32)a2};
	struct kes_policed which;
	struct kes_rule_set *set;
	bool counts;
	u32 index;

	if (ret || !v || !totals)
		return ret;
	__sync_fetch_and_add(&totals->hypercalls, 1);
	kvm = read_u64(MEMBER(vcpu, kvm_vcpu, kvm));
	if (v->freezing && bpf_map_lookup_elem(&frozen, &kvm))
		return REFUSED; /* it is still in the guest, on its way out */
	set = find_rules(v, kvm, &which);
	if (!set)
		return 0;
	d.kvm = kvm;
	fill_request(&d, set, vcpu, nr, a0, a1);
	index = read_u32(MEMBER(vcpu, kvm_vcpu, vcpu_idx));
	counts = which.counting && d.ask.what != KES_ASK_OTHER && is_valid(kvm, &d.ask, a0);
	judge_guest(set, &which, kvm, index, counts ? vm_memory(kvm) : 0, &d, counts);
	note(kvm, set, &which, &d, read_u32(MEMBER(vcpu, kvm_vcpu, vcpu_id)));
	if (d.verdict.action >= KES_DENY) {
		react(v, d.verdict.action, kvm);
		return REFUSED;
	}
	return 0;
}

/* Whether KVM waits for the VMM to complete something: a VMM may write what it likes into the run
 * page, but not that. */
static __always_inline bool is_to_complete(u64 vcpu)
{
	return read_u64(MEMBER(MEMBER(vcpu, kvm_vcpu, arch), kvm_vcpu_arch, complete_userspace_io));
}

/* What the VMM answered is in the run page, if this is about the request that was let through:
 * other exits that are to be completed have other things where it is. */
static __always_inline u32 answer_of(u64 vcpu, const struct kes_flight *flight)
{
	u64 run = read_u64(MEMBER(vcpu, kvm_vcpu, run));
	struct kvm_run_hypercall call = {};

	if (!is_to_complete(vcpu) ||
		bpf_probe_read_kernel(&call, sizeof(call), (void *)(run + KVM_RUN_EXIT_OFFSET)))
		return KES_FLIGHT_FAILED;
	return call.nr == KES_HC_MAP_GPA_RANGE && call.args[0] >> 12 == flight->gfn &&
			       call.args[1] == flight->npages && !call.ret
		       ? KES_FLIGHT_DONE
		       : KES_FLIGHT_FAILED;
}

/* A boot vCPU at the reset vector that was elsewhere: all that was shared begins anew. */
static __always_inline void notice_vm_reset(u64 vcpu, struct kes_state *state)
{
	bool at_reset = vcpu_at_reset(vcpu);

	if (at_reset && !state->at_reset)
		state->reset = 1;
	state->at_reset = at_reset;
}

/* A VMM may let KVM complete what a vCPU's last exit began, without entering the guest: a frozen VM
 * that is saved then is whole. */
static __always_inline bool only_completes(u64 vcpu)
{
	if (bpf_core_field_exists(((struct kvm_vcpu *)0)->wants_to_run))
		return !read_u8(MEMBER(vcpu, kvm_vcpu, wants_to_run));
	return read_u8(read_u64(MEMBER(vcpu, kvm_vcpu, run)) + KVM_RUN_IMMEDIATE_EXIT);
}

/* KVM looks for a signal before it enters the guest: who asked to complete, and changed that once
 * it was let through, is stopped here. */
static __always_inline void keep_out(u64 vcpu, u64 kvm)
{
	struct kes_frozen *entry = bpf_map_lookup_elem(&frozen, &kvm);

	if (!entry || only_completes(vcpu))
		return;
	entry->resumed = 0;
	bpf_send_signal(SIGSTOP);
}

/* The VMM enters KVM_RUN. */
SEC("fentry/kvm_arch_vcpu_ioctl_run")
int BPF_PROG(on_entry, struct kvm_vcpu *kvm_vcpu)
{
	u64 vcpu = (u64)kvm_vcpu;
	struct kes_flight_key key = {.kvm = read_u64(MEMBER(vcpu, kvm_vcpu, kvm))};
	struct kes_state_key state_key = {.kvm = key.kvm, .asker = KES_BY_GUEST};
	struct kes_state *state = bpf_map_lookup_elem(&states, &state_key);
	struct kes_flight *flight;

	keep_out(vcpu, key.kvm);
	key.vcpu = read_u32(MEMBER(vcpu, kvm_vcpu, vcpu_idx));
	if (state && !key.vcpu)
		notice_vm_reset(vcpu, state);
	flight = bpf_map_lookup_elem(&flights, &key);
	if (!flight || flight->status != KES_FLIGHT_PENDING)
		return 0;
	land(state, flight, key.vcpu, answer_of(vcpu, flight));
	return 0;
}

/* The VM is gone, and another one may come where it was. */
SEC("fentry/kvm_arch_destroy_vm")
int BPF_PROG(on_gone, struct kvm *vm)
{
	u64 kvm = (u64)vm;

	bpf_map_delete_elem(&policed, &kvm);
	bpf_map_delete_elem(&labels, &kvm);
	bpf_map_delete_elem(&frozen, &kvm);
	bpf_map_delete_elem(&monitored, &kvm);
	bpf_map_delete_elem(&denials, &kvm);
	forget_state(kvm, read_u32(MEMBER(kvm, kvm, created_vcpus)));
	return 0;
}

/* ---- level 1: the VMM's ioctls ---- */

static __always_inline long refuse_run(const struct kes_veto *v, struct file *file)
{
	u64 vcpu = (u64)BPF_CORE_READ(file, private_data);
	struct kes_veto_totals *totals = the_totals();
	u64 kvm;

	if (!v->freezing)
		return 0;
	kvm = read_u64(MEMBER(vcpu, kvm_vcpu, kvm));
	if (!bpf_map_lookup_elem(&frozen, &kvm) || file_kind(file) != FILE_VCPU ||
		read_u8(read_u64(MEMBER(vcpu, kvm_vcpu, run)) + KVM_RUN_IMMEDIATE_EXIT))
		return 0;
	if (totals)
		__sync_fetch_and_add(&totals->kept_out, 1);
	return -EINTR; /* all VMMs take that for "once more": docs/veto-vmms.md */
}

/* What a VMM's change is judged by, and on whose account. */
static __always_inline void judge_change(const struct kes_veto *v, const struct kes_rule_set *set,
	const struct kes_policed *which, u64 kvm, struct decision *d)
{
	struct kes_state *state;

	if (!set->pacing) {
		judge_plainly(set, d);
		return;
	}
	state = state_of(kvm, v->gate ? KES_BY_VMM : d->ask.asker);
	if (!state) {
		judge_without_state(set, set->pacing, d, KES_F_BEYOND);
		return;
	}
	if (!state_lock(state)) {
		judge_without_state(set, set->pacing, d, KES_F_BUSY);
		return;
	}
	refresh_buckets(state, which);
	evaluate(set, &state->policy, &d->ask, &d->verdict);
	relent(&d->verdict, kvm);
	state_unlock(state);
}

/* Nobody knows what it is about. */
static __always_inline void judge_unreadable(const struct kes_rule_set *set, struct decision *d)
{
	struct kes_veto_totals *totals = the_totals();

	d->verdict = (struct kes_verdict){KES_ALLOW, KES_NO_RULE, KES_ALLOW, KES_NO_RULE};
	d->flags |= KES_F_UNREADABLE;
	if (set->unreadable)
		d->verdict.action = KES_DENY;
	relent(&d->verdict, d->kvm);
	if (totals)
		__sync_fetch_and_add(d->verdict.action >= KES_DENY ? &totals->unreadable_refused
								   : &totals->unreadable_passed,
			1);
}

static __always_inline void describe_change(
	struct decision *d, u64 kvm, const struct memory_attributes *arguments)
{
	fill_change(&d->ask, kvm, arguments);
	d->attrs = (u32)arguments->attributes;
	d->ask.now_ns = bpf_ktime_get_ns();
	if (d->ask.asker == KES_BY_VMM)
		d->flags |= KES_F_BY_VMM;
}

static __always_inline void remember_arguments(const struct memory_attributes *arguments)
{
	u64 key = (u64)bpf_get_current_task_btf();

	bpf_map_update_elem(&judged, &key, arguments, BPF_ANY);
}

static __always_inline long decide_change(
	const struct kes_veto *v, u64 kvm, const struct memory_attributes *arguments)
{
	struct decision d = {.kvm = kvm, .flags = KES_F_CHANGE};
	struct kes_veto_totals *totals = the_totals();
	struct kes_policed which;
	struct kes_rule_set *set = find_rules(v, kvm, &which);

	if (!set || !vm_was_entered(kvm))
		return 0; /* what is done before the guest runs is its launch */
	if (totals)
		__sync_fetch_and_add(&totals->changes, 1);
	if (arguments) {
		remember_arguments(arguments);
		describe_change(&d, kvm, arguments);
		if (v->gate && d.ask.asker == KES_BY_GUEST && was_let_through(kvm, &d.ask))
			return 0; /* it was judged when the guest asked */
		judge_change(v, set, &which, kvm, &d);
	} else {
		judge_unreadable(set, &d);
	}
	note(kvm, set, &which, &d, 0);
	if (d.verdict.action < KES_DENY)
		return 0;
	react(v, d.verdict.action, kvm);
	return refusal_errno(set, d.verdict.rule);
}

/* The VM whose guest_memfd it is. */
static __always_inline u64 gmem_vm(struct file *file)
{
	u64 gmem = (u64)BPF_CORE_READ(file, private_data);

	return bpf_core_type_exists(struct kvm_gmem) ? read_u64(MEMBER(gmem, kvm_gmem, kvm)) : 0;
}

/* sleeps: so that an argument that is not in memory is read, too. */
static __always_inline long on_vm_ioctl(struct file *file, u32 cmd, u64 arg, bool sleeps)
{
	struct memory_attributes arguments;
	struct kes_veto *v = the_veto();
	long r;

	if (!v)
		return 0;
	if (cmd == KES_KVM_RUN)
		return refuse_run(v, file);
	if (cmd == KES_SET_MEMORY_ATTRIBUTES2)
		return file_kind(file) == FILE_GMEM ? decide_change(v, gmem_vm(file), NULL) : 0;
	if (file_kind(file) != FILE_VM)
		return 0;
	r = sleeps ? bpf_copy_from_user(&arguments, sizeof(arguments), (void *)arg)
		   : bpf_probe_read_user(&arguments, sizeof(arguments), (void *)arg);
	return decide_change(v, (u64)BPF_CORE_READ(file, private_data), r ? NULL : &arguments);
}

SEC("fmod_ret/security_file_ioctl")
int BPF_PROG(on_ioctl, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret || !is_ours(cmd) ? ret : on_vm_ioctl(file, cmd, arg, false);
}

/* 32-bit callers, from 6.8 (and 6.1.75, 6.6.14) on: before they come the other way. */
SEC("fmod_ret/security_file_ioctl_compat")
int BPF_PROG(on_compat_ioctl, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return ret || !is_ours(cmd) ? ret : on_vm_ioctl(file, cmd, arg, false);
}

/* An LSM's program is never passed over, and this one may sleep. */
SEC("lsm.s/file_ioctl")
long BPF_PROG(lsm_ioctl, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return is_ours(cmd) ? on_vm_ioctl(file, cmd, arg, true) : 0;
}

/* The same where programs that sleep may not have our tables: before 6.2. */
SEC("lsm/file_ioctl")
long BPF_PROG(lsm_plain_ioctl, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return is_ours(cmd) ? on_vm_ioctl(file, cmd, arg, false) : 0;
}

SEC("lsm/file_ioctl_compat")
long BPF_PROG(lsm_compat_ioctl, struct file *file, unsigned int cmd, unsigned long arg, int ret)
{
	return is_ours(cmd) ? on_vm_ioctl(file, cmd, arg, false) : 0;
}

/* ---- what KVM took, under its lock: too late to refuse, but not to tell ---- */

/* A VMM that changes its arguments after they were judged is caught here. What it was not allowed
 * came to be, so that the VM is frozen. */
SEC("fentry/kvm_range_has_memory_attributes")
int BPF_PROG(on_taken, struct kvm *vm, u64 start, u64 end, u64 mask, u64 attributes)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 key = (u64)task, kvm = (u64)vm;
	struct memory_attributes *seen,
		taken = {.gpa = start << 12, .size = (end - start) << 12, .attributes = attributes};
	struct decision d = {.kvm = kvm, .flags = KES_F_CHANGE | KES_F_REPLACED};
	struct kes_veto_totals *totals = the_totals();
	struct kes_veto *v = the_veto();
	struct kes_policed which;
	struct kes_rule_set *set;
	bool same;

	seen = bpf_map_lookup_elem(&judged, &key);
	if (!seen || !v || !in_call(task))
		return 0;
	same = seen->gpa == taken.gpa && seen->size == taken.size && seen->attributes == attributes;
	bpf_map_delete_elem(&judged, &key);
	set = same ? NULL : find_rules(v, kvm, &which);
	if (!set)
		return 0;
	describe_change(&d, kvm, &taken);
	judge_plainly(set, &d);
	if (d.verdict.action < KES_DENY)
		return 0;
	d.verdict.action = KES_FREEZE;
	if (totals)
		__sync_fetch_and_add(&totals->replaced, 1);
	note(kvm, set, &which, &d, 0);
	freeze(v, kvm);
	return 0;
}
