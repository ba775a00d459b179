/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of a request by the definition in kvm-encstat-policy(5): one rule after the other,
 * each of its ranges, buckets kept as fractions. And random rules and requests to ask it about.
 */
#ifndef VERDICT_ORACLE_H
#define VERDICT_ORACLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "policy/policy.h"

#define SETS            10000
#define REQUESTS        100 /* of each */
#define RANGES          8   /* of a random rule, at most */
#define FRAMES_END      (1ull << 40)
#define HYPERCALL_PAGES 12

/* ---- random numbers ---- */

static uint64_t seed, state_of_random;

static inline uint64_t next(void)
{
	uint64_t z = state_of_random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline uint64_t below(uint64_t n)
{
	return next() % n;
}

static inline bool one_of(uint64_t n)
{
	return !below(n);
}

/* As many of small numbers as of large ones. */
static inline uint64_t any_size(uint32_t bits)
{
	return below(1ull << (1 + below(bits)));
}

/* ---- the oracle ---- */

/* How full, in tokens / 10^9: no division, so nothing is rounded. */
struct fraction {
	__int128 level;
	uint64_t last_ns;
};

/* Of guest and VMM. */
#define ASKERS 2

struct oracle {
	const struct rule_source *sources;
	size_t n;
	struct fraction conversions[ASKERS][KES_RULES], pages[ASKERS][KES_RULES];
};

/* Whose state it is: 0 the guest's, 1 the VMM's. */
static inline int asker_of(const struct kes_ask *ask)
{
	return ask->asker == KES_BY_VMM;
}

static inline bool overflows(
	struct fraction *bucket, const struct kes_rate *rate, uint64_t n, uint64_t now_ns)
{
	__int128 second = 1000000000, room = rate->burst * second;

	if (now_ns > bucket->last_ns) {
		bucket->level -= (__int128)(now_ns - bucket->last_ns) * rate->per_second;
		bucket->last_ns = now_ns;
	}
	if (bucket->level < 0)
		bucket->level = 0;
	if (bucket->level + n * second > room)
		return true;
	bucket->level += n * second;
	return false;
}

/* The last frame; a request that goes beyond all that there is ends there. */
static inline uint64_t last_of(uint64_t gfn, uint64_t npages)
{
	return gfn > UINT64_MAX - (npages - 1) ? UINT64_MAX : gfn + npages - 1;
}

static inline bool contains(const struct frames *range, uint64_t gfn)
{
	return gfn >= range->gfn && gfn - range->gfn < range->npages;
}

static inline bool touches(const struct frames *list, size_t n, uint64_t first, uint64_t last)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].gfn <= last && first <= list[i].gfn + list[i].npages - 1)
			return true;
	return false;
}

/* Frame by frame, but for those that the same range has. */
static inline bool lies_within(const struct frames *list, size_t n, uint64_t first, uint64_t last)
{
	for (;;) {
		size_t i = 0;

		while (i < n && !contains(&list[i], first))
			i++;
		if (i == n)
			return false;
		if (contains(&list[i], last))
			return true;
		first = list[i].gfn + list[i].npages;
	}
}

static inline bool fits_place(const struct policy_rule *rule, const struct kes_ask *ask)
{
	uint64_t last;

	if (!rule->n_touches && !rule->n_within)
		return true;
	if (!ask->npages)
		return false;
	last = last_of(ask->gfn, ask->npages);
	return (!rule->n_touches || touches(rule->touches, rule->n_touches, ask->gfn, last)) &&
	       (!rule->n_within || lies_within(rule->within, rule->n_within, ask->gfn, last));
}

static inline bool fits_amount(
	const struct kes_rule *rule, const struct kes_policy_state *vm, const struct kes_ask *ask)
{
	__int128 shared = (__int128)vm->shared + ask->more;

	if (rule->shared_above == KES_FOREVER && !rule->percent)
		return true;
	if (!ask->more)
		return false;
	if (rule->above_baseline)
		shared -= vm->baseline;
	if (rule->shared_above != KES_FOREVER && shared > rule->shared_above)
		return true;
	return rule->percent && shared * 100 > (__int128)vm->memory * rule->percent;
}

static inline bool fits_request(const struct kes_rule *rule, const struct kes_ask *ask)
{
	uint32_t nr = ask->nr > 31 ? 31 : ask->nr;

	if (!(rule->asks & ask->what) || !(rule->askers & ask->asker))
		return false;
	if (ask->asker == KES_BY_GUEST && !(rule->numbers >> nr & 1))
		return false;
	if (rule->user && !ask->cpl)
		return false;
	if (rule->larger != KES_FOREVER && ask->npages <= rule->larger)
		return false;
	return !rule->alignment || ask->gfn % rule->alignment || ask->npages % rule->alignment;
}

static bool fits(struct oracle *oracle, const struct kes_policy_state *vm, size_t i,
	const struct kes_ask *ask)
{
	const struct policy_rule *rule = oracle->sources[i].rule;
	const struct kes_rule *c = &rule->compiled;
	int asker = asker_of(ask);
	bool beyond = false;

	if (!fits_request(c, ask) || !fits_place(rule, ask) || !fits_amount(c, vm, ask))
		return false;
	if (!c->conversions.per_second && !c->pages.per_second)
		return true;
	if (c->conversions.per_second)
		beyond |=
			overflows(&oracle->conversions[asker][i], &c->conversions, 1, ask->now_ns);
	if (c->pages.per_second && ask->npages)
		beyond |= overflows(&oracle->pages[asker][i], &c->pages, ask->npages, ask->now_ns);
	return beyond;
}

static inline struct kes_verdict judge(
	struct oracle *oracle, const struct kes_policy_state *vm, const struct kes_ask *ask)
{
	struct kes_verdict verdict = {KES_ALLOW, KES_NO_RULE, KES_ALLOW, KES_NO_RULE};

	for (size_t i = 0; i < oracle->n; i++) {
		uint8_t action = oracle->sources[i].rule->compiled.action;

		if (!fits(oracle, vm, i, ask))
			continue;
		if (oracle->sources[i].policy->mode == KES_ENFORCE) {
			verdict.action = action;
			verdict.rule = (uint8_t)i;
			break;
		}
		if (verdict.monitored == KES_NO_RULE) {
			verdict.would = action;
			verdict.monitored = (uint8_t)i;
		}
	}
	return verdict;
}

/* ---- random rules ---- */

static const struct policy monitor = {.mode = KES_MONITOR}, enforce = {.mode = KES_ENFORCE};

struct random_set {
	struct frames ranges[KES_RULES][2 * RANGES];
	struct policy_rule rules[KES_RULES];
	struct rule_source sources[KES_RULES];
	size_t n;
	struct kes_rule_set set;
	uint64_t now_ns;
};

/* A corner of memory, its end, anywhere. */
static inline uint64_t random_frame(void)
{
	switch (below(4)) {
	case 0:
		return below(64);
	case 1:
		return FRAMES_END - 1 - below(64);
	case 2:
		return below(1 << 12) << 9;
	default:
		return below(FRAMES_END);
	}
}

static inline struct frames random_range(void)
{
	struct frames range = {random_frame(), 1 + any_size(one_of(4) ? 40 : 10)};

	if (range.npages > FRAMES_END - range.gfn)
		range.npages = FRAMES_END - range.gfn;
	return range;
}

/* Often right behind the one before it, or over it. */
static inline void random_ranges(struct frames *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		list[i] = random_range();
		if (i && one_of(3))
			list[i].gfn = list[i - 1].gfn + below(list[i - 1].npages + 1);
		if (list[i].gfn >= FRAMES_END)
			list[i].gfn = 0;
		if (list[i].npages > FRAMES_END - list[i].gfn)
			list[i].npages = FRAMES_END - list[i].gfn;
	}
}

static inline struct kes_rate random_rate(void)
{
	if (!one_of(5))
		return (struct kes_rate){};
	return (struct kes_rate){
		.per_second = (uint32_t)(1 + any_size(30)),
		.burst = (uint32_t)(1 + any_size(30)),
	};
}

static inline void random_rule(struct policy_rule *rule, struct frames *ranges)
{
	*rule = (struct policy_rule){.compiled = {
					     .larger = one_of(4) ? any_size(41) : KES_FOREVER,
					     .alignment = one_of(6) ? 2ull << below(20) : 0,
					     .shared_above = one_of(5) ? any_size(24) : KES_FOREVER,
					     .percent = one_of(6) ? (uint32_t)(1 + below(100)) : 0,
					     .above_baseline = one_of(2),
					     .user = one_of(8),
					     .action = (uint8_t)below(KES_ACTIONS),
					     .conversions = random_rate(),
					     .pages = random_rate(),
					     .asks = (uint8_t)(1 + below(7)),
					     .askers = (uint8_t)(1 + below(3)),
					     .numbers = one_of(3) ? (uint32_t)next() : ~0u,
				     }};
	rule->n_touches = one_of(2) ? 1 + below(RANGES / 2) : 0;
	rule->n_within = one_of(4) ? 1 + below(RANGES / 2) : 0;
	random_ranges(ranges, rule->n_touches + rule->n_within);
	rule->touches = ranges;
	rule->within = ranges + rule->n_touches;
}

/* As defaults are: about all conversions of guests, the last one. */
static inline void random_default(struct policy_rule *rule)
{
	*rule = (struct policy_rule){
		.compiled =
			{
				.larger = KES_FOREVER,
				.shared_above = KES_FOREVER,
				.action = (uint8_t)below(KES_ACTIONS),
				.err = -EPERM,
				.asks = KES_ASK_PRIVATE | KES_ASK_SHARED,
				.askers = KES_BY_GUEST,
				.numbers = ~0u,
			},
		.default_for = "any",
	};
}

static inline void random_rules(struct random_set *r)
{
	do {
		r->n = one_of(8) ? below(KES_RULES + 1) : below(10);
		for (size_t i = 0; i < r->n; i++) {
			if (i + 1 == r->n && one_of(2))
				random_default(&r->rules[i]);
			else
				random_rule(&r->rules[i], r->ranges[i]);
			r->sources[i] =
				(struct rule_source){one_of(3) ? &monitor : &enforce, &r->rules[i]};
		}
	} while (policy_compile_rules(&r->set, r->sources, r->n)); /* too many ranges */
	r->now_ns = any_size(60);
}

/* ---- random requests ---- */

/* A border of one of the rules' ranges, or next to it. */
static inline uint64_t near_border(const struct random_set *r)
{
	return r->set.n_bounds ? r->set.bounds[below(r->set.n_bounds)] - 1 + below(3)
			       : random_frame();
}

static inline uint64_t random_time(struct random_set *r)
{
	if (one_of(16)) /* the clock of another CPU */
		return r->now_ns - below(r->now_ns + 1) % 1000;
	return r->now_ns += one_of(4) ? 0 : any_size(36);
}

static inline struct kes_ask random_ask(struct random_set *r)
{
	struct kes_ask ask = {
		.gfn = one_of(2) ? near_border(r) : random_frame(),
		.npages = 1 + any_size(one_of(8) ? 41 : 10),
		.now_ns = random_time(r),
		.nr = one_of(4) ? (uint32_t)below(64) : HYPERCALL_PAGES,
		.what = (uint8_t)(1u << below(3)),
		.asker = (uint8_t)(1u << below(2)),
		.cpl = one_of(4) ? 3 : 0,
	};
	uint64_t border = near_border(r);

	if (one_of(3) && border > ask.gfn)
		ask.npages = border - ask.gfn;
	if (one_of(64)) { /* whatever a guest may say */
		ask.gfn = next();
		ask.npages = next();
	}
	if (ask.what == KES_ASK_OTHER || one_of(32))
		ask.npages = 0;
	if (ask.what == KES_ASK_SHARED && ask.npages && ask.asker == KES_BY_GUEST && !one_of(4))
		ask.more = 1 + below(ask.npages < 4096 ? ask.npages : 4096);
	return ask;
}

static inline void random_vm(struct kes_policy_state *vm)
{
	vm->memory = one_of(8) ? 0 : any_size(40);
	vm->baseline = any_size(20);
	vm->shared = one_of(4) ? vm->memory / 100 * (1 + below(100)) : any_size(24);
}

static inline int begin(void **state)
{
	const char *given = getenv("KES_SEED");

	(void)state;
	if (given)
		seed = strtoull(given, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -1;
	state_of_random = seed;
	print_message("# KES_SEED=%llu\n", (unsigned long long)seed);
	return 0;
}

#endif
