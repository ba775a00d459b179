/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/file_reader.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "capture/file_format.h"
#include "capture/file_meta.h"
#include "capture/file_pieces.h"
#include "capture/file_stream.h"

struct capture_reader {
	struct file_stream stream;
	ZSTD_DCtx *zstd;
	uint8_t *raw; /* the records of the last block */
	size_t raw_size;
	uint32_t record_size;
	bool done;
	bool is_stream; /* of a daemon, not a file */
	bool fresh;     /* nothing was handed out yet, here */
	struct file_pieces state;
	struct file_marks marks;
	bool looked;           /* for marks */
	uint64_t first_offset; /* of the first block after META */
	char *metadata, *summary, *notice;
};

static int no_memory(const struct capture_reader *r, struct error *err)
{
	return error_set(err, -ENOMEM, "reading %s: out of memory", r->stream.path);
}

/* ---- blocks ---- */

/*
 * Each take_*() gets a block whose checksums are right, and returns 1 if it was good otherwise too
 * and was taken, 0 if not and it was dropped, -errno if nothing can be said.
 */

static const char *check_lengths(const struct capture_reader *r, const struct file_block *block)
{
	const uint8_t *payload = file_stream_payload(&r->stream);

	if (block->count == 0 || block->raw_bytes != (uint64_t)block->count * r->record_size)
		return "its lengths contradict each other";
	if (ZSTD_getFrameContentSize(payload, block->stored_bytes) != block->raw_bytes ||
		ZSTD_findFrameCompressedSize(payload, block->stored_bytes) != block->stored_bytes)
		return "its compressed data contradicts its header";
	return NULL;
}

static int make_room(struct capture_reader *r, size_t size)
{
	uint8_t *raw;

	if (r->raw_size >= size)
		return 0;
	raw = malloc(size);
	if (!raw)
		return -ENOMEM;
	free(r->raw);
	r->raw = raw;
	r->raw_size = size;
	return 0;
}

static void account(struct capture_info *info, const struct file_block *block)
{
	if (info->records == 0 || block->first_ts_ns < info->first_ts_ns)
		info->first_ts_ns = block->first_ts_ns;
	if (block->last_ts_ns > info->last_ts_ns)
		info->last_ts_ns = block->last_ts_ns;
	info->blocks++;
	info->records += block->count;
}

static int take_records(struct capture_reader *r, const struct file_block *block, struct error *err)
{
	const char *wrong;
	size_t n;

	wrong = check_lengths(r, block);
	if (wrong) {
		file_stream_drop(&r->stream, block, wrong);
		return 0;
	}
	if (make_room(r, block->raw_bytes) < 0)
		return no_memory(r, err);
	n = ZSTD_decompressDCtx(r->zstd, r->raw, block->raw_bytes, file_stream_payload(&r->stream),
		block->stored_bytes);
	if (n != block->raw_bytes) {
		file_stream_drop(&r->stream, block, "it does not decompress");
		return 0;
	}
	/* A later version may have added to the end of the record: leave that out. */
	for (size_t i = 1; r->record_size > sizeof(struct kes_record) && i < block->count; i++)
		memmove(r->raw + i * sizeof(struct kes_record), r->raw + i * r->record_size,
			sizeof(struct kes_record));
	account(&r->stream.info, block);
	file_stream_take(&r->stream, block);
	return 1;
}

/* Whether all records were read that were written. */
static void check_totals(
	struct capture_reader *r, const struct file_block *block, const struct file_end *end)
{
	struct capture_info *info = &r->stream.info;

	if (end->records == info->records + info->records_lost && end->blocks == block->index)
		return;
	file_stream_problem(&r->stream, "%llu records were written, %llu are there",
		(unsigned long long)end->records, (unsigned long long)info->records);
	r->stream.damaged = true;
	if (end->records >= info->records)
		info->records_lost = end->records - info->records;
}

static int take_end(struct capture_reader *r, const struct file_block *block, struct error *err)
{
	const uint8_t *payload = file_stream_payload(&r->stream);
	const char *text = (const char *)payload + sizeof(struct file_end);
	size_t text_size = block->stored_bytes - sizeof(struct file_end);
	_cleanup_json_ struct json_object *object = NULL;
	struct file_end end;

	if (text_size > 0) {
		object = file_meta_parse(text, text_size);
		if (!object) {
			file_stream_drop(&r->stream, block, "its summary is no JSON object");
			return 0;
		}
		r->summary = strndup(text, text_size);
		if (!r->summary)
			return no_memory(r, err);
	}
	memcpy(&end, payload, sizeof(end));
	check_totals(r, block, &end);
	file_stream_take(&r->stream, block);
	r->stream.info.ended = true;
	return 1;
}

static void finish(struct capture_reader *r)
{
	struct capture_info *info = &r->stream.info;

	r->done = true;
	if (!info->ended)
		file_stream_problem(
			&r->stream, "the file ends without the mark of a complete capture");
	if (r->stream.damaged)
		info->state = CAPTURE_DAMAGED;
	else if (info->ended)
		info->state = CAPTURE_COMPLETE;
	else
		info->state = CAPTURE_INCOMPLETE;
}

static int take_state(struct capture_reader *r, const struct file_block *block, struct error *err)
{
	const char *why = NULL;
	int k = 0;

	if (r->fresh && r->stream.gap && !r->state.open) { /* its first piece may be gone */
		file_stream_drop(&r->stream, block, "it may be the rest of a state");
		return 0;
	}
	if (r->fresh)
		k = file_pieces_add(
			&r->state, r->zstd, block, file_stream_payload(&r->stream), &why);
	if (k == -ENOMEM)
		return no_memory(r, err);
	if (k < 0) {
		file_stream_drop(&r->stream, block, why);
		return 0;
	}
	file_stream_take(&r->stream, block);
	return k ? CAPTURE_STATE : 0;
}

const void *capture_reader_state(const struct capture_reader *r, size_t *ret_size)
{
	*ret_size = r->state.bytes.size;
	return r->state.bytes.bytes;
}

static int take_notice(struct capture_reader *r, const struct file_block *block, struct error *err)
{
	const char *text = (const char *)file_stream_payload(&r->stream);
	_cleanup_json_ struct json_object *object = file_meta_parse(text, block->stored_bytes);
	char *copy;

	if (!object) {
		file_stream_drop(&r->stream, block, "it is no JSON object");
		return 0;
	}
	copy = strndup(text, block->stored_bytes);
	if (!copy)
		return no_memory(r, err);
	free(r->notice);
	r->notice = copy;
	file_stream_take(&r->stream, block);
	return CAPTURE_NOTICE;
}

const char *capture_reader_notice(const struct capture_reader *r)
{
	return r->notice;
}

/* One block. 1: it was records; CAPTURE_STATE; CAPTURE_NOTICE; 0: it was something else, or there
 * is none and r->done. */
static int step(struct capture_reader *r, struct file_block *block, struct error *err)
{
	int k;

	k = file_stream_find(&r->stream, block, err);
	if (k < 0)
		return k;
	if (k == 0) {
		finish(r);
		return 0;
	}
	switch (block->type) {
	case FILE_RECORDS:
		return take_records(r, block, err);
	case FILE_END:
		k = take_end(r, block, err);
		if (k <= 0)
			return k;
		k = file_stream_drain(&r->stream, err);
		finish(r);
		return k;
	case FILE_STATE:
		return take_state(r, block, err);
	case FILE_NOTICE:
		if (r->is_stream)
			return take_notice(r, block, err);
		/* fall through */
	default:
		file_stream_take(&r->stream, block);
		r->stream.info.blocks_unknown++;
		return 0;
	}
}

int capture_reader_next(struct capture_reader *r, const struct kes_record **ret_records,
	size_t *ret_n, struct error *err)
{
	struct file_block block;
	int k;

	while (!r->done) {
		k = step(r, &block, err);
		if (k < 0)
			return k;
		if (k > 0) {
			*ret_records = (const struct kes_record *)r->raw;
			*ret_n = k == 1 ? block.count : 0;
			r->fresh &= k == CAPTURE_NOTICE;
			return k;
		}
	}
	return 0;
}

/* ---- other places ---- */

const struct file_marks *capture_reader_marks(struct capture_reader *r)
{
	if (!r->looked && !r->is_stream) {
		r->looked = !file_marks_scan(&r->marks, r->stream.fd, r->first_offset);
		if (!r->looked)
			file_marks_free(&r->marks); /* else they were there twice, the next time */
	}
	return r->looked ? &r->marks : NULL;
}

int capture_reader_seek(
	struct capture_reader *r, const struct capture_mark *mark, struct error *err)
{
	static const uint32_t first_index = 1; /* META is block 0 */
	int k = file_stream_seek(&r->stream, mark ? mark->offset : r->first_offset,
		mark ? mark->index : first_index, mark ? mark->records : 0, err);

	if (k < 0)
		return k;
	free(TAKE_PTR(r->summary));
	r->state.open = r->done = false;
	r->fresh = true;
	return 0;
}

struct capture_mark capture_reader_place(const struct capture_reader *r)
{
	return (struct capture_mark){
		.offset = file_stream_offset(&r->stream),
		.records = r->stream.info.records,
		.ts_ns = r->stream.info.last_ts_ns,
		.index = (uint32_t)r->stream.next_index,
	};
}

/* ---- the beginning ---- */

static int ends_early(const struct capture_reader *r, struct error *err)
{
	if (r->stream.info.bytes == 0)
		error_set(err, -ENODATA, "%s is empty", r->stream.path);
	else
		error_set(err, -ENODATA, "%s ends before its first record", r->stream.path);
	error_advise(err, "its recording was cut short, or it was copied only in part");
	return -ENODATA;
}

static int is_damaged(const struct capture_reader *r, const char *what, struct error *err)
{
	error_set(err, -EBADMSG, "%s: %s is damaged", r->stream.path, what);
	error_advise(err, "copy it again from where it was recorded");
	return -EBADMSG;
}

/* The bytes of the magic that are there must be right, even if not all are there. */
static int check_magic(const struct capture_reader *r, struct error *err)
{
	size_t have = file_stream_available(&r->stream);

	if (have == 0)
		return ends_early(r, err);
	if (have > FILE_MAGIC_SIZE)
		have = FILE_MAGIC_SIZE;
	if (memcmp(file_stream_at(&r->stream), FILE_MAGIC, have) == 0)
		return 0;
	error_set(err, -EBADMSG, "%s is not a kvm-encstat capture", r->stream.path);
	if (have == FILE_MAGIC_SIZE &&
		memcmp(file_stream_at(&r->stream), FILE_MAGIC, FILE_MAGIC_SIZE - 2) == 0)
		error_advise(err, "it was one: a transfer in text mode changed its line ends");
	else
		error_advise(err, "`kvm-encstat record -o FILE` makes one");
	return -EBADMSG;
}

static int check_version(
	const struct capture_reader *r, const struct file_header *header, struct error *err)
{
	if (header->version_major <= FILE_MAJOR)
		return 0;
	error_set(err, -EPROTONOSUPPORT,
		"%s is a capture of version %u.%u, this kvm-encstat reads up to %u.x",
		r->stream.path, header->version_major, header->version_minor, FILE_MAJOR);
	error_advise(err, "read it with a kvm-encstat as new as the one that wrote it");
	return -EPROTONOSUPPORT;
}

static int read_header(struct capture_reader *r, struct error *err)
{
	struct file_stream *s = &r->stream;
	struct file_header header;
	int k;

	k = file_stream_fill(s, sizeof(header), err);
	if (k < 0)
		return k;
	k = check_magic(r, err);
	if (k < 0)
		return k;
	if (file_stream_available(s) < sizeof(header))
		return ends_early(r, err);
	memcpy(&header, file_stream_at(s), sizeof(header));
	if (header.checksum != file_header_checksum(&header))
		return is_damaged(r, "its header", err);
	k = check_version(r, &header, err);
	if (k < 0)
		return k;
	if (header.version_major < 1 || header.header_bytes < sizeof(header) ||
		header.header_bytes > FILE_HEADER_MAX)
		return is_damaged(r, "its header", err);
	k = file_stream_fill(s, header.header_bytes, err);
	if (k < 0)
		return k;
	if (file_stream_available(s) < header.header_bytes)
		return ends_early(r, err);
	s->start += header.header_bytes;
	s->info.version_major = header.version_major;
	s->info.version_minor = header.version_minor;
	return 0;
}

static int read_meta(struct capture_reader *r, struct error *err)
{
	struct file_stream *s = &r->stream;
	struct file_block block;
	const char *text;
	int k;

	k = file_stream_find(s, &block, err);
	if (k < 0)
		return k;
	if (k == 0 && s->info.blocks_skipped == 0)
		return ends_early(r, err);
	if (k == 0 || block.type != FILE_META || block.index != 0 || s->gap)
		return is_damaged(r, "the description of its records", err);
	text = (const char *)file_stream_payload(s);
	k = file_meta_check(text, block.stored_bytes, s->path, &r->record_size, err);
	if (k < 0)
		return k;
	r->metadata = strndup(text, block.stored_bytes);
	if (!r->metadata)
		return no_memory(r, err);
	file_stream_take(s, &block);
	r->first_offset = file_stream_offset(s);
	r->fresh = true;
	return 0;
}

/* Reads up to the first block of what r->stream has open. */
static int begin(struct capture_reader *r, struct error *err)
{
	int k;

	r->stream.info.state = CAPTURE_INCOMPLETE; /* until the end is seen */
	r->zstd = ZSTD_createDCtx();
	if (!r->zstd)
		return no_memory(r, err);
	k = read_header(r, err);
	return k < 0 ? k : read_meta(r, err);
}

int capture_reader_open(struct capture_reader **ret, const char *path, struct error *err)
{
	_cleanup_(capture_reader_free) struct capture_reader *r = NULL;
	int k;

	r = calloc(1, sizeof(*r));
	if (!r)
		return error_set(err, -ENOMEM, "opening %s: out of memory", path);
	k = file_stream_open(&r->stream, path, err);
	if (!k)
		k = begin(r, err);
	if (!k)
		*ret = TAKE_PTR(r);
	return k;
}

int capture_reader_open_fd(
	struct capture_reader **ret, int taken, const char *name, struct error *err)
{
	_cleanup_(capture_reader_free) struct capture_reader *r = NULL;
	_cleanup_close_ int fd = taken;
	int k;

	r = calloc(1, sizeof(*r));
	if (!r)
		return error_set(err, -ENOMEM, "opening %s: out of memory", name);
	r->is_stream = true;
	k = file_stream_open_fd(&r->stream, TAKE_FD(fd), name, err);
	if (!k)
		k = begin(r, err);
	if (!k)
		*ret = TAKE_PTR(r);
	return k;
}

void capture_reader_free(struct capture_reader **r)
{
	if (!*r)
		return;
	file_stream_close(&(*r)->stream);
	ZSTD_freeDCtx((*r)->zstd);
	file_pieces_free(&(*r)->state);
	file_marks_free(&(*r)->marks);
	free((*r)->raw);
	free((*r)->metadata);
	free((*r)->summary);
	free((*r)->notice);
	free(*r);
	*r = NULL;
}

const char *capture_reader_metadata(const struct capture_reader *r)
{
	return r->metadata;
}

const char *capture_reader_summary(const struct capture_reader *r)
{
	return r->summary;
}

const struct capture_info *capture_reader_info(const struct capture_reader *r)
{
	return &r->stream.info;
}
