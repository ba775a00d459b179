/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules in words: the same from the compiled form as from the file. */
#include "policy_bench.h"

#include "wire.h"

static void test_the_same(void **state)
{
	static const char *const rules[] = {
		"deny: shared, touches: 0x1000+4K",
		"deny: shared, within: [0x0+4K, 0xff000000+16M]",
		"deny: shared, touches: [0x2000+4K, 0x5000+4K], within: [0x0-0xfffff]",
		"deny: any, touches: [0x11000+4K, 0x13000+4K, 0x15000+4K, 0x17000+4K, 0x19000+4K, "
		"0x1b000+4K]",
		"deny: any, within: 0xffffffffff000+4K",
		"deny: any, larger: 8K, unaligned: 2M",
		"deny: shared, shared-above: 50%",
		"deny: shared, shared-above: 0",
		"deny: shared, shared-over-baseline: 64M",
		"deny: shared, shared-over-baseline: 1%",
		"deny: any, from: user",
		"deny: any, conversions: {per-second: 1, burst: 2}, pages: {per-second: 3, burst: "
		"4}",
		"log: private, by: any",
		"deny: any, by: vmm, errno: EAGAIN",
		"freeze: shared",
		"deny: hypercall, numbers: [0, 5, 30, above]",
		"kill: hypercall",
	};
	_cleanup_free_ char *text = NULL;
	_cleanup_(policies_free) struct policies *policies = NULL;
	_cleanup_free_ struct effective *effective = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	fputs(HEAD, out);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		fprintf(out, "  - {%s}\n", rules[i]);
	fclose(out);
	policies = good(text);
	assert_int_equal(policy_compile_standard(&effective, policies, 0, NULL), 0);
	assert_int_equal(effective->set.n_rules, ARRAY_SIZE(rules));
	for (uint32_t i = 0; i < effective->set.n_rules; i++) {
		char written[512], compiled[512];

		rule_describe(effective->sources[i].rule, written, sizeof(written));
		rule_describe_compiled(&effective->set, i, compiled, sizeof(compiled));
		assert_string_equal(compiled, written);
	}
}

/* What the compiled form does not know. */
static void test_not_the_same(void **state)
{
	_cleanup_(policies_free) struct policies *policies = good(
		"defaults: {mode: enforce, any: deny}\n" HEAD
		"  - {deny: any, touches: [0x3000+4K, 0x1000+8K, 0x2000-0x3fff, 0x10000+4K]}\n");
	_cleanup_free_ struct effective *effective = NULL;
	char text[512];

	(void)state;
	assert_int_equal(policy_compile_standard(&effective, policies, 0, NULL), 0);
	rule_describe_compiled(&effective->set, 0, text, sizeof(text));
	assert_string_equal(text, "deny any, touching 0x1000+0x3000, 0x10000+0x1000");
	rule_describe_compiled(&effective->set, 1, text, sizeof(text));
	assert_string_equal(text, "deny any");
}

/* Numbers that this program does not know stay what they are: no table is left. */
static void test_unknown(void **state)
{
	_cleanup_free_ struct kes_rule_set *set = calloc(1, sizeof(*set));
	char text[512];

	(void)state;
	set->n_rules = 1;
	set->n_bounds = ~0u;
	set->rules[0] = (struct kes_rule){.action = KES_ACTIONS,
		.larger = KES_FOREVER,
		.shared_above = KES_FOREVER,
		.asks = KES_ASK_OTHER,
		.numbers = ~0u};
	memset(set->any, 0xff, sizeof(set->any));
	rule_describe_compiled(set, 0, text, sizeof(text));
	assert_memory_equal(text, "do what is newer than this program hypercall, touching ", 55);
	set->rules[0].action = KES_DENY;
	set->rules[0].err = -4000;
	memset(set->any, 0, sizeof(set->any));
	rule_describe_compiled(set, 0, text, sizeof(text));
	assert_string_equal(text, "deny hypercall, with an errno that has no name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same),
		cmocka_unit_test(test_not_the_same),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
