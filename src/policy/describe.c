/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules in words: as they are written, and as they are compiled. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "detect/detector.h"
#include "policy/policy.h"

const char *action_name(enum kes_action action)
{
	static const char *const names[] = {
		[KES_ALLOW] = "allow",
		[KES_LOG] = "log",
		[KES_DENY] = "deny",
		[KES_FREEZE] = "freeze",
		[KES_KILL] = "kill",
	};
	_Static_assert(ARRAY_SIZE(names) == KES_ACTIONS, "a name for each action");

	return (unsigned int)action < KES_ACTIONS ? names[action]
						  : "do what is newer than this program";
}

const char *mode_name(enum kes_mode mode)
{
	return mode == KES_ENFORCE ? "enforce" : "monitor";
}

static const char *about(const struct kes_rule *rule)
{
	switch (rule->asks) {
	case KES_ASK_PRIVATE:
		return "private";
	case KES_ASK_SHARED:
		return "shared";
	case KES_ASK_OTHER:
		return "hypercall";
	default:
		return "any";
	}
}

static void say_ranges(
	char *text, size_t size, const char *how, const struct frames *ranges, size_t n)
{
	for (size_t i = 0; i < n && i < 4; i++)
		say(text, size, "%s0x%llx+0x%llx", i ? ", " : how,
			(unsigned long long)ranges[i].gfn << 12,
			(unsigned long long)ranges[i].npages << 12);
	if (n > 4)
		say(text, size, " and %zu more", n - 4);
}

static void say_rate(char *text, size_t size, const char *what, const struct kes_rate *rate)
{
	if (rate->per_second)
		say(text, size, ", beyond %u %s a second (burst %u)", rate->per_second, what,
			rate->burst);
}

static void say_limits(char *text, size_t size, const struct kes_rule *rule)
{
	const char *base = rule->above_baseline ? " over the baseline" : "";

	if (rule->larger != KES_FOREVER)
		say(text, size, ", larger than %llu pages", (unsigned long long)rule->larger);
	if (rule->alignment)
		say(text, size, ", off a multiple of %llu pages",
			(unsigned long long)rule->alignment);
	if (rule->shared_above != KES_FOREVER)
		say(text, size, ", more than %llu pages shared%s",
			(unsigned long long)rule->shared_above, base);
	if (rule->percent)
		say(text, size, ", more than %u%% shared%s", rule->percent, base);
	if (rule->user)
		say(text, size, ", from user mode");
	say_rate(text, size, "conversions", &rule->conversions);
	say_rate(text, size, "pages", &rule->pages);
}

static void say_numbers(char *text, size_t size, uint32_t numbers)
{
	const char *separator = ", numbers ";

	if (numbers == ~0u)
		return;
	for (unsigned int i = 0; i < KES_NUMBERS; i++) {
		if (!(numbers >> i & 1))
			continue;
		if (i == KES_NUMBERS - 1)
			say(text, size, "%sabove", separator);
		else
			say(text, size, "%s%u", separator, i);
		separator = " ";
	}
}

static void say_askers(char *text, size_t size, const struct kes_rule *rule)
{
	if (rule->askers == KES_BY_VMM)
		say(text, size, ", by the VMM");
	else if (rule->askers & KES_BY_VMM)
		say(text, size, ", by guest or VMM");
}

static void say_errno(char *text, size_t size, const struct kes_rule *rule)
{
	const char *name = strerrorname_np(-rule->err);

	if (rule->action == KES_DENY && rule->err != -EPERM)
		say(text, size, ", with %s", name ?: "an errno that has no name");
}

/* Of what it is about requests. */
static void say_compiled(char *text, size_t size, const struct kes_rule *rule)
{
	say_limits(text, size, rule);
	if (rule->asks == KES_ASK_OTHER)
		say_numbers(text, size, rule->numbers);
	say_errno(text, size, rule);
}

void rule_describe(const struct policy_rule *rule, char *text, size_t size)
{
	const char *action = action_name((enum kes_action)rule->compiled.action);

	*text = '\0';
	if (rule->default_for) {
		say(text, size, "default for %s: %s", rule->default_for, action);
		return;
	}
	say(text, size, "%s %s", action, rule->findings ? "finding" : about(&rule->compiled));
	for (int i = 0; i < FINDING_KINDS; i++)
		if (rule->findings & ON(i))
			say(text, size, " %s", detectors[i]->name);
	say_askers(text, size, &rule->compiled);
	say_ranges(text, size, ", touching ", rule->touches, rule->n_touches);
	say_ranges(text, size, ", within ", rule->within, rule->n_within);
	say_compiled(text, size, &rule->compiled);
}

/* ---- rules as the kernel has them ---- */

/* Its ranges, from the segments that have its bit. */
static size_t find_ranges(const struct kes_rule_set *set, const __u64 *segments, uint64_t bit,
	struct frames ranges[KES_RANGES])
{
	size_t n = 0;

	for (uint32_t i = 1; i < set->n_bounds && i < KES_BOUNDS; i++) {
		if (!(segments[i] & bit))
			continue;
		if (n && segments[i - 1] & bit)
			ranges[n - 1].npages += set->bounds[i] - set->bounds[i - 1];
		else if (n < KES_RANGES)
			ranges[n++] = (struct frames){
				set->bounds[i - 1], set->bounds[i] - set->bounds[i - 1]};
	}
	return n;
}

void rule_describe_compiled(const struct kes_rule_set *set, uint32_t i, char *text, size_t size)
{
	const struct kes_rule *rule = &set->rules[i];
	struct frames ranges[KES_RANGES];

	*text = '\0';
	say(text, size, "%s %s", action_name((enum kes_action)rule->action), about(rule));
	say_askers(text, size, rule);
	say_ranges(text, size, ", touching ", ranges,
		find_ranges(set, set->any[0], 1ull << i, ranges));
	say_ranges(
		text, size, ", within ", ranges, find_ranges(set, set->all[0], 1ull << i, ranges));
	say_compiled(text, size, rule);
}
