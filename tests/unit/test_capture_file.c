/* SPDX-License-Identifier: GPL-2.0-only */
/* Capture files: what goes in comes out. What becomes of damaged ones is in test_capture_damage.c.
 */
#include "capture_bench.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

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
		cmocka_unit_test_teardown(test_pipe, remove_file),
		cmocka_unit_test_teardown(test_size_limit, remove_file),
		cmocka_unit_test_teardown(test_full_device, remove_file),
	};

	return cmocka_run_group_tests_name("capture file", tests, setup_folder, remove_folder);
}
