/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The evaluator against an oracle: random rule sets and requests.
 *
 *   KES_SEED=N   the random numbers of an earlier run
 */
#include "verdict_oracle.h"

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

static void check_buckets(
	const struct oracle *oracle, const struct kes_policy_state vm[ASKERS], size_t n)
{
	for (int asker = 0; asker < ASKERS; asker++)
		for (size_t i = 0; i < n; i++) {
			assert_true(vm[asker].conversions[i].level ==
				    (uint64_t)oracle->conversions[asker][i].level);
			assert_true(vm[asker].pages[i].level ==
				    (uint64_t)oracle->pages[asker][i].level);
		}
}

static void test_random_rules_and_requests(void **state)
{
	static struct random_set r;
	static struct oracle oracle;
	static struct kes_policy_state vm[ASKERS];
	uint64_t refused = 0, monitored = 0;

	(void)state;
	for (int i = 0; i < SETS; i++) {
		random_rules(&r);
		memset(vm, 0, sizeof(vm));
		memset(&oracle, 0, sizeof(oracle));
		oracle.sources = r.sources;
		oracle.n = r.n;
		for (int k = 0; k < REQUESTS; k++) {
			struct kes_ask ask = random_ask(&r);
			struct kes_policy_state *own = &vm[asker_of(&ask)];
			struct kes_verdict got, want;

			random_vm(own);
			got = kes_evaluate(&r.set, own, &ask);
			want = judge(&oracle, own, &ask);
			if (memcmp(&got, &want, sizeof(got)))
				complain(&r, &ask, &got, &want);
			refused += got.action >= KES_DENY;
			monitored += got.monitored != KES_NO_RULE;
		}
		check_buckets(&oracle, vm, r.n);
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
	static struct kes_policy_state both_with[ASKERS], both_without[ASKERS];
	uint8_t places[KES_RULES];

	(void)state;
	for (int i = 0; i < SETS / 10; i++) {
		random_rules(&r);
		without_monitored(&r, &enforced, places);
		memset(both_with, 0, sizeof(both_with));
		memset(both_without, 0, sizeof(both_without));
		for (int k = 0; k < REQUESTS; k++) {
			struct kes_ask ask = random_ask(&r);
			struct kes_policy_state *with = &both_with[asker_of(&ask)];
			struct kes_policy_state *without = &both_without[asker_of(&ask)];
			struct kes_verdict got, want;

			random_vm(with);
			without->memory = with->memory;
			without->baseline = with->baseline;
			without->shared = with->shared;
			got = kes_evaluate(&r.set, with, &ask);
			want = kes_evaluate(&enforced, without, &ask);
			assert_int_equal(want.monitored, KES_NO_RULE);
			if (want.rule != KES_NO_RULE)
				want.rule = places[want.rule];
			if (got.action != want.action || got.rule != want.rule)
				complain(&r, &ask, &got, &want);
		}
	}
}

/* Whatever was in the memory before: it is compared to tell whether the kernel half has it. */
static void test_same_rules_are_the_same_set(void **state)
{
	static struct kes_rule_set again;
	static struct random_set r;

	(void)state;
	for (int i = 0; i < SETS / 100; i++) {
		random_rules(&r);
		memset(&again, (int)next(), sizeof(again));
		assert_int_equal(policy_compile_rules(&again, r.sources, r.n), 0);
		assert_memory_equal(&again, &r.set, sizeof(again));
		if (!r.n)
			continue;
		r.rules[r.n - 1].compiled.line++;
		assert_int_equal(policy_compile_rules(&again, r.sources, r.n), 0);
		assert_int_not_equal(memcmp(&again, &r.set, sizeof(again)), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_rules_are_the_same_set),
		cmocka_unit_test(test_random_rules_and_requests),
		cmocka_unit_test(test_monitored_rules_change_nothing),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
