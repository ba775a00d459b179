/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules in words. */
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

	return names[action];
}

const char *mode_name(enum kes_mode mode)
{
	return mode == KES_ENFORCE ? "enforce" : "monitor";
}

static const char *about(const struct policy_rule *rule)
{
	if (rule->findings)
		return "finding";
	switch (rule->compiled.asks) {
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

void rule_describe(const struct policy_rule *rule, char *text, size_t size)
{
	*text = '\0';
	if (rule->default_for) {
		say(text, size, "default for %s: %s", rule->default_for,
			action_name((enum kes_action)rule->compiled.action));
		return;
	}
	say(text, size, "%s %s", action_name((enum kes_action)rule->compiled.action), about(rule));
	for (int i = 0; i < FINDING_KINDS; i++)
		if (rule->findings & ON(i))
			say(text, size, " %s", detectors[i]->name);
	if (rule->compiled.askers == KES_BY_VMM)
		say(text, size, ", by the VMM");
	else if (rule->compiled.askers & KES_BY_VMM)
		say(text, size, ", by guest or VMM");
	say_ranges(text, size, ", touching ", rule->touches, rule->n_touches);
	say_ranges(text, size, ", within ", rule->within, rule->n_within);
	say_limits(text, size, &rule->compiled);
	if (rule->compiled.asks == KES_ASK_OTHER)
		say_numbers(text, size, rule->compiled.numbers);
	if (rule->compiled.action == KES_DENY && rule->compiled.err != -EPERM)
		say(text, size, ", with %s", strerrorname_np(-rule->compiled.err));
}
