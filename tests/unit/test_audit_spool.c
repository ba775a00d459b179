/* SPDX-License-Identifier: GPL-2.0-only */
/* The spool, against a list: what goes in comes out once, in order, or is counted; also over
 * restarts, torn files and a disk that is full. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "audit/spool.h"
#include "audit_bench.h"

#define BOUND (64u << 10)

static char folder[] = "/tmp/test_audit_spool.XXXXXX";
static int folder_fd = -1;

static int forget(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	return where->level ? remove(path) : 0;
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
	return folder_fd < 0;
}

static int empty(void **state)
{
	(void)state;
	return nftw(folder, forget, 8, FTW_DEPTH | FTW_PHYS);
}

static int teardown(void **state)
{
	(void)state;
	close(folder_fd);
	return rmdir(folder);
}

static struct spool *open_spool(void)
{
	struct spool *spool = NULL;
	struct error err = {};

	assert_int_equal(spool_open(&spool, folder_fd, "s", BOUND, &err), 0);
	return spool;
}

/* Number i: what operators do now and then, else a detail of one of three VMs. */
static size_t nth(uint64_t i, char line[AUDIT_LINE_BYTES])
{
	struct audit_record record;

	record_begin(&record, i % 250 == 7 ? AUDIT_POLICY : i % 3 ? AUDIT_VETO : AUDIT_DENIED);
	record_set(&record, FIELD_TIME, "2026-11-28T22:52:04.%06" PRIu64 "Z", i);
	record_set_u64(&record, FIELD_VM, i % 3);
	record_set_u64(&record, FIELD_NPAGES, i % 7);
	record_add(&record, "MESSAGE", "%" PRIu64 " %0200d", i, 0);
	return record_json(&record, line);
}

static int add(struct spool *spool, uint64_t i)
{
	char line[AUDIT_LINE_BYTES];

	return spool_append(spool, line, nth(i, line));
}

/* What came out of a spool. */
struct read {
	uint64_t n;         /* records, merged ones as many as they stand for */
	uint64_t pages;     /* of all */
	uint64_t next;      /* the lowest number that a whole record may have now */
	uint64_t operators; /* whole records of what they do */
	uint64_t merged;
};

static bool read_one(struct spool *spool, struct spool_position *at, struct read *read)
{
	struct audit_record record;
	const char *line;
	size_t size;
	int r = spool_next(spool, at, &line, &size);

	if (r != 1) {
		assert_int_equal(r, 0);
		return false;
	}
	assert_int_equal(record_parse(&record, line, size), 0);
	read->pages += record_u64(&record, FIELD_NPAGES);
	if (!strcmp(record_field(&record, FIELD_KIND), "merged")) {
		read->n += record_u64(&record, FIELD_COUNT);
		read->merged += record_u64(&record, FIELD_COUNT);
		assert_string_equal(record_field(&record, FIELD_WHY), "spool-full");
		assert_true(strcmp(record_field(&record, FIELD_SINCE),
				    record_field(&record, FIELD_TIME)) <= 0);
	} else {
		uint64_t number = strtoull(record_get(&record, "MESSAGE"), NULL, 10);

		assert_true(number >= read->next);
		read->next = number + 1;
		read->operators += !strcmp(record_field(&record, FIELD_KIND), "policy");
		read->n++;
	}
	return true;
}

static void test_plain(void **state)
{
	struct spool *spool = open_spool();
	struct spool_position at = {};
	struct read read = {};

	(void)state;
	assert_false(spool_waits(spool, &at));
	assert_false(read_one(spool, &at, &read));
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(add(spool, i), 0);
		assert_true(spool_waits(spool, &at));
		if (i % 3 == 2)
			for (int k = 0; k < 3; k++)
				assert_true(read_one(spool, &at, &read));
		spool_release(spool, &at);
		assert_int_equal(spool_make_room(spool, &at), 0);
	}
	assert_true(read_one(spool, &at, &read));
	assert_false(read_one(spool, &at, &read));
	assert_int_equal(read.n, 100);
	assert_int_equal(read.merged, 0);
	spool_release(spool, &at);
	assert_true(spool_bytes(spool) < BOUND / 4);
	spool_free(&spool);
}

/* Nobody reads: it stays within its bound, and all is counted. */
static void test_bound(void **state)
{
	struct spool *spool = open_spool();
	struct spool_position at = {};
	struct read read = {};
	int64_t merged = 0;
	uint64_t pages = 0, n = 5000;

	(void)state;
	for (uint64_t i = 0; i < n; i++) {
		int64_t r;

		assert_int_equal(add(spool, i), 0);
		pages += i % 7;
		r = spool_make_room(spool, &at);
		assert_true(r >= 0);
		merged += r;
		assert_true(spool_bytes(spool) <= BOUND + AUDIT_LINE_BYTES);
		if (i == n / 2) { /* and over a restart */
			spool_free(&spool);
			spool = open_spool();
		}
	}
	assert_true(merged > 0);
	while (read_one(spool, &at, &read))
		;
	assert_int_equal(read.n, n);
	assert_int_equal(read.pages, pages);
	assert_true(read.merged > n / 2);
	assert_true(read.operators == n / 250); /* none of them was merged */
	spool_free(&spool);
}

/* What was sent already stays as it is. */
static void test_spared(void **state)
{
	struct spool *spool = open_spool();
	struct spool_position sent = {}, at = {};
	struct read read = {}, again = {};

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		add(spool, i);
	for (int i = 0; i < 60; i++)
		assert_true(read_one(spool, &sent, &read));
	for (uint64_t i = 100; i < 1000; i++) {
		add(spool, i);
		assert_true(spool_make_room(spool, &sent) >= 0);
	}
	for (int i = 0; i < 60; i++)
		assert_true(read_one(spool, &at, &again));
	assert_int_equal(again.merged, 0);
	assert_memory_equal(&at, &sent, sizeof(at));
	while (read_one(spool, &at, &again))
		;
	assert_int_equal(again.n, 1000);
	spool_free(&spool);
}

/* The bound is lowered, and far too much is there: it is details that are merged, all of them
 * before anything of what operators did. */
static void test_lowered(void **state)
{
	struct spool *spool = open_spool();
	struct spool_position at = {};
	struct read read = {};
	uint64_t n = 3000;

	(void)state;
	spool_set_bound(spool, 16 * BOUND);
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(add(spool, i), 0);
	assert_true(spool_bytes(spool) > 2 * BOUND);
	spool_set_bound(spool, BOUND);
	assert_true(spool_make_room(spool, &at) > 0);
	assert_true(spool_bytes(spool) <= BOUND);
	while (read_one(spool, &at, &read))
		;
	assert_int_equal(read.n, n);
	assert_int_equal(read.operators, n / 250);
	spool_free(&spool);
}

/* What is merged is on the disk before what it was made of goes: the power may fail. */
static int n_synced, n_there;

int fsync(int fd)
{
	char name[128];

	(void)fd;
	n_synced++;
	snprintf(name, sizeof(name), "%s/s/%016x-%016x", folder, 1, 1);
	n_there += !access(name, F_OK);
	return 0;
}

static void test_synced(void **state)
{
	struct spool *spool = open_spool();
	struct spool_position at = {};

	(void)state;
	n_synced = n_there = 0;
	for (uint64_t i = 0; !n_synced && i < 1000; i++) {
		add(spool, i);
		if (spool_make_room(spool, &at))
			break;
	}
	assert_int_equal(n_synced, 1);
	assert_int_equal(n_there, 1);
	spool_free(&spool);
}

/* A merge that was cut short just before the old files went. */
static void test_cut_merge(void **state)
{
	char name[128], old[128], kept[128];
	struct spool *spool = open_spool();
	struct spool_position at = {};
	struct read read = {};

	(void)state;
	for (uint64_t i = 0; i < 150; i++)
		add(spool, i); /* three files or so */
	snprintf(old, sizeof(old), "%s/s/%016x-%016x", folder, 1, 1);
	snprintf(kept, sizeof(kept), "%s/kept", folder);
	assert_int_equal(link(old, kept), 0);
	for (uint64_t i = 150; i < 400; i++) {
		add(spool, i);
		spool_make_room(spool, &at);
	}
	snprintf(name, sizeof(name), "%s/s/%016x-%016x", folder, 1, 1);
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(rename(kept, old), 0);
	spool_free(&spool);
	spool = open_spool();
	while (read_one(spool, &at, &read))
		;
	assert_int_equal(read.n, 400);
	assert_int_equal(access(name, F_OK), -1);
	spool_free(&spool);
}

static void test_torn(void **state)
{
	struct spool *spool = open_spool();
	struct spool_position at = {};
	struct read read = {};
	char path[128];
	const char *line;
	size_t size;
	struct stat st;

	(void)state;
	for (uint64_t i = 0; i < 10; i++)
		add(spool, i);
	spool_free(&spool);
	snprintf(path, sizeof(path), "%s/s/%016x-%016x", folder, 1, 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - 20), 0);
	spool = open_spool();
	add(spool, 10);
	for (int i = 0; i < 9; i++)
		assert_true(read_one(spool, &at, &read));
	assert_int_equal(spool_next(spool, &at, &line, &size), -EBADMSG);
	assert_true(read_one(spool, &at, &read));
	assert_int_equal(read.next, 11);
	spool_free(&spool);
}

/* The limit of a file's size stands for a full disk. */
static void test_full(void **state)
{
	struct rlimit limit, small = {.rlim_max = RLIM_INFINITY};
	struct spool *spool = open_spool();
	struct spool_position at = {};
	struct read read = {};
	uint64_t taken = 0;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	small = (struct rlimit){5000, limit.rlim_max};
	setrlimit(RLIMIT_FSIZE, &small);
	while (!add(spool, taken))
		taken++;
	assert_true(taken > 3 && taken < 100);
	for (int i = 0; i < 10; i++)
		assert_true(add(spool, taken) < 0);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(add(spool, taken++), 0);
	while (read_one(spool, &at, &read))
		;
	assert_int_equal(read.n, taken);
	assert_int_equal(read.next, taken);
	spool_free(&spool);
}

/* All of it at random, beside a list that knows what must come. */
static void test_random(void **state)
{
	struct spool *spool = open_spool();
	struct spool_position at = {}, settled = {};
	struct read read = {};
	uint64_t added = 0, pages = 0;

	(void)state;
	srandom(7);
	for (int step = 0; step < 6000; step++) {
		switch (random() % 20) {
		case 0:
			spool_free(&spool);
			spool = open_spool();
			spool_fix(spool, &at);
			settled = at;
			break;
		case 1:
			spool_release(spool, &settled);
			break;
		case 2:
			settled = at;
			break;
		case 3:
		case 4:
		case 5:
		case 6:
			read_one(spool, &at, &read);
			break;
		default:
			assert_int_equal(add(spool, added), 0);
			pages += added++ % 7;
			assert_true(spool_make_room(spool, &at) >= 0);
		}
	}
	while (read_one(spool, &at, &read))
		;
	assert_int_equal(read.n, added);
	assert_int_equal(read.pages, pages);
	spool_free(&spool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_plain, empty),
		cmocka_unit_test_teardown(test_bound, empty),
		cmocka_unit_test_teardown(test_spared, empty),
		cmocka_unit_test_teardown(test_lowered, empty),
		cmocka_unit_test_teardown(test_synced, empty),
		cmocka_unit_test_teardown(test_cut_merge, empty),
		cmocka_unit_test_teardown(test_torn, empty),
		cmocka_unit_test_teardown(test_full, empty),
		cmocka_unit_test_teardown(test_random, empty),
	};

	return cmocka_run_group_tests_name("audit_spool", tests, setup, teardown);
}
