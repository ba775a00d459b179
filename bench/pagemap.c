// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page map beside CRoaring (a set of the shared gfns): the same conversions on both, in
 * alternating rounds of one process. Time is the median of the rounds, memory is what the heap grew
 * by while the structure was filled. Lines for programs start with "figure: ". Exits 1 if the two
 * ever disagree.
 */
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <roaring/roaring.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "model/pagemap.h"

#define ROUNDS       7
#define GUEST_FRAMES (1u << 24)  /* 64 GiB */
#define RANGE_FRAMES (1u << 18)  /* 1 GiB */
#define BIG_FRAMES   (1u << 28)  /* 1 TiB */
#define RANDOM_OPS   (16u << 20) /* in each round */
#define RANGE_OPS    16
#define MIX_OPS      (1u << 20)

struct pair {
	struct pagemap *map;
	roaring_bitmap_t *set;
	size_t map_bytes;
	size_t set_bytes;
};

struct rounds {
	double ours[ROUNDS];
	double theirs[ROUNDS];
};

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t heap_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench/pagemap: %s\n", what);
	exit(EXIT_FAILURE);
}

static void figure(const char *name, double value, const char *unit)
{
	printf("figure: pagemap.%s %.*f %s\n", name, value < 1000 ? 3 : 0, value, unit);
}

static void target(const char *what, double value, double limit)
{
	printf("  target: %s %.3g, at most %g: %s\n", what, value, limit,
		value <= limit ? "met" : "missed");
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(*values), compare_doubles);
	return values[ROUNDS / 2];
}

/* ---- the two structures ---- */

static void pair_new(struct pair *pair)
{
	size_t before = heap_bytes();

	must(!pagemap_new(&pair->map, PAGE_PRIVATE), "out of memory");
	pair->map_bytes = heap_bytes() - before;
	before = heap_bytes();
	pair->set = roaring_bitmap_create();
	must(pair->set, "out of memory");
	pair->set_bytes = heap_bytes() - before;
}

static void pair_free(struct pair *pair)
{
	pagemap_free(&pair->map);
	roaring_bitmap_free(pair->set);
}

/* The set's members, in order, are the frames of the map's shared runs. */
static void pair_check(const struct pair *pair, uint64_t nframes)
{
	uint64_t counts[PAGE_STATES] = {0}, cardinality = roaring_bitmap_get_cardinality(pair->set);
	roaring_uint32_iterator_t member;
	enum page_state state;

	pagemap_count(pair->map, 0, nframes, counts);
	must(counts[PAGE_SHARED] == cardinality, "how many frames are shared is in dispute");
	roaring_init_iterator(pair->set, &member);
	for (uint64_t gfn = 0, run; gfn < nframes; gfn += run) {
		run = pagemap_run(pair->map, gfn, nframes, &state);
		must(run > 0, "a run of no frames");
		for (uint64_t i = 0; state == PAGE_SHARED && i < run; i++) {
			must(member.has_value && member.current_value == gfn + i,
				"which frames are shared is in dispute");
			roaring_advance_uint32_iterator(&member);
		}
	}
	must(!member.has_value, "the page map misses shared frames");
}

/* An operation is a gfn with the direction in its lowest bit. */
static void map_convert(struct pagemap *map, const uint32_t *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		must(!pagemap_set(map, ops[i] >> 1, 1, ops[i] & 1 ? PAGE_SHARED : PAGE_PRIVATE),
			"pagemap_set failed");
}

static void set_convert(roaring_bitmap_t *set, const uint32_t *ops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ops[i] & 1)
			roaring_bitmap_add(set, ops[i] >> 1);
		else
			roaring_bitmap_remove(set, ops[i] >> 1);
	}
}

/* Both times in ns per operation. Which goes first alternates. */
static void convert_round(
	struct pair *pair, const uint32_t *ops, size_t n, int round, double *ours, double *theirs)
{
	for (int turn = 0; turn < 2; turn++) {
		size_t before = heap_bytes();
		uint64_t start_ns = clock_now_ns();
		bool mine = (turn + round) % 2 == 0;

		if (mine)
			map_convert(pair->map, ops, n);
		else
			set_convert(pair->set, ops, n);
		*(mine ? ours : theirs) = (double)(clock_now_ns() - start_ns) / n;
		*(mine ? &pair->map_bytes : &pair->set_bytes) += heap_bytes() - before;
	}
}

static uint32_t *random_ops(size_t n, const uint32_t *gfns, size_t ngfns)
{
	uint32_t *ops = malloc(n * sizeof(*ops));

	must(ops, "out of memory");
	for (size_t i = 0; i < n; i++) {
		uint64_t r = random_u64();
		uint32_t gfn = gfns ? gfns[(r >> 8) % ngfns] : (r >> 8) % GUEST_FRAMES;

		ops[i] = gfn << 1 | (r & 1);
	}
	return ops;
}

static void report_ratios(const char *name, struct rounds *ns, const struct pair *pair)
{
	double ours = median(ns->ours), theirs = median(ns->theirs);
	double memory = (double)pair->map_bytes / pair->set_bytes;
	char key[64];

	printf("%s: page map %.2f ns, CRoaring %.2f ns per conversion; %zu and %zu bytes\n", name,
		ours, theirs, pair->map_bytes, pair->set_bytes);
	target("time, of CRoaring's", ours / theirs, 0.5);
	target("memory, of CRoaring's", memory, 2);
	snprintf(key, sizeof(key), "%s.time", name);
	figure(key, ours, "ns");
	snprintf(key, sizeof(key), "%s.time_roaring", name);
	figure(key, theirs, "ns");
	snprintf(key, sizeof(key), "%s.ratio_time", name);
	figure(key, ours / theirs, "ratio");
	snprintf(key, sizeof(key), "%s.memory", name);
	figure(key, pair->map_bytes, "bytes");
	snprintf(key, sizeof(key), "%s.memory_roaring", name);
	figure(key, pair->set_bytes, "bytes");
	snprintf(key, sizeof(key), "%s.ratio_memory", name);
	figure(key, memory, "ratio");
}

/* ---- what is measured ---- */

/* Random conversions of gfns (of all frames of the guest if NULL). Round 0 fills and isn't timed.
 */
static void bench_random(const char *name, const uint32_t *gfns, size_t ngfns)
{
	_cleanup_free_ uint32_t *ops = random_ops(RANDOM_OPS, gfns, ngfns);
	struct rounds ns;
	struct pair pair;
	double ignored;

	pair_new(&pair);
	convert_round(&pair, ops, RANDOM_OPS, 0, &ignored, &ignored);
	for (int i = 0; i < ROUNDS; i++)
		convert_round(&pair, ops, RANDOM_OPS, i, &ns.ours[i], &ns.theirs[i]);
	pair_check(&pair, GUEST_FRAMES);
	report_ratios(name, &ns, &pair);
	pair_free(&pair);
}

/* Only 1% of the frames ever convert, spread evenly: where a set of few members is at its best. */
static void bench_sparse(void)
{
	size_t ngfns = GUEST_FRAMES / 100;
	_cleanup_free_ uint32_t *gfns = malloc(ngfns * sizeof(*gfns));

	must(gfns, "out of memory");
	for (size_t i = 0; i < ngfns; i++)
		gfns[i] = random_u64() % GUEST_FRAMES;
	bench_random("sparse_4k", gfns, ngfns);
}

/* RANGE_OPS ranges that don't overlap, every other one shared. Microseconds per range. */
static double set_ranges(struct pair *pair, bool mine, uint64_t offset)
{
	uint64_t start_ns = clock_now_ns();

	for (uint64_t i = 0; i < RANGE_OPS; i++) {
		uint64_t gfn = i * (GUEST_FRAMES / RANGE_OPS) + offset;

		if (mine)
			must(!pagemap_set(pair->map, gfn, RANGE_FRAMES,
				     i & 1 ? PAGE_SHARED : PAGE_PRIVATE),
				"pagemap_set failed");
		else if (i & 1)
			roaring_bitmap_add_range(pair->set, gfn, gfn + RANGE_FRAMES);
		else
			roaring_bitmap_remove_range(pair->set, gfn, gfn + RANGE_FRAMES);
	}
	return (clock_now_ns() - start_ns) / 1000.0 / RANGE_OPS;
}

/* Each round mixes all leaves first, which isn't timed. */
static void bench_range(const char *name, uint64_t offset)
{
	struct rounds us;
	struct pair pair;
	double ours, theirs, ignored;
	char key[64];

	pair_new(&pair);
	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_free_ uint32_t *ops = random_ops(MIX_OPS, NULL, 0);

		convert_round(&pair, ops, MIX_OPS, i, &ignored, &ignored);
		for (int turn = 0; turn < 2; turn++) {
			bool mine = (turn + i) % 2 == 0;

			*(mine ? &us.ours[i] : &us.theirs[i]) = set_ranges(&pair, mine, offset);
		}
	}
	pair_check(&pair, GUEST_FRAMES);
	pair_free(&pair);
	ours = median(us.ours);
	theirs = median(us.theirs);
	printf("%s: page map %.2f us, CRoaring %.2f us per range of 1 GiB\n", name, ours, theirs);
	target("us", ours, 2);
	snprintf(key, sizeof(key), "%s.time", name);
	figure(key, ours, "us");
	snprintf(key, sizeof(key), "%s.time_roaring", name);
	figure(key, theirs, "us");
}

static size_t every_second_page(enum page_state initial, bool check)
{
	struct pair pair;
	size_t before, map_bytes;

	before = heap_bytes();
	must(!pagemap_new(&pair.map, initial), "out of memory");
	for (uint32_t gfn = 0; gfn < BIG_FRAMES; gfn += 2)
		must(!pagemap_set(pair.map, gfn, 1, PAGE_SHARED), "pagemap_set failed");
	map_bytes = heap_bytes() - before;

	before = heap_bytes();
	pair.set = roaring_bitmap_from_range(0, BIG_FRAMES, 2);
	must(pair.set, "out of memory");
	if (check) {
		printf("  CRoaring: %zu bytes\n", heap_bytes() - before);
		figure("big_alternating.memory_roaring", heap_bytes() - before, "bytes");
	}
	pair_check(&pair, BIG_FRAMES);
	pair_free(&pair);
	return map_bytes;
}

static void bench_memory(void)
{
	struct pair pair;
	size_t bytes;

	printf("1 TiB, every second page shared\n");
	bytes = every_second_page(PAGE_PRIVATE, true);
	target("bytes, the rest private", bytes, 70e6);
	figure("big_alternating.memory", bytes, "bytes");
	bytes = every_second_page(PAGE_UNKNOWN, false);
	target("bytes, the rest unknown", bytes, 70e6);
	figure("big_alternating_unknown.memory", bytes, "bytes");

	printf("all private\n");
	pair_new(&pair);
	target("bytes, new", pair.map_bytes, 64 * 1024);
	figure("all_private.memory", pair.map_bytes, "bytes");
	must(!pagemap_set(pair.map, 1, BIG_FRAMES, PAGE_SHARED), "pagemap_set failed");
	must(!pagemap_set(pair.map, 1, BIG_FRAMES, PAGE_PRIVATE), "pagemap_set failed");
	bytes = pagemap_memory(pair.map);
	target("bytes, again private", bytes, 64 * 1024);
	figure("all_private_again.memory", bytes, "bytes");
	pair_free(&pair);
}

int main(void)
{
	bench_random("random_4k", NULL, 0);
	bench_sparse();
	bench_range("range_1g", 0);
	bench_range("range_1g_unaligned", 12345);
	bench_memory();
	return EXIT_SUCCESS;
}
