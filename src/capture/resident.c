/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/resident.h"

#include <string.h>

#define WORD_BITS 64

/* ---- ranges ---- */

static size_t find_smallest(const struct resident_look *look)
{
	size_t smallest = 0;

	for (size_t i = 1; i < look->n; i++)
		if (look->ranges[i].npages < look->ranges[smallest].npages)
			smallest = i;
	return smallest;
}

/* Behind all others. In a full list a smaller one makes room, so that most ranges of a memory in
 * pieces cost one comparison. */
static void keep(struct resident_look *look, struct resident_range range)
{
	if (look->n == RESIDENT_RANGES) {
		if (range.npages <= look->ranges[look->smallest].npages)
			return;
		look->n--;
		memmove(look->ranges + look->smallest, look->ranges + look->smallest + 1,
			(look->n - look->smallest) * sizeof(range));
	}
	look->ranges[look->n++] = range;
	if (look->n == RESIDENT_RANGES)
		look->smallest = find_smallest(look);
}

void resident_end(struct resident_look *look)
{
	if (look->open.npages)
		keep(look, look->open);
	look->open.npages = 0;
}

void resident_add(struct resident_look *look, __u64 gfn, __u64 npages)
{
	struct resident_range *open = &look->open;

	look->pages += npages;
	if (open->npages && open->gfn + open->npages == gfn) {
		open->npages += npages;
		return;
	}
	resident_end(look);
	*open = (struct resident_range){gfn, npages};
}

/* ---- bits ---- */

void resident_set_bits(__u64 *bits, size_t from, size_t to)
{
	while (from < to) {
		size_t at = from % WORD_BITS, n = WORD_BITS - at;

		if (n > to - from)
			n = to - from;
		bits[from / WORD_BITS] |= (~0ull >> (WORD_BITS - n)) << at;
		from += n;
	}
}

void resident_add_both(
	struct resident_look *look, __u64 gfn, const __u64 *a, const __u64 *b, size_t words)
{
	for (size_t i = 0; i < words; i++) {
		__u64 both = a[i] & b[i];

		while (both) {
			int from = __builtin_ctzll(both);
			__u64 above = ~(both >> from); /* its lowest one is where the run ends */
			int n = above ? __builtin_ctzll(above) : WORD_BITS;

			resident_add(look, gfn + i * WORD_BITS + (__u64)from, (__u64)n);
			both &= from + n < WORD_BITS ? ~0ull << (from + n) : 0;
		}
	}
}

/* ---- records ---- */

size_t resident_records(const struct resident_look *look)
{
	return look->n ? look->n : 1;
}

struct kes_record resident_record(
	const struct resident_look *look, size_t index, __u32 vm, __u64 ts_ns)
{
	struct kes_record r = {.ts_ns = ts_ns, .vm = vm, .kind = KES_RESIDENT};

	if (index < look->n) {
		r.resident.gfn = look->ranges[index].gfn;
		r.resident.npages = look->ranges[index].npages;
		r.resident.index = (__u32)index;
	}
	r.resident.pages = look->pages;
	r.resident.total = (__u32)look->n;
	return r;
}
