/* SPDX-License-Identifier: GPL-2.0-only */
/* Capture files: what goes in comes out, and nothing else does, whatever happens to the file
 * between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "capture/file_format.h"
#include "capture/file_reader.h"
#include "capture/file_writer.h"

#define METADATA "{\"kernel\":\"6.12.0\",\"hooks\":[\"tp_btf/kvm_hypercall\"]}"
#define SUMMARY  "{\"duration_s\":12}"

static char folder[] = "/tmp/test_capture_file.XXXXXX";
static char path[64];

static int setup_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static int remove_file(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

/* Record number i of the stream that all these tests write: each can be told from all others. */
static struct kes_record nth(uint64_t i)
{
	struct kes_record record = {
		.ts_ns = 1000000 + i * 777,
		.seq = i,
		.vm = 1 + (uint32_t)(i % 3),
		.vcpu = (uint16_t)(i % 5),
		.kind = KES_REQUEST,
		.conversion =
			{
				.gpa = (i * 2654435761u) << 12,
				.npages = 1 + i % 512,
				.attrs = i & 0x10,
				.request.nr = 12,
			},
	};

	return record;
}

static bool is_nth(const struct kes_record *record, uint64_t i)
{
	struct kes_record expected = nth(i);

	return memcmp(record, &expected, sizeof(expected)) == 0;
}

static struct capture_writer *new_writer(void)
{
	struct capture_writer *w = NULL;
	struct error err = {};

	if (capture_writer_new(&w, path, true, METADATA, &err) < 0)
		fail_msg("%s", err.text);
	return w;
}

static void add(struct capture_writer *w, uint64_t from, uint64_t n)
{
	struct kes_record part[1000];

	while (n > 0) {
		uint64_t k = n < ARRAY_SIZE(part) ? n : ARRAY_SIZE(part);

		for (uint64_t i = 0; i < k; i++)
			part[i] = nth(from + i);
		assert_int_equal(capture_writer_add(w, part, k, NULL), 0);
		from += k;
		n -= k;
	}
}

/* Blocks of so many records each; closed unless cut short. */
static void write_blocks(const unsigned *sizes, size_t n, bool close_it)
{
	struct capture_writer *w = new_writer();
	uint64_t next = 0;

	for (size_t i = 0; i < n; i++) {
		add(w, next, sizes[i]);
		assert_int_equal(capture_writer_flush(w, NULL), 0);
		next += sizes[i];
	}
	if (close_it)
		assert_int_equal(capture_writer_close(w, SUMMARY, NULL), 0);
	capture_writer_free(&w);
	assert_null(w);
}

static const unsigned small_blocks[] = {3, 1, 5, 2};
#define SMALL_RECORDS 11

/* The file as bytes; the caller's. */
static uint8_t *load(size_t *ret_size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	struct stat st;
	uint8_t *data;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, (size_t)st.st_size, file), st.st_size);
	*ret_size = (size_t)st.st_size;
	return data;
}

static void store(const void *data, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	assert_non_null(file);
	if (size)
		assert_int_equal(fwrite(data, 1, size, file), size);
}

struct outcome {
	int opened;
	struct error err;
	uint64_t records, wrong, holes; /* holes: places where records are missing */
	struct capture_info info;
	bool summary;
};

/* Reads the file; records must be those of nth(), in their order, though some may be missing. */
static struct outcome read_file(const char *from)
{
	_cleanup_(capture_reader_free) struct capture_reader *r = NULL;
	const struct kes_record *records;
	struct outcome outcome = {};
	uint64_t next = 0;
	size_t n = 0;
	int k;

	outcome.opened = capture_reader_open(&r, from, &outcome.err);
	if (outcome.opened < 0) {
		assert_null(r);
		assert_int_equal(outcome.err.code, outcome.opened);
		assert_true(outcome.err.text[0] != '\0');
		return outcome;
	}
	assert_null(capture_reader_summary(r));
	while ((k = capture_reader_next(r, &records, &n, &outcome.err)) > 0) {
		assert_true(n > 0 && n <= FILE_BLOCK_RECORDS);
		if (records[0].seq != next)
			outcome.holes++;
		if (records[0].seq < next)
			outcome.wrong++;
		next = records[0].seq;
		for (size_t i = 0; i < n; i++)
			if (!is_nth(&records[i], next + i))
				outcome.wrong++;
		next += n;
		outcome.records += n;
	}
	assert_int_equal(k, 0);
	assert_int_equal(capture_reader_next(r, &records, &n, NULL), 0);
	outcome.info = *capture_reader_info(r);
	outcome.summary = capture_reader_summary(r) != NULL;
	assert_int_equal(outcome.info.records, outcome.records);
	assert_int_equal(outcome.wrong, 0);
	/* A file that is not whole says why. */
	assert_true((outcome.info.state == CAPTURE_COMPLETE) == (outcome.info.problem[0] == '\0'));
	return outcome;
}

/* ---- tests ---- */

static void test_round_trip(void **state)
{
	static const uint64_t counts[] = {0, 1, 65536, 1000000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct capture_writer *w = new_writer();
		struct outcome outcome;
		uint64_t bytes;

		add(w, 0, counts[i]);
		assert_int_equal(capture_writer_records(w), counts[i]);
		assert_int_equal(capture_writer_close(w, i % 2 ? SUMMARY : NULL, NULL), 0);
		bytes = capture_writer_bytes(w);
		capture_writer_free(&w);
		outcome = read_file(path);
		assert_int_equal(outcome.opened, 0);
		assert_int_equal(outcome.info.state, CAPTURE_COMPLETE);
		assert_int_equal(outcome.records, counts[i]);
		assert_int_equal(outcome.info.bytes, bytes);
		assert_int_equal(outcome.info.bytes_dropped, 0);
		assert_int_equal(outcome.info.first_ts_ns, counts[i] ? nth(0).ts_ns : 0);
		assert_int_equal(outcome.info.last_ts_ns, counts[i] ? nth(counts[i] - 1).ts_ns : 0);
		assert_true(outcome.summary == (i % 2 == 1));
	}
}

static void test_add_at_once(void **state)
{
	struct capture_writer *w = new_writer();
	struct outcome outcome;
	struct kes_record *records;
	size_t n = 100000;

	(void)state;
	records = calloc(n, sizeof(*records));
	assert_non_null(records);
	for (size_t i = 0; i < n; i++)
		records[i] = nth(i);
	assert_int_equal(capture_writer_add(w, records, 7, NULL), 0);
	assert_int_equal(capture_writer_add(w, records + 7, n - 7, NULL), 0);
	free(records);
	assert_int_equal(capture_writer_close(w, NULL, NULL), 0);
	assert_int_equal(capture_writer_close(w, NULL, NULL), -EBADF);
	capture_writer_free(&w);
	outcome = read_file(path);
	assert_int_equal(outcome.records, n);
	assert_int_equal(outcome.holes, 0);
	assert_int_equal(outcome.info.state, CAPTURE_COMPLETE);
}

static void test_describes_itself(void **state)
{
	_cleanup_(capture_reader_free) struct capture_reader *r = NULL;
	struct json_object *root, *format, *value;
	struct stat st;

	(void)state;
	write_blocks(small_blocks, ARRAY_SIZE(small_blocks), true);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(capture_reader_open(&r, path, NULL), 0);
	root = json_tokener_parse(capture_reader_metadata(r));
	assert_true(json_object_object_get_ex(root, "kernel", &value));
	assert_string_equal(json_object_get_string(value), "6.12.0");
	assert_true(json_object_object_get_ex(root, "format", &format));
	assert_true(json_object_object_get_ex(format, "record_size", &value));
	assert_int_equal(json_object_get_int(value), 64);
	assert_true(json_object_object_get_ex(format, "fields", &value));
	assert_int_equal(json_object_array_length(value), 7);
	assert_true(json_object_object_get_ex(format, "kinds", &value));
	assert_int_equal(json_object_array_length(value), 21);
	json_object_put(root);
}

static void test_writer_refuses(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{", "{} x", "{\"a\":\"\xff\"}", "{\"format\":1}"};
	struct capture_writer *w = NULL;
	struct error err = {};
	char deep[1000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(capture_writer_new(&w, path, false, bad[i], &err), -EINVAL);
		assert_int_equal(access(path, F_OK), -1);
	}
	memset(deep, '[', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	memcpy(deep, "{\"a\":", 5);
	assert_int_equal(capture_writer_new(&w, path, false, deep, &err), -EINVAL);

	store("mine", 4);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(capture_writer_new(&w, path, false, "{}", &err), -EEXIST);
	assert_non_null(strstr(err.text, path));
	assert_true(err.advice[0] != '\0');
	assert_null(w);
	assert_int_equal(capture_writer_new(&w, path, true, "{}", &err), 0);
	assert_int_equal(capture_writer_close(w, "[]", &err), -EINVAL);
	assert_int_equal(capture_writer_close(w, "{}", &err), 0);
	capture_writer_free(&w);
	assert_int_equal(read_file(path).info.state, CAPTURE_COMPLETE);
	assert_int_equal(capture_writer_new(&w, "/nonexistent/file", false, "{}", &err), -ENOENT);
}

static void test_free_leaves_incomplete(void **state)
{
	struct capture_writer *w = new_writer();
	struct outcome outcome;

	(void)state;
	add(w, 0, 9);
	capture_writer_free(&w);
	outcome = read_file(path);
	assert_int_equal(outcome.records, 9);
	assert_int_equal(outcome.info.state, CAPTURE_INCOMPLETE);
	assert_int_equal(outcome.info.bytes_dropped, 0);
}

static void test_truncation(void **state)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t size, whole_end = 0;
	uint64_t whole = 0;

	(void)state;
	write_blocks(small_blocks, ARRAY_SIZE(small_blocks), true);
	data = load(&size);
	for (size_t cut = 0; cut < size; cut++) {
		struct outcome outcome;

		store(data, cut);
		outcome = read_file(path);
		if (outcome.opened < 0) { /* only before the description is whole */
			assert_int_equal(outcome.opened, -ENODATA);
			assert_int_equal(whole_end, 0);
			continue;
		}
		assert_int_equal(outcome.info.state, CAPTURE_INCOMPLETE);
		assert_int_equal(outcome.holes, 0);
		assert_true(outcome.records >= whole && outcome.records <= SMALL_RECORDS);
		if (outcome.info.bytes_dropped == 0) /* the cut is between two blocks */
			whole_end = cut;
		else
			assert_int_equal(outcome.records, whole);
		whole = outcome.records;
		assert_int_equal(outcome.info.bytes_dropped, cut - whole_end);
	}
	assert_int_equal(whole, SMALL_RECORDS);
}

static void test_flips(void **state)
{
	static const uint8_t masks[] = {0x01, 0x80, 0xff};
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;

	(void)state;
	write_blocks(small_blocks, ARRAY_SIZE(small_blocks), true);
	data = load(&size);
	for (size_t i = 0; i < size; i++) {
		for (size_t m = 0; m < ARRAY_SIZE(masks); m++) {
			struct outcome outcome;

			data[i] ^= masks[m];
			store(data, size);
			outcome = read_file(path);
			data[i] ^= masks[m];
			if (outcome.opened < 0)
				continue;
			/* One block is lost, no more; only the header's reserved bytes say nothing.
			 */
			assert_int_not_equal(outcome.info.state, CAPTURE_COMPLETE);
			assert_true(outcome.records >= SMALL_RECORDS - 5);
			if (outcome.info.ended)
				assert_int_equal(
					outcome.records + outcome.info.records_lost, SMALL_RECORDS);
			else
				assert_int_equal(outcome.info.state, CAPTURE_INCOMPLETE);
		}
	}
}

/* Where the n-th block begins. */
static size_t block_offset(const uint8_t *data, unsigned n)
{
	size_t at = sizeof(struct file_header);
	struct file_block block;

	while (n--) {
		memcpy(&block, data + at, sizeof(block));
		at += sizeof(block) + block.stored_bytes;
	}
	return at;
}

static void test_damaged_middle(void **state)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct outcome outcome;
	size_t size, at, next;

	(void)state;
	write_blocks(small_blocks, ARRAY_SIZE(small_blocks), true);
	data = load(&size);
	at = block_offset(data, 3); /* 0 is META: the block of 5 */
	next = block_offset(data, 4);

	/* its payload */
	data[at + sizeof(struct file_block)] ^= 1;
	store(data, size);
	outcome = read_file(path);
	assert_int_equal(outcome.info.state, CAPTURE_DAMAGED);
	assert_true(outcome.info.ended && outcome.summary);
	assert_int_equal(outcome.records, SMALL_RECORDS - 5);
	assert_int_equal(outcome.holes, 1);
	assert_int_equal(outcome.info.blocks_skipped, 1);
	assert_int_equal(outcome.info.records_lost, 5);
	assert_int_equal(outcome.info.bytes_dropped, next - at);
	data[at + sizeof(struct file_block)] ^= 1;

	/* its header, lengths and all */
	memset(data + at, 0xff, sizeof(struct file_block));
	store(data, size);
	outcome = read_file(path);
	assert_int_equal(outcome.info.state, CAPTURE_DAMAGED);
	assert_int_equal(outcome.records, SMALL_RECORDS - 5);
	assert_int_equal(outcome.info.blocks_skipped, 1);
	assert_int_equal(outcome.info.records_lost, 5);
	assert_int_equal(outcome.info.bytes_dropped, next - at);

	/* it is cut out */
	memmove(data + at, data + next, size - next);
	store(data, size - (next - at));
	outcome = read_file(path);
	assert_int_equal(outcome.info.state, CAPTURE_DAMAGED);
	assert_int_equal(outcome.records, SMALL_RECORDS - 5);
	assert_int_equal(outcome.info.blocks_skipped, 1);
	assert_int_equal(outcome.info.records_lost, 5);
	assert_int_equal(outcome.info.bytes_dropped, 0);
}

static void test_tail(void **state)
{
	_cleanup_free_ uint8_t *data = NULL, *more = NULL;
	struct outcome outcome;
	size_t size, at;

	(void)state;
	write_blocks(small_blocks, ARRAY_SIZE(small_blocks), true);
	data = load(&size);

	/* The last block of records is bad, and nothing follows. */
	at = block_offset(data, 4);
	data[block_offset(data, 5) - 1] ^= 1;
	store(data, block_offset(data, 5));
	outcome = read_file(path);
	assert_int_equal(outcome.info.state, CAPTURE_INCOMPLETE);
	assert_int_equal(outcome.records, SMALL_RECORDS - 2);
	assert_int_equal(outcome.info.bytes_dropped, block_offset(data, 5) - at);
	data[block_offset(data, 5) - 1] ^= 1;

	/* A whole capture, and then another. */
	more = calloc(2, size);
	assert_non_null(more);
	memcpy(more, data, size);
	memcpy(more + size, data, size);
	store(more, 2 * size);
	outcome = read_file(path);
	assert_int_equal(outcome.info.state, CAPTURE_DAMAGED);
	assert_int_equal(outcome.records, SMALL_RECORDS);
	assert_int_equal(outcome.info.bytes_dropped, size);

	/* The same block twice. */
	memcpy(more, data, block_offset(data, 2));
	memcpy(more + block_offset(data, 2), data + block_offset(data, 1),
		size - block_offset(data, 1));
	store(more, size + block_offset(data, 2) - block_offset(data, 1));
	outcome = read_file(path);
	assert_int_equal(outcome.info.state, CAPTURE_DAMAGED);
	assert_int_equal(outcome.records, SMALL_RECORDS);
	assert_int_equal(outcome.holes, 0);
	assert_int_equal(outcome.info.records_lost, 0);
}

static void seal(uint8_t *at, struct file_block *block)
{
	block->header_checksum = file_block_header_checksum(block);
	block->checksum = file_block_checksum(block, at + sizeof(*block));
	memcpy(at, block, sizeof(*block));
}

static void test_unknown_type(void **state)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct file_block block;
	struct outcome outcome;
	size_t size, at;

	(void)state;
	write_blocks(small_blocks, ARRAY_SIZE(small_blocks), false);
	data = load(&size);
	at = block_offset(data, 2);
	memcpy(&block, data + at, sizeof(block));
	block.type = 77;
	seal(data + at, &block);
	store(data, size);
	outcome = read_file(path);
	assert_int_equal(outcome.records, SMALL_RECORDS - 1);
	assert_int_equal(outcome.info.blocks_unknown, 1);
	assert_int_equal(outcome.info.blocks_skipped, 0);
	assert_int_equal(outcome.info.state, CAPTURE_INCOMPLETE); /* as it was */
	assert_int_equal(outcome.info.bytes_dropped, 0);
}

/* A file of the given version with one block of n records of record_size bytes. */
static void write_foreign(uint16_t major, unsigned record_size, size_t n)
{
	_cleanup_free_ uint8_t *data = NULL, *raw = NULL, *file = NULL;
	struct file_block block = {.magic = FILE_BLOCK_MAGIC, .type = FILE_RECORDS, .index = 1};
	struct file_header header;
	size_t size, at;
	char *number;

	write_blocks(NULL, 0, false);
	data = load(&size);
	memcpy(&header, data, sizeof(header));
	header.version_major = major;
	header.version_minor = 9;
	header.checksum = file_header_checksum(&header);
	memcpy(data, &header, sizeof(header));

	memcpy(&block, data + sizeof(header), sizeof(block));
	data[size] = '\0';
	number = strstr((char *)data + sizeof(header) + sizeof(block), "\"record_size\":64");
	assert_non_null(number);
	number += strlen("\"record_size\":");
	number[0] = (char)('0' + record_size / 10);
	number[1] = (char)('0' + record_size % 10);
	seal(data + sizeof(header), &block);

	raw = malloc(n * record_size);
	file = calloc(1, size + sizeof(block) + ZSTD_compressBound(n * record_size));
	assert_true(raw && file);
	memset(raw, 0xee, n * record_size);
	for (size_t i = 0; i < n; i++) {
		struct kes_record record = nth(i);

		memcpy(raw + i * record_size, &record,
			record_size < sizeof(record) ? record_size : sizeof(record));
	}
	memcpy(file, data, size);
	at = size + sizeof(block);
	block = (struct file_block){
		.magic = FILE_BLOCK_MAGIC,
		.type = FILE_RECORDS,
		.index = 1,
		.raw_bytes = (uint32_t)(n * record_size),
		.count = (uint32_t)n,
	};
	block.stored_bytes = (uint32_t)ZSTD_compress(
		file + at, ZSTD_compressBound(n * record_size), raw, n * record_size, 1);
	seal(file + size, &block);
	store(file, at + block.stored_bytes);
}

static void test_other_versions(void **state)
{
	struct outcome outcome;

	(void)state;
	write_foreign(FILE_MAJOR, 96, 100); /* a later minor: what was added is left out */
	outcome = read_file(path);
	assert_int_equal(outcome.opened, 0);
	assert_int_equal(outcome.records, 100);
	assert_int_equal(outcome.info.version_minor, 9);

	write_foreign(FILE_MAJOR, 56, 100);
	assert_int_equal(read_file(path).opened, -EPROTONOSUPPORT);

	write_foreign(FILE_MAJOR + 1, 64, 100);
	outcome = read_file(path);
	assert_int_equal(outcome.opened, -EPROTONOSUPPORT);
	assert_true(outcome.err.advice[0] != '\0');
}

static void test_no_capture(void **state)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct outcome outcome;
	size_t size;

	(void)state;
	assert_int_equal(read_file(path).opened, -ENOENT);
	assert_int_equal(read_file(folder).opened, -EISDIR);
	store("", 0);
	outcome = read_file(path);
	assert_int_equal(outcome.opened, -ENODATA);
	assert_non_null(strstr(outcome.err.text, "is empty"));
	store("x", 1);
	assert_int_equal(read_file(path).opened, -EBADMSG);
	store("#!/bin/sh\necho this is no capture, and longer than the header\n", 62);
	outcome = read_file(path);
	assert_int_equal(outcome.opened, -EBADMSG);
	assert_non_null(strstr(outcome.err.text, "is not a kvm-encstat capture"));

	write_blocks(small_blocks, ARRAY_SIZE(small_blocks), true);
	data = load(&size);
	memmove(data + 6, data + 7, size - 7); /* \r\n became \n */
	store(data, size - 1);
	outcome = read_file(path);
	assert_int_equal(outcome.opened, -EBADMSG);
	assert_non_null(strstr(outcome.err.advice, "text mode"));
}

static void test_pipe(void **state)
{
	_cleanup_free_ uint8_t *data = NULL;
	struct outcome outcome;
	char name[64];
	int ends[2];
	size_t size;
	pid_t child;

	(void)state;
	write_blocks((const unsigned[]){100000, 1, 50000}, 3, true);
	data = load(&size);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		size_t at = 0;

		close(ends[0]);
		while (at < size) { /* in odd pieces */
			ssize_t n = write(ends[1], data + at, size - at < 4999 ? size - at : 4999);

			if (n < 0)
				_exit(1);
			at += (size_t)n;
		}
		_exit(0);
	}
	close(ends[1]);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", ends[0]);
	outcome = read_file(name);
	assert_int_equal(outcome.records, 150001);
	assert_int_equal(outcome.info.state, CAPTURE_COMPLETE);
	close(ends[0]);
	waitpid(child, NULL, 0);
}

static void test_size_limit(void **state)
{
	struct rlimit before, limit = {.rlim_cur = 20000};
	struct capture_writer *w = new_writer();
	struct error err = {};
	struct outcome outcome;
	uint64_t flushed = 0;
	struct stat st;
	int r = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (r == 0 && flushed < 100000) {
		add(w, flushed, 100);
		r = capture_writer_flush(w, &err);
		if (r == 0)
			flushed += 100;
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(r, -EFBIG);
	assert_true(flushed > 0 && err.advice[0] != '\0');
	/* It stays failed, and the file ends with its last whole block. */
	assert_int_equal(capture_writer_flush(w, &err), -EFBIG);
	assert_int_equal(capture_writer_close(w, NULL, &err), -EFBIG);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, capture_writer_bytes(w));
	capture_writer_free(&w);
	outcome = read_file(path);
	assert_int_equal(outcome.records, flushed);
	assert_int_equal(outcome.info.state, CAPTURE_INCOMPLETE);
	assert_int_equal(outcome.info.bytes_dropped, 0);
}

static void test_full_device(void **state)
{
	struct capture_writer *w = NULL;
	struct error err = {};

	(void)state;
	assert_int_equal(capture_writer_new(&w, "/dev/full", true, "{}", &err), -ENOSPC);
	assert_null(w);
	assert_true(err.advice[0] != '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_round_trip, remove_file),
		cmocka_unit_test_teardown(test_add_at_once, remove_file),
		cmocka_unit_test_teardown(test_describes_itself, remove_file),
		cmocka_unit_test_teardown(test_writer_refuses, remove_file),
		cmocka_unit_test_teardown(test_free_leaves_incomplete, remove_file),
		cmocka_unit_test_teardown(test_truncation, remove_file),
		cmocka_unit_test_teardown(test_flips, remove_file),
		cmocka_unit_test_teardown(test_damaged_middle, remove_file),
		cmocka_unit_test_teardown(test_tail, remove_file),
		cmocka_unit_test_teardown(test_unknown_type, remove_file),
		cmocka_unit_test_teardown(test_other_versions, remove_file),
		cmocka_unit_test_teardown(test_no_capture, remove_file),
		cmocka_unit_test_teardown(test_pipe, remove_file),
		cmocka_unit_test_teardown(test_size_limit, remove_file),
		cmocka_unit_test_teardown(test_full_device, remove_file),
	};

	return cmocka_run_group_tests_name("capture file", tests, setup_folder, remove_folder);
}
