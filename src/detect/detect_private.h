/* SPDX-License-Identifier: GPL-2.0-only */
/* Between detect.c (which VM, which detector, when) and watch.c (the life of a finding). */
#ifndef DETECT_DETECT_PRIVATE_H
#define DETECT_DETECT_PRIVATE_H

#include "detect/detect.h"

struct detect {
	struct detect_options options;
	const struct model *model;
	struct watch **watches; /* sorted by VM */
	size_t n_watches, size_watches;
	struct watch *last; /* that was asked for last: events come in runs; NULL: none */
	struct watch host;
	uint64_t now_ns, next_tick_ns;
	uint64_t conversions; /* of all VMs */
	uint32_t touched;     /* ON() of kinds that had a case since the last watch_flush() */
	int error;            /* what went wrong first, until detect_event() returns it */

	size_t offsets[FINDING_KINDS], state_size; /* of the detectors' states in watch.state */
	const struct detector *wanted[EVENT_KINDS][FINDING_KINDS]; /* who wants it; NULL ends */

	struct finding **kept; /* in order of their end */
	size_t n_kept, size_kept;
	uint64_t dropped;
	const struct finding **list; /* what detect_findings() returned */
};

/* Gives a watch its settings and its state. -ENOMEM. */
int watch_init(struct watch *watch, struct detect *detect, const struct vm *vm);
/* The VM's type may be known now. */
void watch_configure(struct watch *watch);
void watch_release(struct watch *watch);

/* Tells of cases since the last time, as far as it is time to. */
void watch_flush(struct watch *watch);

/* Ends what was quiet for long enough. */
void watch_expire(struct watch *watch);

/* Ends all, and forgets what was not enough. */
void watch_close(struct watch *watch, enum finding_end why);

#endif
