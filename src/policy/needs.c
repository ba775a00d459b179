/* SPDX-License-Identifier: GPL-2.0-only */
/* What policies want of the kernel half, and what they make of findings. */
#include "detect/detector.h"
#include "policy/policy.h"

/* ---- needs ---- */

static bool needs(const struct policy_rule *rule, enum policy_need need)
{
	const struct kes_rule *c = &rule->compiled;

	switch (need) {
	case NEED_AMOUNTS:
		return c->shared_above != KES_FOREVER || c->percent;
	case NEED_RATES:
		return c->conversions.per_second || c->pages.per_second;
	case NEED_FREEZE:
		return c->action == KES_FREEZE;
	case NEED_VMM:
		return c->askers & KES_BY_VMM;
	case NEED_FINDINGS:
		return rule->findings;
	case NEED_HYPERCALLS:
		return c->asks & KES_ASK_OTHER;
	}
	return false;
}

const struct policy_rule *policies_want(const struct policies *policies, enum policy_need need)
{
	for (size_t i = 0; i < policies->n; i++)
		for (size_t k = 0; k < policies->list[i].n_rules; k++)
			if (needs(&policies->list[i].rules[k], need))
				return &policies->list[i].rules[k];
	for (size_t i = 0; i <= KES_VM_TYPE_MAX; i++)
		if (policies->defaults[i].rule && needs(policies->defaults[i].rule, need))
			return policies->defaults[i].rule;
	return NULL;
}

/* ---- findings ---- */

/* The first rule of the policy about findings of this kind; NULL: there is none. */
static const struct policy_rule *first_about(const struct policy *policy, enum finding_kind kind)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].findings & ON(kind))
			return &policy->rules[i];
	return NULL;
}

struct reaction policy_on_finding(
	const struct policies *policies, const struct vm *vm, enum finding_kind kind)
{
	struct reaction reaction = {};

	for (size_t i = 0; i < policies->n; i++) {
		const struct policy *policy = &policies->list[i];
		struct rule_source source = {policy, first_about(policy, kind)};

		if (!source.rule || !policy_selects(policy, vm))
			continue;
		if (policy->mode == KES_ENFORCE) {
			reaction.decided = source;
			break;
		}
		if (!reaction.monitored.rule)
			reaction.monitored = source;
	}
	return reaction;
}
