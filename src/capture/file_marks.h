/* SPDX-License-Identifier: GPL-2.0-only */
/* Where in a capture file a reader may begin: from the headers of its blocks, which takes no
 * reading of what is in them. */
#ifndef CAPTURE_FILE_MARKS_H
#define CAPTURE_FILE_MARKS_H

#include <stddef.h>
#include <stdint.h>

/* A block that is a state, or the first piece of one. */
struct capture_mark {
	uint64_t offset;  /* of the block in the file */
	uint64_t records; /* before it, as their blocks say */
	uint64_t ts_ns;   /* of the latest record before it; 0: there is none */
	uint32_t index;   /* of the block */
};

struct file_marks {
	struct capture_mark *list; /* in order */
	size_t n, size;
	uint64_t records; /* of all blocks that were seen */
};

/* Looks from a block on, whose header lies at `offset`, as far as headers are good, and not behind
 * END. Zero-initialized marks. -ENOMEM, -ESPIPE for what is no file, or another errno of reading.
 */
int file_marks_scan(struct file_marks *marks, int fd, uint64_t offset);

void file_marks_free(struct file_marks *marks);

#endif
