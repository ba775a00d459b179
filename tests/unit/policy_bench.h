/* SPDX-License-Identifier: GPL-2.0-only */
/* Policies from texts, and what is wrong with them: for the tests of the language. */
#ifndef POLICY_BENCH_H
#define POLICY_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "base/cleanup.h"
#include "policy/policy.h"

/* What is before the rules of the policies below: the first rule is in line 6. */
#define HEAD "policies:\n- name: p\n  priority: 1\n  mode: enforce\n  rules:\n"

static inline int parse(struct policies **policies, const char *text, struct error *err)
{
	memset(err, 0x5a, sizeof(*err));
	return policies_parse(policies, "f", text, strlen(text), err);
}

static inline struct policies *good(const char *text)
{
	struct policies *policies = NULL;
	struct error err;

	if (parse(&policies, text, &err))
		fail_msg("%s: %s (%s)", text, err.text, err.advice);
	return policies;
}

static inline void bad(const char *text, const char *expected, const char *advice)
{
	struct policies *untouched = (void *)1, *policies = untouched;
	struct error err;

	assert_int_equal(parse(&policies, text, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, expected);
	assert_string_equal(err.advice, advice);
	assert_ptr_equal(policies, untouched);
}

/* The rule of a policy that has one. */
static inline const struct policy_rule *only_rule(const struct policies *policies)
{
	assert_int_equal(policies->n, 1);
	assert_int_equal(policies->list[0].n_rules, 1);
	return &policies->list[0].rules[0];
}

#endif
