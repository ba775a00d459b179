/* SPDX-License-Identifier: GPL-2.0-only */
/* Whatever is done to an audit log shows: each byte, each record, each pair of them, is tried. */
#include "audit_bench.h"

static struct log_bench bench;

/* The log with its lines in this order, then judged; the caller's. */
static struct verifier *judge(const size_t *order, size_t n)
{
	struct verifier *verifier = NULL;

	assert_int_equal(verifier_new(&verifier), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(verify_text(verifier, "file", bench.lines[order[i]],
					 strlen(bench.lines[order[i]])),
			0);
	verifier_finish(verifier);
	return verifier;
}

/* The only log there is. */
static const struct verified *only(const struct verifier *verifier)
{
	assert_int_equal(verifier_count(verifier), 1);
	return verifier_log(verifier, 0);
}

static void has_problem(
	const struct verified *log, enum problem_kind kind, uint64_t first, uint64_t last)
{
	assert_int_equal(log->n_problems, 1);
	assert_int_equal(log->problems[0].kind, kind);
	assert_int_equal(log->problems[0].first, first);
	assert_int_equal(log->problems[0].last, last);
}

/* Lines 0 to n without those from `from` to `to`. */
static size_t order_without(size_t order[LOG_RECORDS], size_t from, size_t to)
{
	size_t n = 0;

	for (size_t i = 0; i < LOG_RECORDS; i++)
		if (i < from || i > to)
			order[n++] = i;
	return n;
}

static void test_whole(void **state)
{
	size_t order[LOG_RECORDS], n = order_without(order, LOG_RECORDS, 0);
	_cleanup_(verifier_free) struct verifier *verifier = NULL;
	const struct verified *log;

	(void)state;
	make_log(&bench);
	verifier = judge(order, n);
	log = only(verifier);
	assert_int_equal(log->n_problems, 0);
	assert_int_equal(log->records, LOG_RECORDS);
	assert_int_equal(log->first, 1);
	assert_int_equal(log->last, LOG_RECORDS);
	assert_true(log->stopped);
	assert_string_equal(log->machine, MACHINE);
	assert_string_equal(log->boot, BOOT);
	/* 2026-11-28 22:52:00.000001 UTC, as date(1) has it */
	assert_int_equal(log->first_us, 1795906320000001);
}

/* Any one byte changed, to several others. */
static void test_bytes(void **state)
{
	static const unsigned char flips[] = {0x01, 0x20, 0x80};
	char text[LOG_RECORDS * 1024], *at = text;
	size_t size;

	(void)state;
	make_log(&bench);
	for (size_t i = 0; i < bench.n; i++)
		at = stpcpy(at, bench.lines[i]);
	size = (size_t)(at - text);
	for (size_t i = 0; i < size; i++)
		for (size_t k = 0; k < ARRAY_SIZE(flips); k++) {
			_cleanup_(verifier_free) struct verifier *verifier = NULL;
			size_t problems = 0;

			text[i] ^= (char)flips[k];
			verifier = verify_bytes(text, size);
			verifier_finish(verifier);
			for (size_t j = 0; j < verifier_count(verifier); j++)
				problems += verifier_log(verifier, j)->n_problems;
			if (!problems)
				fail_msg("byte %zu can be changed by 0x%x", i, flips[k]);
			text[i] ^= (char)flips[k];
		}
}

static void test_missing(void **state)
{
	(void)state;
	make_log(&bench);
	for (size_t from = 0; from < LOG_RECORDS; from++)
		for (size_t to = from; to < LOG_RECORDS; to++) {
			size_t order[LOG_RECORDS], n = order_without(order, from, to);
			_cleanup_(verifier_free) struct verifier *verifier = judge(order, n);
			const struct verified *log;

			if (!n) {
				assert_int_equal(verifier_count(verifier), 0);
				continue;
			}
			log = only(verifier);
			if (from && to < LOG_RECORDS - 1)
				has_problem(log, PROBLEM_GAP, from + 1, to + 1);
			else /* neither end can be told from the records alone */
				assert_int_equal(log->n_problems, 0);
			assert_int_equal(log->first, from ? 1 : to + 2);
			assert_int_equal(log->stopped, to < LOG_RECORDS - 1);
		}
}

static void test_end(void **state)
{
	size_t order[LOG_RECORDS], n = order_without(order, LOG_RECORDS - 3, LOG_RECORDS);
	struct chain_state expected = {};
	struct verifier *verifier = NULL;

	(void)state;
	make_log(&bench);
	expected.chain = bench.chain;
	assert_int_equal(verifier_new(&verifier), 0);
	for (size_t i = 0; i < n; i++)
		verify_text(verifier, "file", bench.lines[order[i]], strlen(bench.lines[order[i]]));
	verifier_expect(verifier, &expected);
	verifier_finish(verifier);
	has_problem(only(verifier), PROBLEM_CUT, LOG_RECORDS - 2, LOG_RECORDS);
	verifier_free(&verifier);

	/* all of it is gone */
	assert_int_equal(verifier_new(&verifier), 0);
	verifier_expect(verifier, &expected);
	verifier_finish(verifier);
	has_problem(only(verifier), PROBLEM_CUT, 1, LOG_RECORDS);
	verifier_free(&verifier);
}

static void test_order(void **state)
{
	(void)state;
	make_log(&bench);
	for (size_t i = 0; i + 1 < LOG_RECORDS; i++) {
		size_t order[LOG_RECORDS];
		_cleanup_(verifier_free) struct verifier *verifier = NULL;

		order_without(order, LOG_RECORDS, 0);
		order[i] = i + 1;
		order[i + 1] = i;
		verifier = judge(order, LOG_RECORDS);
		has_problem(only(verifier), PROBLEM_REORDERED, i + 1, i + 1);
	}
}

static void test_repeated(void **state)
{
	(void)state;
	make_log(&bench);
	for (size_t i = 0; i < LOG_RECORDS; i++) {
		size_t order[LOG_RECORDS + 1];
		_cleanup_(verifier_free) struct verifier *verifier = NULL;

		order_without(order, LOG_RECORDS, 0);
		order[LOG_RECORDS] = i;
		verifier = judge(order, LOG_RECORDS + 1);
		has_problem(only(verifier), PROBLEM_REPEATED, i + 1, i + 1);
	}
}

/* The same, sent again by ourselves: that is said, and is no problem. */
static void test_resent(void **state)
{
	char again[AUDIT_LINE_BYTES];
	struct verifier *verifier = NULL;

	(void)state;
	make_log(&bench);
	assert_int_equal(verifier_new(&verifier), 0);
	for (size_t i = 0; i < bench.n; i++)
		if (i != 3)
			verify_text(verifier, "file", bench.lines[i], strlen(bench.lines[i]));
	for (size_t i = 3; i < 5; i++) {
		snprintf(again, sizeof(again), "%.*s,\"KES_RESENT\":\"1\"}\n",
			(int)strlen(bench.lines[i]) - 2, bench.lines[i]);
		verify_text(verifier, "file", again, strlen(again));
	}
	verifier_finish(verifier);
	assert_int_equal(only(verifier)->n_problems, 0);
	assert_int_equal(only(verifier)->again, 1);
	assert_int_equal(only(verifier)->records, LOG_RECORDS);
	verifier_free(&verifier);
}

/* A record with a right digest of its own in place of another one. */
static void test_replaced(void **state)
{
	struct chain chain;
	struct audit_record record;
	char line[AUDIT_LINE_BYTES];
	struct verifier *verifier = NULL;
	size_t size;

	(void)state;
	make_log(&bench);
	chain = bench.chain;
	chain.seq = 5; /* its KES_PREV is not that of record 5 */
	fill_record(&record, AUDIT_VETO, 99);
	chain_add(&chain, &record);
	size = record_json(&record, line);
	assert_int_equal(verifier_new(&verifier), 0);
	for (size_t i = 0; i < bench.n; i++)
		verify_text(verifier, "file", i == 5 ? line : bench.lines[i],
			i == 5 ? size : strlen(bench.lines[i]));
	verifier_finish(verifier);
	assert_int_equal(only(verifier)->n_problems, 2); /* neither side fits */
	assert_int_equal(only(verifier)->problems[0].kind, PROBLEM_BROKEN);
	assert_int_equal(only(verifier)->problems[0].first, 6);
	assert_int_equal(only(verifier)->problems[1].first, 7);
	verifier_free(&verifier);

	/* and beside it: which one is the log's is plain */
	assert_int_equal(verifier_new(&verifier), 0);
	for (size_t i = 0; i < bench.n; i++)
		verify_text(verifier, "file", bench.lines[i], strlen(bench.lines[i]));
	verify_text(verifier, "file", line, size);
	verifier_finish(verifier);
	has_problem(only(verifier), PROBLEM_DOUBLE, 6, 6);
	verifier_free(&verifier);
}

/* Where it is: a path may have any bytes, and more of them than are kept. */
static void test_damaged(void **state)
{
	static const char begin[] = "/ab\033[2J/", letter[] = "\xc3\xa9";
	struct verifier *verifier = NULL;
	char path[sizeof(begin) + 100 * 2] = "";
	char wanted[128];

	(void)state;
	strcpy(path, begin);
	for (int i = 0; i < 100; i++)
		strcat(path, letter);
	strcpy(wanted, "/ab\\x1b[2J/");
	for (int i = 0; i < 42; i++) /* of the next one only half has room */
		strcat(wanted, letter);
	strcat(wanted, ":1");
	assert_int_equal(verifier_new(&verifier), 0);
	assert_int_equal(verify_text(verifier, path, "x\n", 2), 0);
	verifier_finish(verifier);
	has_problem(only(verifier), PROBLEM_DAMAGED, 0, 0);
	assert_string_equal(only(verifier)->problems[0].who, wanted);
	verifier_free(&verifier);
}

static void test_forged(void **state)
{
	const struct sender other = {.text = "uid 1000, pid 7 (sh)"}, own = {.trusted = true};
	struct verifier *verifier = NULL;
	struct audit_record record;

	(void)state;
	make_log(&bench);
	assert_int_equal(verifier_new(&verifier), 0);
	for (size_t i = 0; i < bench.n; i++) {
		assert_int_equal(
			record_parse(&record, bench.lines[i], strlen(bench.lines[i]) - 1), 0);
		assert_int_equal(verifier_add(verifier, &record, &own), 0);
	}
	assert_int_equal(verifier_add(verifier, &record, &other), 0);
	record_drop(&record, FIELD_LOG); /* a log that is none of ours makes none */
	record_set(&record, FIELD_LOG, "0123456789abcdef0123456789abcdef");
	assert_int_equal(verifier_add(verifier, &record, &other), 0);
	verifier_finish(verifier);
	assert_int_equal(verifier_count(verifier), 2);
	has_problem(verifier_log(verifier, 0), PROBLEM_FORGED, LOG_RECORDS, LOG_RECORDS);
	assert_string_equal(verifier_log(verifier, 0)->problems[0].who, other.text);
	has_problem(verifier_log(verifier, 1), PROBLEM_FORGED, LOG_RECORDS, LOG_RECORDS);
	assert_string_equal(verifier_log(verifier, 1)->log, "");
	verifier_free(&verifier);
}

/* The next boot's log says how the one before ended. */
static void test_previous(void **state)
{
	for (int same = 0; same < 2; same++) {
		struct verifier *verifier = NULL;
		struct audit_record record;
		struct chain chain;

		(void)state;
		make_log(&bench);
		assert_int_equal(verifier_new(&verifier), 0);
		for (size_t i = 0; i < bench.n; i++)
			verify_text(verifier, "file", bench.lines[i], strlen(bench.lines[i]));
		assert_int_equal(chain_begin(&chain, MACHINE, BOOT), 0);
		fill_record(&record, AUDIT_CHAIN, 59);
		record_set(&record, FIELD_PREVIOUS, "%s:%d:%s", bench.chain.log,
			LOG_RECORDS + !same, bench.chain.hash);
		chain_add(&chain, &record);
		verifier_add(verifier, &record, NULL);
		verifier_finish(verifier);
		assert_int_equal(verifier_count(verifier), 2);
		assert_int_equal(verifier_log(verifier, 0)->n_problems, 0);
		if (same)
			assert_int_equal(verifier_log(verifier, 1)->n_problems, 0);
		else
			has_problem(verifier_log(verifier, 1), PROBLEM_REPLACED, LOG_RECORDS + 1,
				LOG_RECORDS + 1);
		verifier_free(&verifier);
	}
}

/* The first record is of another host than it says. */
static void test_anchor(void **state)
{
	_cleanup_(verifier_free) struct verifier *verifier = NULL;

	(void)state;
	bench.n = 0;
	assert_int_equal(chain_begin(&bench.chain, BOOT, MACHINE), 0);
	add_line(&bench, AUDIT_CHAIN);
	verifier = verify_bytes(bench.lines[0], strlen(bench.lines[0]));
	verifier_finish(verifier);
	has_problem(only(verifier), PROBLEM_BROKEN, 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_resent),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_previous),
		cmocka_unit_test(test_anchor),
	};

	return cmocka_run_group_tests_name("audit_verify", tests, NULL, NULL);
}
