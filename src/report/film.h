/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A map over time: what its cells held at some times, kept as what changed from one time to the
 * next. Bounded: where there is no more room, every other time is left out, and what changed by
 * then goes to the time that follows.
 */
#ifndef REPORT_FILM_H
#define REPORT_FILM_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILM_COUNTS 4 /* frames: private, shared, unknown; and those that differ, of two planes */

struct film_cell {
	uint32_t frames[FILM_COUNTS];
	uint32_t look;
};

#define FILM_NEVER UINT64_MAX /* nobody saw when */

struct film_change {
	uint64_t when_ns; /* last, or FILM_NEVER */
	uint32_t at;      /* the cell */
	struct film_cell cell;
};

struct film_shot {
	uint64_t ts_ns;
	uint64_t counts[FILM_COUNTS]; /* frames of the whole map */
	uint32_t trust;               /* enum confidence */
	struct film_change *changes;  /* since the shot before, in order of cells */
	size_t n_changes;
	size_t n_runs; /* cells that follow each other and became the same are one */
};

struct film {
	uint32_t cells;
	size_t max_shots, max_runs; /* the first and the last shot are kept, however large */
	uint64_t tick_ns;           /* times of changes are multiples of it */
	struct film_cell *now;      /* as of the last shot */
	uint64_t *when;             /* since the last shot: of the last change; 0: there was none */
	struct film_shot *shots;
	size_t n_shots;
	size_t n_runs;
	size_t dropped; /* shots */
};

/* All cells begin as zeroes. -ENOMEM. */
int film_new(
	struct film **ret, uint32_t cells, size_t max_shots, size_t max_runs, uint64_t tick_ns);
void film_free(struct film **film);

/* Something happened to cells [first, last], which exist. */
void film_touch(struct film *film, uint64_t first, uint64_t last, uint64_t when_ns);

/* Keeps what all cells are now. -ENOMEM. */
int film_take(struct film *film, uint64_t ts_ns, const uint64_t counts[FILM_COUNTS], uint32_t trust,
	const struct film_cell *cells);

/* Whether b, which follows a, is the same run. */
bool film_is_run(const struct film_change *a, const struct film_change *b);

#endif
