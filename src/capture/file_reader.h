/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records from a capture file, in the order in which they were written. Reads files and pipes
 * alike, never trusts a length, and hands out only what its checksums vouch for; what is missing is
 * told.
 */
#ifndef CAPTURE_FILE_READER_H
#define CAPTURE_FILE_READER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "capture/file_marks.h"
#include "wire.h"

struct capture_reader;

enum capture_state {
	CAPTURE_COMPLETE,   /* all that was recorded */
	CAPTURE_INCOMPLETE, /* the recording was cut short; nothing good follows what was read */
	CAPTURE_DAMAGED,    /* something inside is missing or bad; good blocks after it were read */
};

struct capture_info {
	enum capture_state state;
	bool ended;             /* the END block was reached */
	uint16_t version_major; /* of the file */
	uint16_t version_minor;
	uint64_t records;        /* handed out */
	uint64_t blocks;         /* of records, handed out */
	uint64_t blocks_unknown; /* skipped: good, but of a type this build does not know */
	uint64_t blocks_skipped; /* bad or gone, as far as can be told */
	uint64_t records_lost;   /* with them: exact if ended, else at least so many */
	uint64_t bytes;          /* of the file, so far */
	uint64_t bytes_dropped;  /* those that are in no good block */
	uint64_t first_ts_ns;    /* of the records handed out: lowest and highest; 0 if none */
	uint64_t last_ts_ns;
	char problem[160]; /* the first thing that was wrong, for a person; empty if nothing was */
};

/* Opens and reads up to the first block. -EBADMSG: no capture; -EPROTONOSUPPORT: from a newer
 * version; -ENODATA: it ends before its first record could be. */
int capture_reader_open(struct capture_reader **ret, const char *path, struct error *err);

/* The same of a stream that a daemon sends: fd is taken, also on failure; name is for errors. Its
 * notices are handed out. A descriptor that does not block makes capture_reader_next() return
 * -EAGAIN, and go on where it was when it is called again; until the reader is open it must block.
 */
int capture_reader_open_fd(
	struct capture_reader **ret, int fd, const char *name, struct error *err);

void capture_reader_free(struct capture_reader **r);

/* JSON text; the reader's. */
const char *capture_reader_metadata(const struct capture_reader *r);

/* JSON text of the END block, the reader's; NULL before it is reached and if there is none. */
const char *capture_reader_summary(const struct capture_reader *r);

/* JSON text of the NOTICE that came last, the reader's; NULL: none did. */
const char *capture_reader_notice(const struct capture_reader *r);

/* Bytes of the STATE that came last, the reader's, until its next call. */
const void *capture_reader_state(const struct capture_reader *r, size_t *ret_size);

#define CAPTURE_STATE  2
#define CAPTURE_NOTICE 3

/* 1: *ret_n records (never 0), the reader's, valid until the next call. CAPTURE_STATE: what all
 * that came before it came to, where nothing was handed out since the reader was opened, or put to
 * another place: the records that follow go on from there. Others are passed over. CAPTURE_NOTICE:
 * of a stream: capture_reader_notice() has it. 0: the end, and capture_reader_info() is right. Else
 * a negative errno: the file could not be read. */
int capture_reader_next(struct capture_reader *r, const struct kes_record **ret_records,
	size_t *ret_n, struct error *err);

/* ---- other places ---- */

/* Where it may begin, and how long it is, as far as its blocks' headers tell; looked for once, the
 * reader's. NULL: of a pipe or a stream, or without memory. */
const struct file_marks *capture_reader_marks(struct capture_reader *r);

/* The next block that is read is the mark's (NULL: the first one). What info says of losses begins
 * anew there. */
int capture_reader_seek(
	struct capture_reader *r, const struct capture_mark *mark, struct error *err);

/* Where the reader is now, between two blocks: a mark for capture_reader_seek(), without a state of
 * its own. */
struct capture_mark capture_reader_place(const struct capture_reader *r);

const struct capture_info *capture_reader_info(const struct capture_reader *r);

#endif
