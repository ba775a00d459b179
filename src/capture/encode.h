/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A capture made in memory, block by block, for readers that are no files. The same bytes as in a
 * file; a block's place among others is put on it last, so that one can be given to many.
 */
#ifndef CAPTURE_ENCODE_H
#define CAPTURE_ENCODE_H

#include "base/error.h"
#include "capture/file_format.h"

#define ENCODE_RECORDS 8192u /* that one block takes, as in files */

struct encoder;

int encoder_new(struct encoder **ret);
void encoder_free(struct encoder **encoder);

/* What a capture begins with: the header, and META, which is block 0. metadata: as for
 * capture_writer_new(). *ret is the caller's. */
int encode_beginning(const char *metadata, void **ret, size_t *ret_size, struct error *err);

/* Up to ENCODE_RECORDS of them. *ret_payload is the caller's. -ENOMEM. */
int encode_records(struct encoder *encoder, const struct kes_record *records, size_t n,
	struct file_block *ret, void **ret_payload);

/* A block of another type, whose payload is as given. */
void encode_plain(enum file_block_type type, size_t size, struct file_block *ret);

/* The block's place: its header is complete then. Block 0 is META. */
void encode_place(struct file_block *block, uint32_t index, const void *payload);

#endif
