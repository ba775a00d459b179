// SPDX-License-Identifier: GPL-2.0-only
/* What a report keeps of maps and numbers over time, against oracles that keep all; and that a
 * large capture makes no large page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "hostile_names.h"
#include "report/film.h"
#include "report/html.h"
#include "report/report.h"
#include "report/series.h"
#include "base/sha256.h"

static uint64_t state = 88172645463325252ull;

static uint64_t any(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

/* ---- films ---- */

#define CELLS 40
#define TAKEN 300

static void test_film(void **unused)
{
	(void)unused;
	for (int round = 0; round < 40; round++) {
		_cleanup_(film_free) struct film *film = NULL;
		static struct film_cell all[TAKEN][CELLS];
		static uint64_t last[TAKEN][CELLS]; /* of each cell's last change */
		struct film_cell cells[CELLS] = {}, now[CELLS] = {};
		uint64_t when[CELLS] = {}, shown[CELLS] = {}, counts[FILM_COUNTS] = {};
		size_t taken = 2 + any(TAKEN - 2), max_runs = round % 2 ? 100 : 100000;

		assert_int_equal(film_new(&film, CELLS, 20, max_runs, 1), 0);
		for (size_t i = 0; i < taken; i++) {
			for (uint64_t k = any(6); k > 0; k--) {
				uint64_t from = any(CELLS), to = from + any(CELLS - from);

				film_touch(film, from, to, 10 * i + k);
				for (uint64_t at = from; at <= to; at++) {
					cells[at].frames[1] = (uint32_t)any(3);
					cells[at].look = cells[at].frames[1];
					when[at] = 10 * i + k;
				}
			}
			memcpy(all[i], cells, sizeof(cells));
			memcpy(last[i], when, sizeof(when));
			assert_int_equal(film_take(film, i, counts, 0, cells), 0);
			assert_in_range(film->n_shots, 1, 20);
		}
		assert_int_equal(film->shots[0].ts_ns, 0);
		assert_int_equal(film->shots[film->n_shots - 1].ts_ns, taken - 1);
		assert_int_equal(film->n_shots + film->dropped, taken);
		assert_true(film->n_shots == 2 || film->n_runs <= max_runs);
		for (size_t i = 0; i < film->n_shots; i++) {
			const struct film_shot *shot = &film->shots[i];

			for (size_t k = 0; k < shot->n_changes; k++) {
				now[shot->changes[k].at] = shot->changes[k].cell;
				shown[shot->changes[k].at] = shot->changes[k].when_ns;
			}
			assert_memory_equal(now, all[shot->ts_ns], sizeof(now));
			assert_memory_equal(shown, last[shot->ts_ns], sizeof(shown));
		}
	}
}

/* ---- series ---- */

static void test_series(void **unused)
{
	(void)unused;
	for (int round = 0; round < 200; round++) {
		uint64_t begin = any(1000), span = any(round % 2 ? 500 : 100000), ts = begin;
		uint64_t times[400], levels[400], n = 1 + any(399);
		static struct series series;

		series_init(&series, begin, begin + span);
		for (uint64_t i = 0; i < n; i++) {
			ts += any(span / 100 + 2);
			ts = MIN(ts, begin + span);
			times[i] = ts;
			levels[i] = any(50);
			series_level(&series, ts, levels[i]);
			series_count(&series, ts, COUNT_TO_SHARED);
		}
		series_end(&series);
		assert_in_range(series.n, 1, SERIES_STEPS);
		for (size_t at = 0; at < series.n; at++) {
			uint64_t from = begin + at * series.step_ns, to = from + series.step_ns;
			uint64_t level = levels[0], low, high, count = 0;

			for (uint64_t i = 0; i < n && times[i] < from; i++)
				level = levels[i];
			low = high = level;
			for (uint64_t i = 0; i < n; i++)
				if (times[i] >= from && times[i] < to) {
					level = levels[i];
					low = MIN(low, level);
					high = MAX(high, level);
					count++;
				}
			assert_int_equal(series.steps[at].low, low);
			assert_int_equal(series.steps[at].high, high);
			assert_int_equal(series.steps[at].last, level);
			assert_int_equal(series.steps[at].counts[COUNT_TO_SHARED], count);
		}
	}
}

static void test_spread(void **unused)
{
	struct spread spread = {};

	(void)unused;
	assert_int_equal(spread_permille(&spread, 500), 0);
	for (int i = 0; i < 100000; i++) {
		uint64_t ns = any(1ull << (1 + any(40)));
		unsigned int bucket = spread_bucket(ns);

		assert_true(bucket == SPREAD_BUCKETS - 1 || ns < spread_bound(bucket));
		assert_true(!bucket || ns >= spread_bound(bucket - 1));
		spread_add(&spread, ns);
	}
	assert_int_equal(spread.n, 100000);
	assert_true(spread_permille(&spread, 990) <= spread.high_ns);
}

/* ---- text ---- */

static void test_sha256(void **unused)
{
	char text[SHA256_BASE64];

	(void)unused;
	assert_string_equal(
		sha256_base64("", 0, text), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	assert_string_equal(
		sha256_base64("abc", 3, text), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
	assert_string_equal(
		sha256_base64("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, text),
		"JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE=");
}

static void test_hostile(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(hostile_names); i++) {
		_cleanup_free_ char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		html_foreign(out, hostile_names[i].bytes);
		fclose(out);
		assert_null(strpbrk(text, "<>\"'"));
		assert_null(hostile_complaint(text));
		assert_null(strstr(text, "\xe2\x80\xa8"));
	}
}

/* ---- a million records ---- */

static struct kes_record record_of(uint8_t kind, uint64_t seq, uint64_t ts_ns)
{
	return (struct kes_record){.kind = kind, .seq = seq, .ts_ns = ts_ns, .vm = 1};
}

struct passing {
	struct report *report;
	bool second;
};

static int on_event(void *context, const struct event *event)
{
	struct passing *reading = context;

	return (reading->second ? report_event : report_scan)(reading->report, event);
}

#define MILLION 1000000

static void feed(struct passing *reading, struct model **ret)
{
	struct model_options options = {.on_event = on_event, .context = reading};
	struct kes_record r = record_of(KES_VM_NEW, 0, 1);
	static const struct style style;
	struct model *model;

	state = 88172645463325252ull;
	assert_int_equal(model_new(&model, &options), 0);
	if (reading->second)
		report_watch(reading->report, model, &style);
	r.vm_new.type = KES_VM_SNP;
	r.flags = KES_F_BORN;
	assert_int_equal(model_apply(model, &r, 1), 0);
	for (uint64_t seq = 1; seq <= MILLION; seq++) {
		static uint64_t gfn;

		r = record_of(seq % 2 ? KES_ANSWER : KES_REQUEST, seq, 1000 * seq);
		if (seq == 1) { /* 4 GiB */
			struct kes_record slot = record_of(KES_MEMSLOT, seq, r.ts_ns);

			slot.memslot.npages = 1 << 20;
			slot.memslot.total = 1;
			assert_int_equal(model_apply(model, &slot, 1), 0);
			continue;
		}
		if (seq % 2 == 0) {
			gfn = any(1 << 20);
			r.conversion.gpa = gfn << 12;
			r.conversion.npages = 1 + any(512);
			r.conversion.attrs = any(2) << 4;
			r.conversion.request.nr = 12;
		}
		if (reading->second)
			assert_int_equal(report_pace(reading->report, r.ts_ns), 0);
		assert_int_equal(model_apply(model, &r, 1), 0);
	}
	model_finish(model);
	if (!reading->second)
		assert_int_equal(report_plan(reading->report, model), 0);
	else
		assert_int_equal(report_end(reading->report), 0);
	*ret = model;
}

static void test_million(void **unused)
{
	struct passing reading = {};
	struct model_totals totals;
	struct model *model;
	_cleanup_free_ char *text = NULL;
	static const struct style style;
	struct report_page page = {.style = &style};
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)unused;
	assert_int_equal(report_new(&reading.report), 0);
	feed(&reading, &model);
	model_free(&model);
	reading.second = true;
	feed(&reading, &model);
	page.model = model;
	model_totals(model, &totals);
	assert_in_range(totals.records, MILLION, MILLION + 1);
	assert_int_equal(totals.lost, 0);
	assert_in_range(totals.ledger.converted, MILLION / 2 - 2, MILLION / 2);
	page.source = (struct report_source){.path = "<script>",
		.metadata = "{}",
		.records = MILLION,
		.end_ns = 1000ull * MILLION};
	assert_int_equal(report_write(out, reading.report, &page), 0);
	fclose(out);
	assert_in_range(size, 50000, REPORT_BYTES);
	assert_null(strstr(text, "<dd><script>"));
	assert_non_null(strstr(text, "Thinned out"));
	print_message("a million records: %zu bytes\n", size);
	report_free(&reading.report);
	model_free(&model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_film),
		cmocka_unit_test(test_series),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
