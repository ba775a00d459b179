/* SPDX-License-Identifier: GPL-2.0-only */
/* Policy files: each key of the language, what is wrong and where, which VMs a policy is about, and
 * which rules hold for one. What rules say of requests is in test_verdict.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "hostile_names.h"
#include "policy/policy.h"

/* What is before the rules of the policies below: the first rule is in line 6. */
#define HEAD "policies:\n- name: p\n  priority: 1\n  mode: enforce\n  rules:\n"

static int parse(struct policies **policies, const char *text, struct error *err)
{
	memset(err, 0x5a, sizeof(*err));
	return policies_parse(policies, "f", text, strlen(text), err);
}

static struct policies *good(const char *text)
{
	struct policies *policies = NULL;
	struct error err;

	if (parse(&policies, text, &err))
		fail_msg("%s: %s (%s)", text, err.text, err.advice);
	return policies;
}

static void bad(const char *text, const char *expected, const char *advice)
{
	struct policies *untouched = (void *)1, *policies = untouched;
	struct error err;

	assert_int_equal(parse(&policies, text, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, expected);
	assert_string_equal(err.advice, advice);
	assert_ptr_equal(policies, untouched);
}

/* ---- rules ---- */

/* Most of what a rule of one line is, so that a case is one line, too. */
static const struct policy_rule *only_rule(const struct policies *policies)
{
	assert_int_equal(policies->n, 1);
	assert_int_equal(policies->list[0].n_rules, 1);
	return &policies->list[0].rules[0];
}

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

/* ---- policies ---- */

#define RULES "  rules: [{deny: any}]\n"
#define POLICY(name, priority, more) \
	"- name: " name "\n  priority: " priority "\n  mode: enforce\n" more RULES

static void test_bad_policies(void **state)
{
	(void)state;
	bad("", "f:1:1: 'policies' is missing here", "");
	bad("policy: []\n", "f:1:1: there is no key 'policy'", "there is: policies");
	bad("policys: []\n", "f:1:1: there is no key 'policys'", "did you mean 'policies'?");
	bad("policies:\n", "f:1:1: 'policies' wants a list of policies, not nothing", "");
	bad("policies: []\n", "f:1:11: 'policies' wants a list of policies, not a list", "");
	bad("policies: {}\n", "f:1:11: 'policies' wants a list of policies, not a mapping", "");
	bad("policies: [x]\n", "f:1:12: a mapping (lines of 'key: value') is wanted here, not 'x'",
		"");
	bad("policies:\n- priority: 1\n  mode: enforce\n" RULES, "f:2:3: 'name' is missing here",
		"");
	bad("policies:\n- name: p\n  mode: enforce\n" RULES, "f:2:3: 'priority' is missing here",
		"");
	bad("policies:\n- name: p\n  priority: 1\n" RULES, "f:2:3: 'mode' is missing here", "");
	bad("policies:\n- name: p\n  priority: 1\n  mode: enforce\n",
		"f:2:3: 'rules' is missing here", "");
	bad("policies:\n- nmae: p\n", "f:2:3: there is no key 'nmae'", "did you mean 'name'?");
	bad("policies:\n- name: p\n  name: q\n", "f:3:3: 'name' is there already, in line 2", "");
	bad("policies:\n- name: ''\n", "f:2:9: 'name' wants a text of 1 to 255 bytes, not ''", "");
	bad("policies:\n- name: [a]\n", "f:2:9: 'name' wants a text of 1 to 255 bytes, not a list",
		"");
	bad("policies:\n- priority: -1\n",
		"f:2:13: 'priority' wants a whole number from 0 to 1000000, not '-1'", "");
	bad("policies:\n- priority: 1000001\n",
		"f:2:13: 'priority' wants a whole number from 0 to 1000000, not '1000001'", "");
	bad("policies:\n- mode: enforced\n", "f:2:9: there is no mode 'enforced'",
		"did you mean 'enforce'?");
	bad("policies:\n- mode: on\n", "f:2:9: there is no mode 'on'",
		"there is: monitor, enforce");
	bad("policies:\n- rules:\n", "f:2:3: 'rules' wants a list of rules, not nothing", "");
	bad("policies:\n- rules: []\n", "f:2:10: 'rules' wants a list of rules, not a list", "");
	bad("policies:\n- rules: {deny: any}\n",
		"f:2:10: 'rules' wants a list (lines of '- item'), not a mapping", "");
}

static void test_bad_selections(void **state)
{
	(void)state;
	bad("policies:\n- vms:\n",
		"f:2:3: 'vms' wants at least one key (all VMs: leave it out), not "
		"nothing",
		"");
	bad("policies:\n- vms: {}\n",
		"f:2:8: 'vms' wants at least one key (all VMs: leave it out), not a mapping", "");
	bad("policies:\n- vms: all\n",
		"f:2:8: 'vms' wants a mapping (lines of 'key: value'), not 'all'", "");
	bad("policies:\n- vms: {names: x}\n", "f:2:9: there is no key 'names'",
		"did you mean 'name'?");
	bad("policies:\n- vms: {name: []}\n",
		"f:2:15: an empty list says nothing; leave the key out", "");
	bad("policies:\n- vms: {name: [a, '']}\n",
		"f:2:19: a text of 1 to 255 bytes is wanted here, not ''", "");
	bad("policies:\n- vms: {name: }\n",
		"f:2:9: 'name' wants a text of 1 to 255 bytes, not nothing", "");
	bad("policies:\n- vms: {uid: []}\n",
		"f:2:14: an empty list says nothing; leave the key out", "");
	bad("policies:\n- vms: {uid: root}\n",
		"f:2:14: 'uid' wants a whole number from 0 to 4294967295, not 'root'", "");
	bad("policies:\n- vms: {uid: 4294967296}\n",
		"f:2:14: 'uid' wants a whole number from 0 to 4294967295, not '4294967296'", "");
	bad("policies:\n- vms: {type: []}\n",
		"f:2:15: an empty list says nothing; leave the key out", "");
	bad("policies:\n- vms: {type: snpp}\n", "f:2:15: there is no VM type 'snpp'",
		"did you mean 'snp'?");
	bad("policies:\n- vms: {type: arm}\n", "f:2:15: there is no VM type 'arm'",
		"there is: default, sw-protected, sev, sev-es, snp, tdx");
	bad("policies:\n- vms: {uuid: '0d2f9c1e*'}\n",
		"f:2:15: 'uuid' wants a UUID, such as 0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f, not "
		"'0d2f9c1e*'",
		"");
	bad("policies:\n- vms: {uuid: [0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6g]}\n",
		"f:2:16: a UUID, such as 0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f is wanted here, not "
		"'0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6g'",
		"");
	bad("policies:\n- vms: {comm: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,b]}\n",
		"f:2:48: more than 16 words", "");
	bad("policies:\n- vms: {uid: [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1]}\n",
		"f:2:47: more than 16 users", "");
}

static void test_what_is_kept(void **state)
{
	_cleanup_(policies_free) struct policies *p = good("policies:\n" POLICY("low", "0",
		"  vms: {name: [a, b*], uid: [0, 4294967295], type: [snp, tdx], "
		"cgroup: /c, comm: q, uuid: 0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f}\n")
			POLICY("high", "1000000", ""));
	const struct policy *high = &p->list[0], *low = &p->list[1];

	(void)state;
	assert_int_equal(p->n, 2);
	assert_string_equal(high->name, "high");
	assert_int_equal(high->priority, 1000000);
	assert_true(policy_selects_all(high));
	assert_string_equal(low->name, "low");
	assert_string_equal(low->file, "f");
	assert_int_equal(low->line, 2);
	assert_int_equal(low->column, 3);
	assert_int_equal(low->mode, KES_ENFORCE);
	assert_int_equal(low->vms.n_names, 2);
	assert_string_equal(low->vms.names[1], "b*");
	assert_int_equal(low->vms.uids[1], UINT32_MAX);
	assert_int_equal(low->vms.types, 1u << KES_VM_SNP | 1u << KES_VM_TDX);
	assert_false(policy_selects_all(low));
}

static void test_names_that_are_there_twice(void **state)
{
	(void)state;
	bad("policies:\n" POLICY("x", "1", "") POLICY("x", "2", ""),
		"f:2:3: there is a policy 'x' already, in f:6:3", "");
	bad("policies:\n" POLICY("\"\\e[2J\"", "2", "") POLICY("\"\\e[2J\"", "1", ""),
		"f:6:3: there is a policy '\\x1b[2J' already, in f:2:3", "");
}

/* ---- policies of one priority ---- */

static void check_meet(const char *a, const char *b, bool meet)
{
	for (int turn = 0; turn < 2; turn++) {
		_cleanup_(policies_free) struct policies *policies = NULL;
		char text[1024];
		struct error err;
		int r;

		snprintf(text, sizeof(text),
			"policies:\n" POLICY("a", "7", "  %s\n") POLICY("b", "7", "  %s\n"),
			turn ? b : a, turn ? a : b);
		r = parse(&policies, text, &err);
		if (meet != (r == -EINVAL))
			fail_msg("%s: %d %s", text, r, r ? err.text : "");
		if (!meet)
			continue;
		assert_string_equal(err.text,
			"f:7:3: policy 'b' has priority 7, as 'a' has (f:2:3), and both may be "
			"about the same VM");
		assert_string_equal(err.advice,
			"give them different priorities, or select VMs that cannot be the same");
	}
}

#define UUID  "0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f"
#define UUID2 "1d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f"

static void test_policies_that_may_meet(void **state)
{
	(void)state;
	check_meet("#", "#", true);
	check_meet("#", "vms: {name: a}", true);
	check_meet("vms: {name: a}", "vms: {name: a}", true);
	check_meet("vms: {name: a}", "vms: {name: b}", false);
	check_meet("vms: {name: [a, b]}", "vms: {name: [c, b]}", true);
	check_meet("vms: {name: 'a*'}", "vms: {name: abc}", true);
	check_meet("vms: {name: 'a*'}", "vms: {name: b}", false);
	check_meet("vms: {name: 'a*'}", "vms: {name: 'b*'}", true); /* two globs: not looked into */
	check_meet("vms: {name: a}", "vms: {uid: 0}", true);
	check_meet("vms: {uid: 0}", "vms: {uid: 1}", false);
	check_meet("vms: {uid: [0, 1]}", "vms: {uid: 1}", true);
	check_meet("vms: {type: snp}", "vms: {type: [sev, tdx]}", false);
	check_meet("vms: {type: snp}", "vms: {type: [sev, snp]}", true);
	check_meet("vms: {uuid: " UUID "}", "vms: {uuid: " UUID2 "}", false);
	check_meet(
		"vms: {uuid: " UUID "}", "vms: {uuid: 0D2F9C1E-4A6B-4C8D-9E0F-1A2B3C4D5E6F}", true);
	check_meet("vms: {cgroup: /a}", "vms: {cgroup: /b}", false);
	check_meet("vms: {cgroup: '/*'}", "vms: {cgroup: /b/c}", true);
	check_meet("vms: {comm: a}", "vms: {comm: b}", false);
	check_meet("vms: {comm: 'q?'}", "vms: {comm: qq}", true);
	/* each key has to fit: one that cannot is enough */
	check_meet("vms: {name: a, uid: 1}", "vms: {name: a, uid: 2}", false);
	check_meet("vms: {name: a, uid: 1}", "vms: {name: a, comm: x}", true);
}

/* ---- which VMs ---- */

static struct vm *a_vm(void)
{
	struct vm *vm = vm_new(1);

	assert_non_null(vm);
	vm->known = true;
	vm->type = KES_VM_SNP;
	vm->uid = 107;
	vm->pid = 4711;
	strcpy(vm->comm, "qemu-system-x86");
	strcpy(vm->text[KES_TEXT_NAME], "web-1/prod");
	strcpy(vm->text[KES_TEXT_UUID], UUID);
	strcpy(vm->text[KES_TEXT_CGROUP], "/machine.slice/web.scope");
	for (int i = 0; i < KES_TEXT_MAX; i++)
		vm->text_size[i] = strlen(vm->text[i]);
	return vm;
}

static void check_selects(const struct vm *vm, const char *vms, bool selects)
{
	_cleanup_(policies_free) struct policies *policies = NULL;
	char text[512];

	snprintf(text, sizeof(text), "policies:\n" POLICY("a", "7", "  vms: {%s}\n"), vms);
	policies = good(text);
	if (policy_selects(&policies->list[0], vm) != selects)
		fail_msg("%s: not %d", vms, selects);
}

static void test_selection(void **state)
{
	_cleanup_(vm_free) struct vm *vm = a_vm();

	(void)state;
	check_selects(vm, "name: web-1/prod", true);
	check_selects(vm, "name: 'web-*'", true); /* a star takes slashes, too */
	check_selects(vm, "name: 'web-[0-9]/p*d'", true);
	check_selects(vm, "name: '*'", true);
	check_selects(vm, "name: web", false);
	check_selects(vm, "name: WEB-1/prod", false);
	check_selects(vm, "name: [db, '*/prod']", true);
	check_selects(vm, "uuid: " UUID, true);
	check_selects(vm, "uuid: 0D2F9C1E-4A6B-4c8d-9e0f-1a2b3c4d5e6f", true);
	check_selects(vm, "uuid: " UUID2, false);
	check_selects(vm, "uuid: [" UUID2 ", " UUID "]", true);
	check_selects(vm, "uid: 107", true);
	check_selects(vm, "uid: [0, 107]", true);
	check_selects(vm, "uid: 0", false);
	check_selects(vm, "cgroup: '/machine.slice/*'", true);
	check_selects(vm, "cgroup: /machine.slice", false);
	check_selects(vm, "comm: 'qemu-*'", true);
	check_selects(vm, "comm: qemu-system-x86_64", false); /* the kernel keeps 15 bytes */
	check_selects(vm, "type: snp", true);
	check_selects(vm, "type: [default, tdx, sev, sev-es, sw-protected]", false);
	/* all keys, any word */
	check_selects(vm, "name: 'web*', uid: [1, 107], type: snp, comm: 'q*'", true);
	check_selects(vm, "name: 'web*', uid: [1, 107], type: tdx, comm: 'q*'", false);
}

static void test_selection_of_what_is_not_known(void **state)
{
	_cleanup_(vm_free) struct vm *vm = vm_new(1);

	(void)state;
	assert_non_null(vm);
	vm->known = true;
	vm->pid = 12;
	strcpy(vm->comm, "vmm");
	vm->type = 77; /* newer than this program */
	check_selects(vm, "name: 'vmm[[]12]'", true);
	check_selects(vm, "uuid: " UUID, false);
	check_selects(vm, "cgroup: '*'", true);
	check_selects(vm, "cgroup: '?*'", false);
	check_selects(vm, "type: [default, sw-protected, sev, sev-es, snp, tdx]", false);
}

/* ---- what holds for one ---- */

/* A policy of n rules with so many ranges each, in a text of its own. */
static char *many(char *at, const char *name, int priority, int n, int ranges)
{
	at += sprintf(
		at, "- name: %s\n  priority: %d\n  mode: monitor\n  rules:\n", name, priority);
	for (int i = 0; i < n; i++) {
		at += sprintf(at, "  - {deny: any, touches: [");
		for (int k = 0; k < ranges; k++)
			at += sprintf(at, "%s0x%x000+4K", k ? ", " : "",
				(unsigned int)(i * ranges + k) * 2);
		at += sprintf(at, "]}\n");
	}
	return at;
}

static void check_too_many(const char *text, const char *name, unsigned int line)
{
	_cleanup_(policies_free) struct policies *policies = good(text);
	struct effective *effective = (void *)1;
	struct error err;
	char want[256];

	snprintf(want, sizeof(want),
		"f:%u:3: with policy '%s' a VM has more than 64 rules or 256 ranges", line, name);
	assert_int_equal(policy_compile(&effective, policies, NULL, &err), -E2BIG);
	assert_int_equal(err.code, -E2BIG);
	assert_string_equal(err.text, want);
	assert_string_equal(err.advice, "put ranges that touch together, or select fewer VMs");
	assert_ptr_equal(effective, (void *)1);
}

static void test_too_many(void **state)
{
	_cleanup_(policies_free) struct policies *fits = NULL, *none = NULL;
	_cleanup_free_ struct effective *effective = NULL;
	static char text[1 << 16];
	struct error err;
	char *at;

	(void)state;
	at = text + sprintf(text, "policies:\n");
	many(at, "a", 2, 65, 1);
	assert_int_equal(parse(&none, text, &err), -EINVAL);
	assert_string_equal(err.text, "f:70:5: more than 64 rules in one policy");
	many(at, "a", 2, 1, 257);
	assert_int_equal(parse(&none, text, &err), -EINVAL);
	assert_string_equal(err.text, "f:6:26: 257 ranges; a VM may have 256 in all");
	/* as many as there may be, of both */
	many(at, "a", 2, 64, 4);
	fits = good(text);
	assert_int_equal(policy_compile(&effective, fits, NULL, &err), 0);
	assert_int_equal(effective->set.n_rules, 64);
	assert_int_equal(effective->set.n_bounds, 512);
	/* the one that is too much is named */
	many(many(at, "a", 2, 64, 1), "b", 1, 1, 1);
	check_too_many(text, "b", 70);
	many(many(at, "a", 1, 2, 128), "b", 2, 1, 1);
	check_too_many(text, "a", 2);
}

static void test_what_holds(void **state)
{
	_cleanup_(policies_free) struct policies *policies =
		good("policies:\n"
		     "- name: low\n  priority: 1\n  mode: monitor\n  rules:\n"
		     "  - {kill: finding, kinds: storm}\n"
		     "  - {deny: shared}\n"
		     "- name: other\n  priority: 5\n  mode: enforce\n  vms: {name: db}\n"
		     "  rules: [{kill: any}]\n"
		     "- name: high\n  priority: 9\n  mode: enforce\n  vms: {name: 'web*'}\n"
		     "  rules: [{allow: any, larger: 4K}, {log: any}]\n");
	_cleanup_free_ struct effective *web = NULL, *all = NULL;
	_cleanup_(vm_free) struct vm *vm = a_vm();

	(void)state;
	assert_int_equal(policy_compile(&web, policies, vm, NULL), 0);
	assert_int_equal(web->set.n_rules, 3); /* by priority; not what is about findings */
	assert_string_equal(web->sources[0].policy->name, "high");
	assert_int_equal(web->set.rules[0].mode, KES_ENFORCE);
	assert_int_equal(web->set.rules[0].line, 17);
	assert_int_equal(web->sources[1].rule->compiled.action, KES_LOG);
	assert_string_equal(web->sources[2].policy->name, "low");
	assert_int_equal(web->set.rules[2].mode, KES_MONITOR);
	assert_int_equal(policy_compile(&all, policies, NULL, NULL), 0);
	assert_int_equal(all->set.n_rules, 1);
	assert_string_equal(all->sources[0].policy->name, "low");
}

/* ---- files ---- */

struct folder {
	char path[64];
};

static void put(const struct folder *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state)
{
	static struct folder folder;

	strcpy(folder.path, "/tmp/kes-policy-XXXXXX");
	*state = &folder;
	return mkdtemp(folder.path) ? 0 : -1;
}

static int remove_folder(void **state)
{
	const struct folder *folder = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", folder->path);
	return system(command);
}

/* In the error the folder's name is "DIR". */
static void bad_load(const char *path, int code, const char *want, const char *folder)
{
	struct policies *policies = NULL;
	struct error err;

	assert_int_equal(policies_load(&policies, path, &err), code);
	for (char *at; (at = strstr(err.text, folder));) {
		memcpy(at, "DIR", 3);
		memmove(at + 3, at + strlen(folder), strlen(at + strlen(folder)) + 1);
	}
	assert_string_equal(err.text, want);
	assert_null(policies);
}

static void test_a_folder(void **state)
{
	const struct folder *folder = *state;
	_cleanup_(policies_free) struct policies *policies = NULL;
	struct error err;
	char want[256];

	put(folder, "20-b.yaml", "policies:\n" POLICY("b", "1", "  vms: {uid: 1}\n"));
	put(folder, "10-a.yaml",
		"policies:\n" POLICY("a", "1", "  vms: {uid: 2}\n")
			POLICY("c", "1", "  vms: {uid: 3}\n"));
	put(folder, "30-d.yaml", "policies:\n" POLICY("d", "2", ""));
	put(folder, "00-other.yml", "not: a policy\n");
	put(folder, ".hidden.yaml", "not: a policy\n");
	put(folder, ".yaml", "not: a policy\n");
	put(folder, "README", "not: a policy\n");
	assert_int_equal(policies_load(&policies, folder->path, &err), 0);
	assert_int_equal(policies->n, 4);
	/* by priority; then as the files are named, then as they stand there */
	assert_string_equal(policies->list[0].name, "d");
	assert_string_equal(policies->list[1].name, "a");
	assert_string_equal(policies->list[2].name, "c");
	assert_string_equal(policies->list[3].name, "b");
	snprintf(want, sizeof(want), "%s/20-b.yaml", folder->path);
	assert_string_equal(policies->list[3].file, want);
	assert_string_equal(policies->list[3].rules[0].file, want);
}

static void test_errors_in_a_folder(void **state)
{
	const struct folder *folder = *state;
	char path[256];

	bad_load(folder->path, -ENOENT, "there is no *.yaml in DIR", folder->path);
	put(folder, "a.yaml", "policies:\n" POLICY("a", "1", ""));
	put(folder, "b.yaml", "policies:\n" POLICY("b", "2", "  vms: {nam: x}\n"));
	bad_load(folder->path, -EINVAL, "DIR/b.yaml:5:9: there is no key 'nam'", folder->path);
	put(folder, "b.yaml", "policies:\n" POLICY("a", "0", ""));
	bad_load(folder->path, -EINVAL,
		"DIR/b.yaml:2:3: there is a policy 'a' already, in DIR/a.yaml:2:3", folder->path);
	put(folder, "b.yaml", "policies:\n" POLICY("b", "1", ""));
	bad_load(folder->path, -EINVAL,
		"DIR/b.yaml:2:3: policy 'b' has priority 1, as 'a' has (DIR/a.yaml:2:3), and both "
		"may be about the same VM",
		folder->path);
	snprintf(path, sizeof(path), "%s/none.yaml", folder->path);
	bad_load(path, -ENOENT, "there is no file DIR/none.yaml", folder->path);
}

/* ---- a range by itself ---- */

static void test_a_range(void **state)
{
	struct frames range = {};
	struct error err;

	(void)state;
	assert_int_equal(policy_parse_range("0x1000+4K", &range, &err), 0);
	assert_int_equal(range.gfn, 1);
	assert_int_equal(range.npages, 1);
	assert_int_equal(policy_parse_range("0-0xfffffffffffff", &range, &err), 0);
	assert_int_equal(range.npages, 1ull << 40);
	assert_int_equal(policy_parse_range("0x1000+1", &range, &err), -EINVAL);
	assert_string_equal(err.text, "a range has whole pages, below 2^52: 0x1000+4K");
	assert_int_equal(policy_parse_range("0x1000+4P", &range, &err), -EINVAL);
	assert_int_equal(policy_parse_range("[0x1000+4K]", &range, &err), -EINVAL);
	assert_int_equal(policy_parse_range("", &range, &err), -EINVAL);
	assert_int_equal(range.npages, 1ull << 40);
}

/* ---- whatever a name may be ---- */

static void check_error_is_shown(const char *name)
{
	struct policies *policies = NULL;
	char text[4096], quoted[1024], *at = quoted;
	struct error err;

	for (const unsigned char *from = (const unsigned char *)name; *from; from++)
		at += sprintf(at, "\\x%02x", *from);
	snprintf(text, sizeof(text),
		"policies:\n" POLICY("\"%s\"", "7", "") POLICY("\"x%s\"", "7", ""), quoted, quoted);
	memset(&err, 0, sizeof(err));
	assert_int_equal(policies_parse(&policies, name, text, strlen(text), &err), -EINVAL);
	if (hostile_complaint(err.text))
		fail_msg("%s in '%s'", hostile_complaint(err.text), err.text);
}

static void test_hostile_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hostile_names); i++)
		check_error_is_shown(hostile_names[i].bytes);
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
		cmocka_unit_test(test_bad_policies),
		cmocka_unit_test(test_bad_selections),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_names_that_are_there_twice),
		cmocka_unit_test(test_policies_that_may_meet),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_selection_of_what_is_not_known),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_what_holds),
		cmocka_unit_test_setup_teardown(test_a_folder, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			test_errors_in_a_folder, make_folder, remove_folder),
		cmocka_unit_test(test_a_range),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
