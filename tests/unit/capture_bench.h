/* SPDX-License-Identifier: GPL-2.0-only */
/* Capture files with a stream of records that can be told from each other, and what comes out of
 * such a file. */
#ifndef CAPTURE_BENCH_H
#define CAPTURE_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "capture/file_format.h"
#include "capture/file_reader.h"
#include "capture/file_writer.h"

#define METADATA "{\"kernel\":\"6.12.0\",\"hooks\":[\"tp_btf/kvm_hypercall\"]}"
#define SUMMARY  "{\"duration_s\":12}"

static char folder[] = "/tmp/test_capture_file.XXXXXX";
static char path[64];

static inline int setup_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static inline int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static inline int remove_file(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

/* Record number i of the stream that all these tests write: each can be told from all others. */
static inline struct kes_record nth(uint64_t i)
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

static inline bool is_nth(const struct kes_record *record, uint64_t i)
{
	struct kes_record expected = nth(i);

	return memcmp(record, &expected, sizeof(expected)) == 0;
}

static inline struct capture_writer *new_writer(void)
{
	struct capture_writer *w = NULL;
	struct error err = {};

	if (capture_writer_new(&w, path, true, METADATA, &err) < 0)
		fail_msg("%s", err.text);
	return w;
}

static inline void add(struct capture_writer *w, uint64_t from, uint64_t n)
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
static inline void write_blocks(const unsigned *sizes, size_t n, bool close_it)
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

static const unsigned small_blocks[] __attribute__((unused)) = {3, 1, 5, 2};
#define SMALL_RECORDS 11

/* The file as bytes; the caller's. */
static inline uint8_t *load(size_t *ret_size)
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

static inline void store(const void *data, size_t size)
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
static inline struct outcome read_file(const char *from)
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

#endif
