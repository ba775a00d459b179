/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/file_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "capture/file_format.h"
#include "capture/file_meta.h"

/* From measurement: 512 KiB of records stay in the cache of the one who reads them, and larger
 * blocks compress no better; level 3 takes a quarter more time for a tenth less space. */
#define BLOCK_RECORDS 8192u
#define ZSTD_LEVEL    1

_Static_assert(BLOCK_RECORDS <= FILE_BLOCK_RECORDS, "a block within the limits");

struct capture_writer {
	char *path;
	int fd;     /* -1 once closed */
	int failed; /* negative errno of the write that failed */
	ZSTD_CCtx *zstd;
	struct kes_record *waiting; /* BLOCK_RECORDS of room */
	size_t n_waiting;
	uint8_t *block; /* room for the largest block, header and payload */
	size_t block_size;
	uint32_t index; /* of the next block */
	uint64_t bytes, records, records_written;
};

static int write_all(int fd, const void *data, size_t size)
{
	const uint8_t *from = data;

	while (size > 0) {
		ssize_t n = write(fd, from, size);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return -EIO;
		from += n;
		size -= (size_t)n;
	}
	return 0;
}

static int explain(const struct capture_writer *w, int code, struct error *err)
{
	error_set(err, code, "writing %s, after %llu records: %s", w->path,
		(unsigned long long)w->records_written, strerror(-code));
	if (code == -ENOSPC || code == -EDQUOT)
		error_advise(
			err, "make room or write elsewhere; what is in the file can be replayed");
	else if (code == -EFBIG)
		error_advise(err,
			"raise the limit on file sizes (ulimit -f) or write elsewhere; what is in "
			"the file can be replayed");
	else
		error_advise(err, "what is in the file can be replayed");
	return code;
}

/* All of it or nothing, as far as the file lets itself be cut. */
static int put(struct capture_writer *w, const void *data, size_t size, struct error *err)
{
	int r;

	r = write_all(w->fd, data, size);
	if (r < 0) {
		/* A device or a pipe cannot be cut; the reader knows what is whole. */
		if (ftruncate(w->fd, (off_t)w->bytes) == 0)
			(void)lseek(w->fd, (off_t)w->bytes, SEEK_SET);
		w->failed = r;
		return explain(w, r, err);
	}
	w->bytes += size;
	return 0;
}

/* Completes and writes a block; room for its header, and its payload already, are at bytes. */
static int put_block_at(
	struct capture_writer *w, uint8_t *bytes, struct file_block *block, struct error *err)
{
	uint8_t *payload = bytes + sizeof(*block);
	int r;

	block->magic = FILE_BLOCK_MAGIC;
	block->index = w->index;
	block->header_checksum = file_block_header_checksum(block);
	block->checksum = file_block_checksum(block, payload);
	memcpy(bytes, block, sizeof(*block));
	r = put(w, bytes, sizeof(*block) + block->stored_bytes, err);
	if (r < 0)
		return r;
	w->index++;
	return 0;
}

static int put_block(struct capture_writer *w, struct file_block *block, struct error *err)
{
	return put_block_at(w, w->block, block, err);
}

/* The room suffices: only memory can be lacking. */
static int cannot_compress(struct capture_writer *w, size_t code, struct error *err)
{
	w->failed = -ENOMEM;
	return error_set(err, -ENOMEM, "compressing for %s: %s", w->path, ZSTD_getErrorName(code));
}

static int put_records(
	struct capture_writer *w, const struct kes_record *records, size_t n, struct error *err)
{
	struct file_block block = {
		.type = FILE_RECORDS,
		.raw_bytes = (uint32_t)(n * sizeof(*records)),
		.count = (uint32_t)n,
		.first_ts_ns = UINT64_MAX,
	};
	size_t stored;
	int r;

	for (size_t i = 0; i < n; i++) {
		if (records[i].ts_ns < block.first_ts_ns)
			block.first_ts_ns = records[i].ts_ns;
		if (records[i].ts_ns > block.last_ts_ns)
			block.last_ts_ns = records[i].ts_ns;
	}
	stored = ZSTD_compressCCtx(w->zstd, w->block + sizeof(block), w->block_size - sizeof(block),
		records, block.raw_bytes, ZSTD_LEVEL);
	if (ZSTD_isError(stored))
		return cannot_compress(w, stored, err);
	block.stored_bytes = (uint32_t)stored;
	r = put_block(w, &block, err);
	if (r < 0)
		return r;
	w->records_written += n;
	return 0;
}

/* head and text, either of which may be empty, as they are. They fit. */
static int put_text(struct capture_writer *w, enum file_block_type type, const void *head,
	size_t head_size, const char *text, struct error *err)
{
	size_t text_size = text ? strlen(text) : 0;
	struct file_block block = {
		.type = (uint16_t)type,
		.stored_bytes = (uint32_t)(head_size + text_size),
		.raw_bytes = (uint32_t)(head_size + text_size),
	};
	uint8_t *payload = w->block + sizeof(block);

	if (head_size)
		memcpy(payload, head, head_size);
	if (text_size)
		memcpy(payload + head_size, text, text_size);
	return put_block(w, &block, err);
}

static int put_header(struct capture_writer *w, const char *meta, struct error *err)
{
	struct file_header header = {
		.magic = FILE_MAGIC,
		.version_major = FILE_MAJOR,
		.version_minor = FILE_MINOR,
		.header_bytes = sizeof(header),
	};
	int r;

	header.checksum = file_header_checksum(&header);
	r = put(w, &header, sizeof(header), err);
	if (r < 0)
		return r;
	return put_text(w, FILE_META, NULL, 0, meta, err);
}

static int create(const char *path, bool force, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	fd = open(path,
		O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | (force ? O_TRUNC : O_EXCL),
		0600);
	if (fd < 0) {
		r = -errno;
		error_set(err, r, "creating %s: %s", path, strerror(-r));
		if (r == -EEXIST)
			error_advise(err, "choose another name, or replace it with --force");
		else if (r == -ENOENT)
			error_advise(err, "the folder it shall be in must exist");
		else if (r == -ELOOP)
			error_advise(err, "it is a symbolic link: those are not followed");
		return r;
	}
	/* One that was there may have been readable by others. */
	if (force && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 077) &&
		fchmod(fd, 0600) < 0) {
		r = -errno;
		return error_set(err, r, "making %s private: %s", path, strerror(-r));
	}
	return TAKE_FD(fd);
}

static void destroy(struct capture_writer **writer)
{
	struct capture_writer *w = *writer;

	if (!w)
		return;
	cleanup_close(&w->fd);
	ZSTD_freeCCtx(w->zstd);
	free(w->waiting);
	free(w->block);
	free(w->path);
	free(w);
	*writer = NULL;
}

int capture_writer_new(struct capture_writer **ret, const char *path, bool force,
	const char *metadata, struct error *err)
{
	_cleanup_(destroy) struct capture_writer *w = NULL;
	size_t payload = ZSTD_compressBound(BLOCK_RECORDS * sizeof(struct kes_record));
	_cleanup_free_ char *meta = NULL;
	int r;

	r = file_meta_build(&meta, metadata, err);
	if (r < 0)
		return r;
	w = calloc(1, sizeof(*w));
	if (!w)
		return error_set(err, -ENOMEM, "creating %s: out of memory", path);
	w->fd = -1;
	if (payload < sizeof(struct file_end) + FILE_TEXT_MAX)
		payload = sizeof(struct file_end) + FILE_TEXT_MAX;
	w->block_size = sizeof(struct file_block) + payload;
	w->block = malloc(w->block_size);
	w->waiting = malloc(BLOCK_RECORDS * sizeof(*w->waiting));
	w->zstd = ZSTD_createCCtx();
	w->path = strdup(path);
	if (!w->block || !w->waiting || !w->zstd || !w->path)
		return error_set(err, -ENOMEM, "creating %s: out of memory", path);
	w->fd = create(path, force, err);
	if (w->fd < 0)
		return w->fd;
	r = put_header(w, meta, err);
	if (r < 0) {
		if (!force) /* then it is ours, and of no use */
			unlink(path);
		return r;
	}
	*ret = TAKE_PTR(w);
	return 0;
}

/* Whether more can be written. */
static int check(const struct capture_writer *w, struct error *err)
{
	if (w->failed)
		return explain(w, w->failed, err);
	if (w->fd < 0)
		return error_set(err, -EBADF, "writing %s: it is complete", w->path);
	return 0;
}

int capture_writer_add(
	struct capture_writer *w, const struct kes_record *records, size_t n, struct error *err)
{
	int r;

	r = check(w, err);
	if (r < 0)
		return r;
	while (n > 0) {
		size_t part = BLOCK_RECORDS - w->n_waiting;

		if (part > n)
			part = n;
		w->records += part;
		if (part == BLOCK_RECORDS) { /* a whole block as it comes */
			r = put_records(w, records, part, err);
		} else {
			memcpy(w->waiting + w->n_waiting, records, part * sizeof(*records));
			w->n_waiting += part;
			r = w->n_waiting == BLOCK_RECORDS ? capture_writer_flush(w, err) : 0;
		}
		if (r < 0)
			return r;
		records += part;
		n -= part;
	}
	return 0;
}

int capture_writer_flush(struct capture_writer *w, struct error *err)
{
	int r;

	r = check(w, err);
	if (r < 0)
		return r;
	if (w->n_waiting == 0)
		return 0;
	r = put_records(w, w->waiting, w->n_waiting, err);
	if (r < 0)
		return r;
	w->n_waiting = 0;
	return 0;
}

/* One piece of a state; room is for the largest, and `left` more will follow. */
static int put_piece(struct capture_writer *w, struct buffer *room, uint64_t ts_ns,
	const void *bytes, size_t n, uint32_t left, struct error *err)
{
	struct file_block block = {
		.type = FILE_STATE,
		.raw_bytes = (uint32_t)n,
		.count = left,
		.first_ts_ns = ts_ns,
		.last_ts_ns = ts_ns,
	};
	uint8_t *payload = room->bytes + sizeof(block);
	size_t stored = ZSTD_compressCCtx(
		w->zstd, payload, room->room - sizeof(block), bytes, n, ZSTD_LEVEL);

	if (ZSTD_isError(stored))
		return cannot_compress(w, stored, err);
	if (stored >= n) { /* nothing is gained, and equal lengths mean just that */
		memcpy(payload, bytes, n);
		stored = n;
	}
	block.stored_bytes = (uint32_t)stored;
	return put_block_at(w, room->bytes, &block, err);
}

int capture_writer_state(
	struct capture_writer *w, uint64_t ts_ns, const void *bytes, size_t n, struct error *err)
{
	_cleanup_buffer_ struct buffer room = {};
	size_t piece = n < FILE_STATE_PIECE ? n : FILE_STATE_PIECE;
	int r = capture_writer_flush(w, err);

	if (r < 0)
		return r;
	if (n == 0 || n > FILE_STATE_MAX)
		return error_set(err, -E2BIG, "writing %s: a state of %zu bytes", w->path, n);
	if (!buffer_reserve(&room, sizeof(struct file_block) + ZSTD_compressBound(piece)))
		return error_set(err, -ENOMEM, "writing %s: out of memory", w->path);
	for (const uint8_t *at = bytes; n && !r; at += piece, n -= piece) {
		piece = n < FILE_STATE_PIECE ? n : FILE_STATE_PIECE;
		r = put_piece(
			w, &room, ts_ns, at, piece, (uint32_t)((n - 1) / FILE_STATE_PIECE), err);
	}
	return r;
}

int capture_writer_close(struct capture_writer *w, const char *summary, struct error *err)
{
	_cleanup_json_ struct json_object *object = NULL;
	struct file_end end;
	int fd, r;

	if (summary) {
		object = file_meta_parse(summary, strlen(summary));
		if (!object)
			return error_set(err, -EINVAL,
				"the summary of a capture must be a JSON object in UTF-8");
	}
	r = capture_writer_flush(w, err);
	if (r < 0)
		return r;
	end.records = w->records_written;
	end.blocks = w->index;
	r = put_text(w, FILE_END, &end, sizeof(end), summary, err);
	if (r < 0)
		return r;
	/* EINVAL: a pipe or a device, where there is nothing to sync */
	if (fsync(w->fd) < 0 && errno != EINVAL && errno != ENOTSUP)
		r = -errno;
	fd = TAKE_FD(w->fd);
	if (close(fd) < 0 && errno != EINTR && r == 0)
		r = -errno;
	if (r < 0) {
		w->failed = r;
		return explain(w, r, err);
	}
	return 0;
}

void capture_writer_free(struct capture_writer **w)
{
	if (*w && (*w)->fd >= 0 && !(*w)->failed)
		(void)capture_writer_flush(*w, NULL);
	destroy(w);
}

uint64_t capture_writer_bytes(const struct capture_writer *w)
{
	return w->bytes;
}

uint64_t capture_writer_records(const struct capture_writer *w)
{
	return w->records;
}
