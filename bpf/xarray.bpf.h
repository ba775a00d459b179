/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an xarray is made of (include/linux/xarray.h): a tree of nodes with 64 slots each. Who reads
 * one here holds no lock, but runs under RCU, in which no node is reused.
 */
#ifndef BPF_XARRAY_H
#define BPF_XARRAY_H

#include "read.bpf.h"

/* XA_CHUNK_SHIFT is 6 (4 with CONFIG_BASE_SMALL, which the C half refuses) */
#define XA_SHIFT  6
#define XA_SLOTS  (1u << XA_SHIFT)
#define XA_RETRY  1026ull /* xa_mk_internal(256): the node goes away */
#define XA_LEVELS 7       /* 2^40 frames */

struct xa_copy {
	u64 slots[XA_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct xa_copy);
} xa_copies SEC(".maps");

static __always_inline bool is_node(u64 entry)
{
	return (entry & 3) == 2 && entry > 4096;
}

static __always_inline u64 node_slot(u64 node, u64 index)
{
	return read_u64(MEMBER(node, xa_node, slots) + (index & (XA_SLOTS - 1)) * sizeof(u64));
}

/* 1 if a and b differ, else 0; the compiler must not see that, or it makes a branch of it, which
 * the verifier would follow both ways for each slot of a node. */
static __always_inline u64 differ(u64 a, u64 b)
{
	u64 x = a ^ b, negative = -x;

	asm volatile("" : "+r"(negative));
	return (x | negative) >> 63;
}

#endif
