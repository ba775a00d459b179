/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a VM's pages changed lately, who changed them, and how far that has faded. Fed with the
 * model's events; of fixed size: what changed longest ago makes room.
 */
#ifndef TOP_HEAT_H
#define TOP_HEAT_H

#include "model/event.h"

#define HEAT_WAYS  8
#define HEAT_SETS  64 /* a power of two */
#define HEAT_MARKS (HEAT_SETS * HEAT_WAYS)

/* A change, or several that went on from each other. */
struct heat_mark {
	uint64_t gfn, npages; /* frames; npages 0: there is none */
	uint64_t first_ns, last_ns;
	uint32_t actor;    /* PLANE_GUEST: the vCPU; PLANE_HOST: the VMM's thread, 0: not known */
	uint8_t plane, to; /* enum plane, enum page_state */
};

struct heat {
	struct heat_mark marks[HEAT_MARKS]; /* by gfn, in sets */
	struct heat_mark *newest[PLANES];
	uint64_t forgotten_ns[PLANES]; /* changes up to then may not be here; 0: all are */
	uint64_t reset_ns;             /* the VM was: the guest plane began anew */
};

/* Allocates nothing, and takes the same time for all events. */
void heat_event(struct heat *heat, const struct event *event);

/* Records were lost, some of them this VM's perhaps. */
void heat_lost(struct heat *heat, uint64_t now_ns);

/* The latest change of any of these frames on a plane; NULL: there was none since forgotten_ns. */
const struct heat_mark *heat_last(
	const struct heat *heat, enum plane plane, uint64_t gfn, uint64_t npages);

/* How hot a change still is, which fades over intervals of the records' time. */
enum warmth {
	WARMTH_COLD,
	WARMTH_FADING,
	WARMTH_WARM,
	WARMTH_HOT,
	WARMTHS,
};
enum warmth heat_warmth(uint64_t age_ns, uint64_t interval_ns);

#endif
