/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules as they are written: each key, and what is wrong and where. What they say of requests is in
 * test_verdict.c. */
#include "policy_bench.h"

/* ---- rules ---- */

static void plain(struct kes_rule *rule, const struct policy_rule *like)
{
	*rule = (struct kes_rule){
		.larger = KES_FOREVER,
		.shared_above = KES_FOREVER,
		.action = KES_DENY,
		.err = -EPERM,
		.asks = KES_ASK_SHARED,
		.askers = KES_BY_GUEST,
		.numbers = ~0u,
		.line = like->line,
	};
}

/* A rule of one line that differs from a plain `deny: shared` in what `change` sets. */
#define RULE(text, sentence, change)                                                          \
	do {                                                                                  \
		_cleanup_(policies_free) struct policies *p_ = good(HEAD "  - {" text "}\n"); \
		const struct policy_rule *rule_ = only_rule(p_);                              \
		struct kes_rule want;                                                         \
		char said_[512];                                                              \
                                                                                              \
		plain(&want, rule_);                                                          \
		change;                                                                       \
		assert_memory_equal(&rule_->compiled, &want, sizeof(want));                   \
		assert_int_equal(rule_->line, 6);                                             \
		assert_int_equal(rule_->column, 5);                                           \
		rule_describe(rule_, said_, sizeof(said_));                                   \
		assert_string_equal(said_, sentence);                                         \
	} while (0)

static void test_actions_and_subjects(void **state)
{
	(void)state;
	RULE("deny: shared", "deny shared", (void)0);
	RULE("allow: shared", "allow shared", want.action = KES_ALLOW);
	RULE("log: shared", "log shared", want.action = KES_LOG);
	RULE("freeze: shared", "freeze shared", want.action = KES_FREEZE);
	RULE("kill: shared", "kill shared", want.action = KES_KILL);
	RULE("deny: private", "deny private", want.asks = KES_ASK_PRIVATE);
	RULE("deny: any", "deny any", want.asks = KES_ASK_PRIVATE | KES_ASK_SHARED);
	RULE("deny: hypercall", "deny hypercall", want.asks = KES_ASK_OTHER);
	RULE("'deny': \"any\"", "deny any", want.asks = KES_ASK_PRIVATE | KES_ASK_SHARED);
}

static void test_who_asks(void **state)
{
	(void)state;
	RULE("deny: shared, by: guest", "deny shared", (void)0);
	RULE("deny: shared, by: vmm", "deny shared, by the VMM", want.askers = KES_BY_VMM);
	RULE("deny: shared, by: any", "deny shared, by guest or VMM",
		want.askers = KES_BY_GUEST | KES_BY_VMM);
	RULE("deny: shared, from: user", "deny shared, from user mode", want.user = 1);
	RULE("deny: shared, by: any, from: user", "deny shared, by guest or VMM, from user mode",
		(want.user = 1, want.askers = KES_BY_GUEST | KES_BY_VMM));
	RULE("deny: hypercall, from: user", "deny hypercall, from user mode",
		(want.user = 1, want.asks = KES_ASK_OTHER));
}

static void test_sizes(void **state)
{
	(void)state;
	RULE("deny: shared, larger: 4096", "deny shared, larger than 1 pages", want.larger = 1);
	RULE("deny: shared, larger: 2M", "deny shared, larger than 512 pages", want.larger = 512);
	RULE("deny: shared, larger: 4P", "deny shared, larger than 1099511627776 pages",
		want.larger = 1ull << 40);
	RULE("deny: any, unaligned: 8K", "deny any, off a multiple of 2 pages",
		(want.alignment = 2, want.asks = KES_ASK_PRIVATE | KES_ASK_SHARED));
	RULE("deny: shared, unaligned: 4P", "deny shared, off a multiple of 1099511627776 pages",
		want.alignment = 1ull << 40);
}

static void test_amounts(void **state)
{
	(void)state;
	RULE("deny: shared, shared-above: 0", "deny shared, more than 0 pages shared",
		want.shared_above = 0);
	RULE("deny: shared, shared-above: 64M", "deny shared, more than 16384 pages shared",
		want.shared_above = 16384);
	RULE("deny: shared, shared-above: 4P", "deny shared, more than 1099511627776 pages shared",
		want.shared_above = 1ull << 40);
	RULE("deny: shared, shared-above: 1%", "deny shared, more than 1% shared",
		want.percent = 1);
	RULE("deny: shared, shared-above: 100%", "deny shared, more than 100% shared",
		want.percent = 100);
	RULE("deny: shared, shared-over-baseline: 64M",
		"deny shared, more than 16384 pages shared over the baseline",
		(want.shared_above = 16384, want.above_baseline = 1));
	RULE("deny: shared, shared-over-baseline: 6%",
		"deny shared, more than 6% shared over the baseline",
		(want.percent = 6, want.above_baseline = 1));
	RULE("deny: any, shared-above: 64M", "deny any, more than 16384 pages shared",
		(want.shared_above = 16384, want.asks = KES_ASK_PRIVATE | KES_ASK_SHARED));
}

static void test_rates(void **state)
{
	(void)state;
	RULE("deny: shared, conversions: {per-second: 10, burst: 20}",
		"deny shared, beyond 10 conversions a second (burst 20)",
		(want.conversions = (struct kes_rate){10, 20}));
	RULE("deny: shared, pages: {per-second: 1, burst: 1073741824}",
		"deny shared, beyond 1 pages a second (burst 1073741824)",
		(want.pages = (struct kes_rate){1, 1u << 30}));
	RULE("deny: hypercall, conversions: {per-second: 1073741824, burst: 1}",
		"deny hypercall, beyond 1073741824 conversions a second (burst 1)",
		(want.conversions = (struct kes_rate){1u << 30, 1}, want.asks = KES_ASK_OTHER));
}

static void test_numbers_and_errors(void **state)
{
	(void)state;
	RULE("deny: hypercall, numbers: 0", "deny hypercall, numbers 0",
		(want.numbers = 1, want.asks = KES_ASK_OTHER));
	RULE("deny: hypercall, numbers: [30, 5, above, 5]", "deny hypercall, numbers 5 30 above",
		(want.numbers = 1u << 5 | 1u << 30 | 1u << 31, want.asks = KES_ASK_OTHER));
	RULE("deny: shared, errno: EPERM", "deny shared", (void)0);
	RULE("deny: shared, errno: EACCES", "deny shared, with EACCES", want.err = -EACCES);
	RULE("deny: shared, errno: EINVAL", "deny shared, with EINVAL", want.err = -EINVAL);
	RULE("deny: shared, errno: EAGAIN", "deny shared, with EAGAIN", want.err = -EAGAIN);
	RULE("deny: shared, errno: EBUSY", "deny shared, with EBUSY", want.err = -EBUSY);
}

static void test_ranges(void **state)
{
	_cleanup_(policies_free) struct policies *p =
		good(HEAD "  - deny: any\n"
			  "    touches: [0x1000+4K, 0x0-0xfff, '4096+0x2000', 0xffffffffff000+4K]\n"
			  "    within: 0+4P\n");
	const struct policy_rule *rule = only_rule(p);
	static const struct frames want[] = {{1, 1}, {0, 1}, {1, 2}, {(1ull << 40) - 1, 1}};
	char said[512];

	(void)state;
	assert_int_equal(rule->n_touches, 4);
	assert_memory_equal(rule->touches, want, sizeof(want));
	assert_int_equal(rule->n_within, 1);
	assert_int_equal(rule->within[0].gfn, 0);
	assert_int_equal(rule->within[0].npages, 1ull << 40);
	rule_describe(rule, said, sizeof(said));
	assert_string_equal(said, "deny any, touching 0x1000+0x1000, 0x0+0x1000, 0x1000+0x2000, "
				  "0xffffffffff000+0x1000, within 0x0+0x10000000000000");
}

static void test_findings(void **state)
{
	_cleanup_(policies_free) struct policies *p =
		good(HEAD "  - {freeze: finding, kinds: [storm, KES-001, kes-004]}\n");
	const struct policy_rule *rule = only_rule(p);
	char said[512];

	(void)state;
	assert_int_equal(__builtin_popcount(rule->findings), 3);
	assert_int_equal(rule->compiled.asks, 0);
	rule_describe(rule, said, sizeof(said));
	assert_string_equal(said, "freeze finding uncommitted storm flapping");
}

/* ---- what is wrong with a rule ---- */

#define BAD_RULE(text, error, advice) bad(HEAD "  - {" text "}\n", "f:6:" error, advice)
#define KEYS_ADVICE                                                                     \
	"there is: allow, log, deny, freeze, kill, by, from, touches, within, larger, " \
	"unaligned, shared-above, shared-over-baseline, conversions, pages, numbers, "  \
	"kinds, errno"

static void test_bad_keys(void **state)
{
	(void)state;
	BAD_RULE("deny: shared, tuoches: 0+4K", "20: there is no key 'tuoches'",
		"did you mean 'touches'?");
	BAD_RULE("denny: shared", "6: there is no key 'denny'", "did you mean 'deny'?");
	BAD_RULE("deny: shared, nothing-like-it: 1", "20: there is no key 'nothing-like-it'",
		KEYS_ADVICE);
	BAD_RULE("deny: shared, deny: any", "20: 'deny' is there already, in line 6", "");
	BAD_RULE("deny: shared, allow: any",
		"20: a rule has one action, and this one has 'deny' already", "");
	BAD_RULE("touches: 0+4K",
		"5: a rule wants an action: allow, log, deny, freeze or kill, such as deny: shared",
		"");
	bad(HEAD "  - deny\n",
		"f:6:5: a mapping (lines of 'key: value') is wanted here, not 'deny'", "");
	bad(HEAD "  - [deny]\n",
		"f:6:5: a mapping (lines of 'key: value') is wanted here, not a list", "");
	bad(HEAD "  - ~\n",
		"f:6:5: a rule wants an action: allow, log, deny, freeze or kill, such as deny: "
		"shared",
		"");
}

static void test_bad_words(void **state)
{
	(void)state;
	BAD_RULE("deny: sharde", "12: there is no subject 'sharde'", "did you mean 'shared'?");
	BAD_RULE("deny: [shared]", "12: 'deny' wants one of the words below, not a list",
		"there is: private, shared, any, hypercall, finding");
	BAD_RULE("deny: ", "6: 'deny' wants one of the words below, not nothing",
		"there is: private, shared, any, hypercall, finding");
	BAD_RULE(
		"deny: any, by: host", "21: there is no asker 'host'", "there is: guest, vmm, any");
	BAD_RULE("deny: any, by: gest", "21: there is no asker 'gest'", "did you mean 'guest'?");
	BAD_RULE("deny: any, from: kernel", "23: there is no privilege 'kernel'", "there is: user");
	BAD_RULE("deny: any, errno: ENOENT", "24: there is no error 'ENOENT'",
		"there is: EPERM, EACCES, EINVAL, EAGAIN, EBUSY");
	BAD_RULE("deny: any, errno: 1", "24: there is no error '1'",
		"there is: EPERM, EACCES, EINVAL, EAGAIN, EBUSY");
	BAD_RULE("log: finding, kinds: sturm",
		"27: 'kinds' wants a kind of finding, such as storm or KES-003, not 'sturm'", "");
	BAD_RULE("log: finding, kinds: [storm, {}]",
		"35: a kind of finding, such as storm or KES-003 is wanted here, not a mapping",
		"");
}

static void test_bad_ranges(void **state)
{
	(void)state;
	BAD_RULE("deny: any, touches: 0x1000+1",
		"26: 'touches' wants whole pages: begin and length multiples of 4K, not "
		"'0x1000+1'",
		"");
	BAD_RULE("deny: any, within: [0+4K, 0x1001+4K]",
		"32: whole pages: begin and length multiples of 4K is wanted here, not "
		"'0x1001+4K'",
		"");
	BAD_RULE("deny: any, touches: 0x1000-0x2000",
		"26: 'touches' wants whole pages: begin and length multiples of 4K, not "
		"'0x1000-0x2000'",
		"");
	BAD_RULE("deny: any, touches: 0x10000000000000+4K",
		"26: 'touches' wants addresses below 2^52, not '0x10000000000000+4K'", "");
	BAD_RULE("deny: any, touches: 0x1000+4P",
		"26: 'touches' wants addresses below 2^52, not '0x1000+4P'", "");
	BAD_RULE("deny: any, touches: 0x1000+0",
		"26: 'touches' wants a range that is not empty, ends behind its start, and below "
		"2^64, not '0x1000+0'",
		"");
	BAD_RULE("deny: any, touches: 0x2000-0x1fff",
		"26: 'touches' wants a range that is not empty, ends behind its start, and below "
		"2^64, not '0x2000-0x1fff'",
		"");
	BAD_RULE("deny: any, touches: low",
		"26: 'touches' wants a range of addresses, such as 0x1000+4K or 0x1000-0x1fff, "
		"not 'low'",
		"");
	BAD_RULE("deny: any, touches: {from: 0}",
		"26: 'touches' wants a range of addresses, such as 0x1000+4K or 0x1000-0x1fff, "
		"not a mapping",
		"");
	BAD_RULE("deny: any, touches: []",
		"26: 'touches' wants a range such as 0x1000+4K, or a list of them, not a list", "");
	BAD_RULE("deny: any, within: ~",
		"25: 'within' wants a range of addresses, such as 0x1000+4K or 0x1000-0x1fff, not "
		"nothing",
		"");
}

static void test_bad_numbers(void **state)
{
	(void)state;
	BAD_RULE("deny: any, larger: 2X",
		"25: 'larger' wants a size from 4K to 4P, such as 4096, 64K, 16M or 1G, not '2X'",
		"");
	BAD_RULE("deny: any, larger: 0",
		"25: 'larger' cannot be 0: it wants a size from 4K to 4P, such as 4096, 64K, 16M "
		"or 1G",
		"");
	BAD_RULE("deny: any, larger: 8P",
		"25: 'larger' wants a size from 4K to 4P, such as 4096, 64K, 16M or 1G, not '8P'",
		"");
	BAD_RULE("deny: any, larger: 4097",
		"25: 'larger' wants whole pages, that is a multiple of 4K, not '4097'", "");
	BAD_RULE("deny: any, larger: 010",
		"25: 'larger' wants a size from 4K to 4P, such as 4096, 64K, 16M or 1G, not '010'",
		"");
	BAD_RULE("deny: any, unaligned: 4K",
		"28: 'unaligned' wants a size from 8K to 4P, such as 4096, 64K, 16M or 1G, not "
		"'4K'",
		"");
	BAD_RULE("deny: any, unaligned: 12K",
		"28: 'unaligned' wants a power of two, such as 2M, not '12K'", "");
	BAD_RULE("deny: any, shared-above: 101%",
		"31: 'shared-above' wants a percentage from 1% to 100%, such as 6%, not '101%'",
		"");
	BAD_RULE("deny: any, shared-over-baseline: 0%",
		"39: 'shared-over-baseline' cannot be 0: it wants a percentage from 1% to 100%, "
		"such as 6%",
		"");
	BAD_RULE("deny: any, shared-above: 1.5G",
		"31: 'shared-above' wants a size from 0 to 4P, such as 4096, 64K, 16M or 1G, not "
		"'1.5G'",
		"");
	BAD_RULE("deny: any, shared-above: 100",
		"31: 'shared-above' wants whole pages, that is a multiple of 4K, not '100'", "");
	BAD_RULE("deny: hypercall, numbers: 31",
		"32: 'numbers' wants a whole number from 0 to 30, not '31'", "");
	BAD_RULE("deny: hypercall, numbers: [1, -1]",
		"36: a whole number from 0 to 30 is wanted here, not '-1'", "");
	BAD_RULE("deny: hypercall, numbers: [1, 12]",
		"36: hypercall 12 converts: rules about private, shared or any are for it", "");
	BAD_RULE("deny: hypercall, numbers: []",
		"32: an empty list says nothing; leave the key out", "");
	BAD_RULE(
		"log: finding, kinds: []", "27: an empty list says nothing; leave the key out", "");
}

static void test_bad_rates(void **state)
{
	(void)state;
	BAD_RULE("deny: any, pages: 100",
		"24: 'pages' wants a mapping (lines of 'key: value'), not '100'", "");
	BAD_RULE("deny: any, pages: {per-second: 1}", "24: 'burst' is missing here", "");
	BAD_RULE("deny: any, pages: {burst: 1}", "24: 'per-second' is missing here", "");
	BAD_RULE("deny: any, pages: {}", "24: 'per-second' is missing here", "");
	BAD_RULE("deny: any, pages: {per-second: 1, brust: 1}", "40: there is no key 'brust'",
		"did you mean 'burst'?");
	BAD_RULE("deny: any, conversions: {per-second: 0, burst: 1}",
		"43: 'per-second' cannot be 0: it wants a whole number from 1 to 1073741824", "");
	BAD_RULE("deny: any, conversions: {per-second: 1, burst: 0}",
		"53: 'burst' cannot be 0: it wants a whole number from 1 to 1073741824", "");
	BAD_RULE("deny: any, conversions: {per-second: 1, burst: 1073741825}",
		"53: 'burst' wants a whole number from 1 to 1073741824, not '1073741825'", "");
	BAD_RULE("deny: any, conversions: {per-second: 1K, burst: 1}",
		"43: 'per-second' wants a whole number from 1 to 1073741824, not '1K'", "");
}

/* Keys that do not go together: the place is that of the key that is too much. */
static void test_what_does_not_go_together(void **state)
{
	static const char *const of_conversions[] = {"touches: 0+4K", "within: 0+4K", "larger: 4K",
		"unaligned: 8K", "shared-above: 4K", "shared-over-baseline: 4K",
		"pages: {per-second: 1, burst: 1}", "by: vmm", "by: any"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(of_conversions); i++) {
		int n = (int)strcspn(of_conversions[i], ":");
		char text[512], error[256];

		snprintf(text, sizeof(text),
			HEAD "  - {deny: hypercall, conversions: {per-second: 1, burst: 1}, %s}\n",
			of_conversions[i]);
		snprintf(error, sizeof(error), "f:6:63: '%.*s' is for rules about conversions", n,
			of_conversions[i]);
		bad(text, error, "");
		snprintf(text, sizeof(text), HEAD "  - {log: finding, kinds: storm, %s}\n",
			of_conversions[i]);
		snprintf(error, sizeof(error), "f:6:34: '%.*s' is for rules about conversions", n,
			of_conversions[i]);
		bad(text, error, "");
	}
	BAD_RULE("deny: any, numbers: 1", "17: 'numbers' is for rules about hypercalls", "");
	BAD_RULE("log: finding, kinds: storm, numbers: 1",
		"34: 'numbers' is for rules about hypercalls", "");
	BAD_RULE("log: any, errno: EPERM", "16: 'errno' is for rules about what is denied", "");
	BAD_RULE("kill: any, kinds: storm", "17: 'kinds' is for rules about findings", "");
	BAD_RULE("kill: finding", "6: a rule about findings wants kinds: [...]", "");
	BAD_RULE("deny: finding, kinds: storm",
		"6: a finding can be answered with log, freeze or kill: it is about what has "
		"happened",
		"");
	BAD_RULE("allow: finding, kinds: storm",
		"6: a finding can be answered with log, freeze or kill: it is about what has "
		"happened",
		"");
	BAD_RULE("log: finding, kinds: storm, by: guest", "34: 'by' is for rules about requests",
		"");
	BAD_RULE("log: finding, kinds: storm, from: user", "34: 'from' is for rules about requests",
		"");
	BAD_RULE("log: finding, kinds: storm, conversions: {per-second: 1, burst: 1}",
		"34: 'conversions' is for rules about requests", "");
	BAD_RULE("deny: private, shared-above: 4K, pages: {per-second: 1, burst: 1}",
		"21: 'shared-above' is for rules about conversions to shared", "");
	BAD_RULE("deny: private, shared-over-baseline: 4%",
		"21: 'shared-over-baseline' is for rules about conversions to shared", "");
	BAD_RULE("deny: any, shared-above: 4K, shared-over-baseline: 4%",
		"35: 'shared-over-baseline' does not go with 'shared-above': write two rules", "");
	BAD_RULE("deny: shared, shared-above: 4K, by: vmm",
		"20: 'shared-above' does not go with 'by: vmm': how much is shared is counted of "
		"what guests ask for",
		"");
	BAD_RULE("deny: any, by: any, shared-over-baseline: 4%",
		"26: 'shared-over-baseline' does not go with 'by: any': how much is shared is "
		"counted of what guests ask for",
		"");
	BAD_RULE("deny: any, by: vmm, from: user",
		"26: 'from' is for rules about what guests ask for", "");
}

static void check_never_asked(const char *first, const char *second, bool never)
{
	_cleanup_(policies_free) struct policies *policies = NULL;
	char text[512];
	struct error err;

	snprintf(text, sizeof(text), HEAD "  - {deny: private, larger: 1G}\n  - {%s}\n  - {%s}\n",
		first, second);
	if (!never) {
		policies = good(text);
		return;
	}
	assert_int_equal(parse(&policies, text, &err), -EINVAL);
	assert_string_equal(
		err.text, "f:8:5: this rule is never asked: the one in line 7 decides before it");
	assert_string_equal(err.advice, "put it before that one");
}

static void test_rules_that_are_never_asked(void **state)
{
	(void)state;
	check_never_asked("deny: shared", "allow: shared, within: 0+4K", true);
	check_never_asked("log: any", "deny: private", true);
	check_never_asked("deny: any, by: any", "deny: shared, by: vmm, larger: 4K", true);
	check_never_asked("allow: hypercall", "deny: hypercall, numbers: 5", true);
	check_never_asked("allow: hypercall, numbers: [5, 6]", "deny: hypercall, numbers: 5", true);
	check_never_asked("deny: shared", "deny: any", false);
	check_never_asked("deny: any", "deny: any, by: vmm", false);
	check_never_asked("deny: any", "deny: any, by: any", false);
	check_never_asked("deny: any", "deny: hypercall", false);
	check_never_asked("allow: hypercall, numbers: 6", "deny: hypercall, numbers: 5", false);
	check_never_asked("deny: any", "kill: finding, kinds: storm", false);
	check_never_asked("kill: finding, kinds: storm", "deny: any", false);
	/* one that has a condition lets others be asked */
	check_never_asked("allow: any, touches: 0+4P", "deny: any", false);
	check_never_asked("allow: any, within: 0+4P", "deny: any", false);
	check_never_asked("allow: any, larger: 4K", "deny: any", false);
	check_never_asked("allow: any, unaligned: 8K", "deny: any", false);
	check_never_asked("allow: any, shared-above: 0", "deny: any", false);
	check_never_asked("allow: any, shared-above: 1%", "deny: any", false);
	check_never_asked("allow: any, from: user", "deny: any", false);
	check_never_asked("allow: any, pages: {per-second: 1, burst: 1}", "deny: any", false);
	check_never_asked("allow: any, conversions: {per-second: 1, burst: 1}", "deny: any", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions_and_subjects),
		cmocka_unit_test(test_who_asks),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_numbers_and_errors),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_bad_words),
		cmocka_unit_test(test_bad_ranges),
		cmocka_unit_test(test_bad_numbers),
		cmocka_unit_test(test_bad_rates),
		cmocka_unit_test(test_what_does_not_go_together),
		cmocka_unit_test(test_rules_that_are_never_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
