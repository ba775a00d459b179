/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All VMs, from their records: the one place where records become state. Live and replayed records
 * go through the same model_apply(), so what one shows the other shows.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "model/event.h"

struct model;

/* Called in order of the records; what event points to is valid until it returns. A negative errno
 * ends the reading. */
typedef int (*event_fn)(void *context, const struct event *event);

struct model_options {
	enum abi abi;
	size_t max_ended; /* VMs that ended and are still kept, the oldest go first; 0: 1024 */
	size_t max_ended_bytes; /* the same: what they take all together; 0: as much as it is */
	event_fn on_event;      /* may be NULL */
	void *context;
};

int model_new(struct model **ret, const struct model_options *options);
void model_free(struct model **model);

/* A record_fn. Records of unknown kinds are passed over. -ENOMEM, or what on_event returned. */
int model_apply(void *model, const struct kes_record *records, size_t n);

/* The stream ended: what is missing from a sequence now will not come. */
void model_finish(struct model *model);

/* VMs in order of id. */
size_t model_vm_count(const struct model *model);
const struct vm *model_vm(const struct model *model, size_t index);
/* NULL: there is none with that id, or no more. */
const struct vm *model_find(const struct model *model, uint32_t id);

/* The first VM with an id above `after` whose host plane should be read from the kernel; any: that
 * has one and lives. 0 if there is none. */
uint32_t model_next_reading(const struct model *model, uint32_t after, bool any);

/* The VM is the tool's own: once it has ended it is as if it had never been. */
void model_disown(struct model *model, uint32_t id);

/* The time of the latest record. */
uint64_t model_now(const struct model *model);

/* VMs that ended and are kept, at the most. */
size_t model_max_ended(const struct model *model);

/* Forgets VMs that ended, the oldest first, until what is left of them takes no more than so many
 * bytes, now and from now on; 0: as much as it is. What on_event returned. */
int model_bound_ended(struct model *model, size_t bytes);

/* Bytes that VMs take: those that live (*ret_alive), and those that ended. */
void model_memory(const struct model *model, size_t *ret_alive, size_t *ret_ended);

struct model_totals {
	uint64_t records; /* taken in */
	uint64_t lost;    /* records, of VMs and of the host together */
	uint64_t host_lost[KES_CAUSE_MAX];
	uint64_t forgotten;      /* ended VMs for which there was no room any more */
	uint64_t forgotten_lost; /* what they had lost */
	struct ledger_totals ledger;
};
void model_totals(const struct model *model, struct model_totals *ret);

/* What a process with several VMs made all together: it cannot be told which of them made what.
 * NULL where the counts are one VM's, in vm->counters. */
const struct vm_counters *model_process_counters(const struct model *model, uint32_t pid);

#endif
