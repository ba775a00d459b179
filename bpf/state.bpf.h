/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What rules about rates and amounts have to remember of a VM: its buckets, what of it is counted
 * as shared, and the requests of its vCPUs that are on their way.
 */
#ifndef BPF_STATE_H
#define BPF_STATE_H

#include "policy.bpf.h"

#include "counted.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, struct kes_state_key);
	__type(value, struct kes_state);
} states SEC(".maps");

/* An empty one to copy; and its policy part serves where no rule keeps anything. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_state);
} no_state SEC(".maps");

/* struct kvm * -> frames that were shared when its baseline was taken: by the C half */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u64);
	__type(value, u64);
} baselines SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VCPUS);
	__type(key, struct kes_flight_key);
	__type(value, struct kes_flight);
} flights SEC(".maps");

/* The VM's, made when it is asked for first. NULL: there is no room. */
static __noinline struct kes_state *state_of(u64 kvm, u32 asker)
{
	struct kes_state_key key = {.kvm = kvm, .asker = asker};
	struct kes_state *state = bpf_map_lookup_elem(&states, &key);
	u32 zero = 0;

	if (state)
		return state;
	state = bpf_map_lookup_elem(&no_state, &zero);
	if (state)
		bpf_map_update_elem(&states, &key, state, BPF_NOEXIST);
	return bpf_map_lookup_elem(&states, &key);
}

/* ---- the lock: held for some microseconds, by programs that cannot be preempted ---- */

#define LOCK_TRIES (1 << 23) /* some 50 ms; more than any holder takes */

struct lock_attempt {
	struct kes_state *state;
	bool taken;
};

static long lock_step(u32 step, struct lock_attempt *attempt)
{
	attempt->taken = !__sync_val_compare_and_swap(&attempt->state->lock, 0, 1);
	return attempt->taken;
}

static __always_inline bool state_lock(struct kes_state *state)
{
	struct lock_attempt attempt = {.state = state};

	bpf_loop(LOCK_TRIES, lock_step, &attempt, 0);
	return attempt.taken;
}

static __always_inline void state_unlock(struct kes_state *state)
{
	__sync_val_compare_and_swap(&state->lock, 1, 0);
}

/* ---- requests on their way ---- */

/* One of them is over: what became of it is counted. */
static __noinline int settle_flight(struct kes_state *state, u64 kvm, u32 vcpu)
{
	struct kes_flight_key key = {.kvm = kvm, .vcpu = vcpu};
	struct kes_flight *flight = bpf_map_lookup_elem(&flights, &key);
	u64 n;

	if (!state || !flight || !flight->counted)
		return 0;
	flight->counted = 0;
	if (state->pending)
		state->pending--;
	n = count_pages(state, kvm, flight->gfn, flight->npages,
		flight->status == KES_FLIGHT_DONE ? COUNT_PRIVATE : COUNT_ANYTHING);
	if (flight->status == KES_FLIGHT_DONE)
		state->policy.shared -= n < state->policy.shared ? n : state->policy.shared;
	return 0;
}

struct settling {
	struct kes_state *state;
	u64 kvm, mask;
	u32 first; /* index of the vCPU that bit 0 is */
};

static long settle_step(u32 step, struct settling *settling)
{
	if (!settling->mask)
		return 1;
	settle_flight(settling->state, settling->kvm, settling->first + kes_lowest(settling->mask));
	settling->mask &= settling->mask - 1;
	return 0;
}

/* All that were answered since. */
static __noinline int settle_answered(struct kes_state *state, u64 kvm)
{
	struct settling settling = {.state = state, .kvm = kvm};

	if (!state)
		return 0;
	for (u32 i = 0; i < KES_MAX_COUNTED_VCPUS / 64; i++) {
		if (!state->answered[i])
			continue;
		settling.mask = __sync_fetch_and_and(&state->answered[i], 0);
		settling.first = i * 64;
		bpf_loop(64, settle_step, &settling, 0);
	}
	return 0;
}

struct landing {
	u64 kvm;
};

static long drop_flight_step(u32 vcpu, struct landing *landing)
{
	struct kes_flight_key key = {.kvm = landing->kvm, .vcpu = vcpu};

	bpf_map_delete_elem(&flights, &key);
	return 0;
}

static __noinline int drop_flights(u64 kvm, u32 vcpus)
{
	struct landing landing = {.kvm = kvm};

	bpf_loop(vcpus, drop_flight_step, &landing, 0);
	return 0;
}

/* The vCPU's request goes on to KVM. */
static __always_inline void take_off(u64 kvm, u32 vcpu, const struct kes_ask *ask, bool counted)
{
	struct kes_flight_key key = {.kvm = kvm, .vcpu = vcpu};
	struct kes_flight flight = {
		.gfn = ask->gfn,
		.npages = ask->npages,
		.what = ask->what,
		.status = KES_FLIGHT_PENDING,
		.counted = counted,
	};

	bpf_map_update_elem(&flights, &key, &flight, BPF_ANY);
}

/* ---- a request, under the lock ---- */

__noinline int empty_buckets(struct kes_policy_state *state)
{
	if (!state)
		return 0;
	for (u32 i = 0; i < KES_RULES; i++) {
		state->conversions[i] = (struct kes_bucket){};
		state->pages[i] = (struct kes_bucket){};
		barrier(); /* else it becomes a call of memset(), which there is none */
	}
	return 0;
}

/* Buckets are of a rule set: another one begins with empty ones. */
static __always_inline void refresh_buckets(
	struct kes_state *state, const struct kes_policed *which)
{
	if (state->set == which->set && state->serial == which->serial)
		return;
	state->set = which->set;
	state->serial = which->serial;
	empty_buckets(&state->policy);
}

/* What was counted before a reset, or before some time in which nobody counted, does not count. */
static __noinline int refresh_count(struct kes_state *state, u32 counting, u64 kvm)
{
	if (!state || (!state->reset && state->counted == counting))
		return 0;
	state->counted = counting;
	state->reset = 0;
	state->pending = 0;
	state->policy.shared = 0;
	if (state->leaves)
		drop_leaves(kvm);
	state->leaves = 0;
	drop_flights(kvm, KES_MAX_COUNTED_VCPUS);
	return 0;
}

/* The request was let through: what it asks for counts from here on. */
static __always_inline bool commit(struct kes_state *state, u64 kvm, const struct kes_ask *ask)
{
	if (ask->what == KES_ASK_SHARED) {
		state->policy.shared +=
			count_pages(state, kvm, ask->gfn, ask->npages, COUNT_SHARED);
		return false;
	}
	if (!state->leaves)
		return false;
	count_pages(state, kvm, ask->gfn, ask->npages, state->pending ? COUNT_ASKED : COUNT_ALONE);
	state->pending++;
	return true;
}

#endif
