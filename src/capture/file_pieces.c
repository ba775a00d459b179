/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/file_pieces.h"

#include <errno.h>
#include <string.h>

static const char *unpack(
	uint8_t *to, ZSTD_DCtx *zstd, const struct file_block *block, const uint8_t *payload)
{
	if (block->stored_bytes == block->raw_bytes) {
		memcpy(to, payload, block->raw_bytes);
		return NULL;
	}
	if (ZSTD_decompressDCtx(zstd, to, block->raw_bytes, payload, block->stored_bytes) !=
		block->raw_bytes)
		return "it does not decompress";
	return NULL;
}

static const char *check(const struct file_pieces *pieces, const struct file_block *block)
{
	if (!block->raw_bytes || block->raw_bytes > FILE_STATE_PIECE)
		return "a state is larger than it may be";
	if (pieces->open && block->count != pieces->left - 1)
		return "it is no piece of the state before it";
	if (pieces->bytes.size + (uint64_t)block->raw_bytes +
			(uint64_t)block->count * FILE_STATE_PIECE >
		FILE_STATE_MAX)
		return "a state is larger than it may be";
	return NULL;
}

int file_pieces_add(struct file_pieces *pieces, ZSTD_DCtx *zstd, const struct file_block *block,
	const uint8_t *payload, const char **ret_why)
{
	const char *why;
	uint8_t *to;

	if (!pieces->open)
		pieces->bytes.size = 0;
	why = check(pieces, block);
	if (!why) {
		to = buffer_reserve(&pieces->bytes, block->raw_bytes);
		if (!to)
			return -ENOMEM;
		why = unpack(to, zstd, block, payload);
	}
	pieces->open = !why && block->count;
	if (why) {
		*ret_why = why;
		return -EBADMSG;
	}
	pieces->bytes.size += block->raw_bytes;
	pieces->left = block->count;
	return !block->count;
}

void file_pieces_free(struct file_pieces *pieces)
{
	buffer_free(&pieces->bytes);
}
