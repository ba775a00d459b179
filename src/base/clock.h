/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in nanoseconds: the clock of bpf_ktime_get_ns(), and so of all records. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* What to add to CLOCK_MONOTONIC to get the time of day, in nanoseconds. */
static inline int64_t clock_realtime_offset_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000ll + now.tv_nsec - (int64_t)clock_now_ns();
}

#endif
