/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Figures of each VM over intervals of the records' own time, so that a capture shows what live
 * showed. Fed with events and findings; a VM's first event makes its place, the first that changes
 * its pages that for its heat, and nothing after that allocates.
 */
#ifndef TOP_STATS_H
#define TOP_STATS_H

#include "detect/detect.h"
#include "model/model.h"
#include "top/heat.h"
#include "top/latency.h"
#include "top/policy.h"

/* Intervals that are kept of what changes: for sparklines. */
#define STATS_HISTORY 64

/* What is counted, all since the last reset of the counters. */
enum flow {
	FLOW_TO_SHARED,
	FLOW_TO_PRIVATE,
	FLOW_REFUSED, /* by KVM, or denied by the VMM */
	FLOW_VETOED,  /* by a policy */
	FLOW_HYPERCALLS,
	FLOW_EXITS,
	FLOWS,
};

struct vm_stats {
	const struct vm *vm;      /* the model's */
	uint64_t seen[2];         /* conversions to shared, to private; since the first event */
	uint64_t zero[FLOWS];     /* totals at the last reset of the counters */
	uint64_t last[FLOWS];     /* totals at the last tick */
	double rates[FLOWS];      /* a second, over the last interval */
	struct latency latency;   /* since the last reset of the counters */
	struct latency recent[2]; /* of this minute and the one before, for p50 and p99 */
	uint32_t shared[STATS_HISTORY]; /* frames, at the last ticks; saturated */
	uint32_t moves[STATS_HISTORY];  /* conversions between them */
	uint16_t n_history, at;         /* at: where the next one goes */
	enum policy_mode policy;
	bool counted;                /* the kernel's tables say what was refused: */
	uint64_t refused;            /* so much, and not what records say */
	uint8_t open[FINDING_KINDS]; /* severity + 1 of the finding of this kind that is open */
	struct heat *heat;           /* NULL: no page of it changed yet */
};

struct stats;

int stats_new(struct stats **ret, uint64_t interval_ns);
void stats_free(struct stats **stats);

/* The model that the events come from, before its first event; what was there is forgotten. */
void stats_watch(struct stats *stats, const struct model *model);

/* The model is in the middle: its VMs are known by their totals, what they did when is not.
 * -ENOMEM.
 */
int stats_restore(struct stats *stats);

void stats_set_interval(struct stats *stats, uint64_t interval_ns);
uint64_t stats_interval(const struct stats *stats);

/* -ENOMEM. Before the event is taken in, the interval may end: stats_ticks() says so. */
int stats_event(struct stats *stats, const struct event *event);
void stats_finding(struct stats *stats, const struct finding *finding, enum finding_phase phase);

/* What the kernel's tables say: of the VMs of the list, in order of id; of all others, mode. NULL:
 * only the latter. What was refused of them stays known. */
void stats_policy(
	struct stats *stats, const struct vm_policy *vms, size_t n, enum policy_mode mode);

/* Intervals that ended so far. */
uint64_t stats_ticks(const struct stats *stats);

/* The records ended: the interval ends now, if it has lasted for a while. With `whole`, rates
 * are those since the first record. */
void stats_close(struct stats *stats, bool whole);

/* Counters begin anew at 0. */
void stats_reset(struct stats *stats);

/* In order of id. NULL: no such VM. */
size_t stats_count(const struct stats *stats);
const struct vm_stats *stats_at(const struct stats *stats, size_t index);
const struct vm_stats *stats_find(const struct stats *stats, uint32_t vm);

/* A total since the last reset of the counters. */
uint64_t stats_total(const struct stats *stats, const struct vm_stats *vm, enum flow flow);

/* Of all VMs. */
struct host_stats {
	double rates[FLOWS];
	unsigned int open[SEVERITIES]; /* findings, those of the host itself included */
	uint32_t shared[STATS_HISTORY], moves[STATS_HISTORY];
	uint16_t n_history, at;
	uint64_t seconds_ns; /* the interval that the rates are of */
};
const struct host_stats *stats_host(const struct stats *stats);

/* History in order of time, into out; returns how many. */
size_t stats_history(const uint32_t history[STATS_HISTORY], uint16_t n, uint16_t at,
	uint32_t out[STATS_HISTORY]);

unsigned int vm_stats_open(const struct vm_stats *vm, unsigned int ret_open[SEVERITIES]);

/* The VM's exits and hypercalls, or those of its whole process where they cannot be told apart:
 * *ret_process says so. */
const struct vm_counters *vm_stats_counters(
	const struct stats *stats, const struct vm_stats *vm, bool *ret_process);

#endif
