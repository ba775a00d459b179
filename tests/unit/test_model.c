/* SPDX-License-Identifier: GPL-2.0-only */
/* The model, fed with records as the kernel half writes them. */
#include "model_bench.h"

/* ---- conversions ---- */

static void test_accepted_changes_pages(void **state)
{
	static const struct range want[] = {
		{0, 16, PAGE_PRIVATE},
		{16, 4, PAGE_SHARED},
		{20, 44, PAGE_PRIVATE},
	};
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_DEFAULT);
	assert_false(vm_has_map(first_vm(&b)));
	memslot(&b, 1, 0, 64, 0, 1);
	convert(&b, 1, 16, 8, 0, 0);
	convert(&b, 1, 20, 4, 0x10, 0);
	assert_true(vm_has_map(first_vm(&b)));
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_EXACT);
	assert_int_equal(vm_memory_pages(first_vm(&b)), 64);
	assert_int_equal(b.n, 3);
	assert_int_equal(b.events[1].kind, EVENT_CONVERTED);
	assert_int_equal(b.events[1].seq, 2);
	assert_true(b.events[1].has_latency);
	assert_int_equal(b.events[1].latency_ns, 1000);
	model_free(&b.model);
}

static void test_denied_changes_nothing(void **state)
{
	static const struct range want[] = {{0, 64, PAGE_PRIVATE}};
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	memslot(&b, 1, 0, 64, 0, 1);
	convert(&b, 1, 16, 8, 0, -22);
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	assert_int_equal(b.events[1].kind, EVENT_DENIED);
	assert_int_equal(b.events[1].ret, -22);
	assert_int_equal(first_vm(&b)->totals.denied, 1);
	model_free(&b.model);
}

static void test_open_request_changes_nothing_yet(void **state)
{
	struct bench b;
	uint64_t oldest;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	request(&b, 1, 3, 7, 1, 0);
	assert_int_equal(vm_open_requests(first_vm(&b), &oldest), 1);
	assert_int_equal(oldest, 2000);
	check_ranges(first_vm(&b), NULL, 0);
	apply(&b, record(&b, 1, KES_VM_END));
	assert_int_equal(b.events[1].kind, EVENT_UNANSWERED);
	assert_int_equal(b.events[2].kind, EVENT_VM_END);
	assert_int_equal(vm_open_requests(first_vm(&b), &oldest), 0);
	model_free(&b.model);
}

/* A request whose answer nothing watched for cannot be called unanswered. */
static void test_unhooked_request_ends_unknown(void **state)
{
	static const struct range want[] = {{7, 1, PAGE_UNKNOWN}};
	struct kes_record r;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	r = record(&b, 1, KES_REQUEST);
	r.flags = KES_F_UNHOOKED;
	r.conversion.gpa = 7 << 12;
	r.conversion.npages = 1;
	apply(&b, r);
	apply(&b, record(&b, 1, KES_VM_END));
	assert_int_equal(b.events[1].kind, EVENT_NO_ANSWER);
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_PARTIAL);
	model_free(&b.model);
}

static void test_answer_alone_is_enough(void **state)
{
	static const struct range want[] = {{5, 2, PAGE_SHARED}};
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	b.seq[1]++; /* the request was lost */
	answer(&b, 1, 0, 5, 2, 0, 0, 1500, 0);
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	model_finish(b.model);
	assert_int_equal(vm_lost(first_vm(&b)), 1);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_STALE);
	model_free(&b.model);
}

static void test_lost_answer_leaves_unknown(void **state)
{
	static const struct range want[] = {
		{5, 2, PAGE_UNKNOWN},
		{9, 1, PAGE_SHARED},
	};
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	request(&b, 1, 0, 5, 2, 0);
	b.seq[1]++; /* its answer was lost */
	convert(&b, 1, 9, 1, 0, 0);
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	assert_int_equal(b.events[1].kind, EVENT_NO_ANSWER);
	model_free(&b.model);
}

static void test_refused_is_told_from_denied(void **state)
{
	struct kes_record r;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_DEFAULT);
	r = record(&b, 1, KES_REFUSED);
	r.conversion.gpa = 0x1234;
	r.conversion.refused.reason = KES_REASON_UNALIGNED;
	r.conversion.refused.ret = -22;
	apply(&b, r);
	assert_int_equal(b.events[1].kind, EVENT_REFUSED);
	assert_int_equal(b.events[1].reason, KES_REASON_UNALIGNED);
	assert_false(vm_has_map(first_vm(&b)));
	model_free(&b.model);
}

static void test_vcpus_do_not_mix(void **state)
{
	static const struct range want[] = {
		{1, 1, PAGE_SHARED},
		{3, 1, PAGE_SHARED},
	};
	uint64_t t1, t2, t3;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	t1 = request(&b, 1, 7, 1, 1, 0);
	t2 = request(&b, 1, 2, 2, 1, 0);
	t3 = request(&b, 1, 5, 3, 1, 0);
	answer(&b, 1, 5, 3, 1, 0, 0, t3, 0);
	answer(&b, 1, 2, 2, 1, 0, 11, t2, 0);
	answer(&b, 1, 7, 1, 1, 0, 0, t1, 0);
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	assert_int_equal(b.events[3].latency_ns, 5000);
	model_free(&b.model);
}

static void test_ranges_beyond_the_map_are_cut(void **state)
{
	static const struct range want[] = {{PAGEMAP_FRAMES - 1, 1, PAGE_SHARED}};
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	convert(&b, 1, PAGEMAP_FRAMES - 1, 1ull << 50, 0, 0);
	convert(&b, 1, PAGEMAP_FRAMES, 1, 0, 0);
	convert(&b, 1, 3, 0, 0, 0);
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	model_free(&b.model);
}

/* ---- trust ---- */

static void test_late_vm_is_partial(void **state)
{
	static const struct range want[] = {
		{0, 8, PAGE_UNKNOWN},
		{8, 8, PAGE_SHARED},
		{16, 48, PAGE_UNKNOWN},
	};
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, 0, KES_VM_SNP);
	memslot(&b, 1, 0, 64, 0, 1);
	convert(&b, 1, 8, 8, 0, 0);
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_PARTIAL);
	model_free(&b.model);
}

static void test_swapped_neighbours_are_no_loss(void **state)
{
	struct kes_record a, c;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	a = record(&b, 1, KES_REQUEST);
	c = record(&b, 1, KES_REQUEST);
	c.vcpu = 1;
	apply(&b, c);
	assert_int_equal(vm_lost(first_vm(&b)), 0); /* may yet come */
	apply(&b, a);
	model_finish(b.model);
	assert_int_equal(vm_lost(first_vm(&b)), 0);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_EXACT);
	model_free(&b.model);
}

static void test_counted_loss_is_stale(void **state)
{
	struct kes_record r;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	vm_new_record(&b, 2, KES_F_BORN, KES_VM_SNP);
	r = record(&b, 1, KES_LOSS);
	r.loss.total = 17;
	apply(&b, r);
	apply(&b, r); /* a total, not an increment */
	assert_int_equal(vm_lost(model_vm(b.model, 0)), 17);
	assert_int_equal(vm_confidence(model_vm(b.model, 0), PLANE_GUEST), CONFIDENCE_STALE);
	assert_int_equal(vm_confidence(model_vm(b.model, 1), PLANE_GUEST), CONFIDENCE_EXACT);
	assert_int_equal(b.n, 3);
	model_free(&b.model);
}

/* A birth may be read before what says whether the VM has attributes. */
static void test_described_later(void **state)
{
	const struct vm *vm;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SW_PROTECTED);
	vm_new_record(&b, 2, KES_F_BORN, KES_VM_DEFAULT);
	vm = first_vm(&b);
	assert_false(vm->described || vm_has_host_plane(vm));
	info(&b, 1, 1, KES_VM_HAS_ATTRIBUTES);
	assert_true(vm->described && vm_has_host_plane(vm));
	info(&b, 2, 1, 0);
	vm = model_vm(b.model, 1);
	assert_true(vm->described && !vm_has_host_plane(vm));
	model_free(&b.model);
}

static void test_unproved_exit_taints_all(void **state)
{
	struct kes_record r;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	r = record(&b, 0, KES_LOSS);
	r.vm = 0;
	r.loss.total = 1;
	r.loss.cause = KES_CAUSE_UNATTRIBUTED;
	apply(&b, r);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_STALE);
	model_free(&b.model);
}

static void test_birth_told_after_first_sight(void **state)
{
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, 0, KES_VM_SNP);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_EXACT);
	model_free(&b.model);
}

/* ---- memslots ---- */

static void test_memslots_need_the_whole_snapshot(void **state)
{
	static const struct range want[] = {{0, 16, PAGE_PRIVATE}, {32, 16, PAGE_PRIVATE}};
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	memslot(&b, 1, 32, 16, 0, 2);
	assert_int_equal(vm_memory_pages(first_vm(&b)), 0);
	memslot(&b, 1, 0, 16, 1, 2);
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	memslot(&b, 1, 0, 16, 1, 3); /* the first piece is missing: the old ones stay */
	memslot(&b, 1, 0, 16, 2, 3);
	assert_int_equal(vm_memory_pages(first_vm(&b)), 32);
	memslot(&b, 1, 0, 8, 0, 1);
	assert_int_equal(vm_memory_pages(first_vm(&b)), 8);
	model_free(&b.model);
}

static void test_pages_outside_memory_show_when_changed(void **state)
{
	static const struct range want[] = {
		{0, 16, PAGE_PRIVATE},
		{16, 4, PAGE_SHARED},
		{100, 1, PAGE_SHARED},
	};
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	memslot(&b, 1, 0, 18, 0, 1);
	convert(&b, 1, 16, 4, 0, 0);
	convert(&b, 1, 100, 1, 0, 0);
	convert(&b, 1, 200, 1, 0, 0);
	convert(&b, 1, 200, 1, 0x10, 0);
	check_ranges(first_vm(&b), want, ARRAY_SIZE(want));
	model_free(&b.model);
}

/* ---- ABIs ---- */

static void test_both_abis_decode(void **state)
{
	(void)state;
	assert_int_equal(conversion_target(ABI_MAP_GPA_RANGE, 0x10), PAGE_PRIVATE);
	assert_int_equal(conversion_target(ABI_MAP_GPA_RANGE, 0x11), PAGE_PRIVATE);
	assert_int_equal(conversion_target(ABI_MAP_GPA_RANGE, 0x01), PAGE_SHARED);
	assert_int_equal(conversion_target(ABI_PAGE_ENC_STATUS, 1), PAGE_PRIVATE);
	assert_int_equal(conversion_target(ABI_PAGE_ENC_STATUS, 0), PAGE_SHARED);
	assert_false(conversion_looks_foreign(ABI_MAP_GPA_RANGE, 2 << 20, 512, 1));
	assert_true(conversion_looks_foreign(ABI_MAP_GPA_RANGE, 0x1000, 1, 1));
	assert_true(conversion_looks_foreign(ABI_PAGE_ENC_STATUS, 0x1000, 1, 0x10));
	assert_false(conversion_looks_foreign(ABI_PAGE_ENC_STATUS, 0x1000, 1, 1));
}

static void test_abi_doubt_is_told_once(void **state)
{
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	convert(&b, 1, 3, 1, 1, 0);
	convert(&b, 1, 5, 1, 1, 0);
	assert_int_equal(b.n, 4);
	assert_int_equal(b.events[1].kind, EVENT_ABI_DOUBT);
	assert_int_equal(b.events[2].kind, EVENT_CONVERTED);
	assert_int_equal(b.events[3].kind, EVENT_CONVERTED);
	model_free(&b.model);
}

/* ---- bounds ---- */

static void test_ended_vms_are_bounded(void **state)
{
	struct model_totals totals;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	for (uint32_t id = 1; id <= 100; id++) {
		b.seq[1] = 0;
		for (int i = 0; i < 2; i++) {
			struct kes_record r = record(&b, 1, i ? KES_VM_END : KES_VM_NEW);

			r.vm = id;
			apply(&b, r);
		}
	}
	model_totals(b.model, &totals);
	assert_int_equal(model_vm_count(b.model), 2);
	for (size_t i = 0; i < 2; i++)
		assert_ptr_equal(
			model_find(b.model, model_vm(b.model, i)->id), model_vm(b.model, i));
	assert_null(model_find(b.model, 99999));
	assert_int_equal(totals.forgotten, 98);
	assert_int_equal(model_vm(b.model, 1)->id, 100);
	model_free(&b.model);
}

/* What is the tool's own leaves nothing behind, and those around it are as they were. */
static void test_own_vms_leave_nothing(void **state)
{
	struct model_totals totals, before;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, 0);
	convert(&b, 1, 0x10, 3, 0, 0);
	model_totals(b.model, &before);
	vm_new_record(&b, 2, KES_F_BORN, 0);
	model_disown(b.model, 2);
	model_disown(b.model, 99); /* there is none */
	convert(&b, 2, 0x20, 5, 0, 0);
	request(&b, 2, 0, 0x30, 1, 0);
	assert_int_equal(model_vm_count(b.model), 2);
	convert(&b, 1, 0x11, 1, 0x10, 0);
	apply(&b, record(&b, 2, KES_VM_END));
	assert_int_equal(b.events[b.n - 1].kind, EVENT_FORGOTTEN); /* who has kept it lets it go */
	apply(&b, record(&b, 2, KES_COUNT));
	model_totals(b.model, &totals);
	assert_int_equal(model_vm_count(b.model), 1);
	assert_null(model_find(b.model, 2));
	assert_int_equal(totals.ledger.converted, before.ledger.converted + 1);
	assert_int_equal(totals.ledger.unanswered, 0);
	assert_int_equal(totals.forgotten, 0);
	assert_int_equal(first_vm(&b)->shared, 2);
	apply(&b, record(&b, 1, KES_VM_END));
	assert_int_equal(model_vm_count(b.model), 1);
	model_free(&b.model);
}

/* Their maps are, too: the oldest go first, and VMs that live stay whatever they take. */
static void test_ended_vms_are_bounded_in_bytes(void **state)
{
	size_t alive, ended, each;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	for (uint32_t vm = 1; vm <= 3; vm++) {
		vm_new_record(&b, vm, KES_F_BORN, KES_VM_SNP);
		convert(&b, vm, 1, 1, 0, 0);
	}
	model_memory(b.model, &alive, &ended);
	assert_int_equal(ended, 0);
	each = alive / 3;
	assert_int_equal(vm_memory(model_vm(b.model, 0)), each);
	apply(&b, record(&b, 2, KES_VM_END));
	apply(&b, record(&b, 1, KES_VM_END));
	assert_int_equal(model_bound_ended(b.model, 2 * each), 0);
	assert_int_equal(model_vm_count(b.model), 3);
	assert_int_equal(model_bound_ended(b.model, 2 * each - 1), 0);
	assert_int_equal(model_vm_count(b.model), 2);
	assert_null(model_find(b.model, 2));
	assert_int_equal(b.events[b.n - 1].kind, EVENT_FORGOTTEN);
	apply(&b, record(&b, 3, KES_VM_END)); /* it holds from then on */
	assert_int_equal(model_vm_count(b.model), 1);
	assert_non_null(model_find(b.model, 3));
	assert_int_equal(model_bound_ended(b.model, 1), 0);
	assert_int_equal(model_vm_count(b.model), 0);
	model_free(&b.model);
}

/* What forgotten VMs had lost stays in the account. */
static void test_forgotten_losses_count(void **state)
{
	struct model_totals totals;
	struct kes_record r;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	r = record(&b, 1, KES_LOSS);
	r.loss.total = 5;
	apply(&b, r);
	apply(&b, record(&b, 1, KES_VM_END));
	for (uint32_t vm = 2; vm <= 3; vm++) {
		b.seq[vm] = 0;
		vm_new_record(&b, vm, KES_F_BORN, KES_VM_SNP);
		apply(&b, record(&b, vm, KES_VM_END));
	}
	model_totals(b.model, &totals);
	assert_int_equal(totals.forgotten, 1);
	assert_int_equal(totals.lost, 5);
	model_free(&b.model);
}

/* A loss that may be any VM's makes all stale, and counts once. */
static void test_host_loss_counts_once(void **state)
{
	struct model_totals totals;
	struct kes_record r;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	for (uint32_t vm = 1; vm <= 3; vm++)
		vm_new_record(&b, vm, KES_F_BORN, KES_VM_SNP);
	r = record(&b, 0, KES_LOSS);
	r.loss.total = 4;
	r.loss.cause = KES_CAUSE_UNATTRIBUTED;
	apply(&b, r);
	model_totals(b.model, &totals);
	assert_int_equal(totals.lost, 4);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(
			vm_confidence(model_vm(b.model, i), PLANE_GUEST), CONFIDENCE_STALE);
	model_free(&b.model);
}

static void count_record(struct bench *b, uint32_t vm, uint32_t pid, uint64_t total)
{
	struct kes_record r = record(b, vm, KES_COUNT);

	r.count = (struct kes_count){
		.total = total, .counter = KES_COUNTER_EXIT, .index = 2, .pid = pid};
	apply(b, r);
}

/* Counts of a process with several VMs are none's alone; a later process of that pid begins anew.
 */
static void test_counts_of_shared_processes(void **state)
{
	struct kes_record r;
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	count_record(&b, 1, 101, 7);
	assert_int_equal(first_vm(&b)->counters.exits[2], 7);
	assert_null(model_process_counters(b.model, 101));
	count_record(&b, 0, 101, 9);
	assert_int_equal(first_vm(&b)->counters.exits[2], 0);
	assert_int_equal(model_process_counters(b.model, 101)->exits[2], 9);
	apply(&b, record(&b, 1, KES_VM_END));
	r = record(&b, 2, KES_VM_NEW);
	r.vm_new.pid = 101;
	apply(&b, r);
	assert_null(model_process_counters(b.model, 101));
	model_free(&b.model);
}

static void test_memslots_may_all_go(void **state)
{
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SNP);
	memslot(&b, 1, 0, 64, 0, 1);
	assert_int_equal(vm_memory_pages(first_vm(&b)), 64);
	memslot(&b, 1, 0, 0, 0, 0);
	assert_int_equal(vm_memory_pages(first_vm(&b)), 0);
	model_free(&b.model);
}

/* Records are bytes from outside: no bytes may break the model. */
static void test_random_records(void **state)
{
	struct bench b;

	(void)state;
	srandom(20211);
	start(&b, ABI_MAP_GPA_RANGE);
	for (int i = 0; i < 300000; i++) {
		struct kes_record r;

		for (size_t j = 0; j < sizeof(r); j++)
			((unsigned char *)&r)[j] = (unsigned char)(random() % 7 ? random() : 0);
		r.vm %= 5;
		r.kind %= KES_KIND_MAX + 2;
		r.vcpu %= 9;
		if (random() % 2) {
			r.conversion.gpa %= 1ull << 30;
			r.conversion.npages %= 4096;
		}
		apply(&b, r);
	}
	for (size_t i = 0; i < model_vm_count(b.model); i++) {
		const struct vm *vm = model_vm(b.model, i);
		uint64_t counts[PAGE_STATES];

		vm_count(vm, PLANE_GUEST, counts);
		for (int plane = 0; plane < PLANES; plane++)
			if (vm->planes[plane])
				assert_int_equal(pagemap_validate(vm->planes[plane]), 0);
	}
	model_free(&b.model);
}

/* Frames are counted without looking at each run: the same comes out. */
static int add_run(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	uint64_t *counts = context;

	(void)gfn;
	counts[state] += npages;
	return 0;
}

static void check_counts(const struct vm *vm)
{
	for (int plane = 0; plane < PLANES; plane++) {
		uint64_t want[PAGE_STATES] = {}, got[PAGE_STATES];

		vm_ranges(vm, (enum plane)plane, add_run, want);
		vm_count(vm, (enum plane)plane, got);
		assert_memory_equal(got, want, sizeof(got));
	}
}

static void test_counts_are_those_of_ranges(void **state)
{
	static const uint8_t born[] = {KES_F_BORN, 0};
	struct bench b;
	uint64_t seed = 3;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(born); k++) {
		start(&b, ABI_MAP_GPA_RANGE);
		vm_new_record(&b, 1, born[k], KES_VM_SNP);
		check_counts(first_vm(&b));
		memslot(&b, 1, 1 << 15, 1 << 16, 0, 4);
		memslot(&b, 1, 0, 160, 1, 4);
		memslot(&b, 1, 100, 2000, 2, 4); /* slots of two address spaces overlap */
		memslot(&b, 1, 1ull << 32, 1 << 18, 3, 4);
		info(&b, 1, 1, KES_VM_HAS_ATTRIBUTES);
		for (int i = 0; i < 400; i++) {
			uint64_t gfn, npages;

			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			gfn = seed >> 40 << (seed >> 36 & 15) & (PAGEMAP_FRAMES - 1);
			npages = 1 + (seed >> 20 & 4095);
			convert(&b, 1, gfn, npages, seed >> 35 & 1 ? KES_MAP_GPA_ENCRYPTED : 0, 0);
			if (i % 3 == 0)
				set_attributes(&b, 1, gfn, npages, seed >> 34 & 1);
			check_counts(first_vm(&b));
		}
		model_free(&b.model);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_are_those_of_ranges),
		cmocka_unit_test(test_accepted_changes_pages),
		cmocka_unit_test(test_denied_changes_nothing),
		cmocka_unit_test(test_open_request_changes_nothing_yet),
		cmocka_unit_test(test_unhooked_request_ends_unknown),
		cmocka_unit_test(test_answer_alone_is_enough),
		cmocka_unit_test(test_lost_answer_leaves_unknown),
		cmocka_unit_test(test_refused_is_told_from_denied),
		cmocka_unit_test(test_vcpus_do_not_mix),
		cmocka_unit_test(test_ranges_beyond_the_map_are_cut),
		cmocka_unit_test(test_late_vm_is_partial),
		cmocka_unit_test(test_swapped_neighbours_are_no_loss),
		cmocka_unit_test(test_counted_loss_is_stale),
		cmocka_unit_test(test_described_later),
		cmocka_unit_test(test_unproved_exit_taints_all),
		cmocka_unit_test(test_birth_told_after_first_sight),
		cmocka_unit_test(test_memslots_need_the_whole_snapshot),
		cmocka_unit_test(test_pages_outside_memory_show_when_changed),
		cmocka_unit_test(test_both_abis_decode),
		cmocka_unit_test(test_abi_doubt_is_told_once),
		cmocka_unit_test(test_ended_vms_are_bounded),
		cmocka_unit_test(test_own_vms_leave_nothing),
		cmocka_unit_test(test_ended_vms_are_bounded_in_bytes),
		cmocka_unit_test(test_forgotten_losses_count),
		cmocka_unit_test(test_host_loss_counts_once),
		cmocka_unit_test(test_counts_of_shared_processes),
		cmocka_unit_test(test_memslots_may_all_go),
		cmocka_unit_test(test_random_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
