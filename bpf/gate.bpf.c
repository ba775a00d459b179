/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The veto: a program on the function of gate/'s module, which is asked about each hypercall before
 * KVM acts on it. What it returns but 0 makes the hypercall fail in the guest, and the VMM never
 * hears of it. It shares the tables of observe.bpf.c.
 */
#include "conversion.bpf.h"

#include <bpf/bpf_tracing.h>

#include "verdict.h"

char LICENSE[] SEC("license") = "GPL";

#define KVM_EPERM 1 /* any value refuses: the module gives the guest its own */
#define SIGKILL   9

/* Rule sets, as many as VMs have different ones. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KES_MAX_SETS);
	__type(key, u32);
	__type(value, struct kes_rule_set);
} rule_sets SEC(".maps");

/* struct kvm * -> which of them */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u64);
	__type(value, struct kes_policed);
} policed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_gate);
} gate SEC(".maps");

/* No rule that is enforced keeps anything: the C half sees to that. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_policy_state);
} no_state SEC(".maps");

/* While it is proved that the gate refuses, only the tool's own guest is asked about: its VMM is a
 * child of the tool. */
static __always_inline bool is_canary(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kes_host *h = the_host();

	return h && (u32)BPF_CORE_READ(task, real_parent, tgid) == h->tool;
}

/* The rule set of the VM; 0: none, all is allowed. Until it has been given one, what holds for
 * every VM holds. */
static __always_inline struct kes_policed find_policed(const struct kes_gate *g, u64 kvm)
{
	struct kes_policed none = {}, *found;
	struct kes_vm_slot *vm;
	u32 slot;

	if (g->proving)
		return is_canary() ? g->standard : none;
	found = bpf_map_lookup_elem(&policed, &kvm);
	vm = found ? vm_lookup(kvm, &slot) : NULL;
	return vm && vm->id == found->vm ? *found : g->standard;
}

static __always_inline void fill_ask(
	struct kes_ask *ask, u64 vcpu, u64 nr, u64 gpa, u64 npages, u64 attrs)
{
	struct kes_vm_slot *vm;
	struct kes_vcpu *v = vcpu_lookup(vcpu, &vm);

	ask->asker = KES_BY_GUEST;
	ask->nr = nr;
	ask->cpl = v && v->cpl_readable ? read_u8(vcpu_vmcb(vcpu) + VMCB_CPL) : 0;
	ask->what = KES_ASK_OTHER;
	if (nr != KES_HC_MAP_GPA_RANGE)
		return;
	ask->gfn = gpa >> 12;
	ask->npages = npages;
	ask->what = attrs & KES_MAP_GPA_ENCRYPTED ? KES_ASK_PRIVATE : KES_ASK_SHARED;
}

static __always_inline u32 line_of(const struct kes_rule_set *set, u8 rule)
{
	return rule < KES_RULES ? set->rules[rule & (KES_RULES - 1)].line : 0;
}

/* Tells what was decided, where there is something to tell. */
static __always_inline void send_verdict(u64 vcpu, const struct kes_rule_set *set, u32 serial,
	const struct kes_ask *ask, const struct kes_verdict *verdict, u64 attrs)
{
	struct kes_vm_slot *vm;
	struct kes_vcpu *v;
	struct kes_record r;

	if (verdict->action == KES_ALLOW && verdict->monitored == KES_NO_RULE)
		return;
	v = vcpu_find(vcpu, &vm);
	if (!v)
		return; /* counted there */
	record_begin(&r, vm, KES_VERDICT);
	r.vcpu = v->vcpu;
	r.judgement.gpa = ask->gfn << 12;
	r.judgement.npages = ask->npages;
	r.judgement.attrs = (u32)attrs;
	r.judgement.nr = ask->nr;
	r.judgement.action = verdict->action;
	r.judgement.would = verdict->would;
	r.judgement.rule = verdict->rule;
	r.judgement.monitored = verdict->monitored;
	r.judgement.line = line_of(set, verdict->rule);
	r.judgement.would_line = line_of(set, verdict->monitored);
	r.judgement.set = serial;
	record_send(&r, vm, verdict->action >= KES_DENY);
}

SEC("fmod_ret/security_kvm_encstat_gate")
int BPF_PROG(on_gate, struct kvm_vcpu *kvm_vcpu, unsigned long nr, unsigned long a0,
	unsigned long a1, unsigned long a2, unsigned long a3, int ret)
{
	u32 zero = 0, index;
	struct kes_gate *g = bpf_map_lookup_elem(&gate, &zero);
	struct kes_policy_state *state = bpf_map_lookup_elem(&no_state, &zero);
	u64 vcpu = (u64)kvm_vcpu;
	struct kes_policed which;
	struct kes_verdict verdict;
	struct kes_rule_set *set;
	struct kes_ask ask = {};

	if (ret || !g || !state)
		return ret;
	__sync_fetch_and_add(&g->asked, 1);
	which = find_policed(g, read_u64(MEMBER(vcpu, kvm_vcpu, kvm)));
	index = which.set;
	set = bpf_map_lookup_elem(&rule_sets, &index);
	if (!set || !set->n_rules)
		return 0;
	fill_ask(&ask, vcpu, nr, a0, a1, a2);
	verdict = kes_evaluate(set, state, &ask);
	send_verdict(vcpu, set, which.serial, &ask, &verdict, a2);
	if (verdict.action == KES_KILL)
		bpf_send_signal(SIGKILL);
	return verdict.action >= KES_DENY ? KVM_EPERM : 0;
}
