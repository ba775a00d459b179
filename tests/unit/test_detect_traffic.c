/* SPDX-License-Identifier: GPL-2.0-only */
/* Detectors of how much, how often, how long, and of what no correct guest asks for. */
#include "detect_bench.h"

/* All at once. */
static void refused(uint32_t vm, int times)
{
	for (int i = 0; i < times; i++) {
		d.b.ts -= i ? 1000 : 0;
		refuse(&d, vm, 0x1000000, 1, SHARED, KES_REASON_DISABLED, 0);
	}
}

/* To and fro, `times` in all. */
static void flip(uint64_t gfn, uint64_t npages, int times)
{
	for (int i = 0; i < times; i++)
		convert(&d.b, 1, gfn, npages, i % 2 ? PRIVATE : SHARED, 0);
}

/* ---- storm ---- */

static void small_storms(void)
{
	set_own(&d, FINDING_STORM, "rate", 1000);
	d.settings->values[KES_VM_SEV][FINDING_STORM][SETTING_OWN + 1] = 10; /* burst */
}

static void test_a_storm(void **state)
{
	const struct finding *f;

	(void)state;
	small_storms();
	sev_vm(&d, 1, 65536);
	refused(1, 10);
	assert_silent(&d);
	refused(1, 1);
	f = found_only(&d, FINDING_STORM);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	convert(&d.b, 1, 0x1000, 1, SHARED, 0);
	convert(&d.b, 1, 0x1000, 1, SHARED, 1);
	assert_int_equal(f->count, 3); /* in whatever way they end */
	assert_int_equal(f->n_ranges, 0);
	refused(1, 100);
	assert_int_equal(f->count, 103);
	sleep_for(&d, 11 * MILLISECOND_NS); /* however many there were, it is over then */
	refused(1, 10);
	assert_int_equal(f->count, 103);
	later(&d, 12 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_STORM)->ended, ENDED_QUIET);
}

static void test_a_burst_and_no_storm(void **state)
{
	(void)state;
	small_storms();
	sev_vm(&d, 1, 65536);
	refused(1, 10);
	for (int i = 0; i < 3000; i++) { /* as fast as it may be, for three seconds */
		sleep_for(&d, MILLISECOND_NS - 1000);
		refused(1, 1);
	}
	assert_silent(&d);
	for (int i = 0; i < 20; i++) { /* and one burst a second */
		sleep_for(&d, SECOND_NS);
		refused(1, 10);
	}
	assert_silent(&d);
}

/* Its part of the host's conversions, in that second. */
static void test_whose_storm(void **state)
{
	const struct finding *f;

	(void)state;
	small_storms();
	vm_new_record(&d.b, 2, KES_F_BORN, KES_VM_SNP);
	refused(2, 1000); /* long before */
	later(&d, 5 * SECOND_NS + 500 * MILLISECOND_NS);
	sev_vm(&d, 1, 65536);
	refused(1, 30);
	refused(2, 10);
	later(&d, 2 * SECOND_NS);
	f = found_only(&d, FINDING_STORM);
	assert_int_equal(f->values[1], 75);
	assert_true(f->values[0] >= 29 && f->values[0] <= 60);
}

/* ---- flapping ---- */

static void test_a_range_that_flaps(void **state)
{
	const struct finding *f;

	(void)state;
	set_own(&d, FINDING_FLAPPING, "flips", 8);
	sev_vm(&d, 1, 65536);
	flip(0x1000, 4, 8); /* the first one is no flip */
	assert_silent(&d);
	flip(0x1000, 4, 1);
	f = found_only(&d, FINDING_FLAPPING);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 8);
	assert_range(f, 0, 0x1000, 4, 8);
	convert(&d.b, 1, 0x1000, 4, PRIVATE, 0);
	assert_int_equal(f->count, 9);
	assert_int_equal(f->values[0], 9);
	assert_int_equal(f->values[1], 4);
}

static void test_what_does_not_flap(void **state)
{
	(void)state;
	set_own(&d, FINDING_FLAPPING, "flips", 8);
	sev_vm(&d, 1, 65536);
	for (uint64_t i = 0; i < 100; i++) {
		convert(&d.b, 1, 0x1000, 1, SHARED, 0); /* the same direction */
		flip(0x2000 + i, 1, 4);                 /* different ranges */
		convert(&d.b, 1, 0x3000, i + 1, i % 2 ? PRIVATE : SHARED, 0);
	}
	assert_silent(&d);
	for (int i = 0; i < 100; i++) { /* slowly */
		convert(&d.b, 1, 0x4000, 1, i % 2 ? PRIVATE : SHARED, 0);
		later(&d, 10 * SECOND_NS);
	}
	assert_null(found(&d, FINDING_FLAPPING));
}

/* Buffers that begin at multiples of 2 MiB, in turn. */
static void test_aligned_ranges_flap(void **state)
{
	(void)state;
	set_own(&d, FINDING_FLAPPING, "flips", 8);
	sev_vm(&d, 1, 65536);
	for (int round = 0; round < 9; round++)
		for (uint64_t i = 0; i < 16; i++)
			convert(&d.b, 1, 0x2000 + i * 512, 512, round % 2 ? PRIVATE : SHARED, 0);
	assert_non_null(found(&d, FINDING_FLAPPING));
	assert_int_equal(found(&d, FINDING_FLAPPING)->count, 16 * 8);
}

/* ---- redundant ---- */

static void test_nothing_changes(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 65536);
	convert(&d.b, 1, 0x1000, 4, SHARED, 0);
	for (int i = 0; i < 130; i++)
		convert(&d.b, 1, 0x1000, 4, SHARED, 0);
	for (int i = 0; i < 125; i++)
		convert(&d.b, 1, 0x2000, 4, PRIVATE, 0);
	assert_silent(&d);
	convert(&d.b, 1, 0x2000, 4, PRIVATE, 0);
	f = found_only(&d, FINDING_REDUNDANT);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 256);
	assert_int_equal(f->values[0], 130);
	assert_int_equal(f->values[1], 126);
	assert_range(f, 0, 0x1000, 4, 130);
	assert_range(f, 1, 0x2000, 4, 126);
}

static void test_something_changes(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	vm_new_record(&d.b, 2, KES_F_BORN, KES_VM_SNP); /* accepts its memory */
	memslot(&d.b, 2, 0, 65536, 0, 1);
	for (uint64_t i = 0; i < 300; i++) {
		convert(&d.b, 1, 0x1000, i + 1, SHARED, 0); /* one page more */
		convert(&d.b, 1, 0x1000, 1, SHARED, 1);     /* denied */
		convert(&d.b, 2, 0x1000 + i, 1, PRIVATE, 0);
	}
	assert_silent(&d);
}

static void test_nothing_changes_perhaps(void **state)
{
	(void)state;
	set(&d, FINDING_REDUNDANT, SETTING_COUNT, 4);
	vm_new_record(&d.b, 1, 0, KES_VM_SEV); /* it ran already */
	memslot(&d.b, 1, 0, 65536, 0, 1);
	for (int i = 0; i < 4; i++)
		convert(&d.b, 1, 0x1000, 4, SHARED, 0); /* not known at first */
	assert_silent(&d);
	convert(&d.b, 1, 0x1000, 4, SHARED, 0);
	assert_weight(found_only(&d, FINDING_REDUNDANT), SEVERITY_NOTICE, CERTAINTY_LIKELY);
}

/* ---- malformed ---- */

static void test_malformed(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 65536);
	refuse(&d, 1, 0x1000001, 1, SHARED, KES_REASON_UNALIGNED, 0);
	refuse(&d, 1, 0x1000000, 0, SHARED, KES_REASON_EMPTY, 0);
	assert_silent(&d);
	refuse(&d, 1, 0x1000000, ~0ull >> 12, SHARED, KES_REASON_WRAP, 0);
	f = found_only(&d, FINDING_MALFORMED);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 3);
	convert(&d.b, 1, 0x1000, 1, 0x20, 0);           /* a bit that nobody defined */
	convert(&d.b, 1, 0x1000, 512, 3, 1);            /* a page size that nobody defined */
	convert(&d.b, 1, PAGEMAP_FRAMES - 1, 2, 0, 1);  /* beyond all addresses */
	convert(&d.b, 1, 0x1001, 1, PRIVATE | 0x40, 0); /* to private as well */
	assert_int_equal(f->count, 7);
	assert_int_equal(f->values[0], 1);
	assert_int_equal(f->values[1], 1);
	assert_int_equal(f->values[2], 2);
	assert_int_equal(f->values[3], 3);
}

static void test_another_abi(void **state)
{
	(void)state;
	set(&d, FINDING_MALFORMED, SETTING_COUNT, 1);
	sev_vm(&d, 1, 65536);
	convert(&d.b, 1, 0x1001, 1, 1, 0); /* "encrypted", in 2021 */
	assert_int_equal(found_only(&d, FINDING_MALFORMED)->count, 1);
}

static void test_well_formed(void **state)
{
	(void)state;
	sev_vm(&d, 1, 1 << 20);
	refused(1, 10);
	refuse(&d, 1, 0x1000001, 1, SHARED, KES_REASON_UNALIGNED, 0); /* two may be a bug */
	refuse(&d, 1, 0x1000000, 0, SHARED, KES_REASON_EMPTY, 0);
	for (int i = 0; i < 10; i++) {
		convert(&d.b, 1, 0x1000, 512, 1, 0);
		convert(&d.b, 1, 0x40000, 1 << 18, PRIVATE | 2, 0);
		convert(&d.b, 1, PAGEMAP_FRAMES - 1, 1, PRIVATE, 1);
	}
	assert_silent(&d);
}

/* ---- privilege ---- */

static void test_from_user_mode(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 65536);
	for (uint32_t reason = 0; reason < KES_REASON_MAX; reason++)
		if (reason != KES_REASON_CPL)
			refuse(&d, 1, 0x1000000, 1, SHARED, reason, 0);
	assert_null(found(&d, FINDING_PRIVILEGE));
	refuse(&d, 1, 0x1000000, 4, SHARED, KES_REASON_CPL, 0);
	f = found(&d, FINDING_PRIVILEGE);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_range(f, 0, 0x1000, 4, 1);
	refuse(&d, 1, 0x2000000, 4, SHARED, KES_REASON_CPL, KES_F_INFERRED);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_LIKELY);
	assert_int_equal(f->count, 2);
}

/* ---- slow ---- */

static void answers(int n, uint64_t npages, uint64_t ns)
{
	for (int i = 0; i < n; i++)
		convert_slowly(&d, 1, 0x1000, npages, ns);
}

static void test_a_slow_answer(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 65536);
	answers(1, 4, SECOND_NS - 1);
	assert_silent(&d);
	answers(1, 4, SECOND_NS);
	f = found_only(&d, FINDING_SLOW);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->values[1], SECOND_NS);
	assert_range(f, 0, 0x1000, 4, 1);
}

/* n answers of ns, and the others fast; of all within a second. */
static void percentile_is(
	enum kes_vm_type type, int slow, uint64_t ns, int fast, uint64_t npages, bool want)
{
	restart();
	vm_new_record(&d.b, 1, KES_F_BORN, type);
	memslot(&d.b, 1, 0, 65536, 0, 1);
	later(&d, SECOND_NS);
	answers(slow, npages, ns);
	answers(fast, npages, 50000);
	later(&d, SECOND_NS);
	if (!want) {
		assert_silent(&d);
		return;
	}
	assert_weight(found_only(&d, FINDING_SLOW), SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(found_only(&d, FINDING_SLOW)->count, 1);
	assert_true(found(&d, FINDING_SLOW)->values[0] <= ns); /* "or more" */
	assert_true(found(&d, FINDING_SLOW)->values[0] > ns - ns / 4);
}

static void test_slow_answers(void **state)
{
	(void)state;
	percentile_is(KES_VM_SEV, 2, 30 * MILLISECOND_NS, 98, 512, true);
	percentile_is(KES_VM_SEV, 1, 30 * MILLISECOND_NS, 99, 512, false);
	percentile_is(KES_VM_SEV, 20, 30 * MILLISECOND_NS, 79, 512, false);
	percentile_is(KES_VM_SEV, 20, 30 * MILLISECOND_NS, 80, 513, false);
	percentile_is(KES_VM_SEV, 20, 17 * MILLISECOND_NS, 80, 1, false);
	percentile_is(KES_VM_SEV, 20, 22 * MILLISECOND_NS, 80, 1, true);
	percentile_is(KES_VM_TDX, 10, 45 * MILLISECOND_NS, 90, 1, false);
	percentile_is(KES_VM_TDX, 10, 60 * MILLISECOND_NS, 90, 1, true);
}

/* A VM may end before anybody has looked. */
static void test_slow_answers_of_a_short_life(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	answers(10, 1, 30 * MILLISECOND_NS);
	answers(90, 1, 50000);
	assert_silent(&d);
	vm_end(&d, 1);
	assert_int_equal(found_only(&d, FINDING_SLOW)->count, 1);
	later(&d, 2 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_SLOW)->count, 1);
}

/* The first minute is one of the VM's life, not what is left of the host's. */
static void test_slow_answers_of_the_first_second(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	answers(10, 1, 30 * MILLISECOND_NS);
	later(&d, SECOND_NS);
	answers(90, 1, 50000);
	later(&d, SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_SLOW)->count, 1);
}

static void test_what_a_minute_forgets(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	later(&d, SECOND_NS);
	answers(20, 1, 30 * MILLISECOND_NS);
	later(&d, 61 * SECOND_NS);
	answers(99, 1, 50000);
	later(&d, SECOND_NS);
	assert_silent(&d);
}

static void test_read_late(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	for (int i = 0; i < 100; i++) {
		uint64_t asked = request(&d.b, 1, 0, 0x1000, 1, SHARED);

		sleep_for(&d, SECOND_NS);
		answer(&d.b, 1, 0, 0x1000, 1, SHARED, 0, asked, KES_F_LATE);
	}
	assert_silent(&d);
}

static void test_a_vcpu_that_waits(void **state)
{
	const struct finding *f;
	uint64_t asked;

	(void)state;
	sev_vm(&d, 1, 65536);
	asked = request(&d.b, 1, 0, 0x1000, 4, SHARED);
	later(&d, 5 * SECOND_NS - 1000000);
	assert_silent(&d);
	later(&d, 2 * SECOND_NS);
	f = found_only(&d, FINDING_SLOW);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_range(f, 0, 0x1000, 4, 1);
	later(&d, 120 * SECOND_NS); /* it lasts */
	f = found_only(&d, FINDING_SLOW);
	assert_int_equal(f->state, FINDING_OPEN);
	assert_int_equal(f->count, 1);
	assert_true(f->values[2] > 120 * SECOND_NS);
	answer(&d.b, 1, 0, 0x1000, 4, SHARED, 0, asked, 0);
	assert_int_equal(f->count, 2); /* that was slow as well */
	later(&d, 62 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_SLOW)->ended, ENDED_QUIET);
}

/* Its answer may have come unseen. */
static void test_who_waits_perhaps(void **state)
{
	struct kes_record r;

	(void)state;
	sev_vm(&d, 1, 65536);
	r = record(&d.b, 1, KES_REQUEST);
	r.flags = KES_F_UNHOOKED;
	r.conversion.gpa = 0x1000 << 12;
	r.conversion.npages = 1;
	apply(&d.b, r);
	later(&d, 20 * SECOND_NS);
	assert_silent(&d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		DETECTS(test_a_storm),
		DETECTS(test_a_burst_and_no_storm),
		DETECTS(test_whose_storm),
		DETECTS(test_a_range_that_flaps),
		DETECTS(test_what_does_not_flap),
		DETECTS(test_aligned_ranges_flap),
		DETECTS(test_nothing_changes),
		DETECTS(test_something_changes),
		DETECTS(test_nothing_changes_perhaps),
		DETECTS(test_malformed),
		DETECTS(test_another_abi),
		DETECTS(test_well_formed),
		DETECTS(test_from_user_mode),
		DETECTS(test_a_slow_answer),
		DETECTS(test_slow_answers),
		DETECTS(test_slow_answers_of_a_short_life),
		DETECTS(test_slow_answers_of_the_first_second),
		DETECTS(test_what_a_minute_forgets),
		DETECTS(test_read_late),
		DETECTS(test_a_vcpu_that_waits),
		DETECTS(test_who_waits_perhaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
