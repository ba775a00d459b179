/* SPDX-License-Identifier: GPL-2.0-only */
/* States in capture files: who reads on passes over them, who begins there gets the bytes that were
 * written and the records that follow, and damage to one costs no record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "capture/file_format.h"
#include "capture/file_reader.h"
#include "capture/file_writer.h"

static char path[] = "/tmp/kes-state-XXXXXX";

#define SMALL 1000u
#define LARGE (2 * FILE_STATE_PIECE + 12345) /* three pieces */
#define PART  100u                           /* records, before, between and after the two */

static uint8_t *small_state, *large_state;

static void write_records(struct capture_writer *w, uint64_t from)
{
	for (uint64_t i = from; i < from + PART; i++) {
		struct kes_record r = {.ts_ns = 1000 + i, .vm = 1, .seq = i, .kind = KES_TIME};

		assert_int_equal(capture_writer_add(w, &r, 1, NULL), 0);
	}
}

/* Random bytes in the first half, which no compression makes smaller. */
static uint8_t *make_state(size_t size)
{
	uint8_t *bytes = malloc(size);
	uint64_t x = size;

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		bytes[i] = i < size / 2 ? (uint8_t)(x >> 56) : 7;
	}
	return bytes;
}

static void write_state(struct capture_writer *w, uint64_t ts_ns, const uint8_t *bytes, size_t n)
{
	struct error err = {};

	if (capture_writer_state(w, ts_ns, bytes, n, &err))
		fail_msg("%s", err.text);
}

/* begins: with the small state, before all records */
static void write_capture(bool begins)
{
	struct capture_writer *w;
	struct error err = {};

	assert_int_equal(capture_writer_new(&w, path, true, "{}", &err), 0);
	if (begins)
		write_state(w, 999, small_state, SMALL);
	write_records(w, 0);
	write_state(w, 1000 + PART - 1, small_state, SMALL);
	write_records(w, PART);
	write_state(w, 1000 + 2 * PART - 1, large_state, LARGE);
	write_records(w, 2 * PART);
	assert_int_equal(capture_writer_close(w, NULL, &err), 0);
	capture_writer_free(&w);
}

static struct capture_reader *open_reader(void)
{
	struct capture_reader *r;
	struct error err = {};

	if (capture_reader_open(&r, path, &err))
		fail_msg("%s", err.text);
	return r;
}

/* All that follows: only records, from this one on. */
static void read_on(struct capture_reader *r, uint64_t from)
{
	const struct kes_record *records;
	size_t n;

	while (capture_reader_next(r, &records, &n, NULL) > 0)
		for (size_t i = 0; i < n; i++)
			assert_int_equal(records[i].seq, from++);
	assert_int_equal(from, 3 * PART);
}

static void check_complete(const struct capture_reader *r)
{
	const struct capture_info *info = capture_reader_info(r);

	assert_string_equal(info->problem, "");
	assert_int_equal(info->state, CAPTURE_COMPLETE);
	assert_int_equal(info->records, 3 * PART);
	assert_int_equal(info->blocks_unknown, 0);
}

static void next_is_state(struct capture_reader *r, const uint8_t *bytes, size_t size)
{
	const struct kes_record *records;
	const void *got;
	size_t n;

	assert_int_equal(capture_reader_next(r, &records, &n, NULL), CAPTURE_STATE);
	assert_int_equal(n, 0);
	got = capture_reader_state(r, &n);
	assert_int_equal(n, size);
	assert_memory_equal(got, bytes, size);
}

/* ---- tests ---- */

static void test_passed_over(void **state)
{
	_cleanup_(capture_reader_free) struct capture_reader *r = NULL;

	(void)state;
	write_capture(false);
	r = open_reader();
	read_on(r, 0);
	check_complete(r);
}

static void test_begins_with_one(void **state)
{
	_cleanup_(capture_reader_free) struct capture_reader *r = NULL;

	(void)state;
	write_capture(true);
	r = open_reader();
	next_is_state(r, small_state, SMALL);
	read_on(r, 0);
	check_complete(r);
}

static void test_seek(void **state)
{
	_cleanup_(capture_reader_free) struct capture_reader *r = NULL;
	const struct file_marks *marks;

	(void)state;
	write_capture(false);
	r = open_reader();
	marks = capture_reader_marks(r);
	assert_non_null(marks);
	assert_int_equal(marks->n, 2);
	assert_int_equal(marks->records, 3 * PART);
	for (uint64_t i = 0; i < 2; i++) {
		assert_int_equal(marks->list[i].records, (i + 1) * PART);
		assert_int_equal(marks->list[i].ts_ns, 1000 + (i + 1) * PART - 1);
	}
	for (int round = 0; round < 2; round++) {
		assert_int_equal(capture_reader_seek(r, &marks->list[1], NULL), 0);
		next_is_state(r, large_state, LARGE);
		read_on(r, 2 * PART);
		check_complete(r);
		assert_int_equal(capture_reader_seek(r, &marks->list[0], NULL), 0);
		next_is_state(r, small_state, SMALL);
		read_on(r, PART);
		check_complete(r);
		assert_int_equal(capture_reader_seek(r, NULL, NULL), 0);
		read_on(r, 0);
		check_complete(r);
	}
}

/* Where a reader was, it can come back to. */
static void test_place(void **state)
{
	_cleanup_(capture_reader_free) struct capture_reader *r = NULL;
	const struct kes_record *records;
	struct capture_mark place;
	size_t n;

	(void)state;
	write_capture(false);
	r = open_reader();
	assert_int_equal(capture_reader_next(r, &records, &n, NULL), 1);
	place = capture_reader_place(r);
	assert_int_equal(place.records, PART);
	read_on(r, PART);
	assert_int_equal(capture_reader_seek(r, &place, NULL), 0);
	next_is_state(r, small_state, SMALL);
	read_on(r, PART);
	check_complete(r);
}

/* Where the n-th block of the type is, from 0 on. */
static off_t find_block(int fd, enum file_block_type type, int n, struct file_block *ret)
{
	off_t offset = sizeof(struct file_header);

	while (pread(fd, ret, sizeof(*ret), offset) == sizeof(*ret)) {
		if (ret->type == type && !n--)
			return offset;
		offset += (off_t)(sizeof(*ret) + ret->stored_bytes);
	}
	fail_msg("no such block");
	return 0;
}

static void flip(int fd, off_t offset)
{
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
}

/* One bit of a state, in its header or in what it holds: it is not handed out, the rest is. */
static void test_damaged(void **state)
{
	(void)state;
	for (int piece = 0; piece < 4; piece++)
		for (int part = 0; part < 2; part++) {
			_cleanup_(capture_reader_free) struct capture_reader *r = NULL;
			_cleanup_close_ int fd = -1;
			struct capture_mark mark = {.index = 2, .records = PART};
			const struct kes_record *records;
			struct file_block block;
			size_t n;
			off_t at;

			write_capture(false);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (piece) {
				mark.index = 4;
				mark.records = 2 * PART;
			}
			mark.offset = (uint64_t)find_block(fd, FILE_STATE, piece ? 1 : 0, &block);
			at = find_block(fd, FILE_STATE, piece, &block);
			flip(fd, at + (part ? (off_t)sizeof(block) + block.stored_bytes / 2 : 9));
			r = open_reader();
			read_on(r, 0);
			assert_int_equal(capture_reader_info(r)->state, CAPTURE_DAMAGED);
			assert_int_equal(capture_reader_info(r)->records_lost, 0);
			assert_int_equal(capture_reader_seek(r, &mark, NULL), 0);
			assert_int_equal(capture_reader_next(r, &records, &n, NULL), 1);
			assert_int_equal(records[0].seq, mark.records);
		}
}

static void test_limits(void **state)
{
	struct capture_writer *w;
	struct error err = {};

	(void)state;
	assert_int_equal(capture_writer_new(&w, path, true, "{}", &err), 0);
	assert_int_equal(capture_writer_state(w, 1, "", 0, &err), -E2BIG);
	assert_int_equal(capture_writer_state(w, 1, "", (size_t)FILE_STATE_MAX + 1, &err), -E2BIG);
	assert_int_equal(capture_writer_close(w, NULL, &err), 0);
	capture_writer_free(&w);
}

static int group_setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	small_state = make_state(SMALL);
	large_state = make_state(LARGE);
	return fd < 0 || close(fd);
}

static int group_teardown(void **state)
{
	(void)state;
	free(small_state);
	free(large_state);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_begins_with_one),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
