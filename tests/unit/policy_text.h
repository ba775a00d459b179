/* SPDX-License-Identifier: GPL-2.0-only */
/* Policies as they are meant, written as people may write them. */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

#include "policy_meant.h"

static inline __attribute__((format(printf, 2, 3))) void put_text(
	struct meant *meant, const char *format, ...)
{
	char *at = meant->text + meant->size;
	va_list args;

	va_start(args, format);
	meant->size += (size_t)vsnprintf(at, sizeof(meant->text) - meant->size, format, args);
	va_end(args);
	assert_true(meant->size < sizeof(meant->text));
	while ((at = strchr(at, '\n'))) {
		at++;
		meant->line++;
	}
}

static inline void write_bytes(struct meant *meant, uint64_t bytes)
{
	static const char units[] = "KMGTP";
	int unit = (int)below(6);

	while (unit && bytes % (1ull << 10 * unit))
		unit--;
	if (unit && bytes)
		put_text(
			meant, "%llu%c", (unsigned long long)(bytes >> 10 * unit), units[unit - 1]);
	else
		put_text(meant, "%llu", (unsigned long long)bytes);
}

static inline void write_ranges(struct meant *meant, const struct meant_range *list, size_t n)
{
	bool brackets = n > 1 || one_of(2);

	for (size_t i = 0; i < n; i++) {
		put_text(meant, "%s", i ? ", " : brackets ? "[" : "");
		put_text(meant, one_of(3) ? "%llu" : "0x%llx", (unsigned long long)list[i].first);
		if (one_of(2)) {
			put_text(meant, "-0x%llx", (unsigned long long)list[i].last);
			continue;
		}
		put_text(meant, "+");
		write_bytes(meant, list[i].last - list[i].first + 1);
	}
	put_text(meant, "%s", brackets ? "]" : "");
}

static inline void write_rate(struct meant *meant, const struct meant_rate *rate)
{
	unsigned long long n = rate->per_second, burst = rate->burst;

	if (one_of(2))
		put_text(meant, "{per-second: %llu, burst: %llu}", n, burst);
	else
		put_text(meant, "{burst: '%llu', per-second: \"%llu\"}", burst, n);
}

static inline void write_numbers(struct meant *meant, const struct meant_rule *rule)
{
	const char *separator = "[";

	for (int i = 31; i >= 0; i--) {
		if (!rule->numbers[i])
			continue;
		if (i == 31)
			put_text(meant, "%sabove", separator);
		else
			put_text(meant, "%s%d", separator, i);
		separator = ",";
	}
	put_text(meant, "]");
}

static inline void write_findings(struct meant *meant, uint64_t kinds)
{
	const char *separator = "[";

	for (int i = 0; i < FINDING_KINDS; i++) {
		if (!(kinds >> i & 1))
			continue;
		if (one_of(2))
			put_text(meant, "%sKES-%03d", separator, i + 1);
		else
			put_text(meant, "%s%s", separator, detectors[i]->name);
		separator = ", ";
	}
	put_text(meant, "]");
}

enum meant_key {
	KEY_ACTION,
	KEY_BY,
	KEY_FROM,
	KEY_TOUCHES,
	KEY_WITHIN,
	KEY_LARGER,
	KEY_UNALIGNED,
	KEY_AMOUNT,
	KEY_CONVERSIONS,
	KEY_PAGES,
	KEY_NUMBERS,
	KEY_KINDS,
	KEY_ERRNO,
	KEYS,
};

static inline bool has_key(const struct meant_rule *rule, enum meant_key key, bool say_by)
{
	const bool has[KEYS] = {
		[KEY_ACTION] = true,
		[KEY_BY] = rule->by != BY_GUEST || say_by,
		[KEY_FROM] = rule->user,
		[KEY_TOUCHES] = rule->n_touches,
		[KEY_WITHIN] = rule->n_within,
		[KEY_LARGER] = rule->larger != NOTHING,
		[KEY_UNALIGNED] = rule->unaligned != NOTHING,
		[KEY_AMOUNT] = rule->amount != NOTHING || rule->percent,
		[KEY_CONVERSIONS] = rule->conversions.burst,
		[KEY_PAGES] = rule->pages.burst,
		[KEY_NUMBERS] = rule->has_numbers,
		[KEY_KINDS] = rule->subject == ABOUT_FINDING,
		[KEY_ERRNO] = rule->error,
	};

	return has[key];
}

static inline void write_amount(struct meant *meant, const struct meant_rule *rule)
{
	put_text(meant, "%s: ", rule->over_baseline ? "shared-over-baseline" : "shared-above");
	if (rule->percent)
		put_text(meant, "%d%%", (int)rule->percent);
	else
		write_bytes(meant, rule->amount);
}

static inline void write_key(struct meant *meant, const struct meant_rule *rule, enum meant_key key)
{
	static const char *const subjects[] = {"private", "shared", "any", "hypercall", "finding"};
	static const char *const askers[] = {"guest", "vmm", "any"};

	switch (key) {
	case KEY_ACTION:
		put_text(meant, "%s: %s", meant_actions[rule->action], subjects[rule->subject]);
		break;
	case KEY_BY:
		put_text(meant, "by: %s", askers[rule->by]);
		break;
	case KEY_FROM:
		put_text(meant, "from: user");
		break;
	case KEY_TOUCHES:
		put_text(meant, "touches: ");
		write_ranges(meant, rule->touches, rule->n_touches);
		break;
	case KEY_WITHIN:
		put_text(meant, "within: ");
		write_ranges(meant, rule->within, rule->n_within);
		break;
	case KEY_LARGER:
		put_text(meant, "larger: ");
		write_bytes(meant, rule->larger);
		break;
	case KEY_UNALIGNED:
		put_text(meant, "unaligned: ");
		write_bytes(meant, rule->unaligned);
		break;
	case KEY_AMOUNT:
		write_amount(meant, rule);
		break;
	case KEY_CONVERSIONS:
		put_text(meant, "conversions: ");
		write_rate(meant, &rule->conversions);
		break;
	case KEY_PAGES:
		put_text(meant, "pages: ");
		write_rate(meant, &rule->pages);
		break;
	case KEY_NUMBERS:
		put_text(meant, "numbers: ");
		write_numbers(meant, rule);
		break;
	case KEY_KINDS:
		put_text(meant, "kinds: ");
		write_findings(meant, rule->findings);
		break;
	case KEY_ERRNO:
		put_text(meant, "errno: %s", strerrorname_np(rule->error));
		break;
	case KEYS:
		break;
	}
}

/* Keys in any order, in one line or in several. */
static inline void write_rule_text(struct meant *meant, struct meant_rule *rule)
{
	bool flow = one_of(2), first = true;
	bool say_by = rule->subject < ABOUT_HYPERCALL && one_of(3);
	uint64_t from = below(KEYS), step = 1 + below(KEYS - 1); /* KEYS is a prime */

	rule->line = meant->line;
	put_text(meant, "    - %s", flow ? "{" : "");
	for (uint64_t i = 0; i < KEYS; i++) {
		enum meant_key key = (enum meant_key)((from + i * step) % KEYS);

		if (!has_key(rule, key, say_by))
			continue;
		put_text(meant, "%s", first ? "" : flow ? ", " : "\n      ");
		write_key(meant, rule, key);
		first = false;
	}
	put_text(meant, flow ? "}%s\n" : "%s\n", one_of(8) ? "  # so it is" : "");
}

static inline void write_patterns(
	struct meant *meant, const char *key, const struct meant_pattern *list, size_t n)
{
	put_text(meant, "      %s: [", key);
	for (size_t i = 0; i < n; i++)
		put_text(meant, "%s'%s%s'", i ? ", " : "", list[i].word, list[i].star ? "*" : "");
	put_text(meant, "]\n");
}

static inline void write_selection(struct meant *meant, const struct meant_policy *policy)
{
	const char *separator = "[";

	if (!policy->n_names && !policy->n_labels && !policy->has_types && !policy->has_uid)
		return;
	put_text(meant, "    vms:\n");
	if (policy->n_names)
		write_patterns(meant, "name", policy->names, policy->n_names);
	if (policy->n_labels)
		write_patterns(meant, "label", policy->labels, policy->n_labels);
	if (policy->has_uid)
		put_text(meant, "      uid: %d\n", (int)policy->uid);
	if (!policy->has_types)
		return;
	put_text(meant, "      type: ");
	for (int i = 0; i < MEANT_TYPES; i++) {
		if (!policy->types[i])
			continue;
		put_text(meant, "%s%s", separator, meant_types[i]);
		separator = ", ";
	}
	put_text(meant, "]\n");
}

static inline void write_policy_text(struct meant *meant, size_t i)
{
	struct meant_policy *policy = &meant->policies[i];

	put_text(meant, "  - name: p%zu\n    priority: %llu\n", i,
		(unsigned long long)policy->priority);
	if (policy->says_unreadable)
		put_text(meant, "    unreadable: %s\n", policy->deny_unreadable ? "deny" : "allow");
	write_selection(meant, policy);
	if (one_of(4))
		put_text(meant, "\n    # and then\n");
	put_text(meant, "    mode: %s\n", policy->enforce ? "enforce" : "monitor");
	put_text(meant, "    rules:\n");
	for (size_t k = 0; k < policy->n; k++)
		write_rule_text(meant, &policy->rules[k]);
}

static inline void write_defaults_text(struct meant *meant)
{
	bool first = one_of(2);
	size_t must = below(MEANT_TYPES + 1);

	put_text(meant, "defaults:\n");
	if (first)
		put_text(meant, "  mode: %s\n", meant->defaults_enforce ? "enforce" : "monitor");
	for (size_t i = 0; i <= MEANT_TYPES; i++) {
		if (i != must && !one_of(3))
			continue;
		meant->defaults[i].line = meant->line;
		put_text(meant, "  %s: %s\n", i < MEANT_TYPES ? meant_types[i] : "any",
			meant_actions[meant->defaults[i].action]);
	}
	if (!first)
		put_text(meant, "  mode: %s\n", meant->defaults_enforce ? "enforce" : "monitor");
}

static inline void mean(struct meant *meant)
{
	size_t from, step = one_of(2) ? 1 : MEANT_POLICIES - 1;
	bool defaults_first = one_of(2);

	meant->n = one_of(8) ? 0 : 1 + below(MEANT_POLICIES);
	meant->size = 0;
	meant->line = 1;
	for (size_t i = 0; i < meant->n; i++) {
		meant->policies[i] = (struct meant_policy){
			.priority = (MEANT_POLICIES - i) * 1000 + below(1000)};
		mean_policy(&meant->policies[i]);
	}
	mean_defaults(meant);
	if (meant->has_defaults && defaults_first)
		write_defaults_text(meant);
	if (meant->n)
		put_text(meant, "policies:\n");
	from = below(MEANT_POLICIES); /* in any order of priority */
	for (size_t i = 0; i < MEANT_POLICIES; i++)
		if ((from + i * step) % MEANT_POLICIES < meant->n)
			write_policy_text(meant, (from + i * step) % MEANT_POLICIES);
	if (meant->has_defaults && !defaults_first)
		write_defaults_text(meant);
}

#endif
