// SPDX-License-Identifier: GPL-2.0-only
/*
 * Layouts of random VMs against a look at each page: what cells hold, that cells, frames and places
 * lead to each other and back, that nothing is missing, and that the Hilbert curve has no jumps.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
/* after the above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "picture/layout.h"

#define PAGES 20000 /* what the random VMs are made of */

static uint64_t below(uint64_t limit)
{
	return ((uint64_t)random() << 31 | (uint64_t)random()) % limit;
}

static void add_slot(struct vm *vm, uint64_t gfn, uint64_t npages)
{
	vm->memslots = reallocarray(vm->memslots, vm->n_memslots + 1, sizeof(*vm->memslots));
	assert_non_null(vm->memslots);
	vm->memslots[vm->n_memslots++] = (struct memslot){.gfn = gfn, .npages = npages};
}

static struct vm *new_vm(bool born)
{
	struct vm *vm = vm_new(1);

	assert_non_null(vm);
	vm->known = true;
	vm->born = born;
	vm->host.capable = vm->host.known = true;
	return vm;
}

static void set(struct vm *vm, enum plane plane, uint64_t gfn, uint64_t npages, enum page_state to)
{
	struct pagemap *map;

	assert_int_equal(vm_plane(vm, plane, &map), 0);
	assert_int_equal(pagemap_set(map, gfn, npages, to), 0);
}

/* Memslots with and without gaps, of which some overlap; changes in them and outside. */
static struct vm *random_vm(void)
{
	struct vm *vm = new_vm(random() % 2);
	uint64_t gfn = below(300);

	while (gfn < PAGES && random() % 12) {
		uint64_t npages = 1 + below(random() % 2 ? 20 : 4000);

		add_slot(vm, gfn, npages);
		gfn += random() % 8 ? npages : npages / 2;
		gfn += random() % 3 ? 0 : below(6000);
	}
	for (int i = random() % 400; i > 0; i--)
		if (random() % 4 || !vm->n_memslots) {
			set(vm, random() % 2, below(PAGES), 1 + below(random() % 9 ? 4 : 900),
				random() % PAGE_STATES);
		} else {
			const struct memslot *slot = &vm->memslots[below(vm->n_memslots)];

			set(vm, random() % 2, slot->gfn, slot->npages, random() % PAGE_STATES);
		}
	return vm;
}

static bool is_in(const struct layout_range *ranges, size_t n, uint64_t gfn)
{
	for (size_t i = 0; i < n; i++)
		if (gfn - ranges[i].gfn < ranges[i].npages)
			return true;
	return false;
}

static bool is_memory(const struct vm *vm, uint64_t gfn)
{
	for (size_t i = 0; i < vm->n_memslots; i++)
		if (gfn - vm->memslots[i].gfn < vm->memslots[i].npages)
			return true;
	return false;
}

static enum page_state state_of(const struct vm *vm, enum plane plane, uint64_t gfn)
{
	return vm->planes[plane] ? pagemap_get(vm->planes[plane], gfn)
				 : vm_initial_state(vm, plane);
}

static enum accord accord_of(enum page_state guest, enum page_state host)
{
	if (guest == PAGE_UNKNOWN || host == PAGE_UNKNOWN)
		return ACCORD_UNKNOWN;
	if (guest == host)
		return guest == PAGE_SHARED ? ACCORD_SHARED : ACCORD_PRIVATE;
	return host == PAGE_SHARED ? ACCORD_HOST_SHARED : ACCORD_HOST_PRIVATE;
}

/* The cell, page by page. */
static void look(const struct vm *vm, const struct layout_options *options,
	struct layout_range range, struct layout_cell cells[PLANES + 1])
{
	bool initial[PLANES];

	for (int i = 0; i <= PLANES; i++)
		cells[i] = (struct layout_cell){.range = range};
	for (uint64_t gfn = range.gfn; gfn < range.gfn + range.npages; gfn++) {
		bool memory = is_memory(vm, gfn);
		enum page_state states[PLANES];

		for (int i = 0; i < PLANES; i++) {
			states[i] = state_of(vm, (enum plane)i, gfn);
			initial[i] = states[i] == vm_initial_state(vm, (enum plane)i);
			cells[i].counts[states[i]] += memory || !initial[i];
		}
		cells[PLANES].accords[accord_of(states[0], states[1])] +=
			memory || !initial[0] || !initial[1];
		for (int i = 0; i <= PLANES; i++) {
			cells[i].memory += memory;
			cells[i].sacred += memory && is_in(options->sacred, options->n_sacred, gfn);
		}
	}
}

static void check_cell(const struct layout *layout, const struct vm *vm,
	const struct layout_options *options, uint64_t number)
{
	struct layout_cell want[PLANES + 1], got;
	uint32_t slot = LAYOUT_NO_SLOT;
	unsigned int begins = 0;

	look(vm, options, layout_range(layout, number), want);
	for (int i = 0; i <= PLANES; i++) {
		if (i < PLANES)
			layout_read(layout, vm, (enum plane)i, number, &got);
		else
			layout_read_diff(layout, vm, number, &got);
		assert_memory_equal(&got.range, &want[i].range, sizeof(got.range));
		assert_memory_equal(got.counts, want[i].counts, sizeof(got.counts));
		assert_memory_equal(got.accords, want[i].accords, sizeof(got.accords));
		assert_int_equal(got.memory, want[i].memory);
		assert_int_equal(got.sacred, want[i].sacred);
	}
	for (uint64_t gfn = got.range.gfn; gfn < got.range.gfn + got.range.npages; gfn++) {
		uint32_t last = LAYOUT_NO_SLOT;

		for (size_t i = 0; i < vm->n_memslots; i++) {
			if (vm->memslots[i].gfn <= gfn)
				last = (uint32_t)i;
			begins += slot != LAYOUT_NO_SLOT && vm->memslots[i].gfn == gfn;
		}
		if (slot == LAYOUT_NO_SLOT && is_memory(vm, gfn))
			slot = last;
	}
	assert_int_equal(got.slot, slot);
	assert_int_equal(got.border, begins > 0);
}

static void check_places(const struct layout *layout, const struct layout_options *options)
{
	uint64_t places = 0, found, end = 0;
	unsigned int before_x = 0, before_y = 0, x, y;

	assert_true(options->scrolled ||
		    (layout->columns <= options->columns && layout->rows <= options->rows));
	assert_true(!options->scrolled || layout->shift == options->shift);
	for (y = 0; y < layout->rows; y++)
		for (x = 0; x < layout->columns; x++)
			places += layout_at(layout, x, y, &found);
	assert_int_equal(places, layout->cells);
	for (uint64_t cell = 0; cell < layout->cells; cell++) {
		struct layout_range range = layout_range(layout, cell);

		assert_int_equal(range.npages, 1ull << layout->shift);
		assert_int_equal(range.gfn % range.npages, 0);
		if (cell)
			assert_int_equal(range.gfn, end + layout_gap(layout, cell));
		end = range.gfn + range.npages;
		assert_true(layout_find(layout, range.gfn, &found) && found == cell);
		assert_true(layout_find(layout, end - 1, &found) && found == cell);
		layout_place(layout, cell, &x, &y);
		assert_true(layout_at(layout, x, y, &found) && found == cell);
		if (cell && layout->kind == LAYOUT_HILBERT)
			assert_int_equal(
				abs((int)x - (int)before_x) + abs((int)y - (int)before_y), 1);
		before_x = x;
		before_y = y;
	}
}

static int add_difference(void *context, const struct difference *difference)
{
	uint64_t *accords = context;

	accords[accord_of(difference->guest, difference->host)] += difference->npages;
	return 0;
}

/* Over the whole VM, cells add up to what the model says. */
static void check_totals(const struct layout *layout, const struct vm *vm)
{
	uint64_t want[PAGE_STATES], differ[ACCORDS] = {}, got[PAGE_STATES], accords[ACCORDS] = {};
	struct layout_cell cell;

	for (int plane = 0; plane < PLANES; plane++) {
		memset(got, 0, sizeof(got));
		vm_count(vm, (enum plane)plane, want);
		for (uint64_t i = 0; i < layout->cells; i++) {
			layout_read(layout, vm, (enum plane)plane, i, &cell);
			for (int s = 0; s < PAGE_STATES; s++)
				got[s] += cell.counts[s];
		}
		assert_memory_equal(got, want, sizeof(got));
	}
	assert_int_equal(vm_differences(vm, add_difference, differ), 0);
	for (uint64_t i = 0; i < layout->cells; i++) {
		layout_read_diff(layout, vm, i, &cell);
		for (int a = 0; a < ACCORDS; a++)
			accords[a] += cell.accords[a];
	}
	assert_int_equal(accords[ACCORD_HOST_SHARED], differ[ACCORD_HOST_SHARED]);
	assert_int_equal(accords[ACCORD_HOST_PRIVATE], differ[ACCORD_HOST_PRIVATE]);
}

static void random_vms_are_laid_out_as_they_are(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < 250; seed++) {
		struct layout_range sacred[3];
		struct layout_options options = {.sacred = sacred, .n_sacred = seed % 4};
		_cleanup_(layout_free) struct layout *layout = NULL;
		_cleanup_(vm_free) struct vm *vm = NULL;

		srandom(seed);
		vm = random_vm();
		for (int i = 0; i < 3; i++)
			sacred[i] = (struct layout_range){below(PAGES), 1 + below(500)};
		options.kind = seed % 2 ? LAYOUT_HILBERT : LAYOUT_LINEAR;
		options.columns = 1 + (unsigned int)below(140);
		options.rows = 1 + (unsigned int)below(80);
		if (seed % 5 == 4)
			options.window = (struct layout_range){below(PAGES), 1 + below(1000)};
		if (seed % 7 == 6) {
			options.scrolled = true;
			options.shift = (unsigned int)below(7);
		}
		assert_int_equal(layout_new(&layout, vm, &options), 0);
		check_places(layout, &options);
		for (uint64_t i = 0; i < layout->cells; i++)
			if (layout->cells << layout->shift < 1 << 16 || random() % 8 == 0)
				check_cell(layout, vm, &options, i);
		if (!options.window.npages)
			check_totals(layout, vm);
	}
}

static void a_window_of_one_page_is_one_cell(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm(true);
	struct layout_options options = {.columns = 64, .rows = 16, .window = {0x12345, 1}};
	_cleanup_(layout_free) struct layout *layout = NULL;
	struct layout_cell cell;
	uint64_t number;

	(void)state;
	add_slot(vm, 0, 1 << 20);
	set(vm, PLANE_GUEST, 0x12345, 1, PAGE_SHARED);
	assert_int_equal(layout_new(&layout, vm, &options), 0);
	assert_int_equal(layout->shift, 0);
	assert_int_equal(layout->rows, 1);
	assert_true(layout_find(layout, 0x12345, &number));
	layout_read(layout, vm, PLANE_GUEST, number, &cell);
	assert_int_equal(cell.range.gfn, 0x12345);
	assert_int_equal(cell.counts[PAGE_SHARED], 1);
	assert_false(layout_find(layout, 0x22345, &number));
	assert_int_equal(number, 0x12345 % 64);
}

/* A gap is left out where that saves a row: saying so takes one. */
static void gaps_are_folded_from_two_rows_on(void **state)
{
	struct layout_options options = {.columns = 64, .rows = 16};

	(void)state;
	for (uint64_t rows = 1; rows < 4; rows++) {
		_cleanup_(vm_free) struct vm *vm = new_vm(true);
		_cleanup_(layout_free) struct layout *layout = NULL;

		add_slot(vm, 0, 64);
		add_slot(vm, 64 + 64 * rows, 64);
		assert_int_equal(layout_new(&layout, vm, &options), 0);
		assert_int_equal(layout->n_segments, rows == 1 ? 1 : 2);
		assert_int_equal(layout->rows, rows == 1 ? 3 : 2);
		assert_int_equal(layout_gap(layout, 64), rows == 1 ? 0 : 64 * rows);
	}
}

static void squares_are_no_larger_than_they_must_be(void **state)
{
	static const struct {
		uint64_t pages;
		unsigned int side, columns;
	} cases[] = {
		{16, 4, 4},
		{33, 8, 8},
		{48, 8, 8},
		{256, 16, 16},
		{520, 16, 36},  /* two squares, and the corner of a third */
		{4112, 64, 68}, /* a segment begins and ends at small squares */
		{8192, 64, 128},
		{8193, 64, 68},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct layout_options options = {
			.kind = LAYOUT_HILBERT, .columns = 128, .rows = 64};
		_cleanup_(vm_free) struct vm *vm = new_vm(true);
		_cleanup_(layout_free) struct layout *layout = NULL;

		add_slot(vm, 0, cases[i].pages);
		assert_int_equal(layout_new(&layout, vm, &options), 0);
		assert_int_equal(layout->side, cases[i].side);
		assert_int_equal(layout->columns, cases[i].columns);
	}
}

static void nothing_and_no_room(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm(true);
	struct layout_options options = {.columns = 64, .rows = 16};
	_cleanup_(layout_free) struct layout *layout = NULL;
	uint64_t number;

	(void)state;
	assert_int_equal(layout_new(&layout, vm, &options), 0);
	assert_int_equal(layout->cells, 0);
	assert_false(layout_find(layout, 0, &number));
	assert_false(layout_at(layout, 0, 0, &number));
	layout_free(&layout);
	options.rows = 0;
	assert_int_equal(layout_new(&layout, vm, &options), -EINVAL);
	options.rows = LAYOUT_MAX + 1;
	assert_int_equal(layout_new(&layout, vm, &options), -EINVAL);
	options = (struct layout_options){.columns = 1, .rows = 1, .window = {5, UINT64_MAX}};
	assert_int_equal(layout_new(&layout, vm, &options), -EINVAL);
	assert_null(layout);
}

/* A guest may convert what is no memory, in as many pieces as it likes. */
static void torn_ranges_outside_of_memory_take_bounded_time(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm(true);
	struct layout_options options = {.columns = 64, .rows = 16};
	_cleanup_(layout_free) struct layout *layout = NULL;
	uint64_t torn = 1 << 20;

	(void)state;
	add_slot(vm, 0, 1000);
	for (uint64_t i = 0; i < torn; i += 2)
		set(vm, PLANE_GUEST, (1 << 22) + i, 1, PAGE_SHARED);
	set(vm, PLANE_GUEST, PAGEMAP_FRAMES - 1, 1, PAGE_SHARED);
	assert_int_equal(layout_new(&layout, vm, &options), 0);
	check_places(layout, &options);
	check_totals(layout, vm);
}

/* However far from each other its pages are, a grid has no more rows than it can number. */
static void a_grid_that_is_scrolled_is_bounded(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm(true);
	struct layout_options options = {.columns = 64, .rows = 16, .scrolled = true};

	(void)state;
	add_slot(vm, 0, PAGEMAP_FRAMES);
	for (int kind = 0; kind < LAYOUT_KINDS; kind++) {
		_cleanup_(layout_free) struct layout *layout = NULL;

		options.kind = (enum layout_kind)kind;
		assert_int_equal(layout_new(&layout, vm, &options), 0);
		assert_int_equal(layout->cells << layout->shift, PAGEMAP_FRAMES);
		assert_true(layout->rows <= LAYOUT_GRID_MAX && layout->columns <= LAYOUT_GRID_MAX);
	}
	options.shift = 60;
	{
		_cleanup_(layout_free) struct layout *layout = NULL;

		assert_int_equal(layout_new(&layout, vm, &options), 0);
		assert_true(layout->shift < 40 && layout->cells);
	}
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* 1 TiB in 512 pieces, torn in places: how long it takes is printed, what comes out is checked. */
static void a_large_vm_is_quick(void **state)
{
	_cleanup_(vm_free) struct vm *vm = new_vm(true);
	struct layout_cell cell;

	(void)state;
	srandom(1);
	for (uint64_t i = 0; i < 512; i++)
		add_slot(vm, i << 24, 1 << 19);
	for (int i = 0; i < 20000; i++)
		for (int plane = 0; plane < PLANES; plane++)
			set(vm, (enum plane)plane, below(512) << 24 | below(1 << 19), 1 + below(64),
				PAGE_SHARED);
	for (int kind = 0; kind < LAYOUT_KINDS; kind++) {
		struct layout_options options = {
			.kind = (enum layout_kind)kind, .columns = 256, .rows = 600};
		_cleanup_(layout_free) struct layout *layout = NULL;
		double began = now_ms();

		assert_int_equal(layout_new(&layout, vm, &options), 0);
		for (uint64_t i = 0; i < layout->cells; i++)
			layout_read(layout, vm, PLANE_GUEST, i, &cell);
		print_message("layout of 1 TiB: %llu cells in %.1f ms, with the sanitizers; ",
			(unsigned long long)layout->cells, now_ms() - began);
		began = now_ms();
		for (uint64_t i = 0; i < layout->cells; i++)
			layout_read_diff(layout, vm, i, &cell);
		print_message("differences %.1f ms\n", now_ms() - began);
		check_totals(layout, vm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_vms_are_laid_out_as_they_are),
		cmocka_unit_test(a_window_of_one_page_is_one_cell),
		cmocka_unit_test(gaps_are_folded_from_two_rows_on),
		cmocka_unit_test(squares_are_no_larger_than_they_must_be),
		cmocka_unit_test(nothing_and_no_room),
		cmocka_unit_test(a_grid_that_is_scrolled_is_bounded),
		cmocka_unit_test(torn_ranges_outside_of_memory_take_bounded_time),
		cmocka_unit_test(a_large_vm_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
