/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads any bytes as a capture file, as they are and once more with right checksums, which no
 * mutation finds by itself.
 *
 *   clang-14 -std=gnu11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined -Isrc -Iinclude \
 *       tests/fuzz/fuzz_capture_file.c src/capture/file_{reader,stream,meta}.c src/base/error.c \
 *       -lzstd -lxxhash -ljson-c -o fuzz_capture_file
 *   ./fuzz_capture_file -max_len=8192 NEW_CORPUS tests/fuzz/corpus/capture_file
 *
 * With -DFUZZ_STANDALONE and without the fuzzer it reads the files it is given.
 */
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "capture/file_format.h"
#include "capture/file_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                  \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static unsigned char sum; /* of all records: each byte was really there */

static void check_info(const struct capture_info *info, uint64_t records, size_t size)
{
	CHECK(info->records == records);
	CHECK(info->bytes == size);
	CHECK(info->bytes_dropped <= size);
	CHECK(info->state != CAPTURE_COMPLETE || info->ended);
	CHECK((info->state == CAPTURE_COMPLETE) == (info->problem[0] == '\0'));
	CHECK(info->state != CAPTURE_COMPLETE || (info->bytes_dropped == 0 && !info->records_lost));
}

static void read_state(const struct capture_reader *r)
{
	size_t size;
	const unsigned char *bytes = capture_reader_state(r, &size);

	CHECK(size > 0 && size <= FILE_STATE_MAX);
	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
}

/* From each place where it may begin, one step. */
static void read_marks(struct capture_reader *r)
{
	const struct file_marks *marks = capture_reader_marks(r);
	const struct kes_record *records;
	struct error err;
	size_t n;

	CHECK(marks);
	for (size_t i = 0; i < marks->n && i < 16; i++) {
		CHECK(!i || marks->list[i - 1].offset < marks->list[i].offset);
		CHECK(capture_reader_seek(r, &marks->list[i], &err) == 0);
		if (capture_reader_next(r, &records, &n, &err) == CAPTURE_STATE)
			read_state(r);
	}
	CHECK(capture_reader_seek(r, NULL, &err) == 0);
}

static void read_capture(const char *path, size_t size)
{
	_cleanup_(capture_reader_free) struct capture_reader *r = NULL;
	const struct kes_record *records;
	uint64_t total = 0;
	struct error err;
	size_t n;
	int k;

	if (capture_reader_open(&r, path, &err) < 0) {
		CHECK(!r && err.code < 0 && err.text[0]);
		return;
	}
	CHECK(capture_reader_metadata(r));
	read_marks(r);
	while ((k = capture_reader_next(r, &records, &n, &err)) > 0) {
		const unsigned char *bytes = (const unsigned char *)records;

		CHECK(k == CAPTURE_STATE ? n == 0 && !total : n > 0 && n <= FILE_BLOCK_RECORDS);
		if (k == CAPTURE_STATE)
			read_state(r);
		for (size_t i = 0; i < n * sizeof(*records); i++)
			sum += bytes[i];
		total += n;
	}
	CHECK(k == 0);
	check_info(capture_reader_info(r), total, size);
}

/* Sets all checksums right, following the lengths as far as they go. */
static void seal(uint8_t *data, size_t size)
{
	struct file_header header;
	struct file_block block;
	size_t at;

	if (size < sizeof(header))
		return;
	memcpy(&header, data, sizeof(header));
	header.checksum = file_header_checksum(&header);
	memcpy(data, &header, sizeof(header));
	at = header.header_bytes;
	while (at < size && size - at >= sizeof(block)) {
		memcpy(&block, data + at, sizeof(block));
		block.header_checksum = file_block_header_checksum(&block);
		if (block.stored_bytes <= size - at - sizeof(block))
			block.checksum = file_block_checksum(&block, data + at + sizeof(block));
		memcpy(data + at, &block, sizeof(block));
		at += sizeof(block) + block.stored_bytes;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("capture", MFD_CLOEXEC);
	_cleanup_free_ uint8_t *sealed = malloc(size + 1);
	char path[64];

	CHECK(fd >= 0 && sealed);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	read_capture(path, size);
	if (size == 0)
		return 0;
	memcpy(sealed, data, size);
	seal(sealed, size);
	if (memcmp(sealed, data, size) != 0) {
		CHECK(pwrite(fd, sealed, size, 0) == (ssize_t)size);
		read_capture(path, size);
	}
	return 0;
}

#ifdef FUZZ_STANDALONE
int main(int argc, char **argv)
{
	static uint8_t data[1 << 20];

	for (int i = 1; i < argc; i++) {
		_cleanup_fclose_ FILE *file = fopen(argv[i], "re");

		if (!file) {
			perror(argv[i]);
			return 1;
		}
		LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), file));
	}
	printf("%d files, none brought it down\n", argc - 1);
	return 0;
}
#endif
