/* SPDX-License-Identifier: GPL-2.0-only */
/* Times that answers took, counted in buckets whose width grows with the time: a quarter of a power
 * of two, so that what is read back is at most a fifth too high. */
#ifndef TOP_LATENCY_H
#define TOP_LATENCY_H

#include <stdint.h>

#define LATENCY_FIRST   10 /* the first bucket takes all below 2^10 ns */
#define LATENCY_OCTAVES 26 /* the last one all from 2^36 ns, a minute, on */
#define LATENCY_BUCKETS (LATENCY_OCTAVES * 4 + 2)

struct latency {
	uint32_t counts[LATENCY_BUCKETS];
	uint64_t n;
};

unsigned int latency_bucket(uint64_t ns);
/* The lowest time that is above the bucket. */
uint64_t latency_bound(unsigned int bucket);

void latency_add(struct latency *latency, uint64_t ns);

/* The time that so many of 1000 answers did not exceed, as the bound of its bucket; of both taken
 * together. 0: there are none. */
uint64_t latency_permille(const struct latency *a, const struct latency *b, unsigned int permille);

#endif
