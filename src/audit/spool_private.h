/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef AUDIT_SPOOL_PRIVATE_H
#define AUDIT_SPOOL_PRIVATE_H

#include "audit/spool.h"

#define SEGMENT_MIN  (16u << 10)
#define SEGMENT_MAX  (1u << 20)
#define SEGMENTS     16 /* so many fill the bound */
#define SEGMENT_NAME 64
#define WINDOW_BYTES (64u << 10)
_Static_assert(WINDOW_BYTES > AUDIT_LINE_BYTES, "a whole line fits");

struct segment {
	uint64_t first, last; /* numbers */
	uint64_t bytes;
};

struct spool {
	int dir_fd, append_fd; /* append_fd: the last segment's; -1: none is open */
	uint64_t bound, bytes;
	struct segment *segments; /* sorted */
	size_t n;
	/* what was read last */
	int read_fd; /* of the segment window_last; -1: none */
	uint64_t window_last, window_offset;
	size_t window_size;
	char window[WINDOW_BYTES];
};

void spool_segment_name(const struct segment *segment, char name[SEGMENT_NAME]);

/* Takes the segment with that index out, and its file. */
void spool_remove_segment(struct spool *spool, size_t i);

#endif
