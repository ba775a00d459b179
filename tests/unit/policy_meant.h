/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random policies, as people may mean them: in bytes. policy_text.h writes them down,
 * policy_judged.h says what comes of them by the manual alone. None of these looks at what the
 * parser made of it.
 */
#ifndef POLICY_MEANT_H
#define POLICY_MEANT_H

#include "detect/detector.h"
#include "verdict_oracle.h"

#define MEANT_POLICIES 4
#define MEANT_RULES    5
#define MEANT_RANGES   3
#define MEANT_WORDS    5 /* of a VM's name */
#define MEANT_TYPES    6
#define NOTHING        UINT64_MAX
#define PAGE           4096ull

enum meant_subject {
	ABOUT_PRIVATE,
	ABOUT_SHARED,
	ABOUT_ANY,
	ABOUT_HYPERCALL,
	ABOUT_FINDING,
	SUBJECTS,
};

enum meant_by {
	BY_GUEST,
	BY_VMM,
	BY_ANY,
};

struct meant_rate {
	uint64_t per_second, burst; /* 0: none */
	__int128 level[2];          /* of guest and VMM: billionths of tokens */
	uint64_t last_ns[2];
};

struct meant_range {
	uint64_t first, last; /* bytes */
};

struct meant_rule {
	enum kes_action action;
	enum meant_subject subject;
	enum meant_by by;
	bool user, over_baseline;
	struct meant_range touches[MEANT_RANGES], within[MEANT_RANGES];
	size_t n_touches, n_within;
	uint64_t larger, unaligned, amount; /* bytes; NOTHING: none */
	uint64_t percent;                   /* 0: none */
	struct meant_rate conversions, pages;
	bool numbers[32]; /* the last: above */
	bool has_numbers;
	int error;         /* 0: not said */
	uint64_t findings; /* bits */
	unsigned int line;
};

/* A pattern: the word, or the word and a star. */
struct meant_pattern {
	const char *word;
	bool star;
};

struct meant_policy {
	uint64_t priority;
	bool enforce, says_unreadable, deny_unreadable;
	struct meant_pattern names[2], labels[2];
	size_t n_names, n_labels;
	bool types[MEANT_TYPES], has_types, has_uid;
	uint64_t uid;
	struct meant_rule rules[MEANT_RULES];
	size_t n;
};

struct meant {
	struct meant_policy policies[MEANT_POLICIES]; /* the highest priority first */
	size_t n;
	bool has_defaults, defaults_enforce;
	struct meant_rule defaults[MEANT_TYPES + 1]; /* the last: any; line 0: none */
	char text[1 << 15];
	size_t size;
	unsigned int line; /* that is written next */
};

struct meant_vm {
	const char *words[MEANT_WORDS];
	size_t n_words;
	char name[128];
	uint64_t type, uid;
	bool known; /* more than its type */
};

static const char *const meant_words[] = {"prod", "product", "db", "web", "1", "tier=db", "x+y"};
static const char *const meant_types[MEANT_TYPES] = {
	"default", "sw-protected", "sev", "sev-es", "snp", "tdx"};
static const char *const meant_actions[] = {"allow", "log", "deny", "freeze", "kill"};

static inline const char *meant_word(void)
{
	return meant_words[below(ARRAY_SIZE(meant_words))];
}

/* ---- what is meant ---- */

static inline uint64_t meant_bytes(uint64_t least_pages)
{
	uint64_t pages = least_pages + (one_of(3) ? 1ull << below(30) : any_size(20));

	return pages * PAGE;
}

static inline void meant_ranges(struct meant_range *list, size_t *n)
{
	*n = 1 + below(MEANT_RANGES);
	for (size_t i = 0; i < *n; i++) {
		struct frames range = random_range();

		if (i && one_of(2)) /* right behind the one before, or over its end */
			range.gfn = (list[i - 1].last + 1) / PAGE - (one_of(2) ? 1 : 0);
		if (range.gfn >= FRAMES_END)
			range.gfn = 0;
		if (range.npages > FRAMES_END - range.gfn)
			range.npages = FRAMES_END - range.gfn;
		list[i].first = range.gfn * PAGE;
		list[i].last = (range.gfn + range.npages) * PAGE - 1;
	}
}

static inline struct meant_rate meant_rate(void)
{
	return (struct meant_rate){.per_second = 1 + any_size(30) % (1 << 30),
		.burst = 1 + any_size(one_of(2) ? 4 : 30) % (1 << 30)};
}

static inline void mean_conditions(struct meant_rule *rule)
{
	if (one_of(3))
		meant_ranges(rule->touches, &rule->n_touches);
	if (one_of(6))
		meant_ranges(rule->within, &rule->n_within);
	if (one_of(5))
		rule->larger = meant_bytes(1);
	if (one_of(6))
		rule->unaligned = 2 * PAGE << below(20);
	if (one_of(6))
		rule->pages = meant_rate();
	if (one_of(3))
		rule->by = one_of(2) ? BY_VMM : BY_ANY;
	if (rule->subject != ABOUT_PRIVATE && rule->by == BY_GUEST && one_of(4)) {
		rule->over_baseline = one_of(2);
		if (one_of(2))
			rule->percent = 1 + below(100);
		else
			rule->amount = meant_bytes(0);
	}
}

static inline void mean_rule(struct meant_rule *rule)
{
	*rule = (struct meant_rule){
		.action = (enum kes_action)below(KES_ACTIONS),
		.subject = one_of(2) ? ABOUT_SHARED : (enum meant_subject)below(SUBJECTS),
		.larger = NOTHING,
		.unaligned = NOTHING,
		.amount = NOTHING,
	};
	if (rule->subject == ABOUT_FINDING) {
		rule->action = (enum kes_action[]){KES_LOG, KES_FREEZE, KES_KILL}[below(3)];
		rule->findings = 1ull << below(FINDING_KINDS) | 1ull << below(FINDING_KINDS);
		return;
	}
	if (rule->subject == ABOUT_HYPERCALL)
		for (int i = 0; i < 4; i++) {
			uint64_t nr = below(32);

			rule->numbers[nr == HYPERCALL_PAGES ? 31 : nr] = rule->has_numbers =
				one_of(2) || rule->has_numbers;
		}
	else
		mean_conditions(rule);
	rule->user = rule->by != BY_VMM && one_of(8);
	if (one_of(6))
		rule->conversions = meant_rate();
	if (rule->action == KES_DENY && one_of(2))
		rule->error = (int[]){EPERM, EACCES, EINVAL, EAGAIN, EBUSY}[below(5)];
}

static inline bool is_bare(const struct meant_rule *rule)
{
	return !rule->n_touches && !rule->n_within && rule->larger == NOTHING &&
	       rule->unaligned == NOTHING && rule->amount == NOTHING && !rule->percent &&
	       !rule->user && !rule->conversions.burst && !rule->pages.burst &&
	       rule->subject != ABOUT_FINDING;
}

static inline bool has_numbers_of(const struct meant_rule *rule, const struct meant_rule *other)
{
	for (int i = 0; i < 32; i++)
		if ((!other->has_numbers || other->numbers[i]) && rule->has_numbers &&
			!rule->numbers[i])
			return false;
	return true;
}

/* The policy would be an error: the rule could never be asked after one without conditions. */
static inline bool is_hidden(const struct meant_rule *rule, const struct meant_rule *before)
{
	bool about = rule->subject == before->subject ||
		     (before->subject == ABOUT_ANY && rule->subject < ABOUT_HYPERCALL);

	return is_bare(before) && about && rule->subject != ABOUT_FINDING &&
	       (before->by == BY_ANY || before->by == rule->by) && has_numbers_of(before, rule);
}

static inline void mean_rules(struct meant_policy *policy)
{
	size_t n = 1 + below(MEANT_RULES);

	for (policy->n = 0; policy->n < n;) {
		bool hidden = false;
		struct meant_rule *rule = &policy->rules[policy->n];

		mean_rule(rule);
		for (size_t i = 0; i < policy->n; i++)
			hidden |= is_hidden(rule, &policy->rules[i]);
		if (!hidden)
			policy->n++;
		else if (one_of(4))
			n = policy->n; /* there may be none that is not */
	}
}

static inline void mean_patterns(struct meant_pattern *list, size_t *n)
{
	*n = 1 + below(2);
	for (size_t i = 0; i < *n; i++)
		list[i] = (struct meant_pattern){one_of(6) ? "" : meant_word(), one_of(2)};
	for (size_t i = 0; i < *n; i++)
		list[i].star |= !*list[i].word;
}

static inline void mean_policy(struct meant_policy *policy)
{
	policy->enforce = !one_of(3);
	policy->says_unreadable = one_of(4);
	policy->deny_unreadable = one_of(2);
	if (one_of(10))
		mean_patterns(policy->names, &policy->n_names);
	if (one_of(4))
		mean_patterns(policy->labels, &policy->n_labels);
	policy->has_types = one_of(4);
	for (int i = 0; i < 3; i++)
		policy->types[below(MEANT_TYPES)] = policy->has_types;
	policy->has_uid = one_of(6);
	policy->uid = below(3);
	mean_rules(policy);
}

static inline void mean_defaults(struct meant *meant)
{
	meant->has_defaults = one_of(2) || !meant->n;
	meant->defaults_enforce = !one_of(4);
	for (size_t i = 0; i <= MEANT_TYPES; i++)
		meant->defaults[i] = (struct meant_rule){
			.action = (enum kes_action)below(KES_ACTIONS),
			.subject = ABOUT_ANY,
			.larger = NOTHING,
			.unaligned = NOTHING,
			.amount = NOTHING,
		};
}

/* ---- VMs ---- */

static inline void mean_vm(struct meant_vm *vm)
{
	static const char separators[] = "/._:@-,";
	char *at = vm->name;

	vm->known = !one_of(3);
	vm->type = below(MEANT_TYPES + 1); /* the last: newer than the program */
	vm->uid = below(3);
	vm->n_words = 1 + below(MEANT_WORDS);
	for (size_t i = 0; i < vm->n_words; i++) {
		vm->words[i] = meant_word();
		while (i ? at[-1] != '\0' && (strchr(separators, at[-1]) == NULL || one_of(4))
			 : one_of(8))
			*at++ = separators[below(sizeof(separators) - 1)];
		at += sprintf(at, "%s", vm->words[i]);
	}
	if (one_of(8))
		*at++ = '-';
	*at = '\0';
}

static inline bool fits_pattern(const struct meant_pattern *pattern, const char *text)
{
	return pattern->star ? !strncmp(text, pattern->word, strlen(pattern->word))
			     : !strcmp(text, pattern->word);
}

static inline bool is_meant_name(const struct meant_policy *policy, const struct meant_vm *vm)
{
	for (size_t i = 0; i < policy->n_names; i++)
		if (fits_pattern(&policy->names[i], vm->name))
			return true;
	return false;
}

static inline bool has_meant_label(const struct meant_policy *policy, const struct meant_vm *vm)
{
	for (size_t i = 0; i < policy->n_labels; i++)
		for (size_t k = 0; k < vm->n_words; k++)
			if (fits_pattern(&policy->labels[i], vm->words[k]))
				return true;
	return false;
}

static inline bool is_meant(const struct meant_policy *policy, const struct meant_vm *vm)
{
	if (policy->has_types && (vm->type == MEANT_TYPES || !policy->types[vm->type]))
		return false;
	if (!vm->known)
		return !policy->n_names && !policy->n_labels && !policy->has_uid;
	return (!policy->n_names || is_meant_name(policy, vm)) &&
	       (!policy->n_labels || has_meant_label(policy, vm)) &&
	       (!policy->has_uid || policy->uid == vm->uid);
}

#endif
