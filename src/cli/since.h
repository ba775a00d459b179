/* SPDX-License-Identifier: GPL-2.0-only */
/* --since: a point in time, as people name it. */
#ifndef CLI_SINCE_H
#define CLI_SINCE_H

#include <stdint.h>

#include "base/error.h"

/* word: "10m" (before now_ns), "14:05" or "14:05:30" (that time of day, the last one before now),
 * or "2026-11-25 14:05:30". Both times are the records'; realtime_offset_ns makes them times of
 * day. -EINVAL with err filled. */
int since_parse(const char *word, uint64_t now_ns, int64_t realtime_offset_ns, uint64_t *ret_ns,
	struct error *err);

/* Whether it can be one at all. */
int since_check(const char *word, struct error *err);

#endif
