/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers over time, in steps of equal length: what a chart has room for, however many there were.
 */
#ifndef REPORT_SERIES_H
#define REPORT_SERIES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIES_STEPS 160

enum series_count {
	COUNT_TO_SHARED,
	COUNT_TO_PRIVATE,
	COUNT_NOT_DONE, /* denied, refused, not answered */
	SERIES_COUNTS,
};

struct series_step {
	uint64_t low, high, last; /* of the level; it holds until it changes */
	uint32_t counts[SERIES_COUNTS];
};

struct series {
	uint64_t begin_ns, step_ns;
	size_t n;     /* steps, at most SERIES_STEPS */
	size_t at;    /* the step that levels have come to */
	bool started; /* there was a level */
	struct series_step steps[SERIES_STEPS];
};

/* Steps from begin to end, both included. */
void series_init(struct series *series, uint64_t begin_ns, uint64_t end_ns);

/* Times before the begin are in the first step, after the end in the last one; levels come in order
 * of time, one that is earlier than the one before counts as of that one's time. */
void series_level(struct series *series, uint64_t ts_ns, uint64_t level);
void series_count(struct series *series, uint64_t ts_ns, enum series_count which);

/* The last level holds until the end. */
void series_end(struct series *series);

/* ---- how long answers took ---- */

#define SPREAD_FIRST   10 /* the first bucket takes all below 2^10 ns */
#define SPREAD_OCTAVES 26 /* the last one all from 2^36 ns on */
#define SPREAD_BUCKETS (SPREAD_OCTAVES * 2 + 2)

struct spread {
	uint64_t counts[SPREAD_BUCKETS]; /* each half a power of two wide */
	uint64_t n, low_ns, high_ns;
};

unsigned int spread_bucket(uint64_t ns);
/* The lowest time that is above the bucket. */
uint64_t spread_bound(unsigned int bucket);
void spread_add(struct spread *spread, uint64_t ns);
/* The bound of the bucket that the permille'th answer is in; 0: there are none. */
uint64_t spread_permille(const struct spread *spread, unsigned int permille);

#endif
