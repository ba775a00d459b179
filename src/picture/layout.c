/* SPDX-License-Identifier: GPL-2.0-only */
#include "picture/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/cleanup.h"
#include "base/place.h"
#include "picture/hilbert.h"

/* ---- what there is to show ---- */

/* Ranges in order of gfn; those that touch are joined. */
struct ranges {
	struct layout_range *list;
	size_t n, size;
};

static int ranges_add(struct ranges *ranges, uint64_t gfn, uint64_t end, bool join)
{
	struct layout_range *last = ranges->n ? &ranges->list[ranges->n - 1] : NULL;

	end = MIN(end, PAGEMAP_FRAMES);
	if (gfn >= end)
		return 0;
	if (join && last && last->gfn + last->npages >= gfn) {
		last->npages = MAX(last->gfn + last->npages, end) - last->gfn;
		return 0;
	}
	if (ranges->n == ranges->size) {
		size_t size = ranges->size ? 2 * ranges->size : 16;
		struct layout_range *list = reallocarray(ranges->list, size, sizeof(*list));

		if (!list)
			return -ENOMEM;
		ranges->list = list;
		ranges->size = size;
	}
	ranges->list[ranges->n++] = (struct layout_range){.gfn = gfn, .npages = end - gfn};
	return 0;
}

static void ranges_free(struct ranges *ranges)
{
	free(ranges->list);
}

/* How far both planes are what they were at first; *ret_changed: how far one of them is not. */
static uint64_t initial_run(const struct vm *vm, uint64_t gfn, uint64_t end, uint64_t *ret_changed)
{
	uint64_t same = end - gfn;

	*ret_changed = 0;
	for (int i = 0; i < PLANES; i++) {
		enum page_state state;
		uint64_t run;

		if (!vm->planes[i])
			continue;
		run = vm_run(vm, (enum plane)i, gfn, end, &state);
		if (state == vm_initial_state(vm, (enum plane)i)) {
			same = MIN(same, run);
		} else {
			same = 0;
			*ret_changed = MAX(*ret_changed, run);
		}
	}
	return same;
}

#define STEPS 1024

/* What lies in [gfn, end), where no memory is. However torn it is, this takes a bounded number of
 * steps: they grow as it goes on. */
static int add_outside(struct ranges *shown, const struct vm *vm, uint64_t gfn, uint64_t end)
{
	uint64_t step = 1;

	end = MIN(end, PAGEMAP_FRAMES);
	for (unsigned int n = 1; gfn < end; n++) {
		uint64_t changed, same = initial_run(vm, gfn, end, &changed);
		uint64_t stop;
		int r;

		gfn += same;
		if (same)
			continue;
		stop = MAX(gfn + changed, gfn / step * step + step);
		r = ranges_add(shown, gfn, MIN(stop, end), true);
		if (r)
			return r;
		gfn = stop;
		if (n % STEPS == 0 && step < PAGEMAP_FRAMES)
			step *= 2;
	}
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct layout_range *x = a, *y = b;

	return (x->gfn > y->gfn) - (x->gfn < y->gfn);
}

/* Takes over sorted and joined copies. */
static int keep_sacred(struct layout *layout, const struct layout_options *options)
{
	_cleanup_free_ struct layout_range *sorted = NULL;
	_cleanup_(ranges_free) struct ranges sacred = {};
	int r = 0;

	if (!options->n_sacred)
		return 0;
	sorted = calloc(options->n_sacred, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, options->sacred, options->n_sacred * sizeof(*sorted));
	qsort(sorted, options->n_sacred, sizeof(*sorted), compare_ranges);
	for (size_t i = 0; i < options->n_sacred && !r; i++)
		r = ranges_add(&sacred, sorted[i].gfn, sorted[i].gfn + sorted[i].npages, true);
	layout->n_sacred = sacred.n;
	layout->sacred = TAKE_PTR(sacred.list);
	return r;
}

static int keep_memory(struct layout *layout, const struct vm *vm)
{
	_cleanup_(ranges_free) struct ranges slots = {}, memory = {};
	int r = 0;

	for (size_t i = 0; i < vm->n_memslots && !r; i++) {
		const struct memslot *slot = &vm->memslots[i];

		r = ranges_add(&slots, slot->gfn, slot->gfn + slot->npages, false);
		if (!r)
			r = ranges_add(&memory, slot->gfn, slot->gfn + slot->npages, true);
	}
	layout->n_slots = slots.n;
	layout->slots = TAKE_PTR(slots.list);
	layout->n_memory = memory.n;
	layout->memory = TAKE_PTR(memory.list);
	return r;
}

/* Memory and what lies outside of it, in the window. */
static int find_shown(const struct layout *layout, const struct vm *vm,
	const struct layout_range *window, struct ranges *shown)
{
	uint64_t at = window->npages ? window->gfn : 0;
	uint64_t end = window->npages ? MIN(PAGEMAP_FRAMES, at + window->npages) : PAGEMAP_FRAMES;
	int r = 0;

	for (size_t i = 0; i < layout->n_memory && !r && at < end; i++) {
		uint64_t from = layout->memory[i].gfn;
		uint64_t stop = MIN(end, from + layout->memory[i].npages);

		if (stop <= at)
			continue;
		if (from > at)
			r = add_outside(shown, vm, at, MIN(from, end));
		if (!r)
			r = ranges_add(shown, MAX(from, at), stop, true);
		at = stop;
	}
	return r || at >= end ? r : add_outside(shown, vm, at, end);
}

/* ---- the grid ---- */

static unsigned int power_below(unsigned int n)
{
	return 1u << (31 - __builtin_clz(n));
}

static uint64_t square_cells(const struct layout *layout)
{
	return (uint64_t)layout->side * layout->side;
}

/* What segments begin and end at, in cells: a row, or a small square of the curve. */
static uint64_t granule_cells(const struct layout *layout)
{
	return layout->kind == LAYOUT_LINEAR ? layout->columns
					     : MIN(16, layout->side * layout->side);
}

/* Cuts what is shown into segments at the layout's shift; list may be NULL, to count only. Returns
 * the number of segments. */
static size_t cut(const struct layout *layout, const struct ranges *shown,
	struct layout_segment *list, uint64_t *ret_cells)
{
	uint64_t granule = MIN(PAGEMAP_FRAMES, granule_cells(layout) << layout->shift);
	uint64_t begin = 0, end = 0, cells = 0;
	/* Where addresses are left out takes a row of its own when it is drawn. */
	uint64_t fold = layout->kind == LAYOUT_LINEAR ? 2 * granule : granule;
	size_t n = 0;

	for (size_t i = 0; i <= shown->n; i++) {
		const struct layout_range *range = i < shown->n ? &shown->list[i] : NULL;
		uint64_t from = range ? range->gfn / granule * granule : 0;

		if (range && end && from < end + fold) {
			end = (range->gfn + range->npages + granule - 1) / granule * granule;
			continue;
		}
		if (end) {
			if (list)
				list[n] = (struct layout_segment){.gfn = begin,
					.cell = cells,
					.cells = (end - begin) >> layout->shift};
			cells += (end - begin) >> layout->shift;
			n++;
		}
		if (!range)
			break;
		begin = from;
		end = (range->gfn + range->npages + granule - 1) / granule * granule;
	}
	*ret_cells = cells;
	return n;
}

static bool fits(const struct layout *layout, const struct layout_options *options, uint64_t cells,
	size_t segments)
{
	if (options->scrolled)
		return cells / (layout->side ?: layout->columns) <= LAYOUT_GRID_MAX;
	if (layout->kind == LAYOUT_HILBERT)
		return cells <=
		       (uint64_t)layout->side * layout->side * (options->columns / layout->side);
	return cells / layout->columns + segments - 1 <= options->rows;
}

static int make_grid(
	struct layout *layout, const struct layout_options *options, const struct ranges *shown)
{
	unsigned int largest, corner = 1;
	uint64_t square, rest;

	layout->columns = power_below(options->columns);
	if (layout->kind == LAYOUT_HILBERT)
		layout->side = power_below(MIN(options->columns, options->rows));
	largest = 40 - (unsigned int)__builtin_ctzll(granule_cells(layout));
	layout->shift = options->scrolled ? MIN(options->shift, largest) : 0;
	for (;;) {
		layout->n_segments = cut(layout, shown, NULL, &layout->cells);
		if (!layout->n_segments || layout->shift == largest ||
			fits(layout, options, layout->cells, layout->n_segments))
			break;
		layout->shift++;
	}
	layout->segments = calloc(MAX(1, layout->n_segments), sizeof(*layout->segments));
	if (!layout->segments)
		return -ENOMEM;
	cut(layout, shown, layout->segments, &layout->cells);
	if (layout->kind == LAYOUT_LINEAR) {
		layout->rows = (unsigned int)(layout->cells / layout->columns);
		return 0;
	}
	/* Smaller squares, where a large one would be half empty. */
	while (!options->scrolled && layout->side > 4 &&
		layout->cells * 16 <= square_cells(layout) * 9 &&
		layout->cells <= square_cells(layout) / 4 * (options->columns / (layout->side / 2)))
		layout->side /= 2;
	square = square_cells(layout);
	layout->columns = (unsigned int)(layout->cells / square) * layout->side;
	/* Of the last square only the corner that is used. */
	rest = layout->cells % square;
	while (rest && (uint64_t)corner * corner < rest)
		corner *= 2;
	layout->columns += rest ? corner : 0;
	layout->rows = layout->cells ? layout->side : 0;
	return 0;
}

int layout_new(struct layout **ret, const struct vm *vm, const struct layout_options *options)
{
	_cleanup_(layout_free) struct layout *layout = NULL;
	_cleanup_(ranges_free) struct ranges shown = {};
	int r;

	if (!options->columns || !options->rows || options->columns > LAYOUT_MAX ||
		options->rows > LAYOUT_MAX || (unsigned int)options->kind >= LAYOUT_KINDS ||
		options->window.npages > UINT64_MAX - options->window.gfn)
		return -EINVAL;
	layout = calloc(1, sizeof(*layout));
	if (!layout)
		return -ENOMEM;
	layout->kind = options->kind;
	r = keep_memory(layout, vm);
	if (!r)
		r = keep_sacred(layout, options);
	if (!r)
		r = find_shown(layout, vm, &options->window, &shown);
	if (!r)
		r = make_grid(layout, options, &shown);
	if (!r)
		*ret = TAKE_PTR(layout);
	return r;
}

void layout_free(struct layout **pointer)
{
	struct layout *layout = *pointer;

	if (!layout)
		return;
	free(layout->segments);
	free(layout->memory);
	free(layout->slots);
	free(layout->sacred);
	free(layout);
	*pointer = NULL;
}

/* ---- cells, frames, places ---- */

static const struct layout_segment *segment_of(const struct layout *layout, uint64_t cell)
{
	size_t low = 0, high = layout->n_segments;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (layout->segments[middle].cell <= cell)
			low = middle;
		else
			high = middle;
	}
	return &layout->segments[low];
}

struct layout_range layout_range(const struct layout *layout, uint64_t cell)
{
	const struct layout_segment *segment = segment_of(layout, cell);

	return (struct layout_range){
		.gfn = segment->gfn + ((cell - segment->cell) << layout->shift),
		.npages = 1ull << layout->shift,
	};
}

bool layout_find(const struct layout *layout, uint64_t gfn, uint64_t *ret)
{
	size_t begun = PLACE(layout->n_segments, i, layout->segments[i].gfn <= gfn);
	const struct layout_segment *segment;

	if (!begun)
		return false;
	segment = &layout->segments[begun - 1];
	if (gfn - segment->gfn >= segment->cells << layout->shift)
		return false;
	*ret = segment->cell + ((gfn - segment->gfn) >> layout->shift);
	return true;
}

void layout_place(
	const struct layout *layout, uint64_t cell, unsigned int *ret_column, unsigned int *ret_row)
{
	uint64_t square = square_cells(layout);

	if (layout->kind == LAYOUT_LINEAR) {
		*ret_column = (unsigned int)(cell % layout->columns);
		*ret_row = (unsigned int)(cell / layout->columns);
		return;
	}
	hilbert_place(layout->side, cell % square, ret_column, ret_row);
	*ret_column += (unsigned int)(cell / square) * layout->side;
}

bool layout_at(const struct layout *layout, unsigned int column, unsigned int row, uint64_t *ret)
{
	uint64_t cell;

	if (column >= layout->columns || row >= layout->rows)
		return false;
	if (layout->kind == LAYOUT_LINEAR)
		cell = (uint64_t)row * layout->columns + column;
	else
		cell = square_cells(layout) * (column / layout->side) +
		       hilbert_at(layout->side, column % layout->side, row);
	if (cell >= layout->cells)
		return false;
	*ret = cell;
	return true;
}

uint64_t layout_gap(const struct layout *layout, uint64_t cell)
{
	const struct layout_segment *segment = segment_of(layout, cell), *before = segment - 1;

	if (segment->cell != cell || segment == layout->segments)
		return 0;
	return segment->gfn - before->gfn - (before->cells << layout->shift);
}
