/* SPDX-License-Identifier: GPL-2.0-only */
/* What the veto goes by: rules, which VM has which, and the account of what came of them. These
 * tables are pinned where enforcement outlives the tool. */
#ifndef BPF_POLICY_H
#define BPF_POLICY_H

#include "veto.h"
#include "vm.bpf.h"

#define SIGKILL   9
#define SIGSTOP   19
#define EPERM     1
#define MAX_ERRNO 4095

/* Rule sets, as many as VMs have different ones. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KES_MAX_SETS);
	__type(key, u32);
	__type(value, struct kes_rule_set);
} rule_sets SEC(".maps");

/* How often each rule decided: rule_sets' index * KES_RULES + the rule's */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KES_MAX_SETS *KES_RULES);
	__type(key, u32);
	__type(value, struct kes_rule_count);
} rule_counts SEC(".maps");

/* struct kvm * -> which of them */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u64);
	__type(value, struct kes_policed);
} policed SEC(".maps");

/* struct kvm * -> VMs whose vCPUs stay out of the guest */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u64);
	__type(value, struct kes_frozen);
} frozen SEC(".maps");

/* struct kvm * -> since when no rule refuses it anything: what one would have is told. By the C
 * half */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u64);
	__type(value, u64);
} monitored SEC(".maps");

/* struct kvm * -> how often it was refused something: for people */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u64);
	__type(value, struct kes_denials);
} denials SEC(".maps");

/* Only for people, written and read by the C half: they are here to be pinned with the others. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u64);
	__type(value, struct kes_vm_label);
} labels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KES_FILES);
	__type(key, u32);
	__type(value, char[KES_TEXT_LIMIT]);
} files SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_veto);
} veto SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_veto_totals);
} veto_totals SEC(".maps");

static __always_inline struct kes_veto *the_veto(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&veto, &zero);
}

static __always_inline struct kes_veto_totals *the_totals(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&veto_totals, &zero);
}

/* While it is proved that a veto refuses, only the tool's own guest is asked about: its VMM is a
 * child of the tool. */
static __always_inline bool is_canary(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct kes_host *h = the_host();

	return h && (u32)BPF_CORE_READ(task, real_parent, tgid) == h->tool;
}

/* What holds for the VM. Until it has been given rules, those for every VM of its type hold. */
static __always_inline struct kes_policed find_policed(const struct kes_veto *v, u64 kvm)
{
	struct kes_policed none = {}, *found;
	u32 type;

	if (v->proving)
		return is_canary() ? v->standard[0] : none;
	found = bpf_map_lookup_elem(&policed, &kvm);
	if (found)
		return *found;
	type = vm_type(kvm);
	return v->standard[type < KES_VM_TYPE_MAX ? type : KES_VM_TYPE_MAX];
}

/* NULL: no rule holds, all is allowed. */
static __always_inline struct kes_rule_set *find_rules(
	const struct kes_veto *v, u64 kvm, struct kes_policed *ret)
{
	struct kes_rule_set *set;
	u32 index;

	*ret = find_policed(v, kvm);
	index = ret->set;
	set = bpf_map_lookup_elem(&rule_sets, &index);
	return set && (set->n_rules || set->unreadable) ? set : NULL;
}

/* Whether a rule of the mask is enforced, and refuses. */
__noinline int refuses_any(const struct kes_rule_set *set, u64 mask)
{
	int any = 0;

	if (!set)
		return 0;
	for (u32 i = 0; i < KES_RULES; i++)
		any |= mask >> i & (set->rules[i].mode == KES_ENFORCE) &
		       (set->rules[i].action >= KES_DENY);
	return any;
}

/* A VM that is only monitored gets what it asks for, and what would have become of it is noted. */
static __noinline int relent(struct kes_verdict *verdict, u64 kvm)
{
	if (!verdict || verdict->action < KES_DENY || !bpf_map_lookup_elem(&monitored, &kvm))
		return 0;
	if (verdict->monitored == KES_NO_RULE) {
		verdict->would = verdict->action;
		verdict->monitored = verdict->rule;
	}
	verdict->action = KES_ALLOW;
	verdict->rule = KES_NO_RULE;
	return 0;
}

/* The verifier follows it once, wherever it is used. */
__noinline int evaluate(const struct kes_rule_set *set, struct kes_policy_state *state,
	const struct kes_ask *ask, struct kes_verdict *ret)
{
	if (!set || !state || !ask || !ret)
		return 0;
	*ret = kes_evaluate(set, state, ask);
	return 0;
}

/* ---- what was decided ---- */

static __always_inline void count_rule(u32 set, u8 rule, bool monitored)
{
	u32 at = set * KES_RULES + rule;
	struct kes_rule_count *count;

	if (rule >= KES_RULES)
		return;
	count = bpf_map_lookup_elem(&rule_counts, &at);
	if (count)
		__sync_fetch_and_add(monitored ? &count->monitored : &count->decided, 1);
}

static __always_inline void count_denial(u64 kvm, const struct kes_verdict *verdict)
{
	bool refused = verdict->action >= KES_DENY;
	struct kes_denials *count, none = {};

	if (!refused && verdict->would < KES_DENY)
		return;
	count = bpf_map_lookup_elem(&denials, &kvm);
	if (!count) {
		bpf_map_update_elem(&denials, &kvm, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&denials, &kvm);
	}
	if (count)
		__sync_fetch_and_add(refused ? &count->refused : &count->spared, 1);
}

static __always_inline const struct kes_rule *rule_of(const struct kes_rule_set *set, u8 rule)
{
	return rule < KES_RULES ? &set->rules[rule & (KES_RULES - 1)] : NULL;
}

/* What a VMM's call gets that is refused. All 64 bits of it are in what an LSM may return, which
 * the verifier wants to see. */
static __always_inline long refusal_errno(const struct kes_rule_set *set, u8 rule)
{
	const struct kes_rule *r = rule_of(set, rule);
	long err = r && r->action == KES_DENY ? r->err : -EPERM;

	KES_HIDE(err);
	return err < 0 && err >= -MAX_ERRNO ? err : -EPERM;
}

/* A verdict and what it is about. */
struct decision {
	u64 kvm;
	struct kes_ask ask;
	struct kes_verdict verdict;
	u32 attrs;
	u8 flags; /* kes_verdict_flag */
};

static __always_inline bool is_worth_telling(const struct decision *d)
{
	return d->verdict.action != KES_ALLOW || d->verdict.monitored != KES_NO_RULE ||
	       d->flags & (KES_F_UNREADABLE | KES_F_BEYOND | KES_F_BUSY | KES_F_REPLACED);
}

static __always_inline void fill_verdict(
	struct kes_record *r, const struct decision *d, const struct kes_rule_set *set, u32 serial)
{
	const struct kes_rule *rule = rule_of(set, d->verdict.rule);
	const struct kes_rule *would = rule_of(set, d->verdict.monitored);

	r->flags = d->flags;
	r->judgement.gpa = d->ask.gfn << 12;
	r->judgement.npages = d->ask.npages;
	r->judgement.attrs = d->attrs;
	r->judgement.nr = d->ask.nr < 65535 ? d->ask.nr : 65535;
	r->judgement.action = d->verdict.action;
	r->judgement.would = d->verdict.would;
	r->judgement.set = serial;
	if (rule) {
		r->judgement.line = rule->line;
		r->judgement.file = rule->file;
	}
	if (would) {
		r->judgement.would_line = would->line;
		r->judgement.would_file = would->file;
	}
	if (d->flags & KES_F_CHANGE && !(d->flags & KES_F_REPLACED) &&
		d->verdict.action >= KES_DENY)
		r->judgement.err = -refusal_errno(set, d->verdict.rule);
}

/* ---- reactions ---- */

/* The whole VMM stops, so that no vCPU stays in the guest; the C half lets it go on, and then
 * KVM_RUN fails. While there is no tool to do that, it stays stopped. A proof is about KVM_RUN. */
static __always_inline void freeze(const struct kes_veto *v, u64 kvm)
{
	struct kes_frozen entry = {
		.since_ns = bpf_ktime_get_ns(), .pid = bpf_get_current_pid_tgid() >> 32};

	if (!bpf_map_update_elem(&frozen, &kvm, &entry, BPF_NOEXIST) && !v->proving)
		bpf_send_signal(SIGSTOP); /* else its vCPUs are out already */
}

static __always_inline void react(const struct kes_veto *v, u8 action, u64 kvm)
{
	if (action == KES_FREEZE)
		freeze(v, kvm);
	else if (action == KES_KILL)
		bpf_send_signal(SIGKILL);
}

#endif
