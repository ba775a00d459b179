/* SPDX-License-Identifier: GPL-2.0-only */
/* From rules as they are written to the form that is evaluated. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/policy_private.h"

/* ---- ranges ---- */

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Where ranges of the rules begin and end, each frame once. -E2BIG. */
static int find_bounds(struct kes_rule_set *set, const struct rule_source *sources, size_t n)
{
	size_t bounds = 0, distinct = 0;

	for (size_t i = 0; i < n; i++) {
		const struct policy_rule *rule = sources[i].rule;

		for (size_t k = 0; k < rule->n_touches + rule->n_within; k++) {
			const struct frames *range = k < rule->n_touches
							     ? &rule->touches[k]
							     : &rule->within[k - rule->n_touches];

			if (bounds + 2 > KES_BOUNDS)
				return -E2BIG;
			set->bounds[bounds++] = range->gfn;
			set->bounds[bounds++] = range->gfn + range->npages;
		}
	}
	qsort(set->bounds, bounds, sizeof(set->bounds[0]), compare);
	for (size_t i = 0; i < bounds; i++)
		if (!distinct || set->bounds[distinct - 1] != set->bounds[i])
			set->bounds[distinct++] = set->bounds[i];
	set->n_bounds = (uint32_t)distinct;
	return 0;
}

/* Marks the segments of the ranges. */
static void mark(struct kes_rule_set *set, __u64 *segments, const struct frames *ranges, size_t n,
	uint64_t bit)
{
	for (size_t i = 0; i < n; i++)
		for (uint32_t at = kes_segment(set, ranges[i].gfn),
			      last = kes_segment(set, ranges[i].gfn + ranges[i].npages - 1);
			at <= last; at++)
			segments[at] |= bit;
}

/* Each level from the one below it. */
static void fill_levels(struct kes_rule_set *set)
{
	uint32_t n = set->n_bounds + 1;

	for (uint32_t level = 1; level < KES_LEVELS; level++) {
		uint32_t half = 1u << (level - 1);

		for (uint32_t i = 0; i + 2 * half <= n; i++) {
			set->any[level][i] = set->any[level - 1][i] | set->any[level - 1][i + half];
			set->all[level][i] = set->all[level - 1][i] & set->all[level - 1][i + half];
		}
	}
}

/* ---- rules ---- */

static void add_rule(struct kes_rule_set *set, const struct policy_rule *rule, uint32_t i)
{
	uint64_t bit = 1ull << i;

	set->rules[i] = rule->compiled;
	for (int what = 0; what < 3; what++)
		if (rule->compiled.asks >> what & 1)
			set->by_ask[what] |= bit;
	for (int asker = 0; asker < 2; asker++)
		if (rule->compiled.askers >> asker & 1)
			set->by_asker[asker] |= bit;
	for (int nr = 0; nr < KES_NUMBERS; nr++)
		if (rule->compiled.numbers >> nr & 1)
			set->by_number[nr] |= bit;
	for (uint32_t size = 0; size < KES_SIZES; size++)
		if (rule->compiled.larger == KES_FOREVER ||
			rule->compiled.larger < (2ull << size) - 1)
			set->by_size[size] |= bit;
	if (rule->compiled.shared_above != KES_FOREVER || rule->compiled.percent)
		set->limiting |= bit;
	if (rule->compiled.conversions.per_second || rule->compiled.pages.per_second)
		set->pacing |= bit;
	if (rule->compiled.user)
		set->users |= bit;
	if (rule->n_touches) {
		set->touching |= bit;
		mark(set, set->any[0], rule->touches, rule->n_touches, bit);
	}
	if (rule->n_within) {
		set->inside |= bit;
		mark(set, set->all[0], rule->within, rule->n_within, bit);
	}
}

/* Sets that say the same are the same, byte for byte: there is nothing between their members. */
_Static_assert(
	sizeof(struct kes_rule_set) ==
		4 * sizeof(__u32) +
			sizeof(__u64) * (2 + 3 + 2 + KES_NUMBERS + KES_SIZES + 3 + KES_BOUNDS +
						2 * KES_LEVELS * (KES_BOUNDS + 1)) +
			KES_RULES * sizeof(struct kes_rule),
	"policy: padding");

int policy_compile_rules(struct kes_rule_set *set, const struct rule_source *sources, size_t n)
{
	int r;

	memset(set, 0, sizeof(*set));
	if (n > KES_RULES)
		return -E2BIG;
	r = find_bounds(set, sources, n);
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		add_rule(set, sources[i].rule, (uint32_t)i);
		set->rules[i].mode = (uint8_t)sources[i].policy->mode;
	}
	set->n_rules = (uint32_t)n;
	fill_levels(set);
	return 0;
}

static int too_many(const struct policy *policy, struct error *err)
{
	char place[POLICY_PLACE], name[POLICY_SHOWN];

	error_set(err, -E2BIG, "%s: with policy '%s' a VM has more than %d rules or %d ranges",
		policy_place(policy->file, policy->line, policy->column, place),
		policy_shown(policy, name), KES_RULES, KES_RANGES);
	error_advise(err, "put ranges that touch together, or select fewer VMs");
	return -E2BIG;
}

struct compiling {
	const struct policies *policies;
	struct effective *effective;
	size_t n, ranges;
	const struct policy *unreadable; /* the first one that says something of it */
};

static int add_source(
	struct compiling *compiling, const struct rule_source *source, struct error *err)
{
	compiling->ranges += source->rule->n_touches + source->rule->n_within;
	if (compiling->n == KES_RULES || compiling->ranges > KES_RANGES)
		return too_many(source->policy, err);
	compiling->effective->sources[compiling->n++] = *source;
	return 0;
}

static int add_policy(struct compiling *compiling, const struct policy *policy, struct error *err)
{
	int r = 0;

	if (policy->says_unreadable && policy->mode == KES_ENFORCE && !compiling->unreadable)
		compiling->unreadable = policy;
	for (size_t i = 0; i < policy->n_rules && !r; i++)
		if (!policy->rules[i].findings)
			r = add_source(
				compiling, &(struct rule_source){policy, &policy->rules[i]}, err);
	return r;
}

static int add_default(struct compiling *compiling, uint32_t type, struct error *err)
{
	const struct rule_source *defaults = compiling->policies->defaults;
	const struct rule_source *source =
		&defaults[type < KES_VM_TYPE_MAX ? type : KES_VM_TYPE_MAX];

	if (!source->rule)
		source = &defaults[KES_VM_TYPE_MAX];
	return source->rule ? add_source(compiling, source, err) : 0;
}

/* Where nothing is said: who refuses conversions does not let pass what may be one. */
static int unreadable(const struct compiling *compiling)
{
	const struct kes_rule_set *set = &compiling->effective->set;

	if (compiling->unreadable)
		return compiling->unreadable->unreadable;
	for (uint32_t i = 0; i < set->n_rules; i++)
		if (set->rules[i].mode == KES_ENFORCE && set->rules[i].action >= KES_DENY &&
			set->rules[i].asks & (KES_ASK_PRIVATE | KES_ASK_SHARED))
			return -EPERM;
	return 0;
}

/* vm NULL: only its type is known. */
static int compile(struct effective **ret, const struct policies *policies, const struct vm *vm,
	uint32_t type, struct error *err)
{
	_cleanup_free_ struct effective *effective = calloc(1, sizeof(*effective));
	struct compiling compiling = {.policies = policies, .effective = effective};
	int r = 0;

	if (!effective)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < policies->n && !r; i++) {
		const struct policy *policy = &policies->list[i];

		if (vm ? policy_selects(policy, vm) : policy_selects_type(policy, type))
			r = add_policy(&compiling, policy, err);
	}
	if (!r)
		r = add_default(&compiling, type, err);
	if (r)
		return r;
	policy_compile_rules(&effective->set, effective->sources, compiling.n); /* they fit */
	effective->set.unreadable = unreadable(&compiling);
	*ret = TAKE_PTR(effective);
	return 0;
}

int policy_compile(struct effective **ret, const struct policies *policies, const struct vm *vm,
	struct error *err)
{
	return compile(ret, policies, vm, vm->type, err);
}

int policy_compile_standard(
	struct effective **ret, const struct policies *policies, uint32_t type, struct error *err)
{
	return compile(ret, policies, NULL, type, err);
}
