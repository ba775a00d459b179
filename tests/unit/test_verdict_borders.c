/* SPDX-License-Identifier: GPL-2.0-only */
/* The evaluator at its borders: sizes, amounts, rates, places, each by itself. */
#include "verdict_oracle.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
