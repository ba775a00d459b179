/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/encode.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "capture/file_meta.h"

#define ZSTD_LEVEL 1 /* as in files: more costs more than it saves */

struct encoder {
	ZSTD_CCtx *zstd;
	size_t room;
	uint8_t *compressed;
};

void encoder_free(struct encoder **encoder)
{
	if (!*encoder)
		return;
	ZSTD_freeCCtx((*encoder)->zstd);
	free((*encoder)->compressed);
	free(*encoder);
	*encoder = NULL;
}

int encoder_new(struct encoder **ret)
{
	_cleanup_(encoder_free) struct encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return -ENOMEM;
	encoder->room = ZSTD_compressBound(ENCODE_RECORDS * sizeof(struct kes_record));
	encoder->zstd = ZSTD_createCCtx();
	encoder->compressed = malloc(encoder->room);
	if (!encoder->zstd || !encoder->compressed)
		return -ENOMEM;
	*ret = TAKE_PTR(encoder);
	return 0;
}

int encode_beginning(const char *metadata, void **ret, size_t *ret_size, struct error *err)
{
	struct file_header header = {
		.magic = FILE_MAGIC,
		.version_major = FILE_MAJOR,
		.version_minor = FILE_MINOR,
		.header_bytes = sizeof(header),
	};
	_cleanup_free_ char *meta = NULL;
	struct file_block block;
	uint8_t *bytes;
	size_t size;
	int r = file_meta_build(&meta, metadata, err);

	if (r)
		return r;
	size = strlen(meta);
	bytes = malloc(sizeof(header) + sizeof(block) + size);
	if (!bytes)
		return error_set(err, -ENOMEM, "out of memory");
	header.checksum = file_header_checksum(&header);
	encode_plain(FILE_META, size, &block);
	encode_place(&block, 0, meta);
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), &block, sizeof(block));
	memcpy(bytes + sizeof(header) + sizeof(block), meta, size);
	*ret = bytes;
	*ret_size = sizeof(header) + sizeof(block) + size;
	return 0;
}

int encode_records(struct encoder *encoder, const struct kes_record *records, size_t n,
	struct file_block *ret, void **ret_payload)
{
	struct file_block block = {
		.type = FILE_RECORDS,
		.raw_bytes = (uint32_t)(n * sizeof(*records)),
		.count = (uint32_t)n,
		.first_ts_ns = UINT64_MAX,
	};
	size_t size;
	void *payload;

	for (size_t i = 0; i < n; i++) {
		if (records[i].ts_ns < block.first_ts_ns)
			block.first_ts_ns = records[i].ts_ns;
		if (records[i].ts_ns > block.last_ts_ns)
			block.last_ts_ns = records[i].ts_ns;
	}
	size = ZSTD_compressCCtx(encoder->zstd, encoder->compressed, encoder->room, records,
		block.raw_bytes, ZSTD_LEVEL);
	if (ZSTD_isError(size)) /* the room suffices: only memory can be lacking */
		return -ENOMEM;
	payload = malloc(size);
	if (!payload)
		return -ENOMEM;
	memcpy(payload, encoder->compressed, size);
	block.stored_bytes = (uint32_t)size;
	*ret = block;
	*ret_payload = payload;
	return 0;
}

void encode_plain(enum file_block_type type, size_t size, struct file_block *ret)
{
	*ret = (struct file_block){
		.type = (uint16_t)type,
		.stored_bytes = (uint32_t)size,
		.raw_bytes = (uint32_t)size,
	};
}

void encode_place(struct file_block *block, uint32_t index, const void *payload)
{
	block->magic = FILE_BLOCK_MAGIC;
	block->index = index;
	block->header_checksum = file_block_header_checksum(block);
	block->checksum = file_block_checksum(block, payload);
}
