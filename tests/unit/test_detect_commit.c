/* SPDX-License-Identifier: GPL-2.0-only */
/* Detectors of what the VMM makes of its guest's requests, and does unasked. */
#include "detect_bench.h"

/* A VM whose guest runs, and whose launch is over. */
static void running_vm(void)
{
	protected_vm(&d, 1, 65536);
	commit(&d, 1, 0x8000, 1, SHARED);
}

static void denied(uint64_t gfn, uint64_t npages, uint64_t attrs, int64_t ret)
{
	convert(&d.b, 1, gfn, npages, attrs, ret);
}

/* ---- uncommitted ---- */

static void test_answered_but_not_done(void **state)
{
	const struct finding *f;

	(void)state;
	running_vm();
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	f = found_only(&d, FINDING_UNCOMMITTED);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->pages, 8);
	assert_range(f, 0, 0x1000, 8, 1);
	assert_int_equal(f->values[0], 8);
	later(&d, 300 * SECOND_NS); /* for as long as the planes differ */
	assert_int_equal(found_only(&d, FINDING_UNCOMMITTED)->state, FINDING_OPEN);
}

/* Of what lies in memory; the rest has no state. */
static void test_done_in_part(void **state)
{
	uint64_t asked;

	(void)state;
	running_vm();
	asked = request(&d.b, 1, 0, 0xfff8, 16, SHARED);
	set_attributes(&d.b, 1, 0xfff8, 5, false);
	answer(&d.b, 1, 0, 0xfff8, 16, SHARED, 0, asked, 0);
	assert_int_equal(found(&d, FINDING_UNCOMMITTED)->count, 1);
	assert_int_equal(found(&d, FINDING_UNCOMMITTED)->values[0], 3);
}

static void test_done_elsewhere(void **state)
{
	const struct finding *f;
	uint64_t asked;

	(void)state;
	running_vm();
	asked = request(&d.b, 1, 0, 0x1000, 8, SHARED);
	set_attributes(&d.b, 1, 0x1800, 8, false);
	answer(&d.b, 1, 0, 0x1000, 8, SHARED, 0, asked, 0);
	later(&d, 5 * SECOND_NS); /* that other range is part of it, not unasked */
	f = found_only(&d, FINDING_UNCOMMITTED);
	assert_int_equal(f->values[1], 1);
	assert_int_equal(f->values[2], 0);
	assert_int_equal(f->evidence, 2);
}

static void test_done_the_other_way(void **state)
{
	const struct finding *f;
	uint64_t asked;

	(void)state;
	running_vm();
	commit(&d, 1, 0x1000, 8, SHARED);
	asked = request(&d.b, 1, 0, 0x1000, 8, SHARED);
	set_attributes(&d.b, 1, 0x1000, 8, true);
	answer(&d.b, 1, 0, 0x1000, 8, SHARED, 0, asked, 0);
	later(&d, 5 * SECOND_NS);
	f = found_only(&d, FINDING_UNCOMMITTED);
	assert_int_equal(f->values[1], 0);
	assert_int_equal(f->values[2], 1);
}

static void test_done_late(void **state)
{
	(void)state;
	running_vm();
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	set_attributes(&d.b, 1, 0x1000, 7, false);
	later(&d, 3 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_UNCOMMITTED)->state, FINDING_OPEN);
	set_attributes(&d.b, 1, 0x1007, 1, false);
	later(&d, 3 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_UNCOMMITTED)->ended, ENDED_RESOLVED);
}

/* More ranges than a finding has room for. */
static void test_all_done_late(void **state)
{
	(void)state;
	running_vm();
	for (uint64_t i = 0; i < 12; i++)
		convert(&d.b, 1, 0x1000 + 2 * i, 1, SHARED, 0);
	later(&d, 3 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_UNCOMMITTED)->count, 12);
	for (uint64_t i = 12; i-- > 0;) { /* those that have no room last */
		assert_int_equal(found_only(&d, FINDING_UNCOMMITTED)->state, FINDING_OPEN);
		set_attributes(&d.b, 1, 0x1000 + 2 * i, 1, false);
		later(&d, 2 * SECOND_NS);
	}
	assert_int_equal(found_only(&d, FINDING_UNCOMMITTED)->ended, ENDED_RESOLVED);
}

static void test_a_stale_plane_is_less_certain(void **state)
{
	(void)state;
	running_vm();
	lose(&d, 1, KES_CAUSE_RING_FULL, 1);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	assert_weight(found_only(&d, FINDING_UNCOMMITTED), SEVERITY_WARNING, CERTAINTY_LIKELY);
}

static void test_done_or_not_known(void **state)
{
	(void)state;
	running_vm();
	commit(&d, 1, 0x1000, 8, SHARED);
	commit(&d, 1, 0x1000, 8, PRIVATE);
	denied(0x1000, 8, SHARED, 1);
	sev_vm(&d, 2, 65536); /* has no host plane */
	convert(&d.b, 2, 0x1000, 8, SHARED, 0);
	vm_new_record(&d.b, 3, KES_F_BORN, KES_VM_SNP); /* its plane was not read yet */
	info(&d.b, 3, 2, KES_VM_HAS_ATTRIBUTES);
	memslot(&d.b, 3, 0, 65536, 0, 1);
	convert(&d.b, 3, 0x1000, 8, SHARED, 0);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
}

/* ---- unsolicited ---- */

static void test_shared_unasked(void **state)
{
	const struct finding *f;

	(void)state;
	running_vm();
	set_attributes(&d.b, 1, 0x1000, 8, false);
	f = found_only(&d, FINDING_UNSOLICITED);
	assert_weight(f, SEVERITY_CRITICAL, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->pages, 8);
	assert_range(f, 0, 0x1000, 8, 1);
	set_attributes(&d.b, 1, 0x1000, 16, false); /* half of it is new */
	assert_int_equal(f->count, 2);
	assert_int_equal(f->pages, 16);
	assert_int_equal(f->values[0], 16);
}

static void test_taken_unasked(void **state)
{
	const struct finding *f;

	(void)state;
	running_vm();
	commit(&d, 1, 0x1000, 8, SHARED);
	set_attributes(&d.b, 1, 0x1000, 8, true);
	later(&d, SECOND_NS);
	assert_silent(&d);
	later(&d, 2 * SECOND_NS);
	f = found_only(&d, FINDING_UNSOLICITED);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->values[0], 0);
	assert_int_equal(f->values[1], 8);
}

static void test_after_launch(void **state)
{
	(void)state;
	protected_vm(&d, 1, 65536);
	later(&d, 61 * SECOND_NS); /* and its guest has not asked for anything */
	set_attributes(&d.b, 1, 0x1000, 8, false);
	later(&d, 3 * SECOND_NS);
	assert_weight(found_only(&d, FINDING_UNSOLICITED), SEVERITY_CRITICAL, CERTAINTY_CERTAIN);
}

static void test_launch(void **state)
{
	(void)state;
	protected_vm(&d, 1, 65536);
	set_attributes(&d.b, 1, 0x1000, 8, false);
	later(&d, 58 * SECOND_NS);
	set_attributes(&d.b, 1, 0x2000, 8, false);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
}

/* The VMM cleans up first, range by range, and then the vCPU begins anew. */
static void reset_follows(uint64_t ranges, uint64_t after_ns)
{
	restart();
	running_vm();
	for (uint64_t i = 0; i < ranges; i++)
		commit(&d, 1, 0x1000 + 2 * i, 1, SHARED);
	for (uint64_t i = 0; i < ranges; i++)
		set_attributes(&d.b, 1, 0x1000 + 2 * i, 1, true);
	set_attributes(&d.b, 1, 0x8000, 1, true);
	later(&d, after_ns);
	reset_vm(&d, 1);
	later(&d, 5 * SECOND_NS);
}

static void test_reset_follows(void **state)
{
	const struct finding *f;

	(void)state;
	reset_follows(1, SECOND_NS);
	assert_silent(&d);
	reset_follows(40, SECOND_NS); /* more than can wait */
	assert_silent(&d);
	reset_follows(1, 4 * SECOND_NS);
	f = found_only(&d, FINDING_UNSOLICITED);
	assert_int_equal(f->count, 2);
	reset_follows(40, 4 * SECOND_NS);
	f = found_only(&d, FINDING_UNSOLICITED);
	assert_int_equal(f->count, 41);
	assert_int_equal(f->values[1], 41);
	assert_true(f->more_ranges);
}

/* New memory is made private, and partly shared, as it comes. */
static void test_hotplug(void **state)
{
	(void)state;
	running_vm();
	memslot(&d.b, 1, 0, 65536, 0, 2);
	memslot(&d.b, 1, 0x100000, 4096, 1, 2);
	later(&d, SECOND_NS);
	set_attributes(&d.b, 1, 0x100000, 4096, true);
	set_attributes(&d.b, 1, 0x100000, 16, false);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
	later(&d, 5 * SECOND_NS);
	set_attributes(&d.b, 1, 0x100010, 16, false);
	assert_int_equal(found_only(&d, FINDING_UNSOLICITED)->count, 1);
}

static void test_solicited_in_some_way(void **state)
{
	struct kes_record r;

	(void)state;
	running_vm();
	fault(&d, 1, 0x1000, 1, false); /* the guest took it for shared */
	set_attributes(&d.b, 1, 0x1000, 1, false);
	set_attributes(&d.b, 1, 0x1000, 1, false); /* so already */
	convert(&d.b, 1, 0x2000, 8, SHARED, 0);    /* uncommitted */
	set_attributes(&d.b, 1, 0x2000, 8, true);  /* so already */
	set_attributes(&d.b, 1, 0x2000, 8, false); /* late, but as declared */
	set_attributes(&d.b, 1, 0x20000, 8, true);
	set_attributes(&d.b, 1, 0x20000, 8, false); /* where there is no memory */
	r = record(&d.b, 1, KES_ATTRS);
	r.set_attrs.gpa = 0x3000 << 12;
	r.set_attrs.size = 4096;
	r.set_attrs.err = -12; /* it failed */
	apply(&d.b, r);
	later(&d, 5 * SECOND_NS);
	found_only(&d, FINDING_UNCOMMITTED);
}

/* ---- fault-loop ---- */

static void test_faults_without_end(void **state)
{
	const struct finding *f;

	(void)state;
	running_vm();
	for (int i = 0; i < 7; i++)
		fault(&d, 1, 0x1000, 1, false);
	assert_silent(&d);
	fault(&d, 1, 0x1000, 1, false);
	f = found_only(&d, FINDING_FAULT_LOOP);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 8);
	assert_range(f, 0, 0x1000, 1, 8);
	fault(&d, 1, 0x1000, 1, false);
	assert_int_equal(f->count, 9);
	assert_int_equal(f->values[0], 9);
	set_attributes(&d.b, 1, 0x0ff0, 0x20, false); /* helped */
	assert_int_equal(found(&d, FINDING_FAULT_LOOP)->ended, ENDED_RESOLVED);
}

/* A call that failed is no help, nor is one for other pages. */
static void test_faults_without_help(void **state)
{
	(void)state;
	running_vm();
	for (int i = 0; i < 8; i++) {
		struct kes_record r = record(&d.b, 1, KES_ATTRS);

		fault(&d, 1, 0x1000, 1, false);
		set_attributes(&d.b, 1, 0x1001, 1, true);
		r.set_attrs.gpa = 0x1000 << 12;
		r.set_attrs.size = 4096;
		r.set_attrs.err = -12;
		apply(&d.b, r);
	}
	assert_int_equal(found_only(&d, FINDING_FAULT_LOOP)->count, 8);
}

static void test_faults_that_are_helped(void **state)
{
	(void)state;
	running_vm();
	for (uint64_t i = 0; i < 10; i++) {
		for (int k = 0; k < 7; k++)
			fault(&d, 1, 0x1000, 1, i % 2);
		set_attributes(&d.b, 1, 0x1000, 0x10, i % 2);
	}
	for (uint64_t i = 0; i < 100; i++) /* many pages, none of them often */
		fault(&d, 1, 0x2000 + i, 1, false);
	assert_silent(&d);
}

/* A page that is faulted on again each minute is populated by other means each time. */
static void test_faults_now_and_then(void **state)
{
	(void)state;
	running_vm();
	for (int i = 0; i < 20; i++) {
		fault(&d, 1, 0x1000, 1, true);
		later(&d, 15 * SECOND_NS);
	}
	assert_silent(&d);
}

/* ---- again ---- */

static void test_again_and_again(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 65536);
	for (int i = 0; i < 15; i++)
		denied(0x1000, 8, SHARED, 11);
	assert_silent(&d);
	denied(0x1000, 8, SHARED, 11);
	f = found_only(&d, FINDING_AGAIN);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 16);
	assert_int_equal(f->values[0], 16);
	assert_range(f, 0, 0x1000, 8, 16);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	assert_int_equal(found(&d, FINDING_AGAIN)->ended, ENDED_RESOLVED);
}

/* What was too little to be told when it was right again is not told at all. */
static void test_again_too_little(void **state)
{
	(void)state;
	set(&d, FINDING_AGAIN, SETTING_COUNT, 20);
	sev_vm(&d, 1, 65536);
	for (int i = 0; i < 19; i++)
		denied(0x1000, 8, SHARED, 11);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	assert_silent(&d);
}

static void test_again_with_progress(void **state)
{
	(void)state;
	sev_vm(&d, 1, 65536);
	for (uint64_t i = 0; i < 100; i++)
		denied(0x1000 + i, 100 - i, SHARED, 11);
	for (uint64_t i = 0; i < 100; i++)
		denied(0x1000 + i, 1, SHARED, 11);
	for (uint64_t i = 0; i < 100; i++)
		denied(0x1000, 1, i % 15 ? SHARED : PRIVATE, 11);
	for (uint64_t i = 0; i < 100; i++)
		denied(0x1000, 1, SHARED, i % 15 ? 11 : 1);
	for (uint64_t i = 0; i < 100; i++)
		denied(0x2000, 1, SHARED, i % 15 ? 11 : 0);
	for (uint64_t i = 0; i < 100; i++)
		denied(0x1000, 1, SHARED, 1);
	assert_silent(&d);
}

/* ---- reused ---- */

static void could_not_take_back(void)
{
	restart();
	sev_vm(&d, 1, 65536);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	denied(0x1000, 8, PRIVATE, 1);
}

static void test_shared_once_more(void **state)
{
	const struct finding *f;

	(void)state;
	could_not_take_back();
	assert_silent(&d);
	convert(&d.b, 1, 0x1006, 8, SHARED, 0);
	f = found_only(&d, FINDING_REUSED);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->values[0], 1);
	assert_range(f, 0, 0x1006, 2, 1);
	fault(&d, 1, 0x1000, 1, false);
	assert_int_equal(f->count, 2);
	assert_int_equal(f->values[1], 1);
}

static void test_not_reused(void **state)
{
	(void)state;
	could_not_take_back(); /* but then it could */
	convert(&d.b, 1, 0x1000, 8, PRIVATE, 0);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	fault(&d, 1, 0x1000, 1, false);
	assert_silent(&d);
	could_not_take_back();
	convert(&d.b, 1, 0x1008, 8, SHARED, 0); /* others */
	fault(&d, 1, 0x1000, 1, true);
	denied(0x1000, 8, SHARED, 1);
	assert_silent(&d);
	could_not_take_back();
	reset_vm(&d, 1);
	fault(&d, 1, 0x1000, 1, false);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	assert_null(found(&d, FINDING_REUSED));
	restart();
	sev_vm(&d, 1, 65536); /* they were not shared, so that nothing was to be taken back */
	denied(0x1000, 8, PRIVATE, 1);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	assert_silent(&d);
}

static void test_reused_in_a_partial_map(void **state)
{
	(void)state;
	vm_new_record(&d.b, 1, 0, KES_VM_SEV); /* it ran already */
	memslot(&d.b, 1, 0, 65536, 0, 1);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	denied(0x1000, 8, PRIVATE, 1);
	convert(&d.b, 1, 0x1000, 8, SHARED, 0);
	assert_weight(found_only(&d, FINDING_REUSED), SEVERITY_WARNING, CERTAINTY_LIKELY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		DETECTS(test_answered_but_not_done),
		DETECTS(test_done_in_part),
		DETECTS(test_done_elsewhere),
		DETECTS(test_done_the_other_way),
		DETECTS(test_done_late),
		DETECTS(test_all_done_late),
		DETECTS(test_a_stale_plane_is_less_certain),
		DETECTS(test_done_or_not_known),
		DETECTS(test_shared_unasked),
		DETECTS(test_taken_unasked),
		DETECTS(test_after_launch),
		DETECTS(test_launch),
		DETECTS(test_reset_follows),
		DETECTS(test_hotplug),
		DETECTS(test_solicited_in_some_way),
		DETECTS(test_faults_without_end),
		DETECTS(test_faults_without_help),
		DETECTS(test_faults_that_are_helped),
		DETECTS(test_faults_now_and_then),
		DETECTS(test_again_and_again),
		DETECTS(test_again_too_little),
		DETECTS(test_again_with_progress),
		DETECTS(test_shared_once_more),
		DETECTS(test_not_reused),
		DETECTS(test_reused_in_a_partial_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
