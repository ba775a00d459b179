/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/film.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

int film_new(struct film **ret, uint32_t cells, size_t max_shots, size_t max_runs, uint64_t tick_ns)
{
	_cleanup_(film_free) struct film *film = calloc(1, sizeof(*film));

	if (!film)
		return -ENOMEM;
	film->cells = cells;
	film->max_shots = max_shots < 2 ? 2 : max_shots;
	film->max_runs = max_runs;
	film->tick_ns = tick_ns ?: 1;
	film->now = calloc(cells ?: 1, sizeof(*film->now));
	film->when = calloc(cells ?: 1, sizeof(*film->when));
	film->shots = calloc(film->max_shots + 1, sizeof(*film->shots));
	if (!film->now || !film->when || !film->shots)
		return -ENOMEM;
	*ret = TAKE_PTR(film);
	return 0;
}

void film_free(struct film **pointer)
{
	struct film *film = *pointer;

	if (!film)
		return;
	for (size_t i = 0; i < film->n_shots; i++)
		free(film->shots[i].changes);
	free(film->shots);
	free(film->now);
	free(film->when);
	free(film);
	*pointer = NULL;
}

void film_touch(struct film *film, uint64_t first, uint64_t last, uint64_t when_ns)
{
	when_ns = when_ns / film->tick_ns * film->tick_ns;
	for (uint64_t at = first; at <= last; at++)
		film->when[at] = when_ns ?: 1;
}

static bool is_same(const struct film_cell *a, const struct film_cell *b)
{
	return a->look == b->look && !memcmp(a->frames, b->frames, sizeof(a->frames));
}

bool film_is_run(const struct film_change *a, const struct film_change *b)
{
	return b->at == a->at + 1 && b->when_ns == a->when_ns && is_same(&a->cell, &b->cell);
}

static size_t count_runs(const struct film_change *changes, size_t n)
{
	size_t runs = 0;

	for (size_t i = 0; i < n; i++)
		runs += !i || !film_is_run(&changes[i - 1], &changes[i]);
	return runs;
}

/* The changes of both, the later one's where both have a cell. */
static int merge(struct film *film, const struct film_shot *from, struct film_shot *into)
{
	struct film_change *merged = calloc(from->n_changes + into->n_changes + 1, sizeof(*merged));
	size_t a = 0, b = 0, n = 0;

	if (!merged)
		return -ENOMEM;
	while (a < from->n_changes || b < into->n_changes) {
		bool older = b == into->n_changes ||
			     (a < from->n_changes && from->changes[a].at < into->changes[b].at);

		if (older) {
			merged[n++] = from->changes[a++];
			continue;
		}
		if (a < from->n_changes && from->changes[a].at == into->changes[b].at)
			a++;
		merged[n++] = into->changes[b++];
	}
	film->n_runs -= from->n_runs + into->n_runs;
	free(into->changes);
	into->changes = merged;
	into->n_changes = n;
	into->n_runs = count_runs(merged, n);
	film->n_runs += into->n_runs;
	return 0;
}

/* Leaves out every other shot, but never the first and the last one. */
static int thin(struct film *film)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < film->n_shots; i++) {
		if (!r && i % 2 && i + 1 < film->n_shots) {
			r = merge(film, &film->shots[i], &film->shots[i + 1]);
			if (!r) {
				free(film->shots[i].changes);
				film->dropped++;
				continue;
			}
		}
		film->shots[kept++] = film->shots[i];
	}
	film->n_shots = kept;
	return r;
}

int film_take(struct film *film, uint64_t ts_ns, const uint64_t counts[FILM_COUNTS], uint32_t trust,
	const struct film_cell *cells)
{
	struct film_shot *shot = &film->shots[film->n_shots];
	size_t n = 0;
	int r = 0;

	*shot = (struct film_shot){.ts_ns = ts_ns, .trust = trust};
	memcpy(shot->counts, counts, sizeof(shot->counts));
	for (uint32_t i = 0; i < film->cells; i++)
		n += film->when[i] || !is_same(&cells[i], &film->now[i]);
	shot->changes = calloc(n ?: 1, sizeof(*shot->changes));
	if (!shot->changes)
		return -ENOMEM;
	for (uint32_t i = 0; i < film->cells; i++) {
		if (!film->when[i] && is_same(&cells[i], &film->now[i]))
			continue;
		shot->changes[shot->n_changes++] = (struct film_change){
			.at = i,
			.when_ns = film->when[i] ?: FILM_NEVER,
			.cell = cells[i],
		};
		film->now[i] = cells[i];
		film->when[i] = 0;
	}
	shot->n_runs = count_runs(shot->changes, n);
	film->n_runs += shot->n_runs;
	film->n_shots++;
	while (!r && film->n_shots > 2 &&
		(film->n_shots > film->max_shots || film->n_runs > film->max_runs))
		r = thin(film);
	return r;
}
