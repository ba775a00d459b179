/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as a policy: it is refused with its place, or its rules hold for VMs within the tables,
 * and what is asked of them gets a verdict that they can have given. Build: make fuzzers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/hostile_names.h"
#include "base/cleanup.h"
#include "policy/policy.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_error(const struct error *err, int code)
{
	require(err->code == code && *err->text);
	require(!strncmp(err->text, "file:", strlen("file:")));
	require(!hostile_complaint(err->text));
	require(code == -EFBIG || code == -EINVAL);
}

/* ---- what was read ---- */

static void check_ranges(const struct frames *list, size_t n)
{
	require(n <= KES_RANGES);
	for (size_t i = 0; i < n; i++)
		require(list[i].npages && list[i].gfn + list[i].npages <= 1ull << 40);
}

static void check_rate(const struct kes_rate *rate)
{
	require(!rate->per_second == !rate->burst);
	require(rate->per_second <= KES_TOKENS_MAX && rate->burst <= KES_TOKENS_MAX);
}

static void check_rule(const struct policy_rule *rule)
{
	const struct kes_rule *c = &rule->compiled;
	char text[512];

	require(rule->line && rule->column && rule->line == c->line && !c->file);
	require(!c->asks == !!rule->findings);
	require(c->asks <= KES_ASK_OTHER && c->askers && c->askers < 4 && c->numbers);
	require(c->action < KES_ACTIONS && c->percent <= 100 && c->err < 0);
	require(c->larger == KES_FOREVER || c->larger <= 1ull << 40);
	require(!(c->alignment & (c->alignment - 1)) && c->alignment <= 1ull << 40);
	check_ranges(rule->touches, rule->n_touches);
	check_ranges(rule->within, rule->n_within);
	check_rate(&c->conversions);
	check_rate(&c->pages);
	rule_describe(rule, text, sizeof(text));
	require(*text && !hostile_complaint(text));
}

static void check_policy(const struct policy *policy)
{
	require(*policy->name && policy->n_rules && policy->n_rules <= KES_RULES);
	require(policy->mode == KES_MONITOR || policy->mode == KES_ENFORCE);
	require(policy->line && policy->column);
	for (size_t i = 0; i < policy->n_rules; i++)
		check_rule(&policy->rules[i]);
}

/* ---- what it says ---- */

static void check_verdict(const struct kes_rule_set *set, const struct kes_verdict *verdict)
{
	if (verdict->rule == KES_NO_RULE) {
		require(verdict->action == KES_ALLOW);
	} else {
		require(verdict->rule < set->n_rules);
		require(set->rules[verdict->rule].mode == KES_ENFORCE);
		require(set->rules[verdict->rule].action == verdict->action);
	}
	if (verdict->monitored == KES_NO_RULE) {
		require(verdict->would == KES_ALLOW);
	} else {
		require(verdict->monitored < set->n_rules && verdict->monitored < verdict->rule);
		require(set->rules[verdict->monitored].mode == KES_MONITOR);
		require(set->rules[verdict->monitored].action == verdict->would);
	}
}

static void ask(const struct kes_rule_set *set, struct kes_policy_state *state, uint64_t gfn,
	uint64_t npages)
{
	for (unsigned int i = 0; i < 12; i++) {
		struct kes_ask question = {
			.gfn = gfn,
			.npages = npages,
			.more = i % 3 == 1 ? npages : 0,
			.now_ns = state->shared++ << 20,
			.nr = i * 3,
			.what = (uint8_t)(1u << i % 3),
			.asker = (uint8_t)(1u << i / 3 % 2),
			.cpl = i > 5 ? 3 : 0,
		};
		struct kes_verdict verdict = kes_evaluate(set, state, &question);

		check_verdict(set, &verdict);
	}
}

/* At each border, and next to it. */
static void ask_around(const struct kes_rule_set *set, struct kes_policy_state *state)
{
	static const uint64_t others[] = {0, 1, 1ull << 40, UINT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		for (size_t k = 0; k < ARRAY_SIZE(others); k++)
			ask(set, state, others[i], others[k]);
	for (uint32_t i = 0; i < set->n_bounds; i++)
		for (uint64_t before = 0; before < 2; before++) {
			ask(set, state, set->bounds[i] - before, 1);
			ask(set, state, set->bounds[i] - before, set->bounds[i] + 2);
		}
}

static void check_set(const struct kes_rule_set *set)
{
	require(set->n_rules <= KES_RULES && set->n_bounds <= KES_BOUNDS);
	for (uint32_t i = 1; i < set->n_bounds; i++)
		require(set->bounds[i - 1] < set->bounds[i]);
}

/* vm NULL: what holds for all VMs of that type. */
static void compile(const struct policies *policies, const struct vm *vm, uint32_t type)
{
	_cleanup_free_ struct effective *effective = NULL;
	static struct kes_policy_state state;
	struct error err;
	int r = vm ? policy_compile(&effective, policies, vm, &err)
		   : policy_compile_standard(&effective, policies, type, &err);

	if (r) {
		require(r == -E2BIG && err.code == r && !hostile_complaint(err.text));
		return;
	}
	memset(&state, 0, sizeof(state));
	state.memory = 1 << 20;
	state.baseline = 1 << 10;
	check_set(&effective->set);
	require(!effective->set.unreadable || effective->set.unreadable == -EPERM);
	for (uint32_t i = 0; i < effective->set.n_rules; i++)
		require(effective->sources[i].rule->line == effective->set.rules[i].line);
	ask_around(&effective->set, &state);
}

/* One of which all is known, and one of which nothing is. */
static void compile_for_vms(const struct policies *policies)
{
	_cleanup_(vm_free) struct vm *known = vm_new(1), *unknown = vm_new(2);

	require(known && unknown);
	known->known = true;
	known->type = KES_VM_SNP;
	known->uid = 107;
	strcpy(known->comm, "qemu-system-x86");
	strcpy(known->text[KES_TEXT_NAME], "web-1");
	strcpy(known->text[KES_TEXT_UUID], "0d2f9c1e-4a6b-4c8d-9e0f-1a2b3c4d5e6f");
	strcpy(known->text[KES_TEXT_CGROUP], "/machine.slice/web.scope");
	compile(policies, known, 0);
	compile(policies, unknown, 0);
	for (uint32_t type = 0; type <= KES_VM_TYPE_MAX; type++)
		compile(policies, NULL, type);
	for (int kind = 0; kind < FINDING_KINDS; kind++) {
		struct reaction reaction =
			policy_on_finding(policies, known, (enum finding_kind)kind);

		require(!reaction.decided.rule || reaction.decided.rule->findings >> kind & 1);
		require(!reaction.monitored.rule || reaction.monitored.rule->findings >> kind & 1);
	}
}

/* Returns how many there are. */
static size_t check_defaults(const struct policies *policies)
{
	size_t n = 0;

	for (size_t i = 0; i <= KES_VM_TYPE_MAX; i++) {
		const struct rule_source *source = &policies->defaults[i];

		require(!source->rule == !source->policy);
		if (!source->rule)
			continue;
		check_rule(source->rule);
		require(source->rule->default_for && source->policy->n_rules);
		n++;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	_cleanup_(policies_free) struct policies *policies = NULL;
	/* Exactly as large, so that the sanitizer sees each byte read beyond. */
	unsigned char *copy = malloc(size ? size : 1);
	struct error err;
	int r;

	require(copy);
	if (size)
		memcpy(copy, data, size);
	memset(&err, 0x5a, sizeof(err));
	r = policies_parse(&policies, "file", copy, size, &err);
	free(copy);
	if (r) {
		check_error(&err, r);
		require(!policies);
		return 0;
	}
	require((check_defaults(policies) || policies->n) && policies->n_files == 1);
	for (size_t i = 0; i < policies->n; i++) {
		check_policy(&policies->list[i]);
		require(!i || policies->list[i - 1].priority >= policies->list[i].priority);
	}
	compile_for_vms(policies);
	return 0;
}
