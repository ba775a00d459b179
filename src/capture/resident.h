/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames that a VM has memory for twice, found in one look from the lowest to the highest: how many
 * there are, and the largest ranges of them.
 */
#ifndef CAPTURE_RESIDENT_H
#define CAPTURE_RESIDENT_H

#include <linux/types.h>
#include <stddef.h>

#include "wire.h"

#define RESIDENT_RANGES 64

struct resident_range {
	__u64 gfn, npages; /* frames */
};

/* Zeroed before the first use. */
struct resident_look {
	__u64 pages; /* frames in all ranges, also in those that were not kept */
	size_t n;
	struct resident_range ranges[RESIDENT_RANGES]; /* in order of gfn */
	struct resident_range open;                    /* may still grow */
	size_t smallest; /* of a full list: the range that a larger one replaces */
};

/* Frames above all that were added so far. */
void resident_add(struct resident_look *look, __u64 gfn, __u64 npages);

/* Frames that both sets of words * 64 bits have, bit 0 being gfn. Where frames below 0 belong to
 * bits that are not set in both, gfn may be as far below 0, modulo 2^64. */
void resident_add_both(
	struct resident_look *look, __u64 gfn, const __u64 *a, const __u64 *b, size_t words);

/* Sets the bits [from, to). */
void resident_set_bits(__u64 *bits, size_t from, size_t to);

/* No more will come. */
void resident_end(struct resident_look *look);

/* How many records tell what was found: one at least. */
size_t resident_records(const struct resident_look *look);

/* One of them, about the VM at that time. */
struct kes_record resident_record(
	const struct resident_look *look, size_t index, __u32 vm, __u64 ts_ns);

#endif
