/* SPDX-License-Identifier: GPL-2.0-only */
/* Figures over intervals, beside a count so simple that it cannot be wrong; and what they cost. */
#include <time.h>

#include "top/stats.h"
#include "top_bench.h"

static uint64_t next_random(void)
{
	static uint64_t seed = 42;

	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed >> 33;
}

/* ---- latency ---- */

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void test_latency_buckets(void **state)
{
	(void)state;
	for (unsigned int i = 0; i + 1 < LATENCY_BUCKETS; i++) {
		assert_int_equal(latency_bucket(latency_bound(i) - 1), i);
		assert_int_equal(latency_bucket(latency_bound(i)), i + 1);
	}
	assert_int_equal(latency_bucket(0), 0);
	assert_int_equal(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}

static void test_latency_oracle(void **state)
{
	static uint64_t values[5000];
	const struct latency none = {};

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct latency latency = {};
		size_t n = 1 + next_random() % ARRAY_SIZE(values);

		for (size_t i = 0; i < n; i++) {
			values[i] = 2000 + (next_random() << (next_random() % 8)) % 30000000000ull;
			latency_add(&latency, values[i]);
		}
		qsort(values, n, sizeof(*values), by_value);
		for (unsigned int permille = 1; permille <= 1000; permille += 111) {
			uint64_t exact = values[(n * permille + 999) / 1000 - 1];
			uint64_t got = latency_permille(&latency, &none, permille);

			assert_in_range(got, exact, exact + exact / 4 + 1);
		}
	}
	assert_int_equal(latency_permille(&none, &none, 500), 0);
}

/* ---- rates ---- */

#define VMS 5

static void test_rates_oracle(void **state)
{
	const struct top_options options = {.interval_ns = 1000000000, .ended = true};
	struct top_bench b;
	uint64_t counted[VMS + 1][FLOWS] = {}, totals[VMS + 1][FLOWS] = {};
	uint64_t shared[VMS + 1] = {}, tick_ns;
	const struct rows *rows;

	(void)state;
	bench_start(&b, &options);
	for (uint32_t vm = 1; vm <= VMS; vm++)
		bench_vm(&b, vm, KES_VM_SNP, 1 << 20);
	bench_time(&b, 2000000000);
	tick_ns = b.ts_ns;
	for (int second = 0; second < 200; second++) {
		int n = (int)(next_random() % 60);

		memset(counted, 0, sizeof(counted));
		for (int i = 0; i < n; i++) {
			uint32_t vm = 1 + (uint32_t)(next_random() % VMS);
			bool to_private = next_random() % 2, denied = !(next_random() % 8);
			int flow = denied       ? FLOW_REFUSED
				   : to_private ? FLOW_TO_PRIVATE
						: FLOW_TO_SHARED;

			bench_convert(&b, vm, 16 * (next_random() % 64), 16, to_private,
				denied ? -22 : 0, 2000 + next_random() % 1000000);
			counted[vm][flow]++;
			totals[vm][flow]++;
		}
		bench_time(&b, tick_ns + 1000000000 - b.ts_ns);
		tick_ns = b.ts_ns;
		rows = top_rows(b.top);
		assert_int_equal(rows->n, VMS);
		for (uint32_t vm = 1; vm <= VMS; vm++)
			for (int flow = 0; flow <= FLOW_REFUSED; flow++) {
				const struct row *row = &rows->rows[vm - 1];

				assert_true(row->rates[flow] == (double)counted[vm][flow]);
				assert_int_equal(row->totals[flow], totals[vm][flow]);
			}
	}
	for (uint32_t vm = 1; vm <= VMS; vm++) {
		uint64_t counts[PAGE_STATES];

		vm_count(model_vm(b.model, vm - 1), PLANE_GUEST, counts);
		shared[vm] = counts[PAGE_SHARED] << 12;
		assert_int_equal(top_rows(b.top)->rows[vm - 1].shared, shared[vm]);
	}
	bench_press(&b, "R"); /* all counters begin anew */
	free(bench_draw(&b, 80, 24, false));
	for (uint32_t vm = 1; vm <= VMS; vm++)
		for (int flow = 0; flow < FLOWS; flow++)
			assert_int_equal(top_rows(b.top)->rows[vm - 1].totals[flow], 0);
	bench_stop(&b);
}

static void test_whole(void **state)
{
	const struct top_options options = {.interval_ns = 1000000000, .ended = true};
	struct top_bench b;

	(void)state;
	bench_start(&b, &options);
	bench_vm(&b, 1, KES_VM_SNP, 1024);
	for (int i = 0; i < 40; i++) {
		bench_convert(&b, 1, 0, 1, false, 0, 5000);
		bench_time(&b, 100000000);
	}
	top_close_interval(b.top, true);
	assert_in_range(
		(uint64_t)(top_rows(b.top)->rows[0].rates[FLOW_TO_SHARED] * 1000), 9990, 10010);
	bench_stop(&b);
}

static void test_open_requests(void **state)
{
	const struct top_options options = {.interval_ns = 1000000000};
	struct top_bench b;
	struct kes_record r;

	(void)state;
	bench_start(&b, &options);
	bench_vm(&b, 1, KES_VM_SNP, 1024);
	r = bench_record(&b, 1, KES_REQUEST);
	r.conversion.npages = 1;
	bench_apply(&b, r);
	bench_time(&b, 3000000000);
	assert_int_equal(top_rows(b.top)->rows[0].open_requests, 1);
	assert_int_equal(top_rows(b.top)->rows[0].oldest_ns, 3000000000);
	bench_stop(&b);
}

/* ---- size ---- */

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void test_thousand_vms(void **state)
{
	const struct top_options options = {.interval_ns = 1000000000};
	struct top_bench b;
	double before;

	(void)state;
	bench_start(&b, &options);
	for (uint32_t vm = 1; vm <= 1000; vm++) {
		bench_vm(&b, vm, KES_VM_SNP, 1 << 20);
		bench_convert(&b, vm, 0, vm, false, 0, 20000);
	}
	bench_time(&b, 1000000000);
	before = now_ms();
	free(bench_draw(&b, 132, 43, false));
	print_message("1000 VMs drawn in %.2f ms, with the sanitizers\n", now_ms() - before);
	assert_int_equal(top_rows(b.top)->n, 1000);
	bench_press(&b, ">>>>>");
	free(bench_draw(&b, 132, 43, false));
	assert_int_equal(top_rows(b.top)->rows[0].id, 1000);
	bench_key(&b, TK_END);
	bench_same(&b, "thousand-132x43", 132, 43, false);
	bench_stop(&b);
}

/* Those that the model forgets are forgotten here. */
static void test_forgetting(void **state)
{
	const struct top_options options = {.interval_ns = 1000000000, .ended = true};
	struct top_bench b;

	(void)state;
	bench_start(&b, &options);
	for (uint32_t vm = 1; vm <= 1500; vm++) {
		struct kes_record r;

		bench_vm(&b, vm, KES_VM_SNP, 1024);
		bench_convert(&b, vm, 0, 1, false, 0, 5000);
		r = bench_record(&b, vm, KES_VM_END);
		r.vm_end.sent = b.seq[vm];
		bench_apply(&b, r);
	}
	bench_time(&b, 1000000000);
	assert_int_equal(top_rows(b.top)->n, 1024);
	assert_int_equal(top_rows(b.top)->rows[0].id, 477);
	bench_press(&b, "3g\n");
	assert_true(bench_shows(&b, "As programs get it"));
	bench_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latency_buckets),
		cmocka_unit_test(test_latency_oracle),
		cmocka_unit_test(test_rates_oracle),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_open_requests),
		cmocka_unit_test(test_thousand_vms),
		cmocka_unit_test(test_forgetting),
	};

	return cmocka_run_group_tests_name("top_stats", tests, NULL, NULL);
}
