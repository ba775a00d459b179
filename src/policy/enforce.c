/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/enforce.h"

#include <errno.h>

/* What a veto of hypercalls cannot do, or this version does not; NULL: it can. */
static const char *obstacle(const struct policy_rule *rule)
{
	const struct kes_rule *c = &rule->compiled;

	if (rule->findings)
		return "about findings";
	if (c->action == KES_FREEZE)
		return "that freeze a VM";
	if (c->askers & KES_BY_VMM)
		return "about what the VMM does by itself";
	if (c->conversions.per_second || c->pages.per_second)
		return "about rates";
	if (c->shared_above != KES_FOREVER || c->percent)
		return "about how much is shared";
	return NULL;
}

int enforce_check(const struct policies *policies, struct error *err)
{
	for (size_t i = 0; i < policies->n; i++)
		for (size_t k = 0; k < policies->list[i].n_rules; k++) {
			const struct policy_rule *rule = &policies->list[i].rules[k];
			const char *what = obstacle(rule);

			if (!what)
				continue;
			error_set(err, -ENOTSUP,
				"%s:%u: rules %s cannot be enforced by this version", rule->file,
				rule->line, what);
			error_advise(err,
				"policy test tries them on recorded traffic; take them out to "
				"enforce the others");
			return -ENOTSUP;
		}
	return 0;
}

void enforce_proof(struct kes_rule_set *set, struct frames range)
{
	static const struct policy policy = {.mode = KES_ENFORCE};
	struct policy_rule rule = {
		.compiled =
			{
				.larger = KES_FOREVER,
				.shared_above = KES_FOREVER,
				.action = KES_DENY,
				.asks = KES_ASK_SHARED,
				.askers = KES_BY_GUEST,
				.numbers = ~0u,
				.err = -EPERM,
			},
		.touches = &range,
		.n_touches = 1,
	};
	struct rule_source source = {&policy, &rule};

	policy_compile_rules(set, &source, 1); /* one rule with one range always fits */
}
