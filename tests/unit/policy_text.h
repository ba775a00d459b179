/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random policies as people may write them, and what they say of a request by the manual alone: in
 * bytes, from what was meant when the text was made. Nothing here looks at what the parser made of
 * it.
 */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

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

/* ---- as it is written ---- */

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

/* ---- what is said of a request ---- */

struct meant_request {
	__int128 first, last; /* bytes */
	uint64_t pages, more, now_ns;
	enum meant_subject subject; /* private, shared or hypercall */
	bool vmm, user;
	uint64_t number;
};

/* What was shared, the VM's memory, and the baseline: bytes. */
struct meant_memory {
	__int128 shared, size, baseline;
};

static inline bool in_ranges(const struct meant_range *list, size_t n, __int128 at)
{
	for (size_t i = 0; i < n; i++)
		if (at >= list[i].first && at <= list[i].last)
			return true;
	return false;
}

static inline bool touches_ranges(
	const struct meant_range *list, size_t n, const struct meant_request *request)
{
	for (size_t i = 0; i < n; i++)
		if (request->pages && request->first <= list[i].last &&
			list[i].first <= request->last)
			return true;
	return false;
}

/* What is in none would begin where the request does, or where one of the ranges has ended. */
static inline bool is_in_ranges(
	const struct meant_range *list, size_t n, const struct meant_request *request)
{
	if (!request->pages || !in_ranges(list, n, request->first))
		return false;
	for (size_t i = 0; i < n; i++) {
		__int128 behind = (__int128)list[i].last + 1;

		if (behind > request->first && behind <= request->last &&
			!in_ranges(list, n, behind))
			return false;
	}
	return true;
}

static inline bool is_too_much(const struct meant_rule *rule, const struct meant_memory *memory,
	const struct meant_request *request)
{
	__int128 shared = memory->shared + (__int128)request->more * PAGE;

	if (rule->amount == NOTHING && !rule->percent)
		return true;
	if (!request->more)
		return false;
	if (rule->over_baseline)
		shared -= memory->baseline;
	return rule->percent ? shared * 100 > memory->size * (__int128)rule->percent
			     : shared > (__int128)rule->amount;
}

static inline bool is_asked(const struct meant_rule *rule, const struct meant_request *request)
{
	if (rule->subject == ABOUT_HYPERCALL) {
		uint64_t number = request->number > 30 ? 31 : request->number;

		return request->subject == ABOUT_HYPERCALL && !request->vmm &&
		       (!rule->has_numbers || rule->numbers[number]);
	}
	return (rule->subject == request->subject ||
		       (rule->subject == ABOUT_ANY && request->subject != ABOUT_HYPERCALL)) &&
	       (rule->by == BY_ANY || (rule->by == BY_VMM) == request->vmm);
}

static inline bool is_beyond(struct meant_rate *rate, bool vmm, uint64_t tokens, uint64_t now_ns)
{
	__int128 second = 1000000000;

	if (now_ns > rate->last_ns[vmm]) {
		rate->level[vmm] -= (__int128)rate->per_second * (now_ns - rate->last_ns[vmm]);
		rate->last_ns[vmm] = now_ns;
	}
	if (rate->level[vmm] < 0)
		rate->level[vmm] = 0;
	if (rate->level[vmm] + tokens * second > rate->burst * second)
		return true;
	rate->level[vmm] += tokens * second;
	return false;
}

static inline bool is_beyond_rates(struct meant_rule *rule, const struct meant_request *request)
{
	bool beyond = !rule->conversions.burst && !rule->pages.burst;

	if (rule->conversions.burst)
		beyond |= is_beyond(&rule->conversions, request->vmm, 1, request->now_ns);
	if (rule->pages.burst && request->pages)
		beyond |= is_beyond(&rule->pages, request->vmm, request->pages, request->now_ns);
	return beyond;
}

static inline bool is_matched(struct meant_rule *rule, const struct meant_memory *memory,
	const struct meant_request *request)
{
	if (!is_asked(rule, request) || (rule->user && !request->user))
		return false;
	if (rule->n_touches && !touches_ranges(rule->touches, rule->n_touches, request))
		return false;
	if (rule->n_within && !is_in_ranges(rule->within, rule->n_within, request))
		return false;
	if (rule->larger != NOTHING && (__int128)request->pages * PAGE <= rule->larger)
		return false;
	if (rule->unaligned != NOTHING && request->first % rule->unaligned == 0 &&
		(request->first + (__int128)request->pages * PAGE) % rule->unaligned == 0)
		return false;
	return is_too_much(rule, memory, request) && is_beyond_rates(rule, request);
}

/* By lines; 0: none. */
struct meant_verdict {
	enum kes_action action, would;
	unsigned int line, monitored;
	int error;
};

/* Returns whether it decides. */
static inline bool ask_meant(struct meant_rule *rule, bool enforced,
	const struct meant_memory *memory, const struct meant_request *request,
	struct meant_verdict *verdict)
{
	if (!is_matched(rule, memory, request))
		return false;
	if (enforced) {
		verdict->action = rule->action;
		verdict->line = rule->line;
		verdict->error = rule->action == KES_DENY ? rule->error ?: EPERM : 0;
	} else if (!verdict->monitored) {
		verdict->would = rule->action;
		verdict->monitored = rule->line;
	}
	return enforced;
}

static inline struct meant_rule *meant_default(struct meant *meant, const struct meant_vm *vm)
{
	struct meant_rule *own = &meant->defaults[vm->type], *any = &meant->defaults[MEANT_TYPES];

	if (!meant->has_defaults)
		return NULL;
	return own->line ? own : any->line ? any : NULL;
}

static inline struct meant_verdict judge_meant(struct meant *meant, const struct meant_vm *vm,
	const struct meant_memory *memory, const struct meant_request *request)
{
	struct meant_rule *standard = meant_default(meant, vm);
	struct meant_verdict verdict = {};

	for (size_t i = 0; i < meant->n; i++) {
		struct meant_policy *policy = &meant->policies[i];

		for (size_t k = 0; k < policy->n && is_meant(policy, vm); k++)
			if (ask_meant(
				    &policy->rules[k], policy->enforce, memory, request, &verdict))
				return verdict;
	}
	if (standard)
		ask_meant(standard, meant->defaults_enforce, memory, request, &verdict);
	return verdict;
}

/* Whether what cannot be read is denied. */
static inline bool denies_unreadable(struct meant *meant, const struct meant_vm *vm)
{
	const struct meant_rule *standard = meant_default(meant, vm);
	bool refuses = standard && meant->defaults_enforce && standard->action >= KES_DENY;

	for (size_t i = 0; i < meant->n; i++) {
		const struct meant_policy *policy = &meant->policies[i];

		if (!policy->enforce || !is_meant(policy, vm))
			continue;
		if (policy->says_unreadable)
			return policy->deny_unreadable;
		for (size_t k = 0; k < policy->n; k++)
			refuses |= policy->rules[k].action >= KES_DENY &&
				   policy->rules[k].subject < ABOUT_HYPERCALL;
	}
	return refuses;
}

/* The lines of the rules that decide about a finding, or would. */
static inline struct meant_verdict judge_finding(
	const struct meant *meant, const struct meant_vm *vm, int kind)
{
	struct meant_verdict verdict = {};

	for (size_t i = 0; i < meant->n; i++)
		for (size_t k = 0; k < meant->policies[i].n; k++) {
			const struct meant_policy *policy = &meant->policies[i];
			const struct meant_rule *rule = &policy->rules[k];

			if (!is_meant(policy, vm) || !(rule->findings >> kind & 1))
				continue;
			if (policy->enforce) {
				verdict.line = rule->line;
				return verdict;
			}
			if (!verdict.monitored)
				verdict.monitored = rule->line;
		}
	return verdict;
}

#endif
