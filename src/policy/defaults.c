/* SPDX-License-Identifier: GPL-2.0-only */
/* What holds where no policy decides, by type of VM. */
#include <errno.h>

#include "base/cleanup.h"
#include "policy/policy_private.h"

#define KEY_MODE (KES_VM_TYPE_MAX + 1) /* behind the types, and any */

struct default_reading {
	struct policies *policies;
	struct policy *policy;
};

static int twice(
	const struct policy_rule *rule, const struct policy_rule *before, struct error *err)
{
	char here[POLICY_PLACE], there[POLICY_PLACE];

	return error_set(err, -EINVAL, "%s: there is a default for %s already, in %s",
		policy_place(rule->file, rule->line, rule->column, here), rule->default_for,
		policy_place(before->file, before->line, before->column, there));
}

static int read_entry(struct default_reading *reading, size_t type, const char *name,
	const struct yaml_node *node, struct error *err)
{
	struct rule_source *source = &reading->policies->defaults[type];
	struct policy_rule *rule = &reading->policy->rules[reading->policy->n_rules];
	const char *actions[KES_ACTIONS];
	size_t action;
	int r;

	for (int i = 0; i < KES_ACTIONS; i++)
		actions[i] = action_name((enum kes_action)i);
	r = yaml_choose(node, "action", actions, ARRAY_SIZE(actions), &action, err);
	if (r)
		return r;
	policy_begin_rule(reading->policies, rule, node->key);
	rule->compiled.action = (uint8_t)action;
	rule->compiled.asks = KES_ASK_PRIVATE | KES_ASK_SHARED;
	rule->default_for = name;
	if (source->rule)
		return twice(rule, source->rule, err);
	*source = (struct rule_source){reading->policy, rule};
	reading->policy->n_rules++;
	return 0;
}

static int read_key(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	struct default_reading *reading = context;
	const char *names[KEY_MODE + 1];
	char buffer[16];
	size_t which;
	int r;

	for (uint32_t i = 0; i < KES_VM_TYPE_MAX; i++)
		names[i] = vm_type_name(i, buffer);
	names[KES_VM_TYPE_MAX] = "any";
	names[KEY_MODE] = "mode";
	r = yaml_choose(key, "key", names, ARRAY_SIZE(names), &which, err);
	if (r)
		return r;
	if (which == KEY_MODE)
		return policy_read_mode(value, &reading->policy->mode, err);
	return read_entry(reading, which, names[which], value, err);
}

int policy_read_defaults(struct policies *policies, const struct yaml_node *node, struct error *err)
{
	struct default_reading reading = {
		policies, policies_alloc(policies, 1, sizeof(*reading.policy))};
	struct policy_rule *rules = policies_alloc(policies, KES_VM_TYPE_MAX + 1, sizeof(*rules));
	int r;

	if (!reading.policy || !rules)
		return error_set(err, -ENOMEM, "out of memory");
	*reading.policy = (struct policy){
		.name = "defaults",
		.file = policies->files[policies->n_files - 1],
		.line = node->line,
		.column = node->column,
		.rules = rules,
	};
	r = yaml_each_pair(node, read_key, &reading, err);
	if (r)
		return r;
	if (!yaml_find(node, "mode"))
		return yaml_error(node, err, "'mode' is missing here");
	if (!reading.policy->n_rules)
		return yaml_error(
			node, err, "a VM type, or any, is missing here, such as snp: deny");
	return 0;
}
