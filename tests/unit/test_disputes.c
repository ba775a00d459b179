/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences of the two planes, against an array with an entry for each page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "model/vm.h"

#define PAGES 300

struct page {
	enum page_state state[PLANES];
	uint64_t since; /* of the last move that made them differ; 0: none was seen */
	enum plane mover;
};

struct bench {
	struct vm *vm;
	struct page pages[PAGES];
	uint64_t at; /* the next page that vm_differences() may report */
	uint64_t clock;
};

static void start(struct bench *b)
{
	struct kes_record slot = {.memslot = {.npages = PAGES, .total = 1}};

	memset(b, 0, sizeof(*b));
	b->vm = vm_new(1);
	assert_non_null(b->vm);
	assert_int_equal(vm_memslot(b->vm, &slot), 0);
	b->vm->known = b->vm->born = true;
	b->vm->host.capable = b->vm->host.known = true;
	for (int i = 0; i < PAGES; i++)
		b->pages[i].state[PLANE_HOST] = PAGE_SHARED;
}

static void set(
	struct bench *b, enum plane plane, uint64_t gfn, uint64_t npages, enum page_state to)
{
	struct mover mover = {.ts_ns = ++b->clock, .plane = plane, .actor = 7};

	assert_int_equal(vm_set_pages(b->vm, plane, gfn, npages, to, &mover), 0);
	for (uint64_t i = gfn; i < gfn + npages; i++) {
		struct page *page = &b->pages[i];

		if (page->state[plane] == to)
			continue;
		page->state[plane] = to;
		page->since = b->clock;
		page->mover = plane;
	}
}

static bool differs(const struct page *page)
{
	return page->state[PLANE_GUEST] != page->state[PLANE_HOST] &&
	       page->state[PLANE_GUEST] != PAGE_UNKNOWN && page->state[PLANE_HOST] != PAGE_UNKNOWN;
}

static int check_difference(void *context, const struct difference *difference)
{
	struct bench *b = context;

	for (; b->at < difference->gfn; b->at++)
		assert_false(differs(&b->pages[b->at]));
	for (; b->at < difference->gfn + difference->npages; b->at++) {
		const struct page *page = &b->pages[b->at];

		assert_true(differs(page));
		assert_int_equal(page->state[PLANE_GUEST], difference->guest);
		assert_int_equal(page->state[PLANE_HOST], difference->host);
		if (!page->since) {
			assert_null(difference->mover);
			continue;
		}
		assert_non_null(difference->mover);
		assert_int_equal(page->since, difference->mover->ts_ns);
		assert_int_equal(page->mover, difference->mover->plane);
	}
	return 0;
}

static void check(struct bench *b)
{
	b->at = 0;
	assert_int_equal(vm_differences(b->vm, check_difference, b), 0);
	for (; b->at < PAGES; b->at++)
		assert_false(differs(&b->pages[b->at]));
}

static void differences_are_those_of_the_pages(void **state)
{
	struct bench b;

	(void)state;
	for (unsigned int seed = 0; seed < 40; seed++) {
		srandom(seed);
		start(&b);
		check(&b);
		for (int i = 0; i < 300; i++) {
			uint64_t gfn = (uint64_t)random() % PAGES;
			uint64_t npages = 1 + (uint64_t)random() % (PAGES - gfn);
			int what = (int)(random() % 9);

			if (random() % 2)
				npages = 1;
			set(&b, random() % 2 ? PLANE_GUEST : PLANE_HOST, gfn, npages,
				what < 4   ? PAGE_PRIVATE
				: what < 8 ? PAGE_SHARED
					   : PAGE_UNKNOWN);
			check(&b);
		}
		vm_free(&b.vm);
	}
}

static int find_found(void *context, const struct difference *difference)
{
	uint64_t *found = context;

	assert_non_null(difference->mover);
	if (difference->mover->found)
		*found += difference->npages;
	return 0;
}

/* What is there without anybody's having been seen moving says so. */
static void a_reading_finds_differences(void **state)
{
	struct bench b;
	uint64_t found = 0;

	(void)state;
	start(&b);
	set(&b, PLANE_HOST, 0, PAGES, PAGE_PRIVATE);
	set(&b, PLANE_GUEST, 10, 5, PAGE_SHARED);
	assert_int_equal(pagemap_set(b.vm->planes[PLANE_HOST], 100, 20, PAGE_SHARED), 0);
	assert_int_equal(disputes_rebuild(b.vm, 99), 0);
	assert_int_equal(vm_differences(b.vm, find_found, &found), 0);
	assert_int_equal(found, 20);
	vm_free(&b.vm);
}

/* More than can be kept: the ranges stay right, and what is not kept is said. */
static void there_may_be_too_many(void **state)
{
	struct mover mover = {.ts_ns = 5, .plane = PLANE_HOST};
	struct vm *vm = vm_new(1);
	struct kes_record slot = {.memslot = {.npages = 1u << 20, .total = 1}};
	uint64_t counts[PAGE_STATES];

	(void)state;
	assert_non_null(vm);
	assert_int_equal(vm_memslot(vm, &slot), 0);
	vm->known = vm->born = vm->host.capable = vm->host.known = true;
	for (uint64_t gfn = 0; gfn < 3 * DISPUTES_MAX; gfn++)
		assert_int_equal(vm_set_pages(vm, PLANE_HOST, 2 * gfn, 1, PAGE_PRIVATE, &mover), 0);
	assert_false(vm->disputes.cut); /* they agree: a guest's pages are private at first */
	mover.plane = PLANE_GUEST;
	for (uint64_t gfn = 0; gfn < 3 * DISPUTES_MAX; gfn++)
		assert_int_equal(vm_set_pages(vm, PLANE_GUEST, 2 * gfn, 1, PAGE_SHARED, &mover), 0);
	assert_true(vm->disputes.cut);
	assert_true(vm->disputes.n <= DISPUTES_MAX);
	vm_count(vm, PLANE_GUEST, counts);
	assert_int_equal(counts[PAGE_SHARED], 3 * DISPUTES_MAX);
	assert_int_equal(vm->shared, 3 * DISPUTES_MAX);
	vm_free(&vm);
}

/* Outside of memory only what moved counts. */
static void mmio_that_is_shared_is_no_difference(void **state)
{
	struct mover mover = {.ts_ns = 5, .plane = PLANE_GUEST};
	struct bench b;
	uint64_t found = 0;

	(void)state;
	start(&b);
	set(&b, PLANE_HOST, 0, PAGES, PAGE_PRIVATE);
	assert_int_equal(vm_set_pages(b.vm, PLANE_GUEST, 1000, 4, PAGE_SHARED, &mover), 0);
	assert_int_equal(vm_differences(b.vm, find_found, &found), 0);
	assert_int_equal(b.vm->disputes.n, 0);
	check(&b);
	vm_free(&b.vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_are_those_of_the_pages),
		cmocka_unit_test(a_reading_finds_differences),
		cmocka_unit_test(there_may_be_too_many),
		cmocka_unit_test(mmio_that_is_shared_is_no_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
