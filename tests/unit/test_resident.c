/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames that are there twice, against an array with an entry for each frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "capture/resident.h"

#define WORDS  40
#define FRAMES (WORDS * 64)
#define ROUNDS 3000

static uint64_t state = 1;

static uint64_t number(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 33;
}

/* ---- what must come out, worked out one frame at a time ---- */

struct expected {
	size_t n;
	uint64_t pages;
	struct resident_range ranges[FRAMES];
};

static void expect(struct expected *expected, uint64_t gfn, const bool twice[FRAMES])
{
	struct resident_range *last = NULL;

	memset(expected, 0, sizeof(*expected));
	for (size_t i = 0; i < FRAMES; i++) {
		if (!twice[i]) {
			last = NULL;
			continue;
		}
		expected->pages++;
		if (!last) {
			last = &expected->ranges[expected->n++];
			last->gfn = gfn + i;
		}
		last->npages++;
	}
}

static bool is_among(const struct expected *expected, const struct resident_range *range)
{
	for (size_t i = 0; i < expected->n; i++)
		if (expected->ranges[i].gfn == range->gfn)
			return expected->ranges[i].npages == range->npages;
	return false;
}

static int larger_first(const void *left, const void *right)
{
	const struct resident_range *a = left, *b = right;

	return a->npages < b->npages ? 1 : a->npages > b->npages ? -1 : 0;
}

/* The ranges are real ones, in order, and have the sizes of the largest. */
static void check(const struct resident_look *look, const struct expected *expected)
{
	struct expected by_size = *expected;
	struct resident_range kept[RESIDENT_RANGES];
	size_t n = expected->n < RESIDENT_RANGES ? expected->n : RESIDENT_RANGES;

	assert_int_equal(look->pages, expected->pages);
	assert_int_equal(look->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_true(is_among(expected, &look->ranges[i]));
		if (i)
			assert_true(look->ranges[i].gfn > look->ranges[i - 1].gfn);
	}
	memcpy(kept, look->ranges, sizeof(kept));
	qsort(kept, n, sizeof(kept[0]), larger_first);
	qsort(by_size.ranges, by_size.n, sizeof(kept[0]), larger_first);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(kept[i].npages, by_size.ranges[i].npages);
}

/* ---- cases ---- */

/* Runs of a length that the round decides, so that some rounds have more than 64, some fewer. */
static void fill(__u64 bits[WORDS], bool is[FRAMES], unsigned length)
{
	bool set = number() & 1;

	memset(bits, 0, WORDS * sizeof(bits[0]));
	for (size_t i = 0, end; i < FRAMES; i = end) {
		end = i + 1 + number() % length;
		if (end > FRAMES)
			end = FRAMES;
		if (set)
			resident_set_bits(bits, i, end);
		for (size_t k = i; k < end; k++)
			is[k] = set;
		set = !set;
	}
}

static void test_random(void **unused)
{
	static struct expected expected;
	__u64 a[WORDS], b[WORDS];
	bool is_a[FRAMES], is_b[FRAMES];

	(void)unused;
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned length = 1 + round % 211;
		struct resident_look look = {};
		uint64_t gfn = number();

		fill(a, is_a, length);
		fill(b, is_b, length);
		for (size_t i = 0; i < FRAMES; i++)
			is_a[i] &= is_b[i];
		expect(&expected, gfn, is_a);
		/* in two parts: ranges go on over their border */
		resident_add_both(&look, gfn, a, b, round % WORDS);
		resident_add_both(&look, gfn + round % WORDS * 64, a + round % WORDS,
			b + round % WORDS, WORDS - round % WORDS);
		resident_end(&look);
		check(&look, &expected);
	}
}

static void test_whole_words(void **unused)
{
	__u64 all[3] = {~0ull, ~0ull, ~0ull}, edges[3] = {1ull << 63, 1, 1ull << 63 | 1};
	struct resident_look look = {};

	(void)unused;
	resident_add_both(&look, 100, all, all, 3);
	resident_end(&look);
	assert_int_equal(look.n, 1);
	assert_int_equal(look.pages, 192);
	assert_int_equal(look.ranges[0].gfn, 100);
	assert_int_equal(look.ranges[0].npages, 192);

	look = (struct resident_look){};
	resident_add_both(&look, 0, all, edges, 3);
	resident_end(&look);
	assert_int_equal(look.n, 3);
	assert_int_equal(look.ranges[0].gfn, 63);
	assert_int_equal(look.ranges[0].npages, 2);
	assert_int_equal(look.ranges[1].gfn, 128);
	assert_int_equal(look.ranges[2].gfn, 191);
}

/* A memslot may begin within a word: its bit 0 is a frame below the memslot, even below 0. */
static void test_below_zero(void **unused)
{
	__u64 a = ~0ull, b = ~0ull << 60;
	struct resident_look look = {};

	(void)unused;
	resident_add_both(&look, (uint64_t)0 - 60, &a, &b, 1);
	resident_end(&look);
	assert_int_equal(look.n, 1);
	assert_int_equal(look.ranges[0].gfn, 0);
	assert_int_equal(look.ranges[0].npages, 4);
}

static void test_set_bits(void **unused)
{
	(void)unused;
	for (size_t from = 0; from <= 192; from++)
		for (size_t to = from; to <= 192; to++) {
			__u64 bits[3] = {};

			resident_set_bits(bits, from, to);
			for (size_t i = 0; i < 192; i++)
				if ((bits[i / 64] >> i % 64 & 1) != (i >= from && i < to))
					fail();
		}
}

/* The 64 largest of many, wherever they are; of equal ones the first. */
static void test_largest(void **unused)
{
	struct resident_look look = {};
	uint64_t pages = 0;

	(void)unused;
	for (uint64_t i = 0; i < 100000; i++) {
		uint64_t npages = i % 1000 == 999 ? 5 + i / 1000 : 1;

		resident_add(&look, i * 1000, npages);
		pages += npages;
	}
	resident_end(&look);
	assert_int_equal(look.pages, pages);
	assert_int_equal(look.n, RESIDENT_RANGES);
	for (uint64_t i = 0; i < RESIDENT_RANGES; i++) {
		assert_int_equal(look.ranges[i].npages, 5 + 36 + i);
		assert_int_equal(look.ranges[i].gfn, ((36 + i) * 1000 + 999) * 1000);
	}
}

static void test_records(void **unused)
{
	struct resident_look look = {};
	struct kes_record r;

	(void)unused;
	resident_end(&look);
	assert_int_equal(resident_records(&look), 1);
	r = resident_record(&look, 0, 7, 99);
	assert_int_equal(r.kind, KES_RESIDENT);
	assert_int_equal(r.vm, 7);
	assert_int_equal(r.ts_ns, 99);
	assert_int_equal(r.seq, 0);
	assert_int_equal(r.resident.total, 0);
	assert_int_equal(r.resident.pages, 0);

	resident_add(&look, 10, 3);
	resident_add(&look, 13, 2);
	resident_add(&look, 20, 1);
	resident_end(&look);
	resident_end(&look);
	assert_int_equal(resident_records(&look), 2);
	r = resident_record(&look, 0, 7, 99);
	assert_int_equal(r.resident.gfn, 10);
	assert_int_equal(r.resident.npages, 5);
	assert_int_equal(r.resident.index, 0);
	assert_int_equal(r.resident.total, 2);
	assert_int_equal(r.resident.pages, 6);
	r = resident_record(&look, 1, 7, 99);
	assert_int_equal(r.resident.gfn, 20);
	assert_int_equal(r.resident.npages, 1);
	assert_int_equal(r.resident.index, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_whole_words),
		cmocka_unit_test(test_below_zero),
		cmocka_unit_test(test_set_bits),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
