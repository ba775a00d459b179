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

#define VCPU_WORDS (KES_MAX_COUNTED_VCPUS / 64)

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

/* The vCPU's. NULL: there is no room. */
static __always_inline struct kes_flight *flight_of(u64 kvm, u32 vcpu)
{
	struct kes_flight_key key = {.kvm = kvm, .vcpu = vcpu};
	struct kes_flight *flight = bpf_map_lookup_elem(&flights, &key), none = {};

	if (flight || vcpu >= KES_MAX_COUNTED_VCPUS)
		return flight;
	bpf_map_update_elem(&flights, &key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&flights, &key);
}

/* The vCPU's request goes on to KVM. It is written where it lies: others may look at it. */
static __always_inline void take_off(struct kes_flight *flight, const struct kes_ask *ask)
{
	flight->gfn = ask->gfn;
	flight->npages = ask->npages;
	flight->what = ask->what;
	flight->status = KES_FLIGHT_PENDING;
}

/* The vCPU is back, and its VMM has said what became of the request. */
static __always_inline void land(
	struct kes_state *state, struct kes_flight *flight, u32 vcpu, u32 status)
{
	u32 i = vcpu / 64 & (VCPU_WORDS - 1);

	flight->status = status;
	if (!state)
		return;
	__sync_fetch_and_or(&state->answered[i], 1ull << (vcpu & 63));
	__sync_fetch_and_or(&state->answered_words, 1ull << i);
}

/* One of them is over: what became of it is counted. Not so if it is another one than that which
 * was answered. */
static __noinline int settle_flight(struct kes_state *state, u64 kvm, u32 vcpu, bool is_back)
{
	struct kes_flight_key key = {.kvm = kvm, .vcpu = vcpu};
	struct kes_flight *flight = bpf_map_lookup_elem(&flights, &key);
	u64 *flying, bit = 1ull << (vcpu & 63), n;

	if (!state || !flight || vcpu >= KES_MAX_COUNTED_VCPUS)
		return 0;
	flying = &state->flying[vcpu / 64 & (VCPU_WORDS - 1)];
	if (!(*flying & bit) || (!is_back && flight->status == KES_FLIGHT_PENDING))
		return 0;
	*flying &= ~bit;
	state->flights--;
	if (flight->what != KES_ASK_PRIVATE || flight->status != KES_FLIGHT_DONE)
		return 0;
	n = count_pages(state, kvm, flight->gfn, flight->npages, COUNT_PRIVATE);
	state->policy.shared -= n < state->policy.shared ? n : state->policy.shared;
	return 0;
}

struct settling {
	struct kes_state *state;
	u64 kvm;
};

/* Settles one. Kernels before 6.8 take for true of all steps what they know of the first one: so
 * nothing may begin as a constant that a step changes and looks at. */
static long settle_step(u32 step, struct settling *settling)
{
	struct kes_state *state = settling->state;
	u64 words = state->answered_words, *word, bits;
	u32 i = kes_lowest(words) & (VCPU_WORDS - 1), bit;

	if (!words)
		return 1;
	word = &state->answered[i];
	bits = *word;
	if (bits) {
		bit = kes_lowest(bits) & 63;
		__sync_fetch_and_and(word, ~(1ull << bit));
		settle_flight(state, settling->kvm, i * 64 + bit, false);
		return 0;
	}
	__sync_fetch_and_and(&state->answered_words, ~(1ull << i));
	if (*(volatile u64 *)word) /* since then */
		__sync_fetch_and_or(&state->answered_words, 1ull << i);
	return 0;
}

/* All that were answered since. No function of its own, or calls would be too deep. */
static __always_inline void settle_answered(struct kes_state *state, u64 kvm)
{
	struct settling settling = {.state = state, .kvm = kvm};

	if (state->flights)
		bpf_loop(VCPU_WORDS + KES_MAX_COUNTED_VCPUS, settle_step, &settling, 0);
}

/* A walk over those on their way. */
struct flight_walk {
	struct kes_state *state;
	u64 kvm, gfn, end; /* frames */
	u64 mask;          /* what is left of a word of flying[] */
	u32 first;         /* index of the vCPU that bit 0 is */
	u32 found;         /* 1: one that meets the range */
};

static __always_inline bool meets(const struct flight_walk *walk, const struct kes_flight *flight)
{
	return flight->gfn < walk->end && flight->gfn + flight->npages > walk->gfn;
}

static long meet_step(u32 step, struct flight_walk *walk)
{
	struct kes_flight_key key = {.kvm = walk->kvm};
	struct kes_flight *flight;

	if (!walk->mask)
		return 1;
	key.vcpu = walk->first + kes_lowest(walk->mask);
	walk->mask &= walk->mask - 1;
	flight = bpf_map_lookup_elem(&flights, &key);
	if (!flight || !meets(walk, flight))
		return 0;
	walk->found = 1;
	return 1;
}

static long meet_word(u32 i, struct flight_walk *walk)
{
	walk->mask = walk->state->flying[i & (VCPU_WORDS - 1)];
	walk->first = i * 64;
	if (walk->mask)
		bpf_loop(64, meet_step, walk, 0);
	return walk->found & 1; /* the verifier wants to see that it is no other number */
}

/* Whether another one that is on its way is about some of the same pages. */
static __noinline bool meets_another(struct kes_state *state, u64 kvm, u64 gfn, u64 npages)
{
	struct flight_walk walk = {.state = state, .kvm = kvm, .gfn = gfn, .end = gfn + npages};

	if (state && state->flights)
		bpf_loop(VCPU_WORDS, meet_word, &walk, 0);
	return walk.found;
}

static __always_inline void set_flying(struct kes_state *state, u32 vcpu)
{
	state->flying[vcpu / 64 & (VCPU_WORDS - 1)] |= 1ull << (vcpu & 63);
	state->flights++;
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

/* What was counted before a reset, or before some time in which nobody counted, does not count. Who
 * was asked before that and comes after it is counted along. */
static __noinline int refresh_count(struct kes_state *state, u32 counting, u64 kvm)
{
	if (!state || (!state->reset && (s32)(counting - state->counted) <= 0))
		return 0;
	if ((s32)(counting - state->counted) > 0)
		state->counted = counting;
	state->reset = 0;
	state->policy.shared = 0;
	drop_leaves(state, kvm);
	state->leaves = 0;
	state->flights = 0;
	for (u32 i = 0; i < VCPU_WORDS; i++) {
		state->flying[i] = 0;
		barrier(); /* no memset() */
	}
	return 0;
}

/* The request was let through: what it asks for counts from here on. True: what becomes of it has
 * to be known.
 *
 * When a request to make pages private is answered with yes, nobody knows when the VMM did it: at
 * any time since it was let through. So it says nothing about a page that somebody asked to share
 * meanwhile, or whose request to share was on its way already. The former take the page's mark
 * away. To leave the latter, no request marks pages while another one is about any of them; then
 * none has two that wait for an answer, either, of which one's mark would be taken for the other's.
 */
static __always_inline bool commit(struct kes_state *state, u64 kvm, const struct kes_ask *ask)
{
	if (ask->what == KES_ASK_SHARED) {
		state->policy.shared +=
			count_pages(state, kvm, ask->gfn, ask->npages, COUNT_SHARED);
		return true;
	}
	if (!state->leaves || meets_another(state, kvm, ask->gfn, ask->npages))
		return false; /* it gives nothing back */
	count_pages(state, kvm, ask->gfn, ask->npages, COUNT_ASKED);
	return true;
}

/* ---- the answer ---- */

/* The rules of a mask, none of which keeps anything. */
__noinline int evaluate_plainly(const struct kes_rule_set *set, const struct kes_ask *ask,
	struct kes_verdict *ret, u64 mask)
{
	u32 zero = 0;
	struct kes_state *none = bpf_map_lookup_elem(&no_state, &zero);

	if (set && ask && ret && none)
		*ret = kes_evaluate_some(set, &none->policy, ask, mask);
	return 0;
}

/* Asks the rules, but not those about rates. */
static __always_inline void judge_plainly(const struct kes_rule_set *set, struct decision *d)
{
	evaluate_plainly(set, &d->ask, &d->verdict, ~set->pacing);
	relent(&d->verdict, d->kvm);
}

/* What rules of the mask might have refused is refused: nobody knows what they would have. */
static __always_inline void refuse_unknown(
	const struct kes_rule_set *set, u64 mask, struct decision *d, u8 why)
{
	struct kes_veto_totals *totals = the_totals();

	d->flags |= why;
	if (d->verdict.rule < KES_RULES) /* those after it are not asked */
		mask &= (1ull << d->verdict.rule) - 1;
	if (d->verdict.action < KES_DENY && refuses_any(set, mask)) {
		d->verdict.action = KES_DENY;
		d->verdict.rule = KES_NO_RULE;
	}
	relent(&d->verdict, d->kvm);
	if (totals)
		__sync_fetch_and_add(why == KES_F_BEYOND ? &totals->beyond : &totals->busy, 1);
}

/* Rules that need a state, and there is none to be had. */
static __always_inline void judge_without_state(
	const struct kes_rule_set *set, u64 mask, struct decision *d, u8 why)
{
	evaluate_plainly(set, &d->ask, &d->verdict, ~mask);
	refuse_unknown(set, mask, d, why);
}

/* It cannot be counted. What is counted already stays so. */
static __always_inline void judge_beyond(
	const struct kes_rule_set *set, struct kes_state *state, u64 kvm, struct decision *d)
{
	evaluate(set, &state->policy, &d->ask, &d->verdict);
	refuse_unknown(set, set->limiting, d, KES_F_BEYOND);
	if (d->verdict.action < KES_DENY)
		count_pages(state, kvm, d->ask.gfn, d->ask.npages, COUNT_KEPT);
}

/* A guest's request that counts, under the lock. */
static __always_inline void judge_counted(const struct kes_rule_set *set, struct kes_state *state,
	u64 kvm, u32 vcpu, u64 memory, struct decision *d)
{
	struct page_walk walk = {
		.state = state, .kvm = kvm, .gfn = d->ask.gfn, .end = d->ask.gfn + d->ask.npages};
	u64 *baseline = bpf_map_lookup_elem(&baselines, &kvm);
	struct kes_flight *flight;
	bool flies = true;

	settle_flight(state, kvm, vcpu, true);
	settle_answered(state, kvm);
	flight = flight_of(kvm, vcpu);
	state->policy.baseline = baseline ? *baseline : 0;
	state->policy.memory = memory;
	if (d->ask.what == KES_ASK_SHARED && (!flight || !count_more(&walk))) {
		judge_beyond(set, state, kvm, d);
	} else {
		d->ask.more = walk.n;
		evaluate(set, &state->policy, &d->ask, &d->verdict);
		relent(&d->verdict, kvm);
		if (d->verdict.action < KES_DENY)
			flies = commit(state, kvm, &d->ask);
		else
			unreserve_leaves(walk.absent);
	}
	if (!flight || d->verdict.action >= KES_DENY)
		return;
	take_off(flight, &d->ask);
	if (flies)
		set_flying(state, vcpu);
}

/* A guest's, by rules that keep something. */
static __always_inline void judge_with_state(const struct kes_rule_set *set,
	const struct kes_policed *which, u64 kvm, u32 vcpu, u64 memory, struct decision *d,
	bool counts)
{
	struct kes_state *state = state_of(kvm, KES_BY_GUEST);

	if (!state) {
		judge_without_state(set, set->limiting | set->pacing, d, KES_F_BEYOND);
		return;
	}
	if (!state_lock(state)) {
		judge_without_state(set, set->limiting | set->pacing, d, KES_F_BUSY);
		return;
	}
	refresh_buckets(state, which);
	if (counts) {
		refresh_count(state, which->counting, kvm);
		judge_counted(set, state, kvm, vcpu, memory, d);
	} else {
		evaluate(set, &state->policy, &d->ask, &d->verdict);
		relent(&d->verdict, kvm);
	}
	state_unlock(state);
}

/* A guest's request, from judgement to take-off. */
static __always_inline void judge_guest(const struct kes_rule_set *set,
	const struct kes_policed *which, u64 kvm, u32 vcpu, u64 memory, struct decision *d,
	bool counts)
{
	struct kes_flight *flight;

	if (counts || set->pacing)
		judge_with_state(set, which, kvm, vcpu, memory, d, counts);
	else
		judge_plainly(set, d);
	if (which->counting || d->ask.what == KES_ASK_OTHER || d->verdict.action >= KES_DENY)
		return; /* where requests are counted, it took off under the lock */
	flight = flight_of(kvm, vcpu);
	if (flight)
		take_off(flight, &d->ask);
}

/* The VM is gone. */
static __always_inline void forget_state(u64 kvm, u32 vcpus)
{
	struct kes_state_key key = {.kvm = kvm, .asker = KES_BY_GUEST};
	struct kes_state *state = bpf_map_lookup_elem(&states, &key);

	drop_leaves(state, kvm);
	bpf_map_delete_elem(&states, &key);
	key.asker = KES_BY_VMM;
	bpf_map_delete_elem(&states, &key);
	bpf_map_delete_elem(&baselines, &kvm);
	drop_flights(kvm, vcpus);
}

#endif
