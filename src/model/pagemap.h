/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page map: one state for each guest frame of a VM, on one plane. All gfns and lengths are in 4
 * KiB frames. Memory follows the number of 128 MiB chunks that hold more than one state; time
 * follows the chunks and bitmap words an operation touches, never the pages of a chunk that is all
 * one state. A map has no lock: one thread at a time, const functions excepted.
 */
#ifndef MODEL_PAGEMAP_H
#define MODEL_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum page_state {
	PAGE_PRIVATE,
	PAGE_SHARED,
	PAGE_UNKNOWN,
	PAGE_STATES,
};

/* The map covers gfns [0, PAGEMAP_FRAMES). */
#define PAGEMAP_FRAMES (1ull << 40)

struct pagemap;

/* Whether two ranges of frames (or of bytes) have any in common. An empty one that begins inside of
 * the other has. */
static inline bool ranges_overlap(uint64_t gfn, uint64_t npages, uint64_t other, uint64_t nother)
{
	return gfn < other ? other - gfn < npages : gfn - other < nother;
}

/* A map with every frame in `initial`; the caller frees it with pagemap_free(). -EINVAL for what is
 * no state, -ENOMEM; *ret is untouched on failure. */
int pagemap_new(struct pagemap **ret, enum page_state initial);

/* Frees *map, which may be NULL, and sets it to NULL. Fits _cleanup_(). */
void pagemap_free(struct pagemap **map);

/* Puts [gfn, gfn + npages) into `state`. -ERANGE if the range is empty or leaves the map, -EINVAL
 * for what is no state, -ENOMEM; the map is unchanged on failure. */
int pagemap_set(struct pagemap *map, uint64_t gfn, uint64_t npages, enum page_state state);

/* Puts every frame into `state`. Never fails: it only gives memory back. */
void pagemap_fill(struct pagemap *map, enum page_state state);

/* The state of a frame; PAGE_UNKNOWN beyond the map. */
enum page_state pagemap_get(const struct pagemap *map, uint64_t gfn);

/* How many frames from gfn on share its state, not past `end` nor past the map; their state goes to
 * *ret_state. 0 if there is no frame to look at (gfn >= end), with *ret_state untouched. */
uint64_t pagemap_run(
	const struct pagemap *map, uint64_t gfn, uint64_t end, enum page_state *ret_state);

/* Adds to counts[] how many frames of [gfn, gfn + npages) are in each state. Frames beyond the map
 * are not counted. */
void pagemap_count(
	const struct pagemap *map, uint64_t gfn, uint64_t npages, uint64_t counts[PAGE_STATES]);

/* How many frames of [gfn, gfn + npages) are not in a state: takes no time where all of them are.
 * Frames beyond the map are not counted. */
uint64_t pagemap_others(
	const struct pagemap *map, uint64_t gfn, uint64_t npages, enum page_state state);

/* How many frames of the whole map are in a state. Takes no time. */
uint64_t pagemap_total(const struct pagemap *map, enum page_state state);

/* Of two maps at once: adds to counts[x][y] how many frames are x in map and y in other. */
void pagemap_count_pairs(const struct pagemap *map, const struct pagemap *other, uint64_t gfn,
	uint64_t npages, uint64_t counts[PAGE_STATES][PAGE_STATES]);

/* Bytes the map asked the allocator for, spare blocks included. */
size_t pagemap_memory(const struct pagemap *map);

/* For tests: checks every invariant of the whole map, 0 or -EUCLEAN. */
int pagemap_validate(const struct pagemap *map);

/* For tests: takes memory from `alloc`, which works like malloc; NULL brings malloc back. What it
 * returns is given to free(). */
void pagemap_set_allocator(void *(*alloc)(size_t size_bytes));

#endif
