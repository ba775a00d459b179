/* SPDX-License-Identifier: GPL-2.0-only */
/* How much of findings is kept, and for how long. */
#include "detect_bench.h"

/* ---- what is kept ---- */

/* A finding of the VM, which the next tick ends. */
static void short_finding(uint32_t vm, uint64_t number)
{
	lose(&d, vm, KES_CAUSE_RING_FULL, number);
}

static void start_short_findings(void)
{
	detect_start(&d);
	set(&d, FINDING_LOSS, SETTING_COUNT, 1);
	set(&d, FINDING_LOSS, SETTING_QUIET, 0);
}

static void test_a_vm_pushes_out_its_own(void **state)
{
	const struct finding *const *list;
	size_t n;

	(void)state;
	start_short_findings();
	text(&d.b, 1, KES_TEXT_NAME, "loud");
	text(&d.b, 2, KES_TEXT_NAME, "quiet");
	short_finding(2, 1);
	for (uint64_t i = 1; i <= 100; i++) {
		short_finding(1, i);
		later(&d, SECOND_NS);
	}
	list = detect_findings(d.detect, &n);
	assert_int_equal(n, 1 + DETECT_KEPT_PER_VM);
	assert_int_equal(detect_dropped(d.detect), 100 - DETECT_KEPT_PER_VM);
	assert_int_equal(list[0]->vm, 2);
	assert_int_equal(list[1]->number, 37);
	assert_int_equal(list[n - 1]->number, 100);
	assert_string_equal(list[1]->name, "loud");
	detect_end(&d);
}

static void test_all_vms_together_are_bounded(void **state)
{
	const uint32_t vms = DETECT_KEPT / DETECT_KEPT_PER_VM + 2;
	const struct finding *const *list;
	size_t n;

	(void)state;
	start_short_findings();
	for (uint32_t vm = 1; vm <= vms; vm++)
		text(&d.b, vm, KES_TEXT_NAME, "one of many");
	for (uint64_t i = 1; i <= DETECT_KEPT_PER_VM; i++) {
		for (uint32_t vm = 1; vm <= vms; vm++)
			short_finding(vm, i);
		later(&d, SECOND_NS);
	}
	list = detect_findings(d.detect, &n);
	assert_int_equal(n, DETECT_KEPT);
	assert_int_equal(detect_dropped(d.detect), 2 * DETECT_KEPT_PER_VM);
	for (size_t i = 1; i < n; i++)
		assert_true(list[i - 1]->begin_ns <= list[i]->begin_ns);
	assert_true(list[0]->number > 1);
	detect_end(&d);
}

/* ---- VMs that go ---- */

/* The model frees them, and nothing of them may be touched then (sanitizers watch). */
static void test_forgotten_vms(void **state)
{
	(void)state;
	detect_start_with(&d, 1, ABI_MAP_GPA_RANGE);
	set(&d, FINDING_MALFORMED, SETTING_COUNT, 2);
	for (uint32_t vm = 1; vm <= 3; vm++) {
		protected_vm(&d, vm, 65536);
		try_from_user_mode(vm);
		refuse(&d, vm, 1, 1, SHARED, KES_REASON_UNALIGNED, 0);
		convert(&d.b, vm, 0x1000, 8, SHARED, 0);
		request(&d.b, vm, 1, 0x2000, 1, SHARED);
		set_attributes(&d.b, vm, 0x3000, 8, false); /* waits to be judged */
	}
	for (uint32_t vm = 1; vm <= 3; vm++)
		vm_end(&d, vm); /* the second and the third push out the one before */
	assert_int_equal(model_vm_count(d.b.model), 1);
	lose(&d, 1, KES_CAUSE_RING_FULL, 1000);
	later(&d, 10 * SECOND_NS);
	assert_int_equal(told(&d, FINDING_PRIVILEGE, PHASE_END), 3);
	assert_int_equal(told(&d, FINDING_UNCOMMITTED, PHASE_END), 3);
	assert_int_equal(told(&d, FINDING_UNSOLICITED, PHASE_END), 3);
	assert_int_equal(told(&d, FINDING_MALFORMED, PHASE_BEGIN), 0);
	assert_int_equal(told(&d, FINDING_LOSS, PHASE_BEGIN), 0);
	assert_string_equal(found(&d, FINDING_PRIVILEGE)->name, "qemu[103]");
	for (uint32_t vm = 1; vm <= 200; vm++) { /* VMs that may take their places */
		text(&d.b, 1000 + vm, KES_TEXT_NAME, "new");
		lose(&d, 1000 + vm, KES_CAUSE_RING_FULL, 1);
	}
	detect_end(&d);
}

static void test_counts_may_come_after_the_end(void **state)
{
	(void)state;
	detect_start(&d);
	sev_vm(&d, 1, 4096);
	later(&d, SECOND_NS);
	vm_end(&d, 1);
	lose(&d, 1, KES_CAUSE_RING_FULL, 1000);
	later(&d, 10 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_LOSS)->ended, ENDED_VM);
	lose(&d, 1, KES_CAUSE_RING_FULL, 2000); /* too late: nobody watches it any more */
	later(&d, 2 * SECOND_NS);
	assert_int_equal(told(&d, FINDING_LOSS, PHASE_BEGIN), 1);
	detect_end(&d);
}

/* ---- ranges and evidence ---- */

struct oracle {
	struct finding_range list[FINDING_RANGES + 1];
	size_t n;
};

static int by_gfn(const void *a, const void *b)
{
	const struct finding_range *x = a, *y = b;

	return x->gfn < y->gfn ? -1 : x->gfn > y->gfn;
}

static void oracle_remove(struct oracle *oracle, size_t i)
{
	oracle->list[i] = oracle->list[--oracle->n];
	qsort(oracle->list, oracle->n, sizeof(oracle->list[0]), by_gfn);
}

/* The one with the fewest cases; of equal ones the first. */
static void oracle_drop(struct oracle *oracle)
{
	size_t least = 0;

	for (size_t i = 1; i < oracle->n; i++)
		if (oracle->list[i].count < oracle->list[least].count)
			least = i;
	oracle_remove(oracle, least);
}

static void oracle_add(struct oracle *oracle, struct finding_range new)
{
	for (size_t i = 0; i < oracle->n; i++) {
		struct finding_range old = oracle->list[i];
		uint64_t end = old.gfn + old.npages, new_end = new.gfn + new.npages;

		if (old.gfn > new_end || new.gfn > end)
			continue;
		new.gfn = old.gfn < new.gfn ? old.gfn : new.gfn;
		new.npages = (end > new_end ? end : new_end) - new.gfn;
		new.count += old.count;
		oracle_remove(oracle, i);
		i = (size_t)-1; /* it is larger now: once more */
	}
	if (oracle->n == FINDING_RANGES)
		oracle_drop(oracle);
	oracle->list[oracle->n++] = new;
	qsort(oracle->list, oracle->n, sizeof(new), by_gfn);
}

static void test_ranges_as_the_oracle_has_them(void **state)
{
	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct oracle oracle = {};
		struct finding f = {};

		for (int i = 0; i < 40; i++) {
			struct finding_range new = {
				next_random() % 300, 1 + next_random() % 9, 1 + next_random() % 5};

			finding_add_range(&f, new.gfn, new.npages, new.count);
			oracle_add(&oracle, new);
			assert_int_equal(f.n_ranges, oracle.n);
			assert_memory_equal(f.ranges, oracle.list, oracle.n * sizeof(new));
		}
	}
}

static void test_ranges_at_the_edges(void **state)
{
	struct finding f = {};

	(void)state;
	finding_add_range(&f, 5, 0, 1); /* no pages are no range */
	assert_int_equal(f.n_ranges, 0);
	finding_add_range(&f, UINT64_MAX - 4, 100, 1);
	finding_add_range(&f, UINT64_MAX - 8, 2, 1);
	assert_int_equal(f.n_ranges, 2);
	finding_add_range(&f, 0, UINT64_MAX, 1);
	assert_int_equal(f.n_ranges, 1);
	assert_range(&f, 0, 0, UINT64_MAX, 3);
	assert_false(f.more_ranges);
	f = (struct finding){};
	for (uint64_t i = 0; i < FINDING_RANGES; i++)
		finding_add_range(&f, i * 10, 1, 2);
	assert_false(f.more_ranges);
	finding_add_range(&f, 1000, 1, 1);
	assert_true(f.more_ranges);
	assert_range(&f, FINDING_RANGES - 1, 1000, 1, 1);
	assert_range(&f, 0, 10, 1, 2);
}

/* The first four and the last four. */
static void test_evidence(void **state)
{
	(void)state;
	for (uint64_t n = 0; n < 20; n++) {
		struct finding f = {};
		uint64_t kept = n < 2 * FINDING_EVIDENCE ? n : 2 * FINDING_EVIDENCE;

		for (uint64_t i = 0; i < n; i++) {
			struct event event = {.seq = i, .vm = (const struct vm *)&f};

			event.now_ns = (i + 1) * MILLISECOND_NS;
			finding_add_evidence(&f, &event);
		}
		for (uint64_t i = 0; i < kept; i++) {
			const struct event *event = finding_evidence(&f, i);

			assert_non_null(event);
			assert_null(event->vm);
			assert_int_equal(event->seq, i < FINDING_EVIDENCE ? i : n - kept + i);
		}
		assert_null(finding_evidence(&f, kept));
	}
}

/* Of a million cases a second not each one is looked at. */
static void test_evidence_of_a_flood(void **state)
{
	struct finding f = {};
	uint64_t i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		struct event event = {.seq = i, .now_ns = SECOND_NS + i * 1000};

		finding_add_evidence(&f, &event);
	}
	for (i = 0; i < 2 * FINDING_EVIDENCE; i++)
		assert_int_equal(finding_evidence(&f, i)->seq, i);
	assert_null(finding_evidence(&f, i));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_vm_pushes_out_its_own),
		cmocka_unit_test(test_all_vms_together_are_bounded),
		cmocka_unit_test(test_forgotten_vms),
		cmocka_unit_test(test_counts_may_come_after_the_end),
		cmocka_unit_test(test_ranges_as_the_oracle_has_them),
		cmocka_unit_test(test_ranges_at_the_edges),
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_evidence_of_a_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
