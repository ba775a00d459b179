/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/latency.h"

unsigned int latency_bucket(uint64_t ns)
{
	unsigned int octave, quarter;

	if (ns < 1ull << LATENCY_FIRST)
		return 0;
	octave = 63u - (unsigned int)__builtin_clzll(ns);
	if (octave >= LATENCY_FIRST + LATENCY_OCTAVES)
		return LATENCY_BUCKETS - 1;
	quarter = (unsigned int)(ns >> (octave - 2)) & 3;
	return 1 + (octave - LATENCY_FIRST) * 4 + quarter;
}

uint64_t latency_bound(unsigned int bucket)
{
	unsigned int octave = LATENCY_FIRST + (bucket - 1) / 4;

	if (!bucket)
		return 1ull << LATENCY_FIRST;
	return (1ull << octave) + ((uint64_t)((bucket - 1) % 4 + 1) << (octave - 2));
}

void latency_add(struct latency *latency, uint64_t ns)
{
	latency->counts[latency_bucket(ns)]++;
	latency->n++;
}

uint64_t latency_permille(const struct latency *a, const struct latency *b, unsigned int permille)
{
	uint64_t wanted = ((a->n + b->n) * permille + 999) / 1000, sum = 0;

	if (!wanted)
		return 0;
	for (unsigned int i = 0; i < LATENCY_BUCKETS; i++) {
		sum += (uint64_t)a->counts[i] + b->counts[i];
		if (sum >= wanted)
			return latency_bound(i);
	}
	return latency_bound(LATENCY_BUCKETS - 1);
}
