/* SPDX-License-Identifier: GPL-2.0-only */
/* Capture files that are cut, damaged, of other versions, or none: what is whole comes out, nothing
 * else does, and why is said. */
#include "capture_bench.h"

#include <zstd.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_truncation, remove_file),
		cmocka_unit_test_teardown(test_flips, remove_file),
		cmocka_unit_test_teardown(test_damaged_middle, remove_file),
		cmocka_unit_test_teardown(test_tail, remove_file),
		cmocka_unit_test_teardown(test_unknown_type, remove_file),
		cmocka_unit_test_teardown(test_other_versions, remove_file),
		cmocka_unit_test_teardown(test_no_capture, remove_file),
	};

	return cmocka_run_group_tests_name("capture damage", tests, setup_folder, remove_folder);
}
