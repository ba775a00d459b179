/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/file_marks.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "capture/file_format.h"

static int add(struct file_marks *marks, const struct file_block *block, uint64_t offset)
{
	if (marks->n == marks->size) {
		size_t size = marks->size ? 2 * marks->size : 16;
		struct capture_mark *grown = reallocarray(marks->list, size, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		marks->list = grown;
		marks->size = size;
	}
	marks->list[marks->n++] = (struct capture_mark){.offset = offset,
		.records = marks->records,
		.ts_ns = block->first_ts_ns,
		.index = block->index};
	return 0;
}

static bool is_good(const struct file_block *block)
{
	return block->magic == FILE_BLOCK_MAGIC &&
	       block->header_checksum == file_block_header_checksum(block) &&
	       block->stored_bytes <= FILE_STORED_MAX && block->count <= FILE_BLOCK_RECORDS;
}

int file_marks_scan(struct file_marks *marks, int fd, uint64_t offset)
{
	uint32_t pieces = 0; /* of a state, still to come */

	for (;;) {
		struct file_block block;
		ssize_t n = pread(fd, &block, sizeof(block), (off_t)offset);
		int r = 0;

		if (n < 0)
			return -errno;
		if (n != sizeof(block) || !is_good(&block) || block.type == FILE_END)
			return 0;
		if (block.type == FILE_RECORDS)
			marks->records += block.count;
		if (block.type == FILE_STATE && !pieces)
			r = add(marks, &block, offset);
		if (r)
			return r;
		pieces = block.type == FILE_STATE ? block.count : 0;
		offset += sizeof(block) + block.stored_bytes;
	}
}

void file_marks_free(struct file_marks *marks)
{
	free(marks->list);
	*marks = (struct file_marks){};
}
