/* SPDX-License-Identifier: GPL-2.0-only */
/* --since: points in time as people name them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
/* after the above */
#include <cmocka.h>

#include "cli/since.h"

#define SECOND 1000000000ull

/* The records' clock began at this moment: 2026-11-25 12:00:00 UTC. */
#define OFFSET (1795608000ll * (int64_t)SECOND)

static uint64_t at(const char *word, uint64_t now_s)
{
	struct error err = {};
	uint64_t ns = 77;

	assert_int_equal(since_parse(word, now_s * SECOND, OFFSET, &ns, &err), 0);
	assert_int_equal(ns % SECOND, 0);
	return ns / SECOND;
}

static void test_ago(void **state)
{
	(void)state;
	assert_int_equal(at("0s", 5000), 5000);
	assert_int_equal(at("30s", 5000), 4970);
	assert_int_equal(at("10m", 5000), 4400);
	assert_int_equal(at("1h", 5000), 1400);
	assert_int_equal(at("1d", 5000), 0); /* before the first record */
}

static void test_time_of_day(void **state)
{
	(void)state;
	assert_int_equal(at("12:30", 7200), 1800);
	assert_int_equal(at("12:30:07", 7200), 1807);
	assert_int_equal(at("14:00", 7200), 7200);
	assert_int_equal(at("14:00:01", 7200), 0);           /* that is yesterday's */
	assert_int_equal(at("23:00", 13 * 3600), 11 * 3600); /* across midnight */
	assert_int_equal(at("2026-11-25 12:00:09", 7200), 9);
	assert_int_equal(at("2026-11-25 13:00", 7200), 3600);
	assert_int_equal(at("2026-11-26", 7200), 12 * 3600);
}

static void test_what_is_no_time(void **state)
{
	static const char *const words[] = {"", "noon", "10", "10x", "10mm", "-5m", "25:00",
		"12:61", "2026-13-01", "99999999999999999999s", "1000001d", "12:30 "};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		struct error err = {};
		uint64_t ns = 77;

		assert_int_equal(since_check(words[i], &err), -EINVAL);
		assert_int_equal(since_parse(words[i], SECOND, OFFSET, &ns, &err), -EINVAL);
		assert_int_equal(ns, 77);
		assert_true(*err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ago),
		cmocka_unit_test(test_time_of_day),
		cmocka_unit_test(test_what_is_no_time),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
