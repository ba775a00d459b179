/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules: what they do, what they are about, and when they match. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "detect/detector.h"
#include "kvm_abi.h"
#include "policy/policy_private.h"

#define FRAMES_MAX (1ull << 40)
#define PAGE_BYTES 4096ull

#define ASK_ANY (KES_ASK_PRIVATE | KES_ASK_SHARED)

struct rule_reading {
	struct policies *policies;
	struct policy_rule *rule;
	const struct yaml_node *action, *by, *from, *numbers, *place, *errno_node, *kinds;
	const struct yaml_node *size, *amount, *conversions, *pages; /* what it counts */
	struct kes_rate *rate;                                       /* that is read */
	bool about_findings;
};

/* ---- what it does, and what it is about ---- */

static int read_about(struct rule_reading *reading, enum kes_action action,
	const struct yaml_node *node, struct error *err)
{
	static const char *const names[] = {"private", "shared", "any", "hypercall", "finding"};
	static const uint8_t asks[] = {KES_ASK_PRIVATE, KES_ASK_SHARED, ASK_ANY, KES_ASK_OTHER, 0};
	size_t which;
	int r;

	if (reading->action)
		return yaml_error(node->key, err,
			"a rule has one action, and this one has '%s' already",
			reading->action->text);
	r = yaml_choose(node, "subject", names, ARRAY_SIZE(names), &which, err);
	if (r)
		return r;
	reading->action = node->key;
	reading->about_findings = !asks[which];
	reading->rule->compiled.action = (uint8_t)action;
	reading->rule->compiled.asks = asks[which];
	return 0;
}

#define ACTION(function, action)                                                            \
	static int function(void *context, const struct yaml_node *node, struct error *err) \
	{                                                                                   \
		return read_about(context, action, node, err);                              \
	}
ACTION(read_allow, KES_ALLOW)
ACTION(read_log, KES_LOG)
ACTION(read_deny, KES_DENY)
ACTION(read_freeze, KES_FREEZE)
ACTION(read_kill, KES_KILL)

static int read_by(void *context, const struct yaml_node *node, struct error *err)
{
	static const char *const names[] = {"guest", "vmm", "any"};
	static const uint8_t askers[] = {KES_BY_GUEST, KES_BY_VMM, KES_BY_GUEST | KES_BY_VMM};
	struct rule_reading *reading = context;
	size_t which;
	int r = yaml_choose(node, "asker", names, ARRAY_SIZE(names), &which, err);

	if (r)
		return r;
	reading->by = node;
	reading->rule->compiled.askers = askers[which];
	return 0;
}

static int read_errno(void *context, const struct yaml_node *node, struct error *err)
{
	static const char *const names[] = {"EPERM", "EACCES", "EINVAL", "EAGAIN", "EBUSY"};
	static const int values[] = {EPERM, EACCES, EINVAL, EAGAIN, EBUSY};
	struct rule_reading *reading = context;
	size_t which;
	int r = yaml_choose(node, "error", names, ARRAY_SIZE(names), &which, err);

	if (r)
		return r;
	reading->errno_node = node;
	reading->rule->compiled.err = -values[which];
	return 0;
}

/* ---- where ---- */

struct range_list {
	struct rule_reading *reading;
	struct frames *list;
	size_t n;
};

static int read_range(void *context, const struct yaml_node *node, struct error *err)
{
	struct range_list *ranges = context;
	struct yaml_range range;
	int r = yaml_get_range(node, &range, err);

	if (r)
		return r;
	if (range.start % PAGE_BYTES || range.size % PAGE_BYTES)
		return yaml_wants(node, err, "whole pages: begin and length multiples of 4K");
	if ((range.start + range.size - 1) / PAGE_BYTES >= FRAMES_MAX)
		return yaml_wants(node, err, "addresses below 2^52");
	ranges->list[ranges->n++] =
		(struct frames){range.start / PAGE_BYTES, range.size / PAGE_BYTES};
	return 0;
}

static size_t count_values(const struct yaml_node *node)
{
	size_t n = 0;

	if (node->type != YAML_LIST)
		return 1;
	for (const struct yaml_node *item = node->first; item; item = item->next)
		n++;
	return n;
}

static int read_ranges(struct rule_reading *reading, const struct yaml_node *node,
	struct frames **ret_list, size_t *ret_n, struct error *err)
{
	size_t most = count_values(node);
	struct range_list ranges = {.reading = reading};
	int r;

	if (!most)
		return yaml_wants(node, err, "a range such as 0x1000+4K, or a list of them");
	if (most > KES_RANGES)
		return yaml_error(
			node, err, "%zu ranges; a VM may have %d in all", most, KES_RANGES);
	ranges.list = policies_alloc(reading->policies, most, sizeof(*ranges.list));
	if (!ranges.list)
		return error_set(err, -ENOMEM, "out of memory");
	r = policy_each(node, read_range, &ranges, err);
	*ret_list = ranges.list;
	*ret_n = ranges.n;
	reading->place = node;
	return r;
}

static int read_touches(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;

	return read_ranges(reading, node, &reading->rule->touches, &reading->rule->n_touches, err);
}

static int read_within(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;

	return read_ranges(reading, node, &reading->rule->within, &reading->rule->n_within, err);
}

/* ---- how much ---- */

static int read_pages(
	const struct yaml_node *node, uint64_t least, uint64_t *ret, struct error *err)
{
	uint64_t bytes;
	int r = yaml_get_bytes(node, least * PAGE_BYTES, FRAMES_MAX * PAGE_BYTES, &bytes, err);

	if (r)
		return r;
	if (bytes % PAGE_BYTES)
		return yaml_wants(node, err, "whole pages, that is a multiple of 4K");
	*ret = bytes / PAGE_BYTES;
	return 0;
}

static int read_larger(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;

	reading->size = node;
	return read_pages(node, 1, (uint64_t *)&reading->rule->compiled.larger, err);
}

static int read_unaligned(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;
	uint64_t frames = 0;
	int r = read_pages(node, 2, &frames, err);

	if (r)
		return r;
	if (frames & (frames - 1))
		return yaml_wants(node, err, "a power of two, such as 2M");
	reading->size = node;
	reading->rule->compiled.alignment = frames;
	return 0;
}

static bool is_percent(const struct yaml_node *node)
{
	return node->type == YAML_SCALAR && *node->text &&
	       node->text[strlen(node->text) - 1] == '%';
}

static int read_shared_above(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;
	uint64_t percent;
	int r;

	if (reading->amount)
		return yaml_error(node->key, err, "'%s' does not go with '%s': write two rules",
			node->key->text, reading->amount->key->text);
	reading->amount = node;
	if (!is_percent(node))
		return read_pages(node, 0, (uint64_t *)&reading->rule->compiled.shared_above, err);
	r = yaml_get_percent(node, 1, 100, &percent, err);
	if (!r)
		reading->rule->compiled.percent = (uint32_t)percent;
	return r;
}

static int read_baseline(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;

	reading->rule->compiled.above_baseline = 1;
	return read_shared_above(context, node, err);
}

static int read_per_second(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;
	uint64_t n;
	int r = yaml_get_uint(node, 1, KES_TOKENS_MAX, &n, err);

	if (!r)
		reading->rate->per_second = (uint32_t)n;
	return r;
}

static int read_burst(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;
	uint64_t n;
	int r = yaml_get_uint(node, 1, KES_TOKENS_MAX, &n, err);

	if (!r)
		reading->rate->burst = (uint32_t)n;
	return r;
}

static int read_rate(struct rule_reading *reading, struct kes_rate *rate,
	const struct yaml_node *node, struct error *err)
{
	static const struct yaml_field fields[] = {
		{"per-second", read_per_second, true},
		{"burst", read_burst, true},
	};

	reading->rate = rate;
	return yaml_each_field(node, fields, ARRAY_SIZE(fields), reading, err);
}

static int read_conversions(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;

	reading->conversions = node;
	return read_rate(reading, &reading->rule->compiled.conversions, node, err);
}

static int read_page_rate(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;

	reading->pages = node;
	return read_rate(reading, &reading->rule->compiled.pages, node, err);
}

/* ---- who ---- */

static int read_from(void *context, const struct yaml_node *node, struct error *err)
{
	static const char *const names[] = {"user"};
	struct rule_reading *reading = context;
	size_t which;
	int r = yaml_choose(node, "privilege", names, ARRAY_SIZE(names), &which, err);

	reading->from = node;
	if (!r)
		reading->rule->compiled.user = 1;
	return r;
}

/* ---- hypercall numbers, findings ---- */

static int read_number(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;
	uint64_t nr;
	int r;

	if (node->type == YAML_SCALAR && !strcmp(node->text, "above")) {
		reading->rule->compiled.numbers |= 1u << (KES_NUMBERS - 1);
		return 0;
	}
	r = yaml_get_uint(node, 0, KES_NUMBERS - 2, &nr, err);
	if (!r && nr == KES_HC_MAP_GPA_RANGE) /* never asked as a hypercall */
		return yaml_error(node, err,
			"hypercall %d converts: rules about private, shared or any are for it",
			KES_HC_MAP_GPA_RANGE);
	if (!r)
		reading->rule->compiled.numbers |= 1u << nr;
	return r;
}

static int read_numbers(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;

	reading->numbers = node;
	reading->rule->compiled.numbers = 0;
	return policy_each(node, read_number, reading, err);
}

static int read_kind(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;
	const struct detector *detector =
		detector_find(node->type == YAML_SCALAR ? node->text : "");

	if (!detector)
		return yaml_wants(node, err, "a kind of finding, such as storm or KES-003");
	reading->rule->findings |= ON(detector->kind);
	return 0;
}

static int read_kinds(void *context, const struct yaml_node *node, struct error *err)
{
	struct rule_reading *reading = context;

	reading->kinds = node;
	return policy_each(node, read_kind, reading, err);
}

/* ---- what goes together ---- */

/* What a key is for, where that is not what the rule is about. */
static int out_of_place(const struct yaml_node *node, const char *what, struct error *err)
{
	return yaml_error(node->key ? node->key : node, err, "'%s' is for rules about %s",
		node->key ? node->key->text : "it", what);
}

/* A finding is about what was seen over a while: neither who asked nor how often is in it. */
static int check_about_findings(const struct rule_reading *reading, struct error *err)
{
	const struct yaml_node *request = reading->by ?: reading->from ?: reading->conversions;

	if (!reading->kinds)
		return yaml_error(reading->action, err, "a rule about findings wants kinds: [...]");
	if (reading->rule->compiled.action == KES_ALLOW ||
		reading->rule->compiled.action == KES_DENY)
		return yaml_error(reading->action, err,
			"a finding can be answered with log, freeze or kill: it is about what has "
			"happened");
	return request ? out_of_place(request, "requests", err) : 0;
}

/* What only a conversion has. */
static int check_about_others(const struct rule_reading *reading, struct error *err)
{
	const struct yaml_node *node =
		reading->place ?: reading->size ?: reading->amount ?: reading->pages;

	if (!node && (reading->rule->compiled.askers & KES_BY_VMM))
		node = reading->by;
	return node ? out_of_place(node, "conversions", err) : 0;
}

static int check_amount(const struct rule_reading *reading, struct error *err)
{
	const struct kes_rule *rule = &reading->rule->compiled;

	if (rule->asks == KES_ASK_PRIVATE)
		return out_of_place(reading->amount, "conversions to shared", err);
	if (rule->askers & KES_BY_VMM)
		return yaml_error(reading->amount->key, err,
			"'%s' does not go with 'by: %s': how much is shared is counted of what "
			"guests ask for",
			reading->amount->key->text, reading->by->text);
	return 0;
}

static int check(
	const struct rule_reading *reading, const struct yaml_node *item, struct error *err)
{
	const struct kes_rule *rule = &reading->rule->compiled;
	int r = 0;

	if (!reading->action)
		return yaml_error(item, err,
			"a rule wants an action: allow, log, deny, freeze or kill, such as deny: "
			"shared");
	if (reading->kinds && !reading->about_findings)
		return out_of_place(reading->kinds, "findings", err);
	if (!(rule->asks & ASK_ANY))
		r = check_about_others(reading, err);
	if (!r && reading->about_findings)
		r = check_about_findings(reading, err);
	if (r)
		return r;
	if (reading->numbers && rule->asks != KES_ASK_OTHER)
		return out_of_place(reading->numbers, "hypercalls", err);
	if (reading->errno_node && rule->action != KES_DENY)
		return out_of_place(reading->errno_node, "what is denied", err);
	if (reading->from && rule->askers == KES_BY_VMM)
		return out_of_place(reading->from, "what guests ask for", err);
	return reading->amount ? check_amount(reading, err) : 0;
}

void policy_begin_rule(
	const struct policies *policies, struct policy_rule *rule, const struct yaml_node *place)
{
	size_t file = policies->n_files - 1;

	rule->file = policies->files[file];
	rule->line = place->line;
	rule->column = place->column;
	rule->compiled = (struct kes_rule){
		.larger = KES_FOREVER,
		.shared_above = KES_FOREVER,
		.err = -EPERM,
		.askers = KES_BY_GUEST,
		.file = (uint8_t)file,
		.numbers = ~0u,
		.line = place->line,
	};
}

int policy_read_rule(struct policies *policies, struct policy *policy, const struct yaml_node *item,
	struct error *err)
{
	static const struct yaml_field fields[] = {
		{"allow", read_allow, false},
		{"log", read_log, false},
		{"deny", read_deny, false},
		{"freeze", read_freeze, false},
		{"kill", read_kill, false},
		{"by", read_by, false},
		{"from", read_from, false},
		{"touches", read_touches, false},
		{"within", read_within, false},
		{"larger", read_larger, false},
		{"unaligned", read_unaligned, false},
		{"shared-above", read_shared_above, false},
		{"shared-over-baseline", read_baseline, false},
		{"conversions", read_conversions, false},
		{"pages", read_page_rate, false},
		{"numbers", read_numbers, false},
		{"kinds", read_kinds, false},
		{"errno", read_errno, false},
	};
	struct rule_reading reading = {
		.policies = policies, .rule = &policy->rules[policy->n_rules]};
	int r;

	policy_begin_rule(policies, reading.rule, item);
	r = yaml_each_field(item, fields, ARRAY_SIZE(fields), &reading, err);
	if (!r)
		r = check(&reading, item, err);
	if (!r)
		policy->n_rules++;
	return r;
}

/* ---- rules that never decide ---- */

static bool is_unconditional(const struct policy_rule *rule)
{
	const struct kes_rule *c = &rule->compiled;

	return !rule->n_touches && !rule->n_within && c->larger == KES_FOREVER && !c->alignment &&
	       c->shared_above == KES_FOREVER && !c->percent && !c->user &&
	       !c->conversions.per_second && !c->pages.per_second && !rule->findings;
}

static bool covers(const struct policy_rule *first, const struct policy_rule *second)
{
	const struct kes_rule *a = &first->compiled, *b = &second->compiled;

	return is_unconditional(first) && !second->findings && !(b->asks & ~a->asks) &&
	       !(b->askers & ~a->askers) && !(b->numbers & ~a->numbers);
}

static int never_asked(
	const struct policy_rule *rule, const struct policy_rule *before, struct error *err)
{
	char place[POLICY_PLACE];

	error_set(err, -EINVAL,
		"%s: this rule is never asked: the one in line %u decides before it",
		policy_place(rule->file, rule->line, rule->column, place), before->line);
	error_advise(err, "put it before that one");
	return -EINVAL;
}

int policy_check_reach(const struct policy *policy, struct error *err)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		for (size_t k = 0; k < i; k++) {
			const struct policy_rule *rule = &policy->rules[i];

			if (covers(&policy->rules[k], rule))
				return never_asked(rule, &policy->rules[k], err);
		}
	return 0;
}
