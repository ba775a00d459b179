/* SPDX-License-Identifier: GPL-2.0-only */
/* A state from the blocks that its pieces lie in. */
#ifndef CAPTURE_FILE_PIECES_H
#define CAPTURE_FILE_PIECES_H

#include <stdbool.h>
#include <zstd.h>

#include "base/buffer.h"
#include "capture/file_format.h"

/* Zero-initialized. */
struct file_pieces {
	struct buffer bytes;
	uint32_t left; /* that are still to come */
	bool open;     /* the first one came */
};

/* Takes in the piece of a block whose checksums are right. 1: that was the last one, bytes is the
 * state; 0: more follow; -EBADMSG: it makes no sense, *ret_why says what; -ENOMEM. */
int file_pieces_add(struct file_pieces *pieces, ZSTD_DCtx *zstd, const struct file_block *block,
	const uint8_t *payload, const char **ret_why);

void file_pieces_free(struct file_pieces *pieces);

#endif
