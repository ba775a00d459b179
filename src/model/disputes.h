/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the two planes of a VM differ: which frames is always worked out from the planes
 * themselves; since when, and who moved last, is kept for as many ranges as there is room for.
 */
#ifndef MODEL_DISPUTES_H
#define MODEL_DISPUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/pagemap.h"
#include "model/plane.h"

struct vm;

/* Who changes pages. */
struct mover {
	uint64_t ts_ns;
	enum plane plane;
	uint32_t actor; /* PLANE_GUEST: the vCPU; PLANE_HOST: the VMM's thread */
	bool reset;     /* PLANE_GUEST: the VM was reset */
	bool found;     /* PLANE_HOST: nobody was seen moving, it was found so when it was read */
};

struct dispute {
	uint64_t gfn, npages; /* frames */
	struct mover mover;
};
#define DISPUTES_MAX 8192

struct disputes {
	struct dispute *list; /* sorted by gfn, never overlapping */
	size_t n, size;
	bool cut; /* some were not kept */
};

/* The plane is about to have [gfn, gfn + npages) in `to`: keeps account of what comes to differ,
 * and of what comes to agree. Mover may be NULL where to is PAGE_UNKNOWN. -ENOMEM. */
int disputes_update(struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages,
	enum page_state to, const struct mover *mover);

/* The host plane was replaced by what was read. */
int disputes_rebuild(struct vm *vm, uint64_t now_ns);

/* Calls with each range where the planes differ and both are known, in order of gfn; mover is NULL
 * where it is not known who moved. Ends early with what fn returns when that is not 0. */
struct difference {
	uint64_t gfn, npages;
	enum page_state guest, host;
	const struct mover *mover;
};
typedef int (*difference_fn)(void *context, const struct difference *difference);
int vm_differences(const struct vm *vm, difference_fn fn, void *context);

void disputes_free(struct disputes *disputes);

#endif
