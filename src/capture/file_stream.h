/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lower half of the capture file reader: finds the blocks that are whole and good, whatever
 * lies between them, and keeps account of what is not.
 */
#ifndef CAPTURE_FILE_STREAM_H
#define CAPTURE_FILE_STREAM_H

#include "capture/file_format.h"
#include "capture/file_reader.h"

struct file_stream {
	char *path;
	int fd;
	bool eof;
	bool gap;     /* bytes or blocks are missing since the last good block */
	bool damaged; /* and a good block came after */
	/* What was read and not yet taken: window[start, end). Grows only with what is really
	 * there. */
	uint8_t *window;
	size_t start, end, capacity;
	uint64_t next_index; /* of the next block, if none is gone */
	struct capture_info info;
};

/* *s is zeroes. */
int file_stream_open(struct file_stream *s, const char *path, struct error *err);
/* The same with what is open already: fd is taken, also on failure. name is for errors. */
int file_stream_open_fd(struct file_stream *s, int fd, const char *name, struct error *err);
void file_stream_close(struct file_stream *s);

/* Reads until want bytes are there, or the end of the file. */
int file_stream_fill(struct file_stream *s, size_t want, struct error *err);

/* 1: a block whose checksums are right is there, header and payload; 0: there is none any more. */
int file_stream_find(struct file_stream *s, struct file_block *ret, struct error *err);

/* What find() found: it was good through and through, or it was not after all. */
void file_stream_take(struct file_stream *s, const struct file_block *block);
void file_stream_drop(struct file_stream *s, const struct file_block *block, const char *why);

/* Reads to the end of the file, where nothing more should be. */
int file_stream_drain(struct file_stream *s, struct error *err);

/* Goes on with the block at this offset of the file, which has this index; records: before it. */
int file_stream_seek(struct file_stream *s, uint64_t offset, uint64_t index, uint64_t records,
	struct error *err);

/* Of the first byte that was not taken yet. */
static inline uint64_t file_stream_offset(const struct file_stream *s)
{
	return s->info.bytes - (s->end - s->start);
}

/* Keeps the first of all problems. */
void file_stream_problem(struct file_stream *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static inline size_t file_stream_available(const struct file_stream *s)
{
	return s->end - s->start;
}

/* The first byte that was not taken yet. */
static inline const uint8_t *file_stream_at(const struct file_stream *s)
{
	return s->window + s->start;
}

static inline const uint8_t *file_stream_payload(const struct file_stream *s)
{
	return file_stream_at(s) + sizeof(struct file_block);
}

#endif
