/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much of a VM is shared by its own word, counted by page, in leaves of 16 MiB. Who is here has
 * the lock of the VM's state. Never less is counted than may be shared: a page counts from when its
 * request is let through, and until a request to make it private was answered with yes, while which
 * was on its way no other one was about it: see commit().
 */
#ifndef BPF_COUNTED_H
#define BPF_COUNTED_H

#include "veto.h"

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_LEAVES);
	__type(key, struct kes_leaf_key);
	__type(value, struct kes_leaf);
} leaves SEC(".maps");

/* An empty one to copy. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_leaf);
} no_leaf SEC(".maps");

enum counting {
	COUNT_MORE,    /* how many are not counted yet */
	COUNT_SHARED,  /* they are let through to be shared */
	COUNT_KEPT,    /* the same, but only of those that are counted already */
	COUNT_ASKED,   /* they are let through to be private */
	COUNT_PRIVATE, /* that was answered with yes */
};

/* Bits [from, to) of word i of a leaf, which has some of them. */
__noinline u64 word_mask(u32 i, u32 from, u32 to)
{
	u32 begin = i * 64, end = begin + 64;
	u64 mask = ~0ull;

	if (from > begin)
		mask <<= from - begin;
	if (to < end)
		mask &= ~0ull >> (end - to);
	return mask;
}

/* Does it to pages of one word: how many became counted, or are no more. A function of its own,
 * which the verifier follows once. */
__noinline u32 count_word(struct kes_leaf *leaf, u32 i, u64 mask, u32 what)
{
	u64 shared, asked, these = 0;

	if (!leaf || i >= KES_LEAF_WORDS)
		return 0;
	shared = leaf->shared[i];
	asked = leaf->asked[i];
	if (what == COUNT_MORE || what == COUNT_SHARED)
		these = mask & ~shared;
	if (what == COUNT_SHARED)
		shared |= mask;
	if (what == COUNT_SHARED || what == COUNT_KEPT)
		asked &= ~mask;
	if (what == COUNT_ASKED)
		asked |= mask & shared;
	if (what == COUNT_PRIVATE) {
		these = mask & asked;
		shared &= ~these;
		asked &= ~these;
	}
	leaf->shared[i] = shared;
	leaf->asked[i] = asked;
	return __builtin_popcountll(these);
}

/* The same to pages [from, to) of a leaf. */
__noinline u32 count_leaf(struct kes_leaf *leaf, u32 from, u32 to, u32 what)
{
	u32 n = 0;

	if (!leaf)
		return 0;
	for (u32 i = from / 64; i < KES_LEAF_WORDS && i * 64 < to; i++)
		n += count_word(leaf, i, word_mask(i, from, to), what);
	return n;
}

__noinline int is_empty(const struct kes_leaf *leaf)
{
	u64 any = 0;

	if (!leaf)
		return 0;
	for (u32 i = 0; i < KES_LEAF_WORDS; i++)
		any |= leaf->shared[i];
	return !any;
}

struct page_walk {
	struct kes_state *state;
	u64 kvm, gfn, end; /* frames */
	u64 n;
	u32 what;   /* counting */
	u32 absent; /* leaves that are not there */
};

static __always_inline void leaf_gone(struct kes_state *state)
{
	struct kes_veto_totals *totals = the_totals();

	if (state->leaves)
		state->leaves--;
	if (totals)
		__sync_fetch_and_add(&totals->leaves, -1);
}

static __always_inline struct kes_leaf *find_leaf(
	struct page_walk *walk, const struct kes_leaf_key *key)
{
	struct kes_leaf *leaf = bpf_map_lookup_elem(&leaves, key), *empty;
	u32 zero = 0;

	if (leaf || walk->what != COUNT_SHARED)
		return leaf;
	empty = bpf_map_lookup_elem(&no_leaf, &zero);
	if (!empty || bpf_map_update_elem(&leaves, key, empty, BPF_NOEXIST))
		return NULL; /* never so: room for it was set aside */
	walk->state->leaves++;
	return bpf_map_lookup_elem(&leaves, key);
}

/* Does it to pages [from, to) of a leaf that is there; an empty one goes. */
static __always_inline void count_in(struct page_walk *walk, const struct kes_leaf_key *key,
	struct kes_leaf *leaf, u32 from, u32 to)
{
	u32 n = count_leaf(leaf, from, to, walk->what);

	walk->n += n;
	if (walk->what == COUNT_PRIVATE && n && is_empty(leaf) &&
		!bpf_map_delete_elem(&leaves, key))
		leaf_gone(walk->state);
}

static long leaf_step(u32 step, struct page_walk *walk)
{
	struct kes_leaf_key key = {.kvm = walk->kvm, .index = walk->gfn / KES_LEAF_FRAMES};
	u64 begin = key.index * KES_LEAF_FRAMES, end = begin + KES_LEAF_FRAMES;
	struct kes_leaf *leaf;

	if (walk->gfn >= walk->end)
		return 1;
	if (end > walk->end)
		end = walk->end;
	leaf = find_leaf(walk, &key);
	if (leaf) {
		count_in(walk, &key, leaf, walk->gfn - begin, end - begin);
	} else if (walk->what == COUNT_MORE) {
		walk->absent++;
		walk->n += end - walk->gfn;
	}
	walk->gfn = end;
	return 0;
}

/* The same to what is there of a range that is too long to walk. */
static long any_leaf_step(
	void *map, struct kes_leaf_key *key, struct kes_leaf *leaf, struct page_walk *walk)
{
	struct kes_leaf_key copy = *key;
	u64 begin = copy.index * KES_LEAF_FRAMES, end = begin + KES_LEAF_FRAMES;

	if (copy.kvm != walk->kvm || end <= walk->gfn || begin >= walk->end)
		return 0;
	count_in(walk, &copy, leaf, walk->gfn > begin ? walk->gfn - begin : 0,
		(walk->end < end ? walk->end : end) - begin);
	return 0;
}

static __always_inline bool is_long(u64 npages)
{
	return npages > (u64)(KES_MAX_VM_LEAVES - 1) * KES_LEAF_FRAMES;
}

/* How many pages it made count, or count no more. */
static __noinline u64 count_pages(
	struct kes_state *state, u64 kvm, u64 gfn, u64 npages, enum counting what)
{
	struct page_walk walk = {
		.state = state, .kvm = kvm, .gfn = gfn, .end = gfn + npages, .what = what};

	if (!state || (!state->leaves && what != COUNT_SHARED))
		return 0;
	if (is_long(npages))
		bpf_for_each_map_elem(&leaves, any_leaf_step, &walk, 0);
	else
		bpf_loop(KES_MAX_VM_LEAVES, leaf_step, &walk, 0);
	return walk.n;
}

/* Sets n leaves aside. False: that is more than there is room for. */
static __always_inline bool reserve_leaves(struct kes_state *state, u32 n)
{
	struct kes_veto_totals *totals = the_totals();

	if (!totals || state->leaves + n > KES_MAX_VM_LEAVES)
		return false;
	if (__sync_fetch_and_add(&totals->leaves, n) + n <= KES_MAX_LEAVES)
		return true;
	__sync_fetch_and_add(&totals->leaves, -(u64)n);
	return false;
}

/* walk->n: how many pages of the range are not counted yet; walk->absent: leaves that they would
 * take, which are set aside. False: there is no room to count them. */
static __noinline bool count_more(struct page_walk *walk)
{
	if (!walk->state || is_long(walk->end - walk->gfn))
		return false;
	walk->what = COUNT_MORE;
	bpf_loop(KES_MAX_VM_LEAVES, leaf_step, walk, 0);
	return reserve_leaves(walk->state, walk->absent);
}

/* It was not let through. */
static __always_inline void unreserve_leaves(u32 n)
{
	struct kes_veto_totals *totals = the_totals();

	if (totals && n)
		__sync_fetch_and_add(&totals->leaves, -(u64)n);
}

static long drop_leaf_step(
	void *map, struct kes_leaf_key *key, struct kes_leaf *leaf, struct page_walk *walk)
{
	struct kes_leaf_key copy = *key;

	if (copy.kvm == walk->kvm && !bpf_map_delete_elem(&leaves, &copy))
		leaf_gone(walk->state);
	return 0;
}

#define MAX_DROPS 16

/* Other VMs' leaves come and go meanwhile, and may take the walk along to where they are then: it
 * has passed over some, and is made once more. */
static long drop_step(u32 step, struct page_walk *walk)
{
	if (!walk->state->leaves)
		return 1;
	bpf_for_each_map_elem(&leaves, drop_leaf_step, walk, 0);
	return 0;
}

/* Nothing of the VM is counted any more. */
static __noinline int drop_leaves(struct kes_state *state, u64 kvm)
{
	struct page_walk walk = {.state = state, .kvm = kvm};

	if (state)
		bpf_loop(MAX_DROPS, drop_step, &walk, 0);
	return 0;
}

#endif
