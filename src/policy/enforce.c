/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/enforce.h"

#include <errno.h>

static const struct policy_rule *find_user(const struct policies *policies)
{
	for (size_t i = 0; i < policies->n; i++)
		for (size_t k = 0; k < policies->list[i].n_rules; k++)
			if (policies->list[i].rules[k].compiled.user)
				return &policies->list[i].rules[k];
	return NULL;
}

const struct policy_rule *enforce_wants_gate(const struct policies *policies, const char **ret_why)
{
	const struct policy_rule *rule = policies_want(policies, NEED_AMOUNTS);

	*ret_why = "how much is shared is counted";
	if (rule)
		return rule;
	*ret_why = "hypercalls that convert nothing are seen";
	rule = policies_want(policies, NEED_HYPERCALLS);
	if (rule)
		return rule;
	*ret_why = "it is known which mode of the guest asks";
	return find_user(policies);
}

bool enforce_refuses_guests(const struct kes_rule_set *set)
{
	for (uint32_t i = 0; i < set->n_rules; i++)
		if (set->rules[i].mode == KES_ENFORCE && set->rules[i].action >= KES_DENY &&
			set->rules[i].askers & KES_BY_GUEST)
			return true;
	return false;
}

static struct policy_rule proof_rule(const struct frames *range, enum kes_action action)
{
	return (struct policy_rule){
		.compiled =
			{
				.larger = KES_FOREVER,
				.shared_above = KES_FOREVER,
				.action = (uint8_t)action,
				.asks = KES_ASK_SHARED,
				.askers = KES_BY_GUEST | KES_BY_VMM,
				.numbers = ~0u,
				.err = -EPERM,
			},
		.touches = (struct frames *)(uintptr_t)range, /* only read */
		.n_touches = 1,
	};
}

void enforce_proof(struct kes_rule_set *set, struct frames denied, struct frames freezes)
{
	static const struct policy policy = {.mode = KES_ENFORCE};
	struct policy_rule deny = proof_rule(&denied, KES_DENY);
	struct policy_rule freeze = proof_rule(&freezes, KES_FREEZE);
	const struct rule_source sources[] = {{&policy, &deny}, {&policy, &freeze}};

	policy_compile_rules(set, sources, 2); /* so few always fit */
}
