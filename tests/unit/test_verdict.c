/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The evaluator against the definition in kvm-encstat-policy(5): an oracle that asks one rule after
 * the other, looks at each of its ranges, and keeps its buckets as fractions. Random rule sets and
 * requests; what a border is, is also tried by itself.
 *
 *   KES_SEED=N   the random numbers of an earlier run
 */
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

static uint64_t next(void)
{
	uint64_t z = state_of_random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t n)
{
	return next() % n;
}

static bool one_of(uint64_t n)
{
	return !below(n);
}

/* As many of small numbers as of large ones. */
static uint64_t any_size(uint32_t bits)
{
	return below(1ull << (1 + below(bits)));
}

/* ---- the oracle ---- */

/* How full, in tokens / 10^9: no division, so nothing is rounded. */
struct fraction {
	__int128 level;
	uint64_t last_ns;
};

struct oracle {
	const struct rule_source *sources;
	size_t n;
	struct fraction conversions[KES_RULES], pages[KES_RULES];
};

static bool overflows(
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
static uint64_t last_of(uint64_t gfn, uint64_t npages)
{
	return gfn > UINT64_MAX - (npages - 1) ? UINT64_MAX : gfn + npages - 1;
}

static bool contains(const struct frames *range, uint64_t gfn)
{
	return gfn >= range->gfn && gfn - range->gfn < range->npages;
}

static bool touches(const struct frames *list, size_t n, uint64_t first, uint64_t last)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].gfn <= last && first <= list[i].gfn + list[i].npages - 1)
			return true;
	return false;
}

/* Frame by frame, but for those that the same range has. */
static bool lies_within(const struct frames *list, size_t n, uint64_t first, uint64_t last)
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

static bool fits_place(const struct policy_rule *rule, const struct kes_ask *ask)
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

static bool fits_amount(
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

static bool fits_request(const struct kes_rule *rule, const struct kes_ask *ask)
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
	bool beyond = false;

	if (!fits_request(c, ask) || !fits_place(rule, ask) || !fits_amount(c, vm, ask))
		return false;
	if (!c->conversions.per_second && !c->pages.per_second)
		return true;
	if (c->conversions.per_second)
		beyond |= overflows(&oracle->conversions[i], &c->conversions, 1, ask->now_ns);
	if (c->pages.per_second && ask->npages)
		beyond |= overflows(&oracle->pages[i], &c->pages, ask->npages, ask->now_ns);
	return beyond;
}

static struct kes_verdict judge(
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
static uint64_t random_frame(void)
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

static struct frames random_range(void)
{
	struct frames range = {random_frame(), 1 + any_size(one_of(4) ? 40 : 10)};

	if (range.npages > FRAMES_END - range.gfn)
		range.npages = FRAMES_END - range.gfn;
	return range;
}

/* Often right behind the one before it, or over it. */
static void random_ranges(struct frames *list, size_t n)
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

static struct kes_rate random_rate(void)
{
	if (!one_of(5))
		return (struct kes_rate){};
	return (struct kes_rate){
		.per_second = (uint32_t)(1 + any_size(30)),
		.burst = (uint32_t)(1 + any_size(30)),
	};
}

static void random_rule(struct policy_rule *rule, struct frames *ranges)
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

static void random_rules(struct random_set *r)
{
	do {
		r->n = one_of(8) ? below(KES_RULES + 1) : below(10);
		for (size_t i = 0; i < r->n; i++) {
			random_rule(&r->rules[i], r->ranges[i]);
			r->sources[i] =
				(struct rule_source){one_of(3) ? &monitor : &enforce, &r->rules[i]};
		}
	} while (policy_compile_rules(&r->set, r->sources, r->n)); /* too many ranges */
	r->now_ns = any_size(60);
}

/* ---- random requests ---- */

/* A border of one of the rules' ranges, or next to it. */
static uint64_t near_border(const struct random_set *r)
{
	return r->set.n_bounds ? r->set.bounds[below(r->set.n_bounds)] - 1 + below(3)
			       : random_frame();
}

static uint64_t random_time(struct random_set *r)
{
	if (one_of(16)) /* the clock of another CPU */
		return r->now_ns - below(r->now_ns + 1) % 1000;
	return r->now_ns += one_of(4) ? 0 : any_size(36);
}

static struct kes_ask random_ask(struct random_set *r)
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
	if (ask.what == KES_ASK_SHARED && ask.npages && !one_of(4))
		ask.more = 1 + below(ask.npages < 4096 ? ask.npages : 4096);
	return ask;
}

static void random_vm(struct kes_policy_state *vm)
{
	vm->memory = one_of(8) ? 0 : any_size(40);
	vm->baseline = any_size(20);
	vm->shared = one_of(4) ? vm->memory / 100 * (1 + below(100)) : any_size(24);
}

/* ---- the same verdicts ---- */

static void complain(const struct random_set *r, const struct kes_ask *ask,
	const struct kes_verdict *got, const struct kes_verdict *want)
{
	fail_msg("KES_SEED=%llu: of %zu rules, gfn %llx npages %llx what %u asker %u: %u by %u "
		 "(%u by %u), not %u by %u (%u by %u)",
		(unsigned long long)seed, r->n, (unsigned long long)ask->gfn,
		(unsigned long long)ask->npages, ask->what, ask->asker, got->action, got->rule,
		got->would, got->monitored, want->action, want->rule, want->would, want->monitored);
}

static void check_buckets(const struct oracle *oracle, const struct kes_policy_state *vm, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(vm->conversions[i].level == (uint64_t)oracle->conversions[i].level);
		assert_true(vm->pages[i].level == (uint64_t)oracle->pages[i].level);
	}
}

static void test_random_rules_and_requests(void **state)
{
	static struct random_set r;
	static struct oracle oracle;
	static struct kes_policy_state vm;
	uint64_t refused = 0, monitored = 0;

	(void)state;
	for (int i = 0; i < SETS; i++) {
		random_rules(&r);
		memset(&vm, 0, sizeof(vm));
		memset(&oracle, 0, sizeof(oracle));
		oracle.sources = r.sources;
		oracle.n = r.n;
		for (int k = 0; k < REQUESTS; k++) {
			struct kes_ask ask = random_ask(&r);
			struct kes_verdict got, want;

			random_vm(&vm);
			got = kes_evaluate(&r.set, &vm, &ask);
			want = judge(&oracle, &vm, &ask);
			if (memcmp(&got, &want, sizeof(got)))
				complain(&r, &ask, &got, &want);
			refused += got.action >= KES_DENY;
			monitored += got.monitored != KES_NO_RULE;
		}
		check_buckets(&oracle, &vm, r.n);
	}
	/* or the test tests nothing */
	assert_in_range(refused, SETS * REQUESTS / 20, SETS * REQUESTS * 19 / 20);
	assert_in_range(monitored, SETS * REQUESTS / 50, SETS * REQUESTS);
}

/* Only the rules that are enforced. */
static void without_monitored(
	const struct random_set *r, struct kes_rule_set *set, uint8_t places[KES_RULES])
{
	struct rule_source sources[KES_RULES];
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->sources[i].policy->mode == KES_ENFORCE) {
			places[n] = (uint8_t)i;
			sources[n++] = r->sources[i];
		}
	assert_int_equal(policy_compile_rules(set, sources, n), 0);
}

static void test_monitored_rules_change_nothing(void **state)
{
	static struct random_set r;
	static struct kes_rule_set enforced;
	static struct kes_policy_state with, without;
	uint8_t places[KES_RULES];

	(void)state;
	for (int i = 0; i < SETS / 10; i++) {
		random_rules(&r);
		without_monitored(&r, &enforced, places);
		memset(&with, 0, sizeof(with));
		memset(&without, 0, sizeof(without));
		for (int k = 0; k < REQUESTS; k++) {
			struct kes_ask ask = random_ask(&r);
			struct kes_verdict got, want;

			random_vm(&with);
			without.memory = with.memory;
			without.baseline = with.baseline;
			without.shared = with.shared;
			got = kes_evaluate(&r.set, &with, &ask);
			want = kes_evaluate(&enforced, &without, &ask);
			assert_int_equal(want.monitored, KES_NO_RULE);
			if (want.rule != KES_NO_RULE)
				want.rule = places[want.rule];
			if (got.action != want.action || got.rule != want.rule)
				complain(&r, &ask, &got, &want);
		}
	}
}

/* ---- one rule ---- */

static struct policy_rule a_rule(void)
{
	return (struct policy_rule){.compiled = {
					    .larger = KES_FOREVER,
					    .shared_above = KES_FOREVER,
					    .action = KES_DENY,
					    .asks = KES_ASK_SHARED | KES_ASK_PRIVATE,
					    .askers = KES_BY_GUEST,
					    .numbers = ~0u,
				    }};
}

static struct kes_ask an_ask(uint64_t gfn, uint64_t npages)
{
	return (struct kes_ask){
		.gfn = gfn,
		.npages = npages,
		.more = npages,
		.what = KES_ASK_SHARED,
		.asker = KES_BY_GUEST,
		.nr = HYPERCALL_PAGES,
	};
}

static struct kes_rule_set *compiled(const struct policy_rule *rules, size_t n)
{
	struct kes_rule_set *set = malloc(sizeof(*set));
	struct rule_source sources[KES_RULES];

	for (size_t i = 0; i < n; i++)
		sources[i] = (struct rule_source){&enforce, &rules[i]};
	assert_non_null(set);
	assert_int_equal(policy_compile_rules(set, sources, n), 0);
	return set;
}

static bool refused(const struct kes_rule_set *set, struct kes_policy_state *vm, struct kes_ask ask)
{
	return kes_evaluate(set, vm, &ask).action == KES_DENY;
}

/* ---- sizes ---- */

static const uint64_t sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 511, 512, 513, (1ull << 20) - 1, 1 << 20,
	(1 << 20) + 1, (1ull << 40) - 2, (1ull << 40) - 1, 1ull << 40, (1ull << 40) + 1,
	(1ull << 41) - 1, 1ull << 41, (1ull << 41) + 1, 1ull << 52, UINT64_MAX};

static void test_larger(void **state)
{
	static struct kes_policy_state vm;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes) && sizes[i] <= 1ull << 40; i++) {
		struct policy_rule rule = a_rule();
		_cleanup_free_ struct kes_rule_set *set = NULL;

		rule.compiled.larger = sizes[i];
		set = compiled(&rule, 1);
		for (size_t k = 0; k < ARRAY_SIZE(sizes); k++)
			assert_int_equal(
				refused(set, &vm, an_ask(0, sizes[k])), sizes[k] > sizes[i]);
	}
}

static void test_unaligned(void **state)
{
	static struct kes_policy_state vm;
	struct policy_rule rule = a_rule();
	_cleanup_free_ struct kes_rule_set *set = NULL;

	(void)state;
	rule.compiled.alignment = 512;
	set = compiled(&rule, 1);
	assert_false(refused(set, &vm, an_ask(0, 512)));
	assert_false(refused(set, &vm, an_ask(1024, 1024)));
	assert_true(refused(set, &vm, an_ask(1, 512)));
	assert_true(refused(set, &vm, an_ask(512, 1)));
	assert_true(refused(set, &vm, an_ask(511, 513)));
}

/* ---- amounts ---- */

struct amount {
	uint64_t above;
	uint32_t percent;
	bool over_baseline;
	uint64_t shared, memory, baseline, more;
	bool refused;
};

static void test_amounts_at_their_border(void **state)
{
	static const struct amount cases[] = {
		{100, 0, false, 99, 0, 0, 1, false},
		{100, 0, false, 100, 0, 0, 1, true},
		{100, 0, false, 0, 0, 0, 100, false},
		{100, 0, false, 0, 0, 0, 101, true},
		{100, 0, false, 5000, 0, 0, 0, false}, /* more than that, but it adds nothing */
		{0, 0, false, 0, 0, 0, 1, true},
		{0, 0, false, 0, 0, 0, 0, false},
		{1ull << 40, 0, false, (1ull << 40) - 1, 0, 0, 1, false},
		{1ull << 40, 0, false, 1ull << 40, 0, 0, 1, true},
		/* baseline: 50 of it do not count */
		{100, 0, true, 149, 0, 50, 1, false},
		{100, 0, true, 150, 0, 50, 1, true},
		{100, 0, true, 10, 0, 50, 140, false}, /* less than the baseline is shared now */
		{100, 0, true, 10, 0, 50, 141, true},
		{0, 0, true, 0, 0, 50, 50, false},
		{0, 0, true, 0, 0, 50, 51, true},
		/* percent: 6% of 1050 are 63, of 1049 62.94 */
		{KES_FOREVER, 6, false, 62, 1050, 0, 1, false},
		{KES_FOREVER, 6, false, 63, 1050, 0, 1, true},
		{KES_FOREVER, 6, false, 61, 1049, 0, 1, false},
		{KES_FOREVER, 6, false, 62, 1049, 0, 1, true},
		{KES_FOREVER, 6, true, 162, 1050, 100, 1, false},
		{KES_FOREVER, 6, true, 163, 1050, 100, 1, true},
		{KES_FOREVER, 1, false, 0, 0, 0, 1, true}, /* memory that is not known is none */
		{KES_FOREVER, 1, false, 0, 99, 0, 1, true},
		{KES_FOREVER, 1, false, 0, 100, 0, 1, false},
		{KES_FOREVER, 100, false, 99, 100, 0, 1, false},
		{KES_FOREVER, 100, false, 100, 100, 0, 1, true},
		{KES_FOREVER, 99, false, (1ull << 40) / 100 * 99 + 74, 1ull << 40, 0, 1, false},
		{KES_FOREVER, 99, false, (1ull << 40) / 100 * 99 + 75, 1ull << 40, 0, 1, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct amount *c = &cases[i];
		struct policy_rule rule = a_rule();
		_cleanup_free_ struct kes_rule_set *set = NULL;
		struct kes_policy_state vm = {
			.shared = c->shared, .memory = c->memory, .baseline = c->baseline};
		struct kes_ask ask = an_ask(0, 1 << 20);

		rule.compiled.shared_above = c->above;
		rule.compiled.percent = c->percent;
		rule.compiled.above_baseline = c->over_baseline;
		set = compiled(&rule, 1);
		ask.more = c->more;
		if (refused(set, &vm, ask) != c->refused)
			fail_msg("case %zu: not %d", i, c->refused);
	}
}

/* ---- rates ---- */

/* Whatever the times, the bucket is the one that is never rounded. */
static void test_buckets_are_exact(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct kes_rate rate = {(uint32_t)(1 + any_size(30)), (uint32_t)(1 + any_size(30))};
		struct kes_bucket bucket = {};
		struct fraction exact = {};
		uint64_t now_ns = any_size(60);
		uint32_t gap = (uint32_t)(1 + below(50)), size = (uint32_t)(1 + below(30));

		for (int k = 0; k < 2000; k++) {
			uint64_t n = 1 + any_size(size);

			now_ns += any_size(gap);
			assert_int_equal(kes_overflows(&bucket, &rate, n, now_ns),
				overflows(&exact, &rate, n, now_ns));
			assert_true(bucket.level == (uint64_t)exact.level);
		}
	}
}

/* A guest that always asks for more than it gets: the bucket is never empty, and in the end it got
 * the burst and the rate, to the token. */
static void check_flood(uint32_t per_second, uint32_t burst, uint64_t step_ns, uint64_t steps)
{
	struct policy_rule rule = a_rule();
	_cleanup_free_ struct kes_rule_set *set = NULL;
	static struct kes_policy_state vm;
	uint64_t got = 0, begin = 1ull << 50;
	__int128 want = burst + (__int128)steps * step_ns * per_second / 1000000000;

	memset(&vm, 0, sizeof(vm));
	rule.compiled.conversions = (struct kes_rate){per_second, burst};
	set = compiled(&rule, 1);
	for (uint64_t i = 0; i < burst; i++) {
		struct kes_ask ask = an_ask(0, 1);

		ask.now_ns = begin;
		got += !refused(set, &vm, ask);
	}
	assert_int_equal(got, burst);
	for (uint64_t i = 1; i <= steps; i++)
		for (int again = 0; again < 3; again++) {
			struct kes_ask ask = an_ask(0, 1);

			ask.now_ns = begin + i * step_ns;
			got += !refused(set, &vm, ask);
		}
	if (got != (uint64_t)want)
		fail_msg("%u a second, burst %u: %llu, not %llu", per_second, burst,
			(unsigned long long)got, (unsigned long long)want);
}

static void test_a_flood_gets_its_rate(void **state)
{
	(void)state;
	check_flood(3, 2, 100000000, 100000);
	check_flood(999999, 10, 1001, 200000);
	check_flood(7, 1000, 33333333, 100000);
	check_flood(999999999, 5, 1, 100000);
	check_flood(1 << 30, 1 << 10, 1, 100000); /* more than one a ns */
}

static void test_both_rates(void **state)
{
	static struct kes_policy_state vm;
	struct policy_rule rule = a_rule();
	_cleanup_free_ struct kes_rule_set *set = NULL;

	(void)state;
	rule.compiled.conversions = (struct kes_rate){1, 3};
	rule.compiled.pages = (struct kes_rate){1, 100};
	set = compiled(&rule, 1);
	assert_false(refused(set, &vm, an_ask(0, 60)));
	assert_true(refused(set, &vm, an_ask(0, 60)));  /* pages; it counts as a conversion */
	assert_false(refused(set, &vm, an_ask(0, 40))); /* but its pages do not */
	assert_true(refused(set, &vm, an_ask(0, 1)));   /* both */
	assert_true(refused(set, &vm, an_ask(0, 101))); /* never */
}

/* ---- places ---- */

static bool naive_placed(const struct policy_rule *rule, uint64_t gfn, uint64_t npages)
{
	struct kes_ask ask = an_ask(gfn, npages);

	return fits_place(rule, &ask);
}

/* Rule i in bit i, and all that are no rules: these may always be. */
static uint64_t naive_mask(const struct policy_rule *rules, size_t n, uint64_t gfn, uint64_t npages)
{
	uint64_t mask = ~0ull;

	for (size_t i = 0; i < n; i++)
		if (!naive_placed(&rules[i], gfn, npages))
			mask &= ~(1ull << i);
	return mask;
}

#define SMALL 7 /* frames */

/* All pairs of ranges, all requests, in a small space: touching and within them, and both. */
static void check_pair(struct frames a, struct frames b, uint64_t base)
{
	struct frames list[] = {{base + a.gfn, a.npages}, {base + b.gfn, b.npages}};
	struct policy_rule rules[4] = {a_rule(), a_rule(), a_rule(), a_rule()};
	_cleanup_free_ struct kes_rule_set *set = NULL;

	rules[0].touches = rules[2].touches = list;
	rules[0].n_touches = 2;
	rules[1].within = list;
	rules[1].n_within = 2;
	rules[2].n_touches = 1;
	rules[2].within = list + 1;
	rules[2].n_within = 1;
	set = compiled(rules, 4);
	for (uint64_t gfn = base ? base - 1 : 0; gfn <= base + SMALL; gfn++)
		for (uint64_t n = 0; n <= SMALL + 1; n++)
			assert_true(kes_placed(set, gfn, n) == naive_mask(rules, 4, gfn, n));
}

static void test_all_pairs_of_ranges(void **state)
{
	static const uint64_t bases[] = {0, 1000, FRAMES_END - SMALL};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
		for (uint64_t a = 0; a < SMALL; a++)
			for (uint64_t na = 1; na <= SMALL - a; na++)
				for (uint64_t b = 0; b < SMALL; b++)
					for (uint64_t nb = 1; nb <= SMALL - b; nb++)
						check_pair((struct frames){a, na},
							(struct frames){b, nb}, bases[i]);
}

/* As many as there may be: adjacent ones, every second one, and such as overlap. */
static void check_256(uint64_t base, uint64_t stride, uint64_t npages)
{
	static struct frames ranges[KES_RANGES];
	struct policy_rule rules[KES_RULES];
	_cleanup_free_ struct kes_rule_set *set = NULL;

	for (size_t i = 0; i < KES_RANGES; i++)
		ranges[i] = (struct frames){base + i * stride, npages};
	for (size_t i = 0; i < KES_RULES; i++) {
		bool inside = i % 2;

		rules[i] = a_rule();
		rules[i].touches = rules[i].within = &ranges[i * 4];
		rules[i].n_touches = inside ? 0 : 4;
		rules[i].n_within = inside ? 4 : 0;
	}
	set = compiled(rules, KES_RULES);
	for (int i = 0; i < 20000; i++) {
		uint64_t gfn = base + below(KES_RANGES * stride + 8);
		uint64_t n = below(i % 2 ? 8 * stride : KES_RANGES * stride + 8);

		assert_true(kes_placed(set, gfn, n) == naive_mask(rules, KES_RULES, gfn, n));
	}
}

static void test_256_ranges(void **state)
{
	(void)state;
	check_256(0, 4, 4);
	check_256(0, 4, 2);
	check_256(1000, 4, 11);
	check_256(FRAMES_END - KES_RANGES * 4, 4, 4);
	check_256(FRAMES_END - KES_RANGES * 4, 4, 3);
}

static void test_the_ends_of_memory(void **state)
{
	struct frames first = {0, 1}, last = {FRAMES_END - 1, 1}, all = {0, FRAMES_END};
	struct policy_rule rules[] = {a_rule(), a_rule(), a_rule()};
	_cleanup_free_ struct kes_rule_set *set = NULL;

	(void)state;
	rules[0].touches = &first;
	rules[1].touches = &last;
	rules[2].within = &all;
	rules[0].n_touches = rules[1].n_touches = rules[2].n_within = 1;
	set = compiled(rules, 3);
	assert_int_equal(kes_placed(set, 0, 1) & 7, 5);
	assert_int_equal(kes_placed(set, 1, 1) & 7, 4);
	assert_int_equal(kes_placed(set, FRAMES_END - 2, 1) & 7, 4);
	assert_int_equal(kes_placed(set, FRAMES_END - 1, 1) & 7, 6);
	assert_int_equal(kes_placed(set, FRAMES_END - 1, 2) & 7, 2); /* not within */
	assert_int_equal(kes_placed(set, FRAMES_END, 1) & 7, 0);
	assert_int_equal(kes_placed(set, 0, FRAMES_END) & 7, 7);
	assert_int_equal(kes_placed(set, 0, 0) & 7, 0);
	assert_int_equal(kes_placed(set, 1, UINT64_MAX) & 7, 2);
	assert_int_equal(kes_placed(set, 5, UINT64_MAX - 3) & 7, 2); /* it wraps: all above */
	assert_int_equal(kes_placed(set, UINT64_MAX, UINT64_MAX) & 7, 0);
}

/* ---- small things ---- */

static void test_bits(void **state)
{
	(void)state;
	for (int i = 0; i < 64; i++) {
		assert_int_equal(kes_lowest(1ull << i), i);
		assert_int_equal(kes_lowest(~0ull << i), i);
		assert_int_equal(kes_size(1ull << i), i < KES_SIZES ? i : KES_SIZES - 1);
		assert_int_equal(
			kes_size((1ull << i) | (1ull << i) / 2), i < KES_SIZES ? i : KES_SIZES - 1);
	}
	assert_int_equal(kes_size(0), 0);
	assert_int_equal(kes_size(UINT64_MAX), KES_SIZES - 1);
	for (uint32_t n = 1; n <= KES_BOUNDS + 1; n++) {
		uint32_t level = kes_level(n);

		assert_true(1u << level <= n && n < 2u << level);
	}
}

static void test_no_rules(void **state)
{
	_cleanup_free_ struct kes_rule_set *set = compiled(NULL, 0);
	static struct kes_policy_state vm;
	struct kes_ask ask = an_ask(0, 1);
	struct kes_verdict verdict = kes_evaluate(set, &vm, &ask);

	(void)state;
	assert_int_equal(verdict.action, KES_ALLOW);
	assert_int_equal(verdict.rule, KES_NO_RULE);
	assert_int_equal(verdict.monitored, KES_NO_RULE);
}

static int begin(void **state)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_rules_and_requests),
		cmocka_unit_test(test_monitored_rules_change_nothing),
		cmocka_unit_test(test_larger),
		cmocka_unit_test(test_unaligned),
		cmocka_unit_test(test_amounts_at_their_border),
		cmocka_unit_test(test_buckets_are_exact),
		cmocka_unit_test(test_a_flood_gets_its_rate),
		cmocka_unit_test(test_both_rates),
		cmocka_unit_test(test_all_pairs_of_ranges),
		cmocka_unit_test(test_256_ranges),
		cmocka_unit_test(test_the_ends_of_memory),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_no_rules),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
