/* SPDX-License-Identifier: GPL-2.0-only */
/* What policies say of a request, or a finding, by the manual alone. */
#ifndef POLICY_JUDGED_H
#define POLICY_JUDGED_H

#include "policy_meant.h"

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
