/* SPDX-License-Identifier: GPL-2.0-only */
/* Detectors of the host, of what is only counted, and of what was not seen. */
#include "detect_bench.h"

#include <linux/version.h>

#define V KERNEL_VERSION

/* ---- kernel ---- */

static void kernel_has(uint32_t release, unsigned int bugs)
{
	const struct finding *f;

	restart();
	host_info(&d, release, KES_HOST_TRAMPOLINES);
	if (!bugs) {
		assert_silent(&d);
		return;
	}
	f = found_only(&d, FINDING_KERNEL);
	assert_weight(f, SEVERITY_INFO, CERTAINTY_POSSIBLE);
	assert_int_equal(f->count, bugs);
	assert_int_equal(f->values[1], release);
	assert_int_equal(f->vm, 0);
	assert_string_equal(d.told[0].id, "KES-019.0.1");
	later(&d, 120 * SECOND_NS); /* it lasts, and is one */
	host_info(&d, release, KES_HOST_TRAMPOLINES);
	assert_int_equal(found_only(&d, FINDING_KERNEL)->count, bugs);
}

static void test_kernels(void **state)
{
	(void)state;
	kernel_has(0, 0); /* not known */
	kernel_has(V(5, 10, 200), 0);
	kernel_has(V(6, 1, 45), 1);
	kernel_has(V(6, 1, 46), 0);
	kernel_has(V(6, 4, 10), 1);
	kernel_has(V(6, 5, 0), 0);
	kernel_has(V(6, 6, 0), 0);
	kernel_has(V(6, 8, 0), 4);
	kernel_has(V(6, 12, 29), 5);
	kernel_has(V(6, 12, 30), 4);
	kernel_has(V(6, 12, 39), 3);
	kernel_has(V(6, 12, 92), 1);
	kernel_has(V(6, 12, 93), 0);
	kernel_has(V(6, 15, 0), 4);
	kernel_has(V(6, 18, 34), 1);
	kernel_has(V(6, 18, 35), 0);
	kernel_has(V(7, 1, 0), 0);
}

/* ---- blind ---- */

static void test_missing_hooks(void **state)
{
	const struct finding *f;

	(void)state;
	host_info(&d, 0, KES_HOST_TRAMPOLINES | KES_HOST_ATTRIBUTES | KES_HOST_CHANGES);
	assert_silent(&d);
	host_info(&d, 0, KES_HOST_NO_ANSWERS);
	f = found_only(&d, FINDING_BLIND);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	host_info(&d, 0, KES_HOST_NO_ANSWERS);
	assert_int_equal(f->count, 1);
	host_info(&d, 0, KES_HOST_NO_ANSWERS | KES_HOST_NO_CHANGES);
	assert_int_equal(f->count, 2);
	later(&d, 120 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_BLIND)->state, FINDING_OPEN);
	host_info(&d, 0, 0);
	assert_int_equal(found_only(&d, FINDING_BLIND)->ended, ENDED_RESOLVED);
	restart();
	host_info(&d, 0, KES_HOST_NO_INVENTORY);
	found_only(&d, FINDING_BLIND);
}

static void exits(uint64_t total)
{
	counted(&d, 1, KES_COUNTER_EXIT, KES_EXIT_HYPERCALL, total, 101);
}

static void test_exits_that_were_not_seen(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 65536);
	convert(&d.b, 1, 0x1000, 1, SHARED, 0);
	convert(&d.b, 1, 0x1000, 1, SHARED, 1);
	request(&d.b, 1, 0, 0x2000, 1, SHARED);
	exits(64 + 3);
	later(&d, 2 * SECOND_NS);
	assert_silent(&d);
	exits(64 + 4);
	later(&d, SECOND_NS); /* records of them may still come */
	assert_silent(&d);
	later(&d, SECOND_NS);
	f = found_only(&d, FINDING_BLIND);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->values[1], 68);
	assert_int_equal(f->values[2], 3);
}

static void test_exits_that_are_explained(void **state)
{
	(void)state;
	set(&d, FINDING_LOSS, SETTING_COUNT, 100000);
	sev_vm(&d, 1, 65536);
	exits(1000); /* they are ahead of their records by less than a second */
	sleep_for(&d, SECOND_NS);
	for (int i = 0; i < 1000; i++)
		convert(&d.b, 1, 0x1000 + (uint64_t)i, 1, SHARED, 0);
	later(&d, 5 * SECOND_NS);
	exits(2000); /* records were lost */
	lose(&d, 1, KES_CAUSE_RING_FULL, 1000);
	later(&d, 5 * SECOND_NS);
	exits(3000); /* by the host, which cannot tell of whom */
	lose(&d, 0, KES_CAUSE_UNATTRIBUTED, 1000);
	later(&d, 5 * SECOND_NS);
	reset_vm(&d, 1); /* makes that forgotten, but not what it explains */
	later(&d, 5 * SECOND_NS);
	assert_null(found(&d, FINDING_BLIND));
}

/* Counts of a process with two VMs are no one VM's. */
static void test_counts_that_are_shared(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	exits(1);
	vm_new_record(&d.b, 2, KES_F_BORN, KES_VM_SEV);
	counted(&d, 0, KES_COUNTER_EXIT, KES_EXIT_HYPERCALL, 5000, 101);
	exits(5000);
	for (uint32_t i = 0; i < KES_HYPERCALLS; i++)
		counted(&d, 1, KES_COUNTER_HYPERCALL, i, 2000, 101);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
}

/* ---- sweep ---- */

static void hypercalls(uint32_t number, uint64_t total)
{
	counted(&d, 1, KES_COUNTER_HYPERCALL, number, total, 101);
}

static void test_a_sweep(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 65536);
	hypercalls(0, 1);
	hypercalls(2, 1);
	hypercalls(3, 5);
	later(&d, 3 * SECOND_NS);
	assert_silent(&d);
	hypercalls(14, 1);
	later(&d, 3 * SECOND_NS);
	f = found_only(&d, FINDING_SWEEP);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 8);
	assert_int_equal(f->values[0], 1 | 1 << 2 | 1 << 3 | 1 << 14);
	assert_int_equal(f->values[1], 0);
}

/* The last counts of a VM may come after its end. */
static void test_a_sweep_told_late(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	hypercalls(0, 1);
	hypercalls(2, 1);
	hypercalls(3, 5);
	vm_end(&d, 1);
	assert_silent(&d);
	hypercalls(14, 1);
	later(&d, SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_SWEEP)->count, 8);
}

/* Numbers from 15 on: each call is taken for another one. */
static void test_a_sweep_of_high_numbers(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	hypercalls(15, 3);
	later(&d, 3 * SECOND_NS);
	assert_silent(&d);
	hypercalls(15, 4);
	later(&d, 3 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_SWEEP)->count, 4);
	assert_int_equal(found_only(&d, FINDING_SWEEP)->values[1], 4);
}

static void test_one_number_very_often(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	hypercalls(13, 999);
	later(&d, 3 * SECOND_NS);
	assert_silent(&d);
	hypercalls(13, 1000);
	later(&d, 3 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_SWEEP)->count, 1000);
}

static void test_no_sweep(void **state)
{
	static const uint32_t known[] = {1, 5, 9, 10, 11, 12};

	(void)state;
	sev_vm(&d, 1, 65536);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		hypercalls(known[i], 1000000);
	later(&d, 3 * SECOND_NS);
	for (uint32_t i = 0; i < 4; i++) { /* more than a minute for four numbers */
		hypercalls(i == 1 ? 13 : i, 1);
		later(&d, 40 * SECOND_NS);
	}
	assert_silent(&d);
}

/* ---- loss ---- */

static void test_records_were_lost(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 65536);
	lose(&d, 1, KES_CAUSE_RING_FULL, 99);
	assert_silent(&d);
	lose(&d, 1, KES_CAUSE_TABLE_FULL, 1);
	f = found_only(&d, FINDING_LOSS);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 100);
	lose(&d, 1, KES_CAUSE_RING_FULL, 150); /* a total */
	assert_int_equal(f->count, 151);
	assert_int_equal(f->values[KES_CAUSE_RING_FULL], 150);
	assert_int_equal(f->values[KES_CAUSE_TABLE_FULL], 1);
}

static void test_the_host_lost_records(void **state)
{
	(void)state;
	lose(&d, 0, KES_CAUSE_UNATTRIBUTED, 100);
	assert_int_equal(found_only(&d, FINDING_LOSS)->vm, 0);
	assert_int_equal(found_only(&d, FINDING_LOSS)->count, 100);
}

static void test_little_was_lost(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	for (uint64_t i = 1; i < 10; i++) { /* slowly */
		lose(&d, 1, KES_CAUSE_RING_FULL, i * 60);
		later(&d, 62 * SECOND_NS);
	}
	lose(&d, 0, KES_CAUSE_COUNTS_FULL, 100000); /* no record is missing */
	lose(&d, 1, KES_CAUSE_COUNTS_FULL, 100000);
	assert_silent(&d);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		DETECTS(test_kernels),
		DETECTS(test_missing_hooks),
		DETECTS(test_exits_that_were_not_seen),
		DETECTS(test_exits_that_are_explained),
		DETECTS(test_counts_that_are_shared),
		DETECTS(test_a_sweep),
		DETECTS(test_a_sweep_told_late),
		DETECTS(test_a_sweep_of_high_numbers),
		DETECTS(test_one_number_very_often),
		DETECTS(test_no_sweep),
		DETECTS(test_records_were_lost),
		DETECTS(test_the_host_lost_records),
		DETECTS(test_little_was_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
