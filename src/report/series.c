/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/series.h"

#include <sys/param.h> /* MIN, MAX */

void series_init(struct series *series, uint64_t begin_ns, uint64_t end_ns)
{
	uint64_t span = end_ns > begin_ns ? end_ns - begin_ns : 0;

	*series = (struct series){.begin_ns = begin_ns, .step_ns = span / SERIES_STEPS + 1};
	series->n = (size_t)(span / series->step_ns) + 1;
}

static size_t step_of(const struct series *series, uint64_t ts_ns)
{
	if (ts_ns < series->begin_ns)
		return 0;
	return (size_t)MIN((ts_ns - series->begin_ns) / series->step_ns, series->n - 1);
}

/* The level that holds, up to a step. */
static void carry(struct series *series, size_t to)
{
	uint64_t level = series->steps[series->at].last;

	while (series->at < to) {
		struct series_step *step = &series->steps[++series->at];

		step->low = step->high = step->last = level;
	}
}

void series_level(struct series *series, uint64_t ts_ns, uint64_t level)
{
	struct series_step *step;

	if (!series->started) { /* it was so before */
		step = &series->steps[series->at];
		step->low = step->high = step->last = level;
		series->started = true;
	}
	carry(series, MAX(step_of(series, ts_ns), series->at));
	step = &series->steps[series->at];
	step->low = MIN(step->low, level);
	step->high = MAX(step->high, level);
	step->last = level;
}

void series_count(struct series *series, uint64_t ts_ns, enum series_count which)
{
	series->steps[step_of(series, ts_ns)].counts[which]++;
}

void series_end(struct series *series)
{
	carry(series, series->n - 1);
}

unsigned int spread_bucket(uint64_t ns)
{
	unsigned int octave;

	if (ns < 1ull << SPREAD_FIRST)
		return 0;
	octave = 63u - (unsigned int)__builtin_clzll(ns);
	if (octave >= SPREAD_FIRST + SPREAD_OCTAVES)
		return SPREAD_BUCKETS - 1;
	return 1 + (octave - SPREAD_FIRST) * 2 + (unsigned int)(ns >> (octave - 1) & 1);
}

uint64_t spread_bound(unsigned int bucket)
{
	unsigned int octave = SPREAD_FIRST + (bucket - 1) / 2;

	if (!bucket)
		return 1ull << SPREAD_FIRST;
	return (1ull << octave) + ((uint64_t)((bucket - 1) % 2 + 1) << (octave - 1));
}

void spread_add(struct spread *spread, uint64_t ns)
{
	spread->counts[spread_bucket(ns)]++;
	spread->low_ns = spread->n ? MIN(spread->low_ns, ns) : ns;
	spread->high_ns = MAX(spread->high_ns, ns);
	spread->n++;
}

uint64_t spread_permille(const struct spread *spread, unsigned int permille)
{
	uint64_t wanted = (spread->n * permille + 999) / 1000, sum = 0;

	if (!spread->n)
		return 0;
	for (unsigned int i = 0; i < SPREAD_BUCKETS; i++) {
		sum += spread->counts[i];
		if (sum >= wanted)
			return MIN(spread_bound(i), spread->high_ns);
	}
	return spread->high_ns;
}
