/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A policy over what happened: each request of the records is asked as if the policy had been
 * enforced. What it refuses does not change the pages, so that later requests find what they would
 * have found.
 */
#ifndef POLICY_SIMULATE_H
#define POLICY_SIMULATE_H

#include "model/event.h"
#include "policy/policy.h"

struct simulation;

struct verdict {
	struct kes_verdict kes;
	struct kes_ask ask;
	const struct rule_source *decided, *monitored; /* NULL: none */
	const struct event *event;
	uint64_t shared; /* frames that were shared before it */
};

typedef int (*verdict_fn)(void *context, const struct verdict *verdict);

/* policies must outlive it. */
int simulation_new(
	struct simulation **ret, const struct policies *policies, verdict_fn fn, void *context);
void simulation_free(struct simulation **simulation);

/* An event_fn. -ENOMEM, -E2BIG (see simulation_error()), or what fn returned. */
int simulation_event(void *simulation, const struct event *event);

/* What its rules say of a guest's request, with what it has shared now and no rate used up. */
struct verdict policy_ask(const struct effective *effective, const struct vm *vm,
	struct frames range, enum page_state to, uint64_t now_ns);

/* What there is to say of an -E2BIG. */
const struct error *simulation_error(const struct simulation *simulation);

#endif
