/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/disputes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/place.h"
#include "model/vm.h"

/* ---- the list ---- */

static uint64_t end_of(const struct dispute *dispute)
{
	return dispute->gfn + dispute->npages;
}

/* Index of the first one that ends behind gfn. */
static size_t find(const struct disputes *disputes, uint64_t gfn)
{
	return PLACE(disputes->n, i, end_of(&disputes->list[i]) <= gfn);
}

/* Puts n entries in the place of `removed` ones at `at`. Beyond the limit it does not, and says so.
 */
static int splice(struct disputes *disputes, size_t at, size_t removed,
	const struct dispute *entries, size_t n)
{
	size_t total = disputes->n - removed + n;

	if (total > DISPUTES_MAX) {
		disputes->cut = true;
		total -= n;
		n = 0;
	}
	if (total > disputes->size) {
		size_t size = MAX(total, 2 * disputes->size);
		struct dispute *grown = reallocarray(disputes->list, size, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		disputes->list = grown;
		disputes->size = size;
	}
	if (disputes->n)
		memmove(&disputes->list[at + n], &disputes->list[at + removed],
			(disputes->n - at - removed) * sizeof(*entries));
	if (n)
		memcpy(&disputes->list[at], entries, n * sizeof(*entries));
	disputes->n = total;
	return 0;
}

/* Puts [gfn, gfn + npages) under the mover, or (NULL) takes it out. */
static int put(struct disputes *disputes, uint64_t gfn, uint64_t npages, const struct mover *mover)
{
	size_t first = find(disputes, gfn), last = first, n = 0;
	uint64_t end = gfn + npages;
	struct dispute kept[3];

	while (last < disputes->n && disputes->list[last].gfn < end)
		last++;
	if (first < last && disputes->list[first].gfn < gfn)
		kept[n++] = (struct dispute){disputes->list[first].gfn,
			gfn - disputes->list[first].gfn, disputes->list[first].mover};
	if (mover)
		kept[n++] = (struct dispute){gfn, npages, *mover};
	if (first < last && end_of(&disputes->list[last - 1]) > end)
		kept[n++] = (struct dispute){end, end_of(&disputes->list[last - 1]) - end,
			disputes->list[last - 1].mover};
	if (first == last && !n)
		return 0;
	return splice(disputes, first, last - first, kept, n);
}

void disputes_free(struct disputes *disputes)
{
	free(disputes->list);
	*disputes = (struct disputes){};
}

/* ---- account ---- */

/* [gfn, end) moves to `to` on one plane; what is it on the other? */
static int compare(struct vm *vm, enum plane other, uint64_t gfn, uint64_t end, enum page_state to,
	const struct mover *mover)
{
	int r = 0;

	while (gfn < end && !r) {
		enum page_state state;
		uint64_t npages = vm_run(vm, other, gfn, end, &state);
		bool differ = state != to && state != PAGE_UNKNOWN && to != PAGE_UNKNOWN;

		r = put(&vm->disputes, gfn, npages, differ ? mover : NULL);
		gfn += npages;
	}
	return r;
}

int disputes_update(struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages,
	enum page_state to, const struct mover *mover)
{
	enum plane other = plane == PLANE_GUEST ? PLANE_HOST : PLANE_GUEST;
	uint64_t end = gfn + npages;
	int r = 0;

	if (!vm->host.known)
		return 0;
	while (gfn < end && !r) {
		enum page_state state;
		uint64_t run = vm_run(vm, plane, gfn, end, &state);

		if (state != to) /* what stays as it is moves nobody */
			r = compare(vm, other, gfn, gfn + run, to, mover);
		gfn += run;
	}
	return r;
}

struct rebuild {
	struct disputes list;
	uint64_t now_ns;
	bool first; /* nothing was known before: what differs did so from birth on, perhaps */
};

static int keep_mover(void *context, const struct difference *difference)
{
	struct rebuild *rebuild = context;
	struct mover found = {.ts_ns = rebuild->now_ns, .plane = PLANE_HOST, .found = true};

	return put(&rebuild->list, difference->gfn, difference->npages,
		difference->mover ? difference->mover : &found);
}

int disputes_rebuild(struct vm *vm, uint64_t now_ns)
{
	struct rebuild rebuild = {.now_ns = now_ns};
	int r = vm_differences(vm, keep_mover, &rebuild);

	if (r) {
		disputes_free(&rebuild.list);
		return r;
	}
	disputes_free(&vm->disputes);
	vm->disputes = rebuild.list;
	return 0;
}

/* ---- differences ---- */

struct walk {
	const struct vm *vm;
	difference_fn fn;
	void *context;
};

/* A range that differs, cut where movers change. */
static int report(const struct walk *walk, struct difference difference)
{
	const struct disputes *disputes = &walk->vm->disputes;
	uint64_t at = difference.gfn, end = at + difference.npages;
	size_t i = find(disputes, at);
	int r = 0;

	while (at < end && !r) {
		const struct dispute *dispute = i < disputes->n ? &disputes->list[i] : NULL;
		uint64_t stop = end;

		difference.mover = NULL;
		if (dispute && dispute->gfn <= at) {
			difference.mover = &dispute->mover;
			stop = MIN(end, end_of(dispute));
			i++;
		} else if (dispute) {
			stop = MIN(end, dispute->gfn);
		}
		difference.gfn = at;
		difference.npages = stop - at;
		r = walk->fn(walk->context, &difference);
		at = stop;
	}
	return r;
}

/* In [gfn, end); outside of memory, frames that are on both planes what they were at first do not
 * count. */
static int walk_range(const struct walk *walk, uint64_t gfn, uint64_t end, bool memory)
{
	const struct vm *vm = walk->vm;
	int r = 0;

	while (gfn < end && !r) {
		struct difference difference = {.gfn = gfn};
		uint64_t guest = vm_run(vm, PLANE_GUEST, gfn, end, &difference.guest);
		uint64_t host = vm_run(vm, PLANE_HOST, gfn, end, &difference.host);
		bool initial = difference.guest == vm_initial_state(vm, PLANE_GUEST) &&
			       difference.host == vm_initial_state(vm, PLANE_HOST);

		difference.npages = MIN(guest, host);
		if (difference.guest != difference.host && difference.guest != PAGE_UNKNOWN &&
			difference.host != PAGE_UNKNOWN && (memory || !initial))
			r = report(walk, difference);
		gfn += difference.npages;
	}
	return r;
}

int vm_differences(const struct vm *vm, difference_fn fn, void *context)
{
	struct walk walk = {.vm = vm, .fn = fn, .context = context};
	uint64_t gfn = 0;
	int r = 0;

	if (!vm->host.known)
		return 0;
	/* Of a VM that ran before us and has not converted since, no page can differ. */
	if (!vm->planes[PLANE_GUEST] && vm_initial_state(vm, PLANE_GUEST) == PAGE_UNKNOWN)
		return 0;
	for (size_t i = 0; i < vm->n_memslots && !r; i++) {
		uint64_t start = vm->memslots[i].gfn, end = start + vm->memslots[i].npages;

		if (start > gfn)
			r = walk_range(&walk, gfn, start, false);
		if (!r && end > gfn)
			r = walk_range(&walk, MAX(start, gfn), end, true);
		gfn = MAX(end, gfn);
	}
	return r ? r : walk_range(&walk, gfn, PAGEMAP_FRAMES, false);
}
