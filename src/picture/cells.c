/* SPDX-License-Identifier: GPL-2.0-only */
/* What the cells of a layout hold. */
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/place.h"
#include "picture/layout.h"

/* The first of ranges that ends after gfn. They are sorted, and do not overlap. */
static size_t first_after(const struct layout_range *ranges, size_t n, uint64_t gfn)
{
	return PLACE(n, i, ranges[i].gfn + ranges[i].npages <= gfn);
}

/* ---- memslots, sacred ranges ---- */

/* Frames that lie in both, and in the range. */
static uint64_t count_sacred(const struct layout *layout, const struct layout_range *range)
{
	uint64_t end = range->gfn + range->npages, pages = 0;
	size_t i = first_after(layout->sacred, layout->n_sacred, range->gfn);

	for (; i < layout->n_sacred && layout->sacred[i].gfn < end; i++) {
		uint64_t from = MAX(range->gfn, layout->sacred[i].gfn);
		uint64_t stop = MIN(end, layout->sacred[i].gfn + layout->sacred[i].npages);
		size_t m = first_after(layout->memory, layout->n_memory, from);

		for (; m < layout->n_memory && layout->memory[m].gfn < stop; m++)
			pages += MIN(stop, layout->memory[m].gfn + layout->memory[m].npages) -
				 MAX(from, layout->memory[m].gfn);
	}
	return pages;
}

/* The memslot that begins last, at gfn or before; n_slots: none does. */
static size_t slot_before(const struct layout *layout, uint64_t gfn)
{
	size_t begun = PLACE(layout->n_slots, i, layout->slots[i].gfn <= gfn);

	return begun ? begun - 1 : layout->n_slots;
}

static void find_slot(const struct layout *layout, struct layout_cell *cell)
{
	uint64_t end = cell->range.gfn + cell->range.npages;
	size_t m = first_after(layout->memory, layout->n_memory, cell->range.gfn), slot;

	cell->slot = LAYOUT_NO_SLOT;
	if (m == layout->n_memory || layout->memory[m].gfn >= end)
		return;
	slot = slot_before(layout, MAX(cell->range.gfn, layout->memory[m].gfn));
	cell->slot = (uint32_t)slot;
	cell->border = slot + 1 < layout->n_slots && layout->slots[slot + 1].gfn < end;
}

/* ---- counting ---- */

/* Counts the frames of [gfn, gfn + npages). */
typedef void (*count_fn)(const struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages,
	bool memory, struct layout_cell *cell);

static void count_states(const struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages,
	bool memory, struct layout_cell *cell)
{
	enum page_state initial = vm_initial_state(vm, plane);
	uint64_t counts[PAGE_STATES] = {};

	if (vm->planes[plane])
		pagemap_count(vm->planes[plane], gfn, npages, counts);
	else
		counts[initial] = npages;
	if (!memory)
		counts[initial] = 0;
	for (int i = 0; i < PAGE_STATES; i++)
		cell->counts[i] += counts[i];
}

static void count_pairs(const struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages,
	bool memory, struct layout_cell *cell)
{
	const struct pagemap *guest = vm->planes[PLANE_GUEST], *host = vm->planes[PLANE_HOST];
	enum page_state guest_initial = vm_initial_state(vm, PLANE_GUEST);
	enum page_state host_initial = vm_initial_state(vm, PLANE_HOST);
	uint64_t pairs[PAGE_STATES][PAGE_STATES] = {}, column[PAGE_STATES] = {};

	(void)plane;
	if (guest && host)
		pagemap_count_pairs(guest, host, gfn, npages, pairs);
	else if (host)
		pagemap_count(host, gfn, npages, pairs[guest_initial]);
	else if (guest)
		pagemap_count(guest, gfn, npages, column);
	else
		pairs[guest_initial][host_initial] = npages;
	for (int i = 0; i < PAGE_STATES; i++)
		pairs[i][host_initial] += column[i];
	if (!memory)
		pairs[guest_initial][host_initial] = 0;

	cell->accords[ACCORD_PRIVATE] += pairs[PAGE_PRIVATE][PAGE_PRIVATE];
	cell->accords[ACCORD_SHARED] += pairs[PAGE_SHARED][PAGE_SHARED];
	cell->accords[ACCORD_HOST_SHARED] += pairs[PAGE_PRIVATE][PAGE_SHARED];
	cell->accords[ACCORD_HOST_PRIVATE] += pairs[PAGE_SHARED][PAGE_PRIVATE];
	for (int i = 0; i < PAGE_STATES; i++)
		cell->accords[ACCORD_UNKNOWN] += pairs[PAGE_UNKNOWN][i];
	cell->accords[ACCORD_UNKNOWN] +=
		pairs[PAGE_PRIVATE][PAGE_UNKNOWN] + pairs[PAGE_SHARED][PAGE_UNKNOWN];
}

void layout_read_frames(const struct layout *layout, const struct vm *vm, enum plane plane,
	bool diff, const struct layout_range *frames, struct layout_cell *cell)
{
	count_fn count = diff ? count_pairs : count_states;
	uint64_t at = frames->gfn, end = at + frames->npages;

	*cell = (struct layout_cell){.range = *frames};
	for (size_t i = first_after(layout->memory, layout->n_memory, at);
		i < layout->n_memory && layout->memory[i].gfn < end; i++) {
		uint64_t from = MAX(at, layout->memory[i].gfn);
		uint64_t stop = MIN(end, layout->memory[i].gfn + layout->memory[i].npages);

		if (from > at)
			count(vm, plane, at, from - at, false, cell);
		count(vm, plane, from, stop - from, true, cell);
		cell->memory += stop - from;
		at = stop;
	}
	if (at < end)
		count(vm, plane, at, end - at, false, cell);
	cell->sacred = count_sacred(layout, &cell->range);
	find_slot(layout, cell);
}

void layout_read(const struct layout *layout, const struct vm *vm, enum plane plane, uint64_t cell,
	struct layout_cell *ret)
{
	struct layout_range frames = layout_range(layout, cell);

	layout_read_frames(layout, vm, plane, false, &frames, ret);
}

void layout_read_diff(
	const struct layout *layout, const struct vm *vm, uint64_t cell, struct layout_cell *ret)
{
	struct layout_range frames = layout_range(layout, cell);

	layout_read_frames(layout, vm, PLANE_GUEST, true, &frames, ret);
}
