/* SPDX-License-Identifier: GPL-2.0-only */
/* Between detect.c (which VM, which detector, when) and watch.c (the life of a finding). */
#ifndef DETECT_DETECT_PRIVATE_H
#define DETECT_DETECT_PRIVATE_H

#include "detect/detect.h"

/* What dispatching an event takes, side by side. */
struct subscription {
	void (*on_event)(struct watch *watch, void *state, const struct event *event);
	size_t offset; /* of the detector's state */
	uint32_t kind; /* ON() */
	uint32_t needs;
};

struct detect {
	struct detect_options options;
	const struct model *model;
	struct watch **watches; /* sorted by VM */
	size_t n_watches, size_watches;
	struct watch *cache[64]; /* by the VM's id: asked for last; NULL: none */
	struct watch host;
	uint64_t now_ns, next_tick_ns;
	uint64_t conversions; /* of all VMs */
	uint32_t touched;     /* ON() of kinds that had a case since the last watch_flush() */
	int error;            /* what went wrong first, until detect_event() returns it */

	size_t offsets[FINDING_KINDS], state_size; /* of the detectors' states in watch.state */
	struct subscription wanted[EVENT_KINDS][FINDING_KINDS + 1]; /* on_event NULL ends */

	struct finding **kept; /* in order of their end */
	size_t n_kept, size_kept;
	uint64_t dropped;
	const struct finding **list; /* what detect_findings() returned */
};

/* Gives a watch its settings and its state. -ENOMEM. */
int watch_init(struct watch *watch, struct detect *detect, const struct vm *vm);
/* The VM's type may be known now. */
void watch_configure(struct watch *watch);
/* Its settings may be others now. */
void watch_reconfigure(struct watch *watch);
void watch_release(struct watch *watch);

/* Tells of cases since the last time, as far as it is time to. */
void watch_flush(struct watch *watch);

/* malformed.c: whether a conversion that KVM let through is not as the ABI has it. */
bool malformed_is_odd(const struct event *event);

/* Ends what was quiet for long enough. */
void watch_expire(struct watch *watch);

/* Ends all, and forgets what was not enough. */
void watch_close(struct watch *watch, enum finding_end why);

#endif
