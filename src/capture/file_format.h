/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A capture file as it lies on disk: a header, then blocks. Everything is little endian. What it
 * promises and how it may grow: docs/capture-format.md.
 */
#ifndef CAPTURE_FILE_FORMAT_H
#define CAPTURE_FILE_FORMAT_H

#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

#include "wire.h"

#define FILE_MAGIC      "KESCAP\r\n" /* 8 bytes; a transfer in text mode damages the end of them */
#define FILE_MAGIC_SIZE 8
#define FILE_MAJOR      1 /* a reader refuses what is above its own */
#define FILE_MINOR      1 /* additions that a reader of the same major may skip */

#define FILE_BLOCK_MAGIC 0x42454bcau /* the bytes 0xca "KEB" */

/* Limits that no file may pass, whatever its lengths say. */
#define FILE_HEADER_MAX      4096u
#define FILE_BLOCK_RECORDS   65536u
#define FILE_RECORD_SIZE_MAX 256u /* a later minor version may grow the record up to this */
#define FILE_RAW_MAX         (FILE_BLOCK_RECORDS * FILE_RECORD_SIZE_MAX)
#define FILE_STORED_MAX      (FILE_RAW_MAX + FILE_RAW_MAX / 128) /* above ZSTD_compressBound() */
#define FILE_TEXT_MAX        (1u << 20)                          /* JSON of META and of END */
#define FILE_JSON_DEPTH      32
#define FILE_STATE_PIECE     (8u << 20)   /* raw bytes in one block */
#define FILE_STATE_MAX       (256u << 20) /* of all pieces together */

struct file_header {
	uint8_t magic[FILE_MAGIC_SIZE];
	uint16_t version_major;
	uint16_t version_minor;
	uint32_t header_bytes; /* the first block starts here */
	uint64_t reserved;     /* written as 0, not looked at */
	uint64_t checksum;     /* XXH64 of the 24 bytes before it */
};

enum file_block_type {
	FILE_META = 1,    /* JSON text; the first block */
	FILE_RECORDS = 2, /* one zstd frame of count records */
	FILE_END = 3,     /* struct file_end and JSON text, which may be empty; the last block */
	FILE_STATE = 4, /* what all records before it came to, or a piece of that: bytes as they are
			   (raw_bytes == stored_bytes), or one zstd frame */
	FILE_NOTICE = 5, /* JSON text: where a stream is, or why it ends; never in a file */
};

struct file_block {
	uint32_t magic;
	uint16_t type;         /* file_block_type; a reader skips those it does not know */
	uint16_t flags;        /* written as 0, not looked at */
	uint32_t index;        /* 0, 1, 2...: a block that is gone leaves a gap */
	uint32_t stored_bytes; /* of payload, in the file */
	uint32_t raw_bytes;    /* of payload, decompressed */
	uint32_t count;        /* RECORDS: of records; STATE: of pieces still to come; else 0 */
	uint64_t first_ts_ns;  /* RECORDS: the lowest and the highest ts_ns; STATE: of the latest
				  record, twice; else 0 */
	uint64_t last_ts_ns;
	uint64_t header_checksum; /* XXH64 of the 40 bytes before it */
	uint64_t checksum;        /* XXH64 of the payload as stored, seeded with header_checksum */
};

struct file_end {
	uint64_t records;
	uint64_t blocks; /* before this one */
};

_Static_assert(sizeof(FILE_MAGIC) == FILE_MAGIC_SIZE + 1, "capture file: magic");
_Static_assert(sizeof(struct file_header) == 32, "capture file: header");
_Static_assert(offsetof(struct file_header, checksum) == 24, "capture file: header checksum");
_Static_assert(sizeof(struct file_block) == 56, "capture file: block");
_Static_assert(offsetof(struct file_block, header_checksum) == 40, "capture file: block header");
_Static_assert(sizeof(struct file_end) == 16, "capture file: end");
_Static_assert(sizeof(struct kes_record) <= FILE_RECORD_SIZE_MAX, "capture file: record");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	"capture files are little endian, and so is all that these files are copied from");

static inline uint64_t file_header_checksum(const struct file_header *header)
{
	return XXH64(header, offsetof(struct file_header, checksum), 0);
}

static inline uint64_t file_block_header_checksum(const struct file_block *block)
{
	return XXH64(block, offsetof(struct file_block, header_checksum), 0);
}

static inline uint64_t file_block_checksum(const struct file_block *block, const void *payload)
{
	return XXH64(payload, block->stored_bytes, block->header_checksum);
}

#endif
