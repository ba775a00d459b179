// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page map against an oracle of one byte per frame: random changes to a window of frames, validation
 * after each, and the same questions to both. KES_SEED=n repeats a run.
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
#include <sys/param.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "model/pagemap.h"

#define LEAF	    (1ull << 15)
#define NODE	    (1ull << 24)
#define UPPER_NODE  (1ull << 33)
#define WINDOW_MAX  (1u << 20)
#define MEMORY_MAX  70000000
#define UNIFORM_MAX (64 * 1024)

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
#define check(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			print_error("KES_SEED=%" PRIu64 ": ", seed);                               \
			print_error(__VA_ARGS__);                                                  \
			print_error("\n");                                                         \
			fail_msg("%s", #condition);                                                \
		}                                                                                  \
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
	uint64_t end = MIN(window->nframes, at + 1 + random_below(span));
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
	uint64_t n = MIN(window->nframes - at, random_below(span + 1));
	uint64_t counts[PAGE_STATES] = {7, 8, 9}, expected[PAGE_STATES] = {7, 8, 9};

	for (uint64_t i = at; i < at + n; i++)
		expected[window->states[i]]++;
	pagemap_count(window->map, window->base + at, n, counts);
	check(!memcmp(counts, expected, sizeof(counts)),
		"count of %" PRIu64 " frames from gfn %#" PRIx64, n, window->base + at);
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
	return MIN(npages, nframes);
}

/* Often aligned to what the length suggests, often near the last one so that chunks become uniform. */
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
		at = at / LEAF * LEAF + LEAF - MIN(npages / 2, LEAF);
	return MIN(at, nframes - npages);
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

/* Only a window that is the whole map could be filled by pagemap_fill() and stay one: outside changes
 * too. */
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
		if (i % 50000 == 49999)
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
	const uint64_t bases[] = {0, PAGEMAP_FRAMES - n, 5 * LEAF - n / 2, 3 * NODE - n / 2,
		7 * UPPER_NODE - n / 2, 0x123456789 - n};

	return bases[i % ARRAY_SIZE(bases)];
}

#define NWINDOWS 6

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
