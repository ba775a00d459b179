// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page map against an oracle of one byte per frame: random changes to a window of frames,
 * validation after each, and the same questions to both. KES_SEED=n repeats a run.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/pagemap.h"

#define LEAF        (1ull << 15)
#define NODE        (1ull << 24)
#define UPPER_NODE  (1ull << 33)
#define WINDOW_MAX  (1u << 20)
#define MEMORY_MAX  70000000
#define UNIFORM_MAX (64 * 1024)

/* Changes to each of NWINDOWS windows from each of the initial states; three questions follow each.
 */
#define NWINDOWS      6
#define SMALL_CHANGES 120000
#define LEAF_CHANGES  10000
#define LARGE_CHANGES 1000

#define _cleanup_map_ _cleanup_(pagemap_free)

static uint64_t seed;
static uint64_t random_state;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t random_below(uint64_t limit)
{
	return random_u64() % limit;
}

/* Each test has its own sequence, so that it's the same when run alone. */
static void random_start(uint64_t number)
{
	random_state = (seed + number) * 0x9e3779b97f4a7c15 | 1;
}

/* Like assert_true(), with the seed and where. */
#define check(condition, ...)                                        \
	do {                                                         \
		if (!(condition)) {                                  \
			print_error("KES_SEED=%" PRIu64 ": ", seed); \
			print_error(__VA_ARGS__);                    \
			print_error("\n");                           \
			fail_msg("%s", #condition);                  \
		}                                                    \
	} while (0)

static struct pagemap *map_new(enum page_state initial)
{
	struct pagemap *map = NULL;

	assert_int_equal(pagemap_new(&map, initial), 0);
	assert_non_null(map);
	return map;
}

/* ---- the oracle ---- */

struct window {
	struct pagemap *map;
	uint64_t base;
	uint64_t nframes;
	enum page_state initial; /* what stays outside of it */
	uint8_t *states;
};

static uint64_t oracle_run(const struct window *window, uint64_t first, uint64_t end)
{
	uint64_t at = first;

	while (at < end && window->states[at] == window->states[first])
		at++;
	return at - first;
}

static void window_check_get(const struct window *window)
{
	uint64_t at = random_below(window->nframes);

	check(pagemap_get(window->map, window->base + at) == window->states[at],
		"get of gfn %#" PRIx64, window->base + at);
}

static void window_check_run(const struct window *window, uint64_t span)
{
	uint64_t at = random_below(window->nframes);
	uint64_t end = min_u64(window->nframes, at + 1 + random_below(span));
	uint64_t expected = oracle_run(window, at, end), run;
	enum page_state state = PAGE_STATES;

	run = pagemap_run(window->map, window->base + at, window->base + end, &state);
	check(run == expected && state == window->states[at],
		"run [%#" PRIx64 ", %#" PRIx64 "): %" PRIu64 " of state %d, not %" PRIu64 " of %d",
		window->base + at, window->base + end, run, state, expected, window->states[at]);
}

static void window_check_count(const struct window *window, uint64_t span)
{
	uint64_t at = random_below(window->nframes);
	uint64_t n = min_u64(window->nframes - at, random_below(span + 1));
	uint64_t counts[PAGE_STATES] = {7, 8, 9}, expected[PAGE_STATES] = {7, 8, 9};

	for (uint64_t i = at; i < at + n; i++)
		expected[window->states[i]]++;
	pagemap_count(window->map, window->base + at, n, counts);
	check(!memcmp(counts, expected, sizeof(counts)),
		"count of %" PRIu64 " frames from gfn %#" PRIx64, n, window->base + at);
	for (int state = 0; state < PAGE_STATES; state++) {
		uint64_t mine = expected[state] - (7 + (unsigned int)state);

		check(pagemap_others(window->map, window->base + at, n, (enum page_state)state) ==
				n - mine,
			"others than %d of %" PRIu64 " frames from gfn %#" PRIx64, state, n,
			window->base + at);
	}
}

/* Every frame of the window, run by run, and that nothing outside changed. */
static void window_check_all(const struct window *window)
{
	uint64_t end = window->base + window->nframes, expected[PAGE_STATES] = {0}, run;
	uint64_t counts[PAGE_STATES] = {0};
	enum page_state state;

	for (uint64_t at = 0; at < window->nframes; at += run) {
		run = pagemap_run(window->map, window->base + at, end, &state);
		check(run == oracle_run(window, at, window->nframes) && state == window->states[at],
			"run from gfn %#" PRIx64, window->base + at);
		expected[state] += run;
	}
	expected[window->initial] += PAGEMAP_FRAMES - window->nframes;
	pagemap_count(window->map, 0, PAGEMAP_FRAMES, counts);
	check(!memcmp(counts, expected, sizeof(counts)), "count of the whole map");
	for (enum page_state s = 0; s < PAGE_STATES; s++) {
		check(pagemap_total(window->map, s) == expected[s], "total of state %d", s);
		check(pagemap_others(window->map, 0, PAGEMAP_FRAMES, s) ==
				PAGEMAP_FRAMES - expected[s],
			"others than %d in the whole map", s);
	}
	if (window->base)
		check(pagemap_run(window->map, 0, window->base, &state) == window->base &&
				state == window->initial,
			"below gfn %#" PRIx64, window->base);
	if (end < PAGEMAP_FRAMES)
		check(pagemap_run(window->map, end, PAGEMAP_FRAMES, &state) ==
					PAGEMAP_FRAMES - end &&
				state == window->initial,
			"from gfn %#" PRIx64, end);
}

/* Lengths as guests and VMMs use them, and those around the sizes of words and leaves. */
static uint64_t random_npages(uint64_t nframes)
{
	static const uint64_t sizes[] = {64, 128, 512, 4096, LEAF - 64, LEAF, 2 * LEAF, 1 << 18};
	uint64_t dice = random_below(100), npages;

	if (dice < 55)
		npages = 1;
	else if (dice < 75)
		npages = 1 + random_below(200);
	else if (dice < 90)
		npages = sizes[random_below(4)];
	else if (dice < 97)
		npages = sizes[random_below(ARRAY_SIZE(sizes))] - 1 + random_below(3);
	else
		npages = 1 + random_below(nframes);
	return min_u64(npages, nframes);
}

/* Often aligned to what the length suggests, often near the last one so that chunks become uniform.
 */
static uint64_t random_start_of(uint64_t npages, uint64_t nframes, uint64_t *hot)
{
	uint64_t dice = random_below(8), at = random_below(nframes - npages + 1);

	if (dice == 0)
		*hot = at;
	else if (dice < 4)
		at = *hot + random_below(4);
	else if (dice == 4)
		at &= ~63ull;
	else if (dice == 5)
		at &= ~(LEAF - 1);
	else if (dice == 6)
		at = at / LEAF * LEAF + LEAF - min_u64(npages / 2, LEAF);
	return min_u64(at, nframes - npages);
}

static void window_change(struct window *window, uint64_t *hot)
{
	uint64_t npages = random_npages(window->nframes);
	uint64_t at = random_start_of(npages, window->nframes, hot);
	/* Mostly two states, as in life; unknown comes in waves. */
	enum page_state state = random_below(6) ? random_below(2) : random_below(PAGE_STATES);
	int r = pagemap_set(window->map, window->base + at, npages, state);

	check(!r, "set of %" PRIu64 " frames from gfn %#" PRIx64 ": %d", npages, window->base + at,
		r);
	memset(window->states + at, state, npages);
	check(!pagemap_validate(window->map),
		"invalid after set of %" PRIu64 " frames from gfn %#" PRIx64 " to %d", npages,
		window->base + at, state);
}

/* What lies outside of the window changes too. */
static void window_fill(struct window *window)
{
	window->initial = random_below(PAGE_STATES);
	pagemap_fill(window->map, window->initial);
	memset(window->states, window->initial, window->nframes);
	check(!pagemap_validate(window->map), "invalid after fill with %d", window->initial);
}

static void window_exercise(
	uint64_t base, uint64_t nframes, enum page_state initial, unsigned int nchanges)
{
	_cleanup_free_ uint8_t *states = malloc(nframes);
	_cleanup_map_ struct pagemap *map = map_new(initial);
	struct window window = {map, base, nframes, initial, states};
	uint64_t hot = 0;

	assert_non_null(states);
	memset(states, initial, nframes);
	for (unsigned int i = 0; i < nchanges; i++) {
		window_change(&window, &hot);
		window_check_get(&window);
		window_check_run(&window, 300);
		window_check_count(&window, 100);
		if (i % 256 == 0) {
			window_check_run(&window, nframes);
			window_check_count(&window, nframes);
		}
		if (i % 8192 == 0)
			window_check_all(&window);
		if (i % 5000 == 4999)
			window_fill(&window);
	}
	window_check_all(&window);
	memset(states, PAGE_SHARED, nframes);
	check(!pagemap_set(map, base, nframes, PAGE_SHARED), "set of the whole window");
	check(!pagemap_validate(map), "invalid after set of the whole window");
	window_check_all(&window);
}

/* Where a window of n frames lies: at the ends of the map, and over the seams of each level. */
static uint64_t window_base(unsigned int i, uint64_t n)
{
	const uint64_t bases[] = {0, PAGEMAP_FRAMES - n, 37 * LEAF - n / 2, 3 * NODE - n / 2,
		7 * UPPER_NODE - n / 2, 0x123456789 - n};

	return bases[i % ARRAY_SIZE(bases)];
}

static void windows_exercise(uint64_t number, uint64_t nframes, unsigned int nchanges)
{
	random_start(number);
	for (unsigned int i = 0; i < NWINDOWS; i++)
		for (unsigned int state = 0; state < PAGE_STATES; state++)
			window_exercise(window_base(i, nframes), nframes, state, nchanges);
}

static void test_small_windows(void **state)
{
	(void)state;
	windows_exercise(1, LEAF / 16, SMALL_CHANGES);
}

static void test_leaf_windows(void **state)
{
	(void)state;
	windows_exercise(2, LEAF + LEAF / 2, LEAF_CHANGES);
}

static void test_large_windows(void **state)
{
	(void)state;
	windows_exercise(3, WINDOW_MAX, LARGE_CHANGES);
}

/* ---- errors ---- */

static unsigned int nallocations;
static unsigned int nallocations_max;

static void *limited_malloc(size_t size_bytes)
{
	if (nallocations >= nallocations_max)
		return NULL;
	nallocations++;
	return malloc(size_bytes);
}

static void allocations_limit(unsigned int limit)
{
	nallocations = 0;
	nallocations_max = limit;
	pagemap_set_allocator(limited_malloc);
}

static int allocator_restore(void **state)
{
	(void)state;
	pagemap_set_allocator(NULL);
	return 0;
}

static void test_bad_arguments(void **unused)
{
	static const uint64_t ranges[][2] = {{0, 0}, {5, 0}, {PAGEMAP_FRAMES, 1},
		{PAGEMAP_FRAMES, 0}, {PAGEMAP_FRAMES - 1, 2}, {0, PAGEMAP_FRAMES + 1},
		{1, PAGEMAP_FRAMES}, {UINT64_MAX, 1}, {UINT64_MAX, UINT64_MAX}, {1, UINT64_MAX},
		{2, UINT64_MAX - 1}};
	struct pagemap *map = NULL, *marker = (struct pagemap *)&map, *ret = marker;
	uint64_t counts[PAGE_STATES] = {0};
	enum page_state state = PAGE_STATES;

	(void)unused;
	assert_int_equal(pagemap_new(&ret, PAGE_STATES), -EINVAL);
	assert_ptr_equal(ret, marker);
	pagemap_free(&map);
	map = map_new(PAGE_PRIVATE);
	assert_int_equal(pagemap_set(map, 100, 10, PAGE_SHARED), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		assert_int_equal(
			pagemap_set(map, ranges[i][0], ranges[i][1], PAGE_UNKNOWN), -ERANGE);
	assert_int_equal(pagemap_set(map, 1, 1, PAGE_STATES), -EINVAL);
	assert_int_equal(pagemap_validate(map), 0);
	pagemap_count(map, 0, UINT64_MAX, counts);
	assert_int_equal(counts[PAGE_SHARED], 10);
	assert_int_equal(counts[PAGE_PRIVATE], PAGEMAP_FRAMES - 10);
	pagemap_count(map, PAGEMAP_FRAMES, 5, counts);
	pagemap_count(map, UINT64_MAX, UINT64_MAX, counts);
	pagemap_count(map, 100, 0, counts);
	assert_int_equal(pagemap_others(map, 0, UINT64_MAX, PAGE_PRIVATE), 10);
	assert_int_equal(pagemap_others(map, PAGEMAP_FRAMES, 5, PAGE_PRIVATE), 0);
	assert_int_equal(pagemap_others(map, UINT64_MAX, UINT64_MAX, PAGE_PRIVATE), 0);
	assert_int_equal(pagemap_others(map, 100, 0, PAGE_PRIVATE), 0);
	assert_int_equal(counts[PAGE_SHARED] + counts[PAGE_PRIVATE], PAGEMAP_FRAMES);
	assert_int_equal(counts[PAGE_UNKNOWN], 0);
	assert_int_equal(pagemap_get(map, PAGEMAP_FRAMES), PAGE_UNKNOWN);
	assert_int_equal(pagemap_get(map, UINT64_MAX), PAGE_UNKNOWN);
	assert_int_equal(pagemap_run(map, PAGEMAP_FRAMES, UINT64_MAX, &state), 0);
	assert_int_equal(pagemap_run(map, 100, 100, &state), 0);
	assert_int_equal(pagemap_run(map, 100, 99, &state), 0);
	assert_int_equal(state, PAGE_STATES);
	assert_int_equal(pagemap_run(map, 110, UINT64_MAX, &state), PAGEMAP_FRAMES - 110);
	assert_int_equal(state, PAGE_PRIVATE);
	pagemap_free(&map);
	assert_null(map);
}

/* Changes under an allocator that gives out after a few blocks: each is done, or leaves no trace.
 */
static unsigned int changes_without_memory(uint64_t base, enum page_state initial)
{
	static uint8_t states[4 * LEAF];
	_cleanup_map_ struct pagemap *map = map_new(initial);
	struct window window = {map, base, sizeof(states), initial, states};
	uint64_t hot = 0;
	unsigned int nfailures = 0;

	memset(states, initial, sizeof(states));
	for (unsigned int i = 0; i < 30; i++) {
		uint64_t npages = random_npages(window.nframes);
		uint64_t at = random_start_of(npages, window.nframes, &hot);
		enum page_state state = random_below(PAGE_STATES);
		int r;

		allocations_limit(random_below(10) * random_below(2));
		r = pagemap_set(map, base + at, npages, state);
		check(!r || r == -ENOMEM, "set: %d", r);
		check(!pagemap_validate(map), "invalid after set that returned %d", r);
		if (r)
			nfailures++;
		else
			memset(states + at, state, npages);
		if (r || i % 16 == 15)
			window_check_all(&window);
	}
	return nfailures;
}

static void test_no_memory(void **unused)
{
	struct pagemap *marker = (struct pagemap *)&nallocations, *ret = marker;
	unsigned int nfailures = 0;

	(void)unused;
	random_start(4);
	for (unsigned int i = 0; i < 600; i++) {
		pagemap_set_allocator(NULL);
		nfailures += changes_without_memory(window_base(i, 4 * LEAF), i / 7 % PAGE_STATES);
	}
	check(nfailures > 600, "only %u changes failed", nfailures);
	allocations_limit(0);
	assert_int_equal(pagemap_new(&ret, PAGE_PRIVATE), -ENOMEM);
	assert_ptr_equal(ret, marker);
}

/* What gives memory back needs none, though the reserve isn't full. */
static void test_collapse_without_memory(void **unused)
{
	(void)unused;
	for (unsigned int initial = 0; initial < PAGE_STATES; initial++) {
		_cleanup_map_ struct pagemap *map = NULL;

		pagemap_set_allocator(NULL);
		map = map_new(initial);
		assert_int_equal(pagemap_set(map, 77, 1, (initial + 1) % PAGE_STATES), 0);
		assert_int_equal(pagemap_validate(map), 0);
		allocations_limit(0);
		assert_int_equal(pagemap_set(map, LEAF, 1, initial), 0);
		assert_int_equal(pagemap_set(map, 70, 10, initial), 0);
		assert_int_equal(pagemap_validate(map), 0);
		pagemap_fill(map, PAGE_SHARED);
		assert_int_equal(pagemap_validate(map), 0);
	}
}

/* ---- ends, memory ---- */

static void test_ends(void **unused)
{
	_cleanup_map_ struct pagemap *map = map_new(PAGE_PRIVATE);
	size_t empty_bytes = pagemap_memory(map);
	enum page_state state;

	(void)unused;
	assert_int_equal(pagemap_set(map, 0, PAGEMAP_FRAMES, PAGE_SHARED), 0);
	assert_int_equal(pagemap_validate(map), 0);
	assert_int_equal(pagemap_run(map, 0, UINT64_MAX, &state), PAGEMAP_FRAMES);
	assert_int_equal(state, PAGE_SHARED);
	assert_int_equal(pagemap_set(map, PAGEMAP_FRAMES - 1, 1, PAGE_UNKNOWN), 0);
	assert_int_equal(pagemap_validate(map), 0);
	assert_int_equal(pagemap_get(map, PAGEMAP_FRAMES - 1), PAGE_UNKNOWN);
	assert_int_equal(pagemap_get(map, PAGEMAP_FRAMES - 2), PAGE_SHARED);
	assert_int_equal(pagemap_run(map, 0, PAGEMAP_FRAMES, &state), PAGEMAP_FRAMES - 1);
	assert_int_equal(pagemap_set(map, 1, PAGEMAP_FRAMES - 2, PAGE_PRIVATE), 0);
	assert_int_equal(pagemap_validate(map), 0);
	assert_int_equal(pagemap_get(map, 0), PAGE_SHARED);
	assert_int_equal(pagemap_run(map, 1, PAGEMAP_FRAMES, &state), PAGEMAP_FRAMES - 2);
	assert_int_equal(state, PAGE_PRIVATE);
	assert_int_equal(pagemap_set(map, 0, PAGEMAP_FRAMES, PAGE_PRIVATE), 0);
	assert_int_equal(pagemap_validate(map), 0);
	assert_true(empty_bytes < UNIFORM_MAX && pagemap_memory(map) < UNIFORM_MAX);
}

/* A page to and fro, in a uniform map and beside other leaves: no allocation but the first ones. */
static void test_flip(void **unused)
{
	static const uint64_t gfns[] = {0, 5 * NODE + 3, PAGEMAP_FRAMES - 1};

	(void)unused;
	for (unsigned int initial = 0; initial < PAGE_STATES; initial++) {
		_cleanup_map_ struct pagemap *map = NULL;
		unsigned int other = (initial + 1) % PAGE_STATES;

		pagemap_set_allocator(NULL);
		map = map_new(initial);

		for (size_t i = 0; i < ARRAY_SIZE(gfns); i++) {
			size_t memory_bytes;

			pagemap_set_allocator(NULL);
			assert_int_equal(pagemap_set(map, gfns[i], 1, other), 0);
			assert_int_equal(pagemap_set(map, gfns[i], 1, initial), 0);
			memory_bytes = pagemap_memory(map);
			assert_true(memory_bytes < UNIFORM_MAX);
			allocations_limit(0);
			for (unsigned int n = 0; n < 500; n++) {
				assert_int_equal(pagemap_set(map, gfns[i], 1, other), 0);
				assert_int_equal(pagemap_get(map, gfns[i]), other);
				assert_int_equal(pagemap_set(map, gfns[i], 1, initial), 0);
				assert_int_equal(pagemap_validate(map), 0);
				assert_int_equal(pagemap_memory(map), memory_bytes);
			}
		}
	}
}

/* A TiB guest, every second page shared: big while it's so, and small again when it's over. */
static void test_memory(void **unused)
{
	const uint64_t nframes = 1ull << 28;

	(void)unused;
	for (unsigned int initial = 0; initial < PAGE_STATES; initial += PAGE_UNKNOWN) {
		_cleanup_map_ struct pagemap *map = map_new(initial);
		uint64_t counts[PAGE_STATES] = {0};

		/* One leaf page by page; the others go the same way, faster under the sanitizers.
		 */
		for (uint64_t gfn = 0; gfn < LEAF; gfn += 2)
			assert_int_equal(pagemap_set(map, gfn, 1, PAGE_SHARED), 0);
		pagemap_count(map, 0, LEAF, counts);
		assert_int_equal(counts[PAGE_SHARED], LEAF / 2);
		for (uint64_t gfn = LEAF; gfn < nframes; gfn += 128)
			assert_int_equal(pagemap_set(map, gfn, 1, PAGE_SHARED), 0);
		assert_int_equal(pagemap_validate(map), 0);
		assert_true(pagemap_memory(map) > UNIFORM_MAX);
		assert_true(pagemap_memory(map) <
			    (initial == PAGE_PRIVATE ? MEMORY_MAX / 2 : MEMORY_MAX));
		assert_int_equal(pagemap_set(map, 0, nframes, PAGE_PRIVATE), 0);
		assert_int_equal(pagemap_validate(map), 0);
		assert_true(pagemap_memory(map) < UNIFORM_MAX);
	}
}

int main(void)
{
	const char *text = getenv("KES_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_windows),
		cmocka_unit_test(test_leaf_windows),
		cmocka_unit_test(test_large_windows),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test_teardown(test_no_memory, allocator_restore),
		cmocka_unit_test_teardown(test_collapse_without_memory, allocator_restore),
		cmocka_unit_test(test_ends),
		cmocka_unit_test_teardown(test_flip, allocator_restore),
		cmocka_unit_test(test_memory),
	};

	seed = text ? strtoull(text, NULL, 0) : 20240229;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
