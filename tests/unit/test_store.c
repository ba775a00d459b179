/* SPDX-License-Identifier: GPL-2.0-only */
/* What the daemon leaves for its next life: comes back as it was, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "service/store.h"

static char path[64];

static int make_path(void **state)
{
	char folder[] = "/tmp/test_store-XXXXXX";

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/state", folder);
	return 0;
}

static int remove_path(void **state)
{
	(void)state;
	unlink(path);
	*strrchr(path, '/') = '\0';
	return rmdir(path);
}

static struct store sample(void)
{
	struct store store = {
		.boot = "4af7-boot", .saved_ns = 1ull << 60, .last_id = 9, .n_vms = 2};

	store.vms = calloc(2, sizeof(*store.vms));
	assert_non_null(store.vms);
	store.vms[0] = (struct store_vm){~0ull, INT64_MIN, 7, 3, 4321};
	store.vms[1] = (struct store_vm){1, -1, UINT64_MAX, 9, 1};
	assert_int_equal(buffer_put(&store.state, "the state\0of it", 15), 0);
	return store;
}

static void test_round(void **state)
{
	_cleanup_(store_release) struct store store = sample(), again = {};
	struct error err = {};
	struct stat st;

	(void)state;
	assert_int_equal(store_read(&again, path, &err), -ENOENT);
	assert_int_equal(store_write(path, &store, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(store_read(&again, path, &err), 0);
	assert_string_equal(again.boot, store.boot);
	assert_int_equal(again.saved_ns, store.saved_ns);
	assert_int_equal(again.last_id, 9);
	assert_int_equal(again.n_vms, 2);
	assert_memory_equal(again.vms, store.vms, 2 * sizeof(*store.vms));
	assert_int_equal(again.state.size, 15);
	assert_memory_equal(again.state.bytes, store.state.bytes, 15);
}

static size_t read_file(char **ret)
{
	FILE *file = fopen(path, "re");
	size_t n;

	*ret = malloc(4096);
	assert_true(file && *ret);
	n = fread(*ret, 1, 4096, file);
	fclose(file);
	return n;
}

/* Any bit that is another one, any length that is another one. */
static void test_damaged(void **state)
{
	_cleanup_(store_release) struct store store = sample();
	_cleanup_free_ char *bytes = NULL;
	struct store again = {};
	struct error err = {};
	size_t n;

	(void)state;
	assert_int_equal(store_write(path, &store, &err), 0);
	n = read_file(&bytes);
	for (size_t i = 0; i < n * 8; i++) {
		bytes[i / 8] ^= (char)(1 << (i % 8));
		assert_int_equal(store_parse(&again, bytes, n, &err), -EBADMSG);
		bytes[i / 8] ^= (char)(1 << (i % 8));
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(store_parse(&again, bytes, i, &err), -EBADMSG);
	assert_null(again.vms);
	assert_int_equal(store_parse(&again, bytes, n, &err), 0);
	store_release(&again);
}

/* The old one stays when the new one cannot be written. */
static void test_no_room(void **state)
{
	_cleanup_(store_release) struct store store = sample(), again = {};
	char fresh[80];
	struct error err = {};

	(void)state;
	assert_int_equal(store_write(path, &store, &err), 0);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	assert_int_equal(mkdir(fresh, 0700), 0);
	store.last_id = 10;
	assert_int_equal(store_write(path, &store, &err), -EISDIR);
	assert_int_equal(rmdir(fresh), 0);
	assert_int_equal(store_read(&again, path, &err), 0);
	assert_int_equal(again.last_id, 9);
}

static void test_start(void **state)
{
	uint64_t own = store_start_of((uint32_t)getpid());

	(void)state;
	assert_true(own > 0);
	assert_int_equal(store_start_of((uint32_t)getpid()), own);
	assert_int_equal(store_start_of(UINT32_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_start),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
