// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page table for states. An entry is either a state that its whole span has, or points to what
 * has more than one: a node of 512 entries, or at the bottom a leaf, two bits per frame.
 *
 *   root, 128 entries of 2^33 frames -> node, of 2^24 -> node, of 2^15 -> leaf (128 MiB)
 *
 * Invariants: no node or leaf is all one state (its parent's entry says so instead); a leaf has the
 * bitmap of unknown frames exactly while it has some; no frame is both shared and unknown; the
 * tallies in nodes and leaves and of the whole map are right.
 *
 * Only the two ends of a range can split something uniform, so a change needs no more than RESERVE
 * blocks, allocated before anything is touched. Freed blocks fill the reserve up again: a page that
 * flips in a uniform chunk builds and drops a leaf each time, but without the allocator.
 */
#include "model/pagemap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN */

#include "model/bits.h"

#define LEAF_SHIFT   15
#define LEAF_FRAMES  (1u << LEAF_SHIFT)
#define LEAF_WORDS   (LEAF_FRAMES / 64)
#define NODE_SHIFT   9
#define NODE_ENTRIES (1u << NODE_SHIFT)
#define ROOT_SHIFT   (LEAF_SHIFT + 2 * NODE_SHIFT)
#define ROOT_ENTRIES ((unsigned int)(PAGEMAP_FRAMES >> ROOT_SHIFT))

/* What a change can take: two nodes, a leaf and its second bitmap, at each end of the range. */
#define RESERVE 8

/* A pointer to a struct node or struct leaf, or a state: state << 1 | 1. */
typedef uintptr_t entry_t;

struct node {
	uint16_t uniform[PAGE_STATES]; /* how many entries are the state itself */
	entry_t entry[NODE_ENTRIES];
};

union block;

struct leaf {
	uint32_t nshared;
	uint32_t nunknown;
	union block *unknown; /* their bits; NULL while nunknown is 0 */
	uint64_t shared[LEAF_WORDS];
};

/* Whatever the map allocates, so that one reserve serves all. */
union block {
	union block *next;
	struct node node;
	struct leaf leaf;
	uint64_t bits[LEAF_WORDS];
};

struct pagemap {
	struct node root; /* of which the first ROOT_ENTRIES are used */
	union block *spares;
	size_t nspares;
	size_t nblocks; /* in the tree */
	uint64_t frames[PAGE_STATES];
};

static void *(*allocate)(size_t size_bytes) = malloc;

void pagemap_set_allocator(void *(*alloc)(size_t size_bytes))
{
	allocate = alloc ? alloc : malloc;
}

static inline entry_t entry_of(enum page_state state)
{
	return (entry_t)state << 1 | 1;
}

static inline bool is_uniform(entry_t entry)
{
	return entry & 1;
}

static inline enum page_state state_of(entry_t entry)
{
	return (enum page_state)(entry >> 1);
}

/* The frame after the span of 2^shift frames that gfn lies in. */
static inline uint64_t span_end(uint64_t gfn, unsigned int shift)
{
	return ((gfn >> shift) + 1) << shift;
}

/* ---- blocks ---- */

static void spare_push(struct pagemap *map, union block *block)
{
	block->next = map->spares;
	map->spares = block;
	map->nspares++;
}

static union block *spare_pop(struct pagemap *map)
{
	union block *block = map->spares;

	map->spares = block->next;
	map->nspares--;
	return block;
}

/* free() of a cold block costs more than all else that a large range does to it, so a part stays.
 */
static size_t spares_max(const struct pagemap *map)
{
	return RESERVE + map->nblocks / 4;
}

static int spares_reserve(struct pagemap *map)
{
	while (map->nspares < RESERVE) {
		union block *block = allocate(sizeof(*block));

		if (!block)
			return -ENOMEM;
		spare_push(map, block);
	}
	return 0;
}

/* Never fails: a change starts with a full reserve, and takes no more than that. */
static union block *block_take(struct pagemap *map)
{
	map->nblocks++;
	return spare_pop(map);
}

static void block_drop(struct pagemap *map, union block *block)
{
	map->nblocks--;
	spare_push(map, block);
	while (map->nspares > spares_max(map))
		free(spare_pop(map));
}

static union block *bits_new(struct pagemap *map, bool value)
{
	union block *block = block_take(map);

	memset(block->bits, value ? 0xff : 0, sizeof(block->bits));
	return block;
}

static void leaf_drop(struct pagemap *map, union block *block)
{
	const struct leaf *leaf = &block->leaf;

	map->frames[PAGE_SHARED] -= leaf->nshared;
	map->frames[PAGE_UNKNOWN] -= leaf->nunknown;
	map->frames[PAGE_PRIVATE] -= LEAF_FRAMES - leaf->nshared - leaf->nunknown;
	if (leaf->unknown)
		block_drop(map, leaf->unknown);
	block_drop(map, block);
}

/* Gives back all that hangs on an entry whose span is 2^shift frames: they are in no state then. */
static void entry_drop(struct pagemap *map, entry_t entry, unsigned int shift)
{
	union block *block = (union block *)entry;

	if (is_uniform(entry)) {
		map->frames[state_of(entry)] -= 1ull << shift;
	} else if (shift == LEAF_SHIFT) {
		leaf_drop(map, block);
	} else {
		for (unsigned int i = 0; i < NODE_ENTRIES; i++)
			entry_drop(map, block->node.entry[i], shift - NODE_SHIFT);
		block_drop(map, block);
	}
}

static void node_init(struct node *node, unsigned int nentries, enum page_state state)
{
	memset(node->uniform, 0, sizeof(node->uniform));
	node->uniform[state] = nentries;
	for (unsigned int i = 0; i < nentries; i++)
		node->entry[i] = entry_of(state);
}

/* A node or leaf that says of 2^shift frames what an entry said so far. */
static entry_t split(struct pagemap *map, unsigned int shift, enum page_state state)
{
	union block *block = block_take(map);
	struct leaf *leaf = &block->leaf;

	if (shift > LEAF_SHIFT) {
		node_init(&block->node, NODE_ENTRIES, state);
		return (entry_t)block;
	}
	leaf->nshared = state == PAGE_SHARED ? LEAF_FRAMES : 0;
	leaf->nunknown = state == PAGE_UNKNOWN ? LEAF_FRAMES : 0;
	leaf->unknown = state == PAGE_UNKNOWN ? bits_new(map, true) : NULL;
	memset(leaf->shared, state == PAGE_SHARED ? 0xff : 0, sizeof(leaf->shared));
	return (entry_t)block;
}

/* ---- changes ---- */

/* The state that all frames of a leaf have by these numbers, PAGE_STATES if there are several. */
static inline enum page_state leaf_uniform(uint32_t nshared, uint32_t nunknown)
{
	if (nshared + nunknown == 0)
		return PAGE_PRIVATE;
	if (nshared == LEAF_FRAMES)
		return PAGE_SHARED;
	return nunknown == LEAF_FRAMES ? PAGE_UNKNOWN : PAGE_STATES;
}

static enum page_state node_uniform(const struct node *node)
{
	unsigned int state = 0;

	while (state < PAGE_STATES && node->uniform[state] != NODE_ENTRIES)
		state++;
	return state;
}

/* first and end are frames of the leaf. Returns the state it became as a whole, or PAGE_STATES. */
static inline enum page_state leaf_set(struct pagemap *map, struct leaf *leaf, unsigned int first,
	unsigned int end, enum page_state state)
{
	uint32_t nshared = leaf->nshared, nunknown = leaf->nunknown;

	leaf->nshared = bits_assign(leaf->shared, first, end, state == PAGE_SHARED, leaf->nshared);
	if (!leaf->unknown && state == PAGE_UNKNOWN)
		leaf->unknown = bits_new(map, false);
	if (leaf->unknown)
		leaf->nunknown = bits_assign(
			leaf->unknown->bits, first, end, state == PAGE_UNKNOWN, leaf->nunknown);
	if (leaf->unknown && !leaf->nunknown) {
		block_drop(map, leaf->unknown);
		leaf->unknown = NULL;
	}
	nshared = leaf->nshared - nshared; /* by how many it grew; it may have wrapped */
	nunknown = leaf->nunknown - nunknown;
	map->frames[PAGE_SHARED] += (uint64_t)(int32_t)nshared;
	map->frames[PAGE_UNKNOWN] += (uint64_t)(int32_t)nunknown;
	map->frames[PAGE_PRIVATE] -= (uint64_t)(int32_t)(nshared + nunknown);
	return leaf_uniform(leaf->nshared, leaf->nunknown);
}

static enum page_state node_set(struct pagemap *map, struct node *node, unsigned int shift,
	uint64_t gfn, uint64_t end, enum page_state state);

/* [gfn, end) lies in the span of the entry, 2^shift frames. */
static void entry_set(struct pagemap *map, entry_t *entry, unsigned int shift, uint64_t gfn,
	uint64_t end, enum page_state state)
{
	unsigned int first = gfn % LEAF_FRAMES;
	enum page_state whole = state;

	if (*entry == entry_of(state))
		return;
	if (end - gfn != 1ull << shift) {
		if (is_uniform(*entry))
			*entry = split(map, shift, state_of(*entry));
		if (shift == LEAF_SHIFT)
			whole = leaf_set(
				map, (struct leaf *)*entry, first, first + (end - gfn), state);
		else
			whole = node_set(
				map, (struct node *)*entry, shift - NODE_SHIFT, gfn, end, state);
		if (whole == PAGE_STATES)
			return;
	}
	entry_drop(map, *entry, shift);
	map->frames[whole] += 1ull << shift;
	*entry = entry_of(whole);
}

/* shift is that of the node's entries. Returns the state it became as a whole, or PAGE_STATES. */
static enum page_state node_set(struct pagemap *map, struct node *node, unsigned int shift,
	uint64_t gfn, uint64_t end, enum page_state state)
{
	while (gfn < end) {
		entry_t *entry = &node->entry[(gfn >> shift) % NODE_ENTRIES];
		uint64_t stop = MIN(end, span_end(gfn, shift));

		if (is_uniform(*entry))
			node->uniform[state_of(*entry)]--;
		entry_set(map, entry, shift, gfn, stop, state);
		if (is_uniform(*entry))
			node->uniform[state_of(*entry)]++;
		gfn = stop;
	}
	return node_uniform(node);
}

/* The entry that says gfn's state, or has its leaf; *ret_shift: the size of its span. */
static inline entry_t find(const struct pagemap *map, uint64_t gfn, unsigned int *ret_shift)
{
	entry_t entry = map->root.entry[gfn >> ROOT_SHIFT];
	unsigned int shift = ROOT_SHIFT;

	while (!is_uniform(entry) && shift > LEAF_SHIFT) {
		shift -= NODE_SHIFT;
		entry = ((const struct node *)entry)->entry[(gfn >> shift) % NODE_ENTRIES];
	}
	*ret_shift = shift;
	return entry;
}

/* The existing leaf that can take the change as it is, NULL if there's more to do. */
static inline struct leaf *leaf_for(
	entry_t entry, uint64_t npages, uint64_t room, enum page_state state)
{
	struct leaf *leaf = (struct leaf *)entry;

	if (is_uniform(entry) || npages > room || npages == LEAF_FRAMES)
		return NULL;
	return state == PAGE_UNKNOWN && !leaf->unknown ? NULL : leaf;
}

int pagemap_set(struct pagemap *map, uint64_t gfn, uint64_t npages, enum page_state state)
{
	unsigned int first = gfn % LEAF_FRAMES, shift;
	struct leaf *leaf;
	uint64_t room;
	entry_t entry;

	if (gfn >= PAGEMAP_FRAMES || !npages || npages > PAGEMAP_FRAMES - gfn)
		return -ERANGE;
	if ((unsigned int)state >= PAGE_STATES)
		return -EINVAL;

	entry = find(map, gfn, &shift);
	room = span_end(gfn, shift) - gfn;
	leaf = leaf_for(entry, npages, room, state);
	if (leaf) { /* the hot path */
		if (leaf_set(map, leaf, first, first + npages, state) == PAGE_STATES)
			return 0;
	} else {
		if (entry == entry_of(state) && npages <= room)
			return 0;
		if (spares_reserve(map) < 0)
			return -ENOMEM;
	}
	/* For a leaf that just became uniform this does the same again, and replaces the leaf. */
	node_set(map, &map->root, ROOT_SHIFT, gfn, gfn + npages, state);
	return 0;
}

void pagemap_fill(struct pagemap *map, enum page_state state)
{
	for (unsigned int i = 0; i < ROOT_ENTRIES; i++)
		entry_drop(map, map->root.entry[i], ROOT_SHIFT);
	node_init(&map->root, ROOT_ENTRIES, state);
	map->frames[state] = PAGEMAP_FRAMES;
}

int pagemap_new(struct pagemap **ret, enum page_state initial)
{
	struct pagemap *map;

	if ((unsigned int)initial >= PAGE_STATES)
		return -EINVAL;
	map = allocate(sizeof(*map));
	if (!map)
		return -ENOMEM;
	memset(map, 0, sizeof(*map));
	node_init(&map->root, ROOT_ENTRIES, initial);
	map->frames[initial] = PAGEMAP_FRAMES;
	*ret = map;
	return 0;
}

void pagemap_free(struct pagemap **map)
{
	if (!*map)
		return;
	pagemap_fill(*map, PAGE_PRIVATE);
	while ((*map)->spares)
		free(spare_pop(*map));
	free(*map);
	*map = NULL;
}

/* ---- questions ---- */

enum page_state pagemap_get(const struct pagemap *map, uint64_t gfn)
{
	unsigned int word = gfn % LEAF_FRAMES / 64, shift;
	const struct leaf *leaf;
	entry_t entry;

	if (gfn >= PAGEMAP_FRAMES)
		return PAGE_UNKNOWN;
	entry = find(map, gfn, &shift);
	if (is_uniform(entry))
		return state_of(entry);
	leaf = (const struct leaf *)entry;
	if (leaf->shared[word] >> gfn % 64 & 1)
		return PAGE_SHARED;
	return leaf->unknown && leaf->unknown->bits[word] >> gfn % 64 & 1 ? PAGE_UNKNOWN
									  : PAGE_PRIVATE;
}

/* A bit for each frame of the word that is not in `state`. */
static uint64_t leaf_others(const struct leaf *leaf, unsigned int word, enum page_state state)
{
	uint64_t unknown = leaf->unknown ? leaf->unknown->bits[word] : 0;

	if (state == PAGE_PRIVATE)
		return leaf->shared[word] | unknown;
	return ~(state == PAGE_SHARED ? leaf->shared[word] : unknown);
}

/* The first frame from `first` on that is not in `state`, or LEAF_FRAMES. */
static unsigned int leaf_run_end(const struct leaf *leaf, unsigned int first, enum page_state state)
{
	uint64_t mask = ~0ull << first % 64;

	for (unsigned int word = first / 64; word < LEAF_WORDS; word++, mask = ~0ull) {
		uint64_t others = leaf_others(leaf, word, state) & mask;

		if (others)
			return word * 64 + __builtin_ctzll(others);
	}
	return LEAF_FRAMES;
}

uint64_t pagemap_run(
	const struct pagemap *map, uint64_t gfn, uint64_t end, enum page_state *ret_state)
{
	enum page_state state = pagemap_get(map, gfn);
	uint64_t at = gfn, stop;

	end = MIN(end, PAGEMAP_FRAMES);
	if (gfn >= end)
		return 0;
	do {
		unsigned int shift;
		entry_t entry = find(map, at, &shift);

		stop = span_end(at, shift);
		if (entry == entry_of(state))
			at = stop;
		else if (!is_uniform(entry))
			at += leaf_run_end((const struct leaf *)entry, at % LEAF_FRAMES, state) -
			      at % LEAF_FRAMES;
	} while (at == stop && at < end);
	*ret_state = state;
	return MIN(at, end) - gfn;
}

static void leaf_count(
	const struct leaf *leaf, unsigned int first, unsigned int end, uint64_t counts[PAGE_STATES])
{
	bool whole = end - first == LEAF_FRAMES;
	uint64_t shared = whole ? leaf->nshared : bits_count(leaf->shared, first, end);
	uint64_t unknown = leaf->nunknown;

	if (!whole && leaf->unknown)
		unknown = bits_count(leaf->unknown->bits, first, end);
	counts[PAGE_SHARED] += shared;
	counts[PAGE_UNKNOWN] += unknown;
	counts[PAGE_PRIVATE] += end - first - shared - unknown;
}

/* How many entries ahead a leaf's tallies are asked for: each is a cache miss of its own. */
#define AHEAD 8

/* [gfn, end) lies in the span of the node; shift is that of its entries. */
static void node_count(const struct node *node, unsigned int shift, uint64_t gfn, uint64_t end,
	uint64_t counts[PAGE_STATES])
{
	while (gfn < end) {
		unsigned int i = (gfn >> shift) % NODE_ENTRIES, first = gfn % LEAF_FRAMES;
		uint64_t stop = MIN(end, span_end(gfn, shift));
		entry_t entry = node->entry[i];

		__builtin_prefetch((const void *)node->entry[(i + AHEAD) % NODE_ENTRIES]);
		if (is_uniform(entry))
			counts[state_of(entry)] += stop - gfn;
		else if (shift == LEAF_SHIFT)
			leaf_count((const struct leaf *)entry, first, first + (stop - gfn), counts);
		else
			node_count(
				(const struct node *)entry, shift - NODE_SHIFT, gfn, stop, counts);
		gfn = stop;
	}
}

void pagemap_count(
	const struct pagemap *map, uint64_t gfn, uint64_t npages, uint64_t counts[PAGE_STATES])
{
	uint64_t end = gfn < PAGEMAP_FRAMES ? gfn + MIN(npages, PAGEMAP_FRAMES - gfn) : gfn;

	node_count(&map->root, ROOT_SHIFT, gfn, end, counts);
}

/* [gfn, end) lies in the span of the node; shift is that of its entries. Looks at no entry behind
 * the last one that has other states. */
static uint64_t node_others(const struct node *node, unsigned int shift, uint64_t gfn, uint64_t end,
	enum page_state state)
{
	unsigned int first = (gfn >> shift) % NODE_ENTRIES, nentries = NODE_ENTRIES, left;
	uint64_t others = 0;

	if (shift == ROOT_SHIFT)
		nentries = ROOT_ENTRIES;
	left = nentries - node->uniform[state];
	for (unsigned int i = 0; i < first && left; i++)
		left -= node->entry[i] != entry_of(state);
	while (gfn < end && left) {
		uint64_t stop = MIN(end, span_end(gfn, shift));
		entry_t entry = node->entry[(gfn >> shift) % NODE_ENTRIES];
		uint64_t counts[PAGE_STATES] = {};

		left -= entry != entry_of(state);
		if (is_uniform(entry))
			counts[state_of(entry)] = stop - gfn;
		else if (shift == LEAF_SHIFT)
			leaf_count((const struct leaf *)entry, gfn % LEAF_FRAMES,
				gfn % LEAF_FRAMES + (stop - gfn), counts);
		else
			counts[state] = stop - gfn -
					node_others((const struct node *)entry, shift - NODE_SHIFT,
						gfn, stop, state);
		others += stop - gfn - counts[state];
		gfn = stop;
	}
	return others;
}

uint64_t pagemap_others(
	const struct pagemap *map, uint64_t gfn, uint64_t npages, enum page_state state)
{
	uint64_t end = gfn < PAGEMAP_FRAMES ? gfn + MIN(npages, PAGEMAP_FRAMES - gfn) : gfn;

	return node_others(&map->root, ROOT_SHIFT, gfn, end, state);
}

uint64_t pagemap_total(const struct pagemap *map, enum page_state state)
{
	return map->frames[state];
}

static uint64_t count_common(
	const uint64_t *bits, const uint64_t *other, unsigned int first, unsigned int end)
{
	uint64_t common[LEAF_WORDS];

	for (unsigned int i = first / 64; i <= (end - 1) / 64; i++)
		common[i] = bits[i] & other[i];
	return bits_count(common, first, end);
}

static void leaf_count_pairs(const struct leaf *leaf, const struct leaf *other, unsigned int first,
	unsigned int end, uint64_t counts[PAGE_STATES][PAGE_STATES])
{
	uint64_t rows[PAGE_STATES] = {}, columns[PAGE_STATES] = {}, pairs[PAGE_STATES][PAGE_STATES];
	const uint64_t *bits[PAGE_STATES] = {
		[PAGE_SHARED] = leaf->shared,
		[PAGE_UNKNOWN] = leaf->unknown ? leaf->unknown->bits : NULL,
	};
	const uint64_t *others[PAGE_STATES] = {
		[PAGE_SHARED] = other->shared,
		[PAGE_UNKNOWN] = other->unknown ? other->unknown->bits : NULL,
	};

	leaf_count(leaf, first, end, rows);
	leaf_count(other, first, end, columns);
	/* Private is what is left of each row and of each column. */
	for (int x = PAGE_STATES - 1; x >= 0; x--)
		for (int y = PAGE_STATES - 1; y >= 0; y--) {
			if (x == PAGE_PRIVATE)
				pairs[x][y] = columns[y];
			else if (y == PAGE_PRIVATE)
				pairs[x][y] = rows[x];
			else
				pairs[x][y] = bits[x] && others[y]
						      ? count_common(bits[x], others[y], first, end)
						      : 0;
			rows[x] -= pairs[x][y];
			columns[y] -= pairs[x][y];
			counts[x][y] += pairs[x][y];
		}
}

void pagemap_count_pairs(const struct pagemap *map, const struct pagemap *other, uint64_t gfn,
	uint64_t npages, uint64_t counts[PAGE_STATES][PAGE_STATES])
{
	uint64_t end = gfn < PAGEMAP_FRAMES ? gfn + MIN(npages, PAGEMAP_FRAMES - gfn) : gfn;

	while (gfn < end) {
		unsigned int shift, other_shift, first = gfn % LEAF_FRAMES;
		entry_t entry = find(map, gfn, &shift), opposite = find(other, gfn, &other_shift);
		uint64_t stop = MIN(end, span_end(gfn, MIN(shift, other_shift)));
		uint64_t column[PAGE_STATES] = {};

		if (is_uniform(entry) && is_uniform(opposite))
			counts[state_of(entry)][state_of(opposite)] += stop - gfn;
		else if (is_uniform(entry))
			leaf_count((const struct leaf *)opposite, first, first + (stop - gfn),
				counts[state_of(entry)]);
		else if (is_uniform(opposite))
			leaf_count((const struct leaf *)entry, first, first + (stop - gfn), column);
		else
			leaf_count_pairs((const struct leaf *)entry, (const struct leaf *)opposite,
				first, first + (stop - gfn), counts);
		if (is_uniform(opposite))
			for (int i = 0; i < PAGE_STATES; i++)
				counts[i][state_of(opposite)] += column[i];
		gfn = stop;
	}
}

size_t pagemap_memory(const struct pagemap *map)
{
	return sizeof(*map) + (map->nblocks + map->nspares) * sizeof(union block);
}

/* ---- validation ---- */

static bool leaf_valid(const struct leaf *leaf, size_t *nblocks)
{
	uint64_t both = 0;

	if (leaf_uniform(leaf->nshared, leaf->nunknown) != PAGE_STATES)
		return false;
	if (words_count(leaf->shared, LEAF_WORDS) != leaf->nshared)
		return false;
	++*nblocks;
	if (!leaf->unknown)
		return !leaf->nunknown;
	++*nblocks;
	for (unsigned int i = 0; i < LEAF_WORDS; i++)
		both |= leaf->shared[i] & leaf->unknown->bits[i];
	return !both && leaf->nunknown &&
	       words_count(leaf->unknown->bits, LEAF_WORDS) == leaf->nunknown;
}

/* shift is that of the node's entries. Adds the blocks below the node to *nblocks. */
static bool node_valid(const struct node *node, unsigned int shift, size_t *nblocks)
{
	unsigned int nentries = shift == ROOT_SHIFT ? ROOT_ENTRIES : NODE_ENTRIES;
	uint16_t uniform[PAGE_STATES] = {0};

	for (unsigned int i = 0; i < nentries; i++) {
		entry_t entry = node->entry[i];

		if (is_uniform(entry)) {
			if (state_of(entry) >= PAGE_STATES)
				return false;
			uniform[state_of(entry)]++;
		} else if (shift == LEAF_SHIFT) {
			if (!leaf_valid((const struct leaf *)entry, nblocks))
				return false;
		} else if (++*nblocks,
			!node_valid((const struct node *)entry, shift - NODE_SHIFT, nblocks)) {
			return false;
		}
	}
	return !memcmp(uniform, node->uniform, sizeof(uniform)) &&
	       node_uniform(node) == PAGE_STATES;
}

int pagemap_validate(const struct pagemap *map)
{
	uint64_t frames[PAGE_STATES] = {};
	size_t nblocks = 0, nspares = 0;

	for (const union block *spare = map->spares; spare; spare = spare->next)
		nspares++;
	if (!node_valid(&map->root, ROOT_SHIFT, &nblocks))
		return -EUCLEAN;
	pagemap_count(map, 0, PAGEMAP_FRAMES, frames);
	if (memcmp(frames, map->frames, sizeof(frames)) != 0)
		return -EUCLEAN;
	if (nblocks != map->nblocks || nspares != map->nspares || nspares > spares_max(map))
		return -EUCLEAN;
	return 0;
}
