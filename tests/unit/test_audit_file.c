/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of the audit log and their rotation: whenever it is cut short, and however many are to be
 * kept, no file that is to be kept goes, and what is there is one log without a hole. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/file.h"
#include "audit_bench.h"
#include "folder.h"

static char folder[] = "/tmp/test_audit_file.XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/log", folder);
	return 0;
}

static int empty(void **state)
{
	(void)state;
	return folder_empty(folder);
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(folder);
}

static struct chain chain;

static struct audit_file *open_file(uint64_t count)
{
	struct audit_file_options options = {.path = path, .bytes = 1, .count = count};
	struct audit_file *file = NULL;
	struct error err = {};

	assert_int_equal(audit_file_open(&file, &options, &err), 0);
	return file;
}

/* So many records, each of which fills a file. */
static void add(struct audit_file *file, int n)
{
	struct audit_record record;

	while (n--) {
		fill_record(&record, AUDIT_VETO, chain.seq);
		chain_add(&chain, &record);
		assert_int_equal(audit_file_send(file, &record, 0), 0);
	}
}

static const char *name_of(int i)
{
	static char name[80];

	snprintf(name, sizeof(name), i ? "%s.%d" : "%s", path, i);
	return name;
}

/* All files together: whole, with these numbers. */
static void check(uint64_t first, uint64_t last)
{
	struct verifier *verifier = NULL;
	const struct verified *log;
	struct error err = {};

	assert_int_equal(verifier_new(&verifier), 0);
	assert_int_equal(verify_file(verifier, path, &err), 0);
	verifier_finish(verifier);
	assert_int_equal(verifier_count(verifier), 1);
	log = verifier_log(verifier, 0);
	assert_int_equal(log->n_problems, 0);
	assert_int_equal(log->first, first);
	assert_int_equal(log->last, last);
	assert_int_equal(log->records, last - first + 1);
	verifier_free(&verifier);
}

static void begin_log(void)
{
	assert_int_equal(chain_begin(&chain, MACHINE, BOOT), 0);
}

static void test_rotation(void **state)
{
	struct audit_file *file = open_file(3);

	(void)state;
	begin_log();
	add(file, 10);
	check(7, 10);
	assert_int_equal(access(name_of(3), F_OK), 0);
	assert_int_equal(access(name_of(4), F_OK), -1);
	audit_file_free(&file);
}

/* Fewer are to be kept than there are: those beyond would never move again, and a hole would come.
 */
static void test_fewer(void **state)
{
	struct audit_file_options options = {.path = path, .bytes = 1, .count = 2};
	struct audit_file *file = open_file(5);

	(void)state;
	begin_log();
	add(file, 8);
	check(3, 8);
	audit_file_change(file, &options);
	add(file, 2);
	check(8, 10);
	assert_int_equal(access(name_of(3), F_OK), -1);
	audit_file_free(&file);

	file = open_file(1); /* and over a restart */
	add(file, 1);
	check(10, 11);
	audit_file_free(&file);
}

/* It was cut short: some files have moved, and the others go on from there. */
static void test_cut(void **state)
{
	for (int done = 1; done <= 3; done++) {
		struct audit_file *file = open_file(4);
		char to[80];

		begin_log();
		add(file, 4); /* and three that were rotated */
		audit_file_free(&file);
		for (int i = 3; i > 3 - done; i--) {
			snprintf(to, sizeof(to), "%s", name_of(i + 1));
			assert_int_equal(rename(name_of(i), to), 0);
		}
		check(1, 4);
		file = open_file(4);
		add(file, 1);
		check(1, 5);
		audit_file_free(&file);
		empty(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_rotation, empty),
		cmocka_unit_test_teardown(test_fewer, empty),
		cmocka_unit_test_teardown(test_cut, empty),
	};

	return cmocka_run_group_tests_name("audit_file", tests, setup, teardown);
}
