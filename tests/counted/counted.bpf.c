/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel half counts, by itself: to be driven by BPF test runs. As the programs of
 * bpf/veto.bpf.c do it, but for what they read of KVM. Nothing preempts a test run of this type, as
 * nothing preempts them.
 */
#include "vm.bpf.h"
/* after the above */
#include "counted.h"
#include "state.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, OPERATIONS);
	__type(key, u32);
	__type(value, struct operation);
} operations SEC(".maps");

static __always_inline void tell_state(struct operation *o)
{
	struct kes_state_key key = {.kvm = o->kvm, .asker = KES_BY_GUEST};
	struct kes_state *state = bpf_map_lookup_elem(&states, &key);

	o->shared = state ? state->policy.shared : 0;
	o->leaves = state ? state->leaves : 0;
	o->flights = state ? state->flights : 0;
}

/* on_gate */
static __always_inline void request(struct operation *o)
{
	struct kes_policed which = {.set = o->set, .serial = o->serial, .counting = o->counting};
	struct decision d = {.kvm = o->kvm};
	struct kes_rule_set *set = bpf_map_lookup_elem(&rule_sets, &which.set);
	bool counts = which.counting && o->kind == REQUEST;

	if (!set)
		return;
	d.ask.asker = KES_BY_GUEST;
	d.ask.now_ns = o->now_ns;
	d.ask.nr = 12;
	d.ask.what = o->what;
	d.ask.gfn = o->gfn;
	d.ask.npages = o->npages;
	judge_guest(set, &which, o->kvm, o->vcpu, o->memory, &d, counts);
	o->action = d.verdict.action;
	o->rule = d.verdict.rule;
	o->flags = d.flags;
	o->more = d.ask.more;
}

/* on_entry */
static __always_inline void answer(struct operation *o)
{
	struct kes_state_key state_key = {.kvm = o->kvm, .asker = KES_BY_GUEST};
	struct kes_flight_key key = {.kvm = o->kvm, .vcpu = o->vcpu};
	struct kes_state *state = bpf_map_lookup_elem(&states, &state_key);
	struct kes_flight *flight = bpf_map_lookup_elem(&flights, &key);

	if (flight && flight->status == KES_FLIGHT_PENDING)
		land(state, flight, o->vcpu, o->status);
}

static __always_inline void reset(struct operation *o)
{
	struct kes_state_key key = {.kvm = o->kvm, .asker = KES_BY_GUEST};
	struct kes_state *state = bpf_map_lookup_elem(&states, &key);

	if (state)
		state->reset = 1;
}

SEC("raw_tp")
int operate(const u64 *arguments)
{
	u32 index = arguments[0];
	struct operation *o = bpf_map_lookup_elem(&operations, &index);

	if (!o)
		return 0;
	if (o->kind == REQUEST || o->kind == IMPOSSIBLE)
		request(o);
	if (o->kind == ANSWER)
		answer(o);
	if (o->kind == RESET)
		reset(o);
	if (o->kind == GONE)
		forget_state(o->kvm, o->vcpus);
	tell_state(o);
	o->done = 1;
	return 0;
}
