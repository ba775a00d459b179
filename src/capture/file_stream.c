/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/file_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define WINDOW_MIN (256u << 10) /* bytes; larger ones leave the cache */

/* ---- bytes ---- */

static int make_room(struct file_stream *s, size_t want)
{
	size_t capacity = s->capacity;
	uint8_t *window;

	if (capacity - s->start >= want && s->end < capacity)
		return 0;
	if (s->start > 0) {
		memmove(s->window, file_stream_at(s), file_stream_available(s));
		s->end -= s->start;
		s->start = 0;
	}
	if (s->end < capacity)
		return 0;
	capacity = capacity ? capacity * 2 : WINDOW_MIN;
	window = realloc(s->window, capacity);
	if (!window)
		return -ENOMEM;
	s->window = window;
	s->capacity = capacity;
	return 0;
}

int file_stream_fill(struct file_stream *s, size_t want, struct error *err)
{
	while (file_stream_available(s) < want && !s->eof) {
		ssize_t n;

		if (make_room(s, want) < 0)
			return error_set(err, -ENOMEM, "reading %s: out of memory", s->path);
		n = read(s->fd, s->window + s->end, s->capacity - s->end);
		if (n < 0) {
			int code = -errno;

			if (code == -EINTR)
				continue;
			return error_set(err, code, "reading %s: %s", s->path, strerror(-code));
		}
		if (n == 0)
			s->eof = true;
		s->end += (size_t)n;
		s->info.bytes += (uint64_t)n;
	}
	return 0;
}

static unsigned long long offset(const struct file_stream *s)
{
	return file_stream_offset(s);
}

/* ---- what is wrong ---- */

void file_stream_problem(struct file_stream *s, const char *fmt, ...)
{
	va_list args;

	if (s->info.problem[0])
		return;
	va_start(args, fmt);
	vsnprintf(s->info.problem, sizeof(s->info.problem), fmt, args);
	va_end(args);
}

static void drop(struct file_stream *s, size_t size)
{
	s->start += size;
	s->info.bytes_dropped += size;
	s->gap = true;
}

void file_stream_drop(struct file_stream *s, const struct file_block *block, const char *why)
{
	file_stream_problem(s, "block %u at byte %llu: %s", block->index, offset(s), why);
	s->info.blocks_skipped++;
	if (block->type == FILE_RECORDS)
		s->info.records_lost += block->count;
	drop(s, sizeof(*block) + block->stored_bytes);
}

/* ---- blocks ---- */

static bool plausible(const struct file_block *block)
{
	if (block->magic != FILE_BLOCK_MAGIC ||
		block->header_checksum != file_block_header_checksum(block) ||
		block->stored_bytes > FILE_STORED_MAX || block->raw_bytes > FILE_RAW_MAX ||
		block->count > FILE_BLOCK_RECORDS)
		return false;
	switch (block->type) {
	case FILE_META:
		return block->stored_bytes <= FILE_TEXT_MAX;
	case FILE_END:
		return block->stored_bytes >= sizeof(struct file_end) &&
		       block->stored_bytes <= sizeof(struct file_end) + FILE_TEXT_MAX;
	default:
		return true;
	}
}

/* Drops what there is, one byte or more, up to where the next block may begin. */
static int resync(struct file_stream *s, struct error *err)
{
	static const uint32_t magic = FILE_BLOCK_MAGIC;
	const uint8_t *found;
	int r;

	file_stream_problem(s, "at byte %llu: no block where one should be", offset(s));
	drop(s, 1);
	for (;;) {
		r = file_stream_fill(s, sizeof(struct file_block), err);
		if (r < 0)
			return r;
		if (file_stream_available(s) < sizeof(struct file_block)) {
			drop(s, file_stream_available(s));
			return 0;
		}
		found = memmem(file_stream_at(s), file_stream_available(s), &magic, sizeof(magic));
		if (found) {
			drop(s, (size_t)(found - file_stream_at(s)));
			return 0;
		}
		drop(s, file_stream_available(s) - (sizeof(magic) - 1)); /* it may have begun */
	}
}

/* The file ends before its last block does. */
static int cut_tail(struct file_stream *s)
{
	if (file_stream_available(s)) {
		file_stream_problem(s, "at byte %llu: the file ends inside a block", offset(s));
		drop(s, file_stream_available(s));
	}
	return 0;
}

/* Whether a block has its place after those before it; counts those that are gone. */
static bool in_sequence(struct file_stream *s, const struct file_block *block)
{
	if (block->index < s->next_index) {
		s->damaged = true;
		return false;
	}
	if (block->index > s->next_index) {
		file_stream_problem(s, "at byte %llu: block %u follows block %lld", offset(s),
			block->index, (long long)s->next_index - 1);
		s->info.blocks_skipped += block->index - s->next_index;
		s->gap = true;
	}
	s->next_index = (uint64_t)block->index + 1;
	return true;
}

int file_stream_find(struct file_stream *s, struct file_block *ret, struct error *err)
{
	for (;;) {
		struct file_block block;
		int r;

		r = file_stream_fill(s, sizeof(block), err);
		if (r < 0)
			return r;
		if (file_stream_available(s) < sizeof(block))
			return cut_tail(s);
		memcpy(&block, file_stream_at(s), sizeof(block));
		if (!plausible(&block)) {
			r = resync(s, err);
			if (r < 0)
				return r;
			continue;
		}
		r = file_stream_fill(s, sizeof(block) + block.stored_bytes, err);
		if (r < 0)
			return r;
		if (file_stream_available(s) < sizeof(block) + block.stored_bytes)
			return cut_tail(s);
		if (!in_sequence(s, &block)) {
			block.count = 0; /* its records were there before: they are not lost */
			file_stream_drop(s, &block, "it was there before");
			continue;
		}
		if (block.checksum != file_block_checksum(&block, file_stream_payload(s))) {
			file_stream_drop(s, &block, "its checksum does not match");
			continue;
		}
		*ret = block;
		return 1;
	}
}

void file_stream_take(struct file_stream *s, const struct file_block *block)
{
	if (s->gap)
		s->damaged = true; /* in the middle, not at the end */
	s->gap = false;
	s->start += sizeof(*block) + block->stored_bytes;
}

int file_stream_drain(struct file_stream *s, struct error *err)
{
	unsigned long long from = offset(s);
	int r;

	do {
		drop(s, file_stream_available(s));
		r = file_stream_fill(s, 1, err);
		if (r < 0)
			return r;
	} while (file_stream_available(s));
	if (offset(s) > from) {
		file_stream_problem(s, "at byte %llu: the capture ends, the file goes on", from);
		s->damaged = true;
	}
	return 0;
}

int file_stream_seek(
	struct file_stream *s, uint64_t to, uint64_t index, uint64_t records, struct error *err)
{
	if (lseek(s->fd, (off_t)to, SEEK_SET) < 0) {
		int code = -errno;

		return error_set(err, code, "reading %s: %s", s->path, strerror(-code));
	}
	s->start = s->end = 0;
	s->eof = s->gap = false;
	s->next_index = index;
	s->info.bytes = to;
	s->info.records = records;
	s->info.records_lost = 0;
	s->info.ended = false;
	if (!s->damaged) { /* else that stays said */
		s->info.problem[0] = '\0';
		s->info.bytes_dropped = s->info.blocks_skipped = 0;
	}
	return 0;
}

/* ---- open and close ---- */

static int open_file(const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int code;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		code = -errno;
		error_set(err, code, "opening %s: %s", path, strerror(-code));
		if (code == -EACCES)
			error_advise(err,
				"captures are private to who recorded them: read it as that "
				"user or as root");
		else if (code == -ENOENT)
			error_advise(err, "`kvm-encstat record -o FILE` makes one");
		return code;
	}
	if (S_ISDIR(st.st_mode)) {
		error_set(err, -EISDIR, "opening %s: it is a directory", path);
		error_advise(err, "name the capture file in it");
		return -EISDIR;
	}
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return TAKE_FD(fd);
}

int file_stream_open_fd(struct file_stream *s, int taken, const char *name, struct error *err)
{
	_cleanup_close_ int fd = taken;

	s->path = strdup(name);
	if (!s->path)
		return error_set(err, -ENOMEM, "opening %s: out of memory", name);
	s->fd = TAKE_FD(fd);
	return 0;
}

int file_stream_open(struct file_stream *s, const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;

	fd = open_file(path, err);
	if (fd < 0)
		return fd;
	return file_stream_open_fd(s, TAKE_FD(fd), path, err);
}

void file_stream_close(struct file_stream *s)
{
	if (!s->path) /* it was never open */
		return;
	cleanup_close(&s->fd);
	free(s->window);
	free(s->path);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}
