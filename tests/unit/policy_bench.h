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

/* Policies with a rule, by name and priority; more: lines of it. */
#define ANY_RULES "  rules: [{deny: any}]\n"
#define POLICY(name, priority, more) \
	"- name: " name "\n  priority: " priority "\n  mode: enforce\n" more ANY_RULES

#define UUID  "0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f"
#define UUID2 "1d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f"

/* An SNP guest of QEMU's. */
static inline struct vm *a_vm(void)
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

/* What the default says for VMs of this type: as rule_describe() has it, or "none". */
static inline void check_default(const struct policies *policies, uint32_t type, const char *want)
{
	_cleanup_free_ struct effective *effective = NULL;
	_cleanup_(vm_free) struct vm *vm = a_vm();
	char text[128] = "none";

	vm->type = type;
	assert_int_equal(policy_compile(&effective, policies, vm, NULL), 0);
	if (effective->set.n_rules)
		rule_describe(
			effective->sources[effective->set.n_rules - 1].rule, text, sizeof(text));
	assert_string_equal(text, want);
}

#endif
