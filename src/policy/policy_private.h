/* SPDX-License-Identifier: GPL-2.0-only */
/* Between parse.c (files, policies, selections) and parse_rule.c (rules). */
#ifndef POLICY_POLICY_PRIVATE_H
#define POLICY_POLICY_PRIVATE_H

#include "base/yaml.h"
#include "policy/policy.h"

#define POLICY_TEXT_MAX   255       /* bytes of a name, a glob, a path */
#define POLICY_SEPARATORS "/._:@-," /* of labels, in a name */

/* Memory of the policies' own, zeroed, freed with them. NULL: there is none. */
void *policies_alloc(struct policies *policies, size_t n, size_t size);
const char *policies_text(struct policies *policies, const char *text);

/* In the file that was begun last. */
int policy_read_rule(struct policies *policies, struct policy *policy, const struct yaml_node *item,
	struct error *err);

/* Zeroed but for what matches everything of guests; the file is the one that was begun last. */
void policy_begin_rule(
	const struct policies *policies, struct policy_rule *rule, const struct yaml_node *place);

int policy_read_mode(const struct yaml_node *node, enum kes_mode *ret, struct error *err);

/* The value of the key "defaults". */
int policy_read_defaults(
	struct policies *policies, const struct yaml_node *node, struct error *err);

/* One value, or a list of them: fn for each. An empty list is an error: it would mean nothing, or
 * anything. */
int policy_each(const struct yaml_node *node, yaml_item_fn fn, void *context, struct error *err);

/* "FILE:LINE:COLUMN", "NAME" in errors, escaped and cut: an error has room for two of each. */
#define POLICY_PLACE 128
#define POLICY_SHOWN 64
const char *policy_place(
	const char *file, unsigned int line, unsigned int column, char buffer[POLICY_PLACE]);
const char *policy_shown(const struct policy *policy, char buffer[POLICY_SHOWN]);

/* Names that are there twice, and policies of one priority that may be about the same VM. */
int policies_check(const struct policies *policies, struct error *err);

/* Rules of the policy that can never decide. */
int policy_check_reach(const struct policy *policy, struct error *err);

#endif
