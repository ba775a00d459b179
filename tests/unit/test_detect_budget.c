/* SPDX-License-Identifier: GPL-2.0-only */
/* The detector of how much is shared, and of what only grows. */
#include "detect_bench.h"

#define MIB 256ull /* frames */
#define GIB (1024 * MIB)

static void convert_one(uint64_t gfn, uint64_t npages, uint64_t attrs)
{
	convert(&d.b, 1, gfn, npages, attrs, 0);
}

#define BUDGET (80 * MIB) /* of a GiB: `least`, and a quarter */

static void test_over_budget(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, GIB);
	convert_one(0x10000, BUDGET, SHARED);
	later(&d, 3 * SECOND_NS);
	assert_silent(&d);
	convert_one(0x8000, 1, SHARED);
	later(&d, 3 * SECOND_NS);
	f = found_only(&d, FINDING_BUDGET);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->pages, BUDGET + 1);
	assert_int_equal(f->values[1], BUDGET);
	assert_int_equal(f->n_ranges, 2);
	assert_range(f, 1, 0x10000, BUDGET, BUDGET);
	later(&d, 60 * SECOND_NS);
	assert_int_equal(f->count, 1);
	convert_one(0x8000, 1, PRIVATE);
	later(&d, 3 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_BUDGET)->ended, ENDED_RESOLVED);
}

/* Of 4 GiB 6%, of 64 GiB no more than a GiB; and a quarter. */
static void budget_is(uint64_t memory, uint64_t budget)
{
	restart();
	sev_vm(&d, 1, memory);
	convert_one(0x100000 / 8, budget, SHARED);
	later(&d, 3 * SECOND_NS);
	assert_silent(&d);
	convert_one(0x8000, 1, SHARED);
	later(&d, 3 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_BUDGET)->values[1], budget);
}

static void test_budgets(void **state)
{
	(void)state;
	budget_is(4 * GIB, 4 * GIB / 100 * 6 * 5 / 4);
	budget_is(64 * GIB, GIB * 5 / 4);
}

/* MMIO is no memory, neither counted nor shown. */
static void test_mmio_is_no_budget(void **state)
{
	const struct finding *f;

	(void)state;
	d.settings->enabled[KES_VM_SEV] &= ~ON(FINDING_OUTSIDE);
	sev_vm(&d, 1, GIB);
	convert_one(0x80000, GIB, SHARED);
	convert_one(0x10000, BUDGET, SHARED);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
	convert_one(0x8000, 1, SHARED);
	later(&d, 3 * SECOND_NS);
	f = found_only(&d, FINDING_BUDGET);
	assert_int_equal(f->pages, BUDGET + 1);
	assert_int_equal(f->n_ranges, 2);
}

/* Each minute it shares some more, and gives some back. */
static void grows(int minutes, uint64_t more, uint64_t back)
{
	restart();
	sev_vm(&d, 1, GIB);
	convert_one(0x8000, 1, SHARED);
	later(&d, SECOND_NS);
	for (int i = 0; i < minutes; i++) {
		convert_one(0x10000 + (uint64_t)i * 0x1000, more, SHARED);
		if (back)
			convert_one(0x10000 + (uint64_t)i * 0x1000, back, PRIVATE);
		later(&d, MINUTE_NS);
	}
}

static void test_growth(void **state)
{
	const struct finding *f;

	(void)state;
	grows(9, 1000, 0);
	assert_silent(&d);
	grows(10, 410, 0);
	f = found_only(&d, FINDING_BUDGET);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->values[2], 4100);
	assert_int_equal(f->values[3], 10);
	grows(10, 500, 45); /* a tenth of what it keeps is given back */
	assert_int_equal(found_only(&d, FINDING_BUDGET)->count, 1);
	grows(20, 500, 46);
	assert_silent(&d);
	grows(10, 409, 0); /* not 16 MiB */
	assert_silent(&d);
}

static void test_growth_begins_anew(void **state)
{
	(void)state;
	grows(9, 1000, 0);
	later(&d, MINUTE_NS); /* no growth */
	convert_one(0x20000, 10000, SHARED);
	later(&d, 2 * MINUTE_NS);
	assert_silent(&d);
	grows(9, 1000, 0);
	d.settings->enabled[KES_VM_SEV] &= ~ON(FINDING_LEFT_SHARED);
	reset_vm(&d, 1);
	convert_one(0x20000, 10000, SHARED);
	later(&d, 2 * MINUTE_NS);
	assert_null(found(&d, FINDING_BUDGET));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		DETECTS(test_over_budget),
		DETECTS(test_budgets),
		DETECTS(test_mmio_is_no_budget),
		DETECTS(test_growth),
		DETECTS(test_growth_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
