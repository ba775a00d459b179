/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM's life beyond its conversions: its names, resets, faults, and what the VMM made of its
 * requests. */
#include "model_bench.h"

#include "output/output.h"

#define BIT_PRIVATE 0x10

static void protected_vm(struct bench *b)
{
	start(b, ABI_MAP_GPA_RANGE);
	vm_new_record(b, 1, KES_F_BORN, KES_VM_SW_PROTECTED);
	info(b, 1, 2, KES_VM_HAS_ATTRIBUTES);
	memslot(b, 1, 0, 64, 0, 1);
}

static const struct event *last_of(const struct bench *b, enum event_kind kind)
{
	for (int i = b->n; i-- > 0;)
		if (b->events[i].kind == kind)
			return &b->events[i];
	return NULL;
}

/* ---- the host plane ---- */

static void test_host_plane_begins_with_a_reading(void **state)
{
	struct bench b;

	(void)state;
	protected_vm(&b);
	assert_int_equal(model_next_reading(b.model, 0, false), 1);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_HOST), CONFIDENCE_PARTIAL);
	read_back(&b, 1, 1, 0, 64, 0);
	assert_int_equal(model_next_reading(b.model, 0, false), 0);
	assert_int_equal(model_next_reading(b.model, 0, true), 1);
	assert_int_equal(model_next_reading(b.model, 1, true), 0);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_HOST), CONFIDENCE_EXACT);
	assert_int_equal(pagemap_get(first_vm(&b)->planes[PLANE_HOST], 63), PAGE_PRIVATE);
	assert_int_equal(pagemap_get(first_vm(&b)->planes[PLANE_HOST], 64), PAGE_SHARED);
	assert_non_null(last_of(&b, EVENT_READING));
	model_free(&b.model);
}

/* The indexes of its pieces, of which there should be `pages`: is it a reading? */
static bool reads(const uint32_t *indexes, size_t n, uint64_t pages)
{
	struct bench b;
	struct kes_record r;
	bool known;

	protected_vm(&b);
	r = record(&b, 1, KES_SNAPSHOT);
	r.snapshot.number = 4;
	apply(&b, r);
	for (size_t i = 0; i < n; i++) {
		struct kes_record piece = record(&b, 1, KES_PAGES);

		piece.pages = (struct kes_pages){.gfn = 1,
			.npages = 1,
			.attributes = KES_ATTRIBUTE_PRIVATE,
			.bits = 1,
			.index = indexes[i],
			.number = 4};
		apply(&b, piece);
	}
	r.snapshot.phase = KES_SNAPSHOT_END;
	r.snapshot.pages = pages;
	apply(&b, r);
	known = first_vm(&b)->host.known;
	assert_int_equal(model_next_reading(b.model, 0, false), known ? 0 : 1);
	model_free(&b.model);
	return known;
}

static void test_a_reading_is_whole_or_none(void **state)
{
	static const uint32_t right[] = {0, 1}, swapped[] = {1, 0}, gap[] = {0, 2};

	(void)state;
	assert_true(reads(right, 2, 2));
	assert_true(reads(right, 0, 0));
	assert_false(reads(right, 1, 2));
	assert_false(reads(swapped, 2, 2));
	assert_false(reads(gap, 2, 2));
}

static void test_a_loss_is_healed_by_a_later_reading(void **state)
{
	struct bench b;
	struct kes_record r;

	(void)state;
	protected_vm(&b);
	read_back(&b, 1, 1, 0, 64, 0);
	r = record(&b, 1, KES_LOSS);
	r.loss.total = 3;
	apply(&b, r);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_HOST), CONFIDENCE_STALE);
	assert_int_equal(model_next_reading(b.model, 0, false), 1);
	read_back(&b, 1, 2, 0, 32, 2); /* it began before all was lost */
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_HOST), CONFIDENCE_STALE);
	read_back(&b, 1, 3, 0, 32, 3);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_HOST), CONFIDENCE_EXACT);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_STALE);
	model_free(&b.model);
}

static void test_unknown_attribute_bits_are_kept(void **state)
{
	struct bench b;
	struct kes_record r;

	(void)state;
	protected_vm(&b);
	read_back(&b, 1, 1, 0, 64, 0);
	r = record(&b, 1, KES_ATTRS);
	r.set_attrs.size = 4096;
	r.set_attrs.attributes = 1 << 5;
	r.set_attrs.err = -22;
	apply(&b, r);
	assert_int_equal(first_vm(&b)->host.attributes, KES_ATTRIBUTE_PRIVATE | 1 << 5);
	assert_int_equal(last_of(&b, EVENT_ATTRIBUTES)->ret, -22);
	assert_int_equal(first_vm(&b)->totals.attributes, 0);
	model_free(&b.model);
}

/* ---- request, answer, commit ---- */

static void commit_is(
	bool set, uint64_t gfn, uint64_t npages, bool private, enum commit want, uint64_t committed)
{
	struct bench b;
	uint64_t asked;

	protected_vm(&b);
	read_back(&b, 1, 1, 0, 64, 0);
	asked = request(&b, 1, 0, 16, 8, 0);
	if (set)
		set_attributes(&b, 1, gfn, npages, private);
	answer(&b, 1, 0, 16, 8, 0, 0, asked, 0);
	assert_int_equal(last_of(&b, EVENT_CONVERTED)->commit, want);
	assert_int_equal(last_of(&b, EVENT_CONVERTED)->committed, committed);
	assert_int_equal(first_vm(&b)->totals.uncommitted, want != COMMIT_DONE);
	model_free(&b.model);
}

static void test_what_the_vmm_did_shows(void **state)
{
	(void)state;
	commit_is(true, 16, 8, false, COMMIT_DONE, 8);
	commit_is(true, 0, 64, false, COMMIT_DONE, 8);
	commit_is(true, 20, 8, false, COMMIT_PARTLY, 4);
	commit_is(true, 24, 8, false, COMMIT_NOT, 0); /* another range */
	commit_is(true, 16, 8, true, COMMIT_NOT, 0);  /* the other direction */
	commit_is(false, 0, 0, false, COMMIT_NOT, 0);
}

static void test_no_host_plane_no_word_of_commit(void **state)
{
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SEV);
	memslot(&b, 1, 0, 64, 0, 1);
	convert(&b, 1, 16, 8, 0, 0);
	assert_int_equal(last_of(&b, EVENT_CONVERTED)->commit, COMMIT_NONE);
	assert_false(vm_has_host_plane(first_vm(&b)));
	model_free(&b.model);
}

static void test_changes_tell_what_they_followed(void **state)
{
	struct bench b;
	struct kes_record r;
	uint64_t asked;

	(void)state;
	protected_vm(&b);
	read_back(&b, 1, 1, 0, 64, 0);
	set_attributes(&b, 1, 40, 2, false);
	assert_int_equal(last_of(&b, EVENT_ATTRIBUTES)->prompt, PROMPT_NONE);
	assert_int_equal(last_of(&b, EVENT_ATTRIBUTES)->tid, 77);
	asked = request(&b, 1, 1, 16, 8, 0);
	set_attributes(&b, 1, 16, 8, false);
	assert_int_equal(last_of(&b, EVENT_ATTRIBUTES)->prompt, PROMPT_REQUEST);
	set_attributes(&b, 1, 16, 8, true);
	assert_int_equal(last_of(&b, EVENT_ATTRIBUTES)->prompt, PROMPT_NONE);
	answer(&b, 1, 1, 16, 8, 0, 0, asked, 0);
	r = record(&b, 1, KES_FAULT);
	r.fault.gpa = 50 << 12;
	r.fault.size = 4096;
	apply(&b, r);
	set_attributes(&b, 1, 48, 4, false);
	assert_int_equal(last_of(&b, EVENT_ATTRIBUTES)->prompt, PROMPT_FAULT);
	model_free(&b.model);
}

static void fault(struct bench *b, uint16_t vcpu, uint64_t gfn)
{
	struct kes_record r = record(b, 1, KES_FAULT);

	r.vcpu = vcpu;
	r.fault.gpa = gfn << 12;
	r.fault.size = 4096;
	apply(b, r);
}

/* The VMM may take its time over a vCPU's fault while others have many. */
static void test_a_vcpus_fault_is_not_forgotten_for_others(void **state)
{
	struct bench b;

	(void)state;
	protected_vm(&b);
	read_back(&b, 1, 1, 0, 64, 0);
	fault(&b, 1, 50);
	for (int i = 0; i < 40; i++)
		fault(&b, 0, (uint64_t)i);
	set_attributes(&b, 1, 50, 1, false);
	assert_int_equal(last_of(&b, EVENT_ATTRIBUTES)->prompt, PROMPT_FAULT);
	set_attributes(&b, 1, 51, 1, false);
	assert_int_equal(last_of(&b, EVENT_ATTRIBUTES)->prompt, PROMPT_NONE);
	model_free(&b.model);
}

/* ---- resets ---- */

static void reset(struct bench *b, uint64_t lost)
{
	struct kes_record r = record(b, 1, KES_RESET);

	r.reset.lost = lost;
	apply(b, r);
}

static void test_a_reset_begins_anew(void **state)
{
	static const struct range want[] = {{0, 64, PAGE_PRIVATE}};
	struct bench b;
	const struct vm *vm;

	(void)state;
	protected_vm(&b);
	convert(&b, 1, 16, 8, 0, 0);
	convert(&b, 1, 40, 4, 0, 0);
	request(&b, 1, 1, 0, 1, 0);
	reset(&b, 0);
	vm = first_vm(&b);
	check_ranges(vm, want, ARRAY_SIZE(want));
	assert_int_equal(vm->left.pages, 12);
	assert_int_equal(vm->left.n, 2);
	assert_int_equal(vm->left.ranges[1].gfn, 40);
	assert_int_equal(vm->shared, 0);
	assert_int_equal(vm->totals.unanswered, 1);
	assert_int_equal(last_of(&b, EVENT_RESET)->npages, 12);
	assert_int_equal(vm_confidence(vm, PLANE_GUEST), CONFIDENCE_EXACT);
	model_free(&b.model);
}

static void test_a_reset_heals_the_guest_plane(void **state)
{
	struct bench b;
	struct kes_record r;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, 0, KES_VM_SEV); /* it ran already */
	memslot(&b, 1, 0, 64, 0, 1);
	convert(&b, 1, 16, 8, 0, 0);
	r = record(&b, 1, KES_LOSS);
	r.loss.total = 2;
	apply(&b, r);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_STALE);
	reset(&b, 1);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_STALE);
	reset(&b, 2);
	assert_int_equal(vm_confidence(first_vm(&b), PLANE_GUEST), CONFIDENCE_EXACT);
	assert_int_equal(pagemap_get(first_vm(&b)->planes[PLANE_GUEST], 30), PAGE_PRIVATE);
	model_free(&b.model);
}

static void test_a_reset_makes_no_map_where_there_is_none(void **state)
{
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_DEFAULT);
	reset(&b, 0);
	assert_false(vm_has_map(first_vm(&b)));
	model_free(&b.model);
}

static void test_what_a_reset_leaves_shared_differs(void **state)
{
	struct bench b;

	(void)state;
	protected_vm(&b);
	read_back(&b, 1, 1, 0, 64, 0);
	set_attributes(&b, 1, 16, 8, false);
	convert(&b, 1, 16, 8, 0, 0);
	assert_int_equal(first_vm(&b)->disputes.n, 0);
	reset(&b, 0);
	assert_int_equal(first_vm(&b)->disputes.n, 1);
	assert_int_equal(first_vm(&b)->disputes.list[0].gfn, 16);
	assert_int_equal(first_vm(&b)->disputes.list[0].npages, 8);
	assert_true(first_vm(&b)->disputes.list[0].mover.reset);
	model_free(&b.model);
}

static void test_taking_back_in_one_go_is_told_once(void **state)
{
	struct bench b;

	(void)state;
	start(&b, ABI_MAP_GPA_RANGE);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_SEV);
	memslot(&b, 1, 0, 1u << 20, 0, 1);
	for (uint64_t i = 0; i < 100; i++)
		convert(&b, 1, i * 1000, 64, 0, 0);
	for (uint64_t i = 0; i < 50; i++)
		convert(&b, 1, i * 1000, 64, BIT_PRIVATE, 0);
	convert(&b, 1, 99 * 1000, 64, 0, 0); /* it still shares */
	b.n = 0;
	for (uint64_t i = 50; i < 99; i++) {
		assert_null(last_of(&b, EVENT_REPRIVATISED));
		convert(&b, 1, i * 1000, 64, BIT_PRIVATE, 0);
		if (i >= 97)
			break;
		b.n = 0;
	}
	assert_non_null(last_of(&b, EVENT_REPRIVATISED));
	assert_int_equal(last_of(&b, EVENT_REPRIVATISED)->npages, 2 * 64);
	b.n = 0;
	convert(&b, 1, 98 * 1000, 64, BIT_PRIVATE, 0);
	assert_null(last_of(&b, EVENT_REPRIVATISED));
	model_free(&b.model);
}

/* ---- names ---- */

static void test_texts_come_in_pieces(void **state)
{
	char want[KES_TEXT_LIMIT + 1] = {}, name[VM_NAME_SIZE];
	struct bench b;
	struct kes_record r;

	(void)state;
	memset(want, 'x', KES_TEXT_LIMIT);
	start(&b, ABI_MAP_GPA_RANGE);
	text(&b, 1, KES_TEXT_NAME, want);
	vm_new_record(&b, 1, KES_F_BORN, KES_VM_DEFAULT);
	vm_name(first_vm(&b), name, sizeof(name));
	assert_string_equal(name, want);
	text(&b, 1, KES_TEXT_NAME, "second");
	vm_name(first_vm(&b), name, sizeof(name));
	assert_string_equal(name, "second");
	r = record(&b, 1, KES_TEXT); /* a piece that does not follow */
	r.seq = 100;
	r.text.size = 1;
	apply(&b, r);
	r.seq = 6;
	r.text.size = 200; /* more than a piece holds */
	apply(&b, r);
	vm_name(first_vm(&b), name, sizeof(name));
	assert_string_equal(name, "second");
	model_free(&b.model);
}

static void test_vcpus_and_labels(void **state)
{
	char label[VM_SHORT_SIZE], want[KES_TEXT_LIMIT];
	struct bench b;

	(void)state;
	protected_vm(&b);
	assert_int_equal(first_vm(&b)->vcpus, 2);
	assert_string_equal(vm_label_short(first_vm(&b), label), "qemu[101]");
	memset(want, 'y', sizeof(want) - 1);
	want[sizeof(want) - 1] = '\0';
	text(&b, 1, KES_TEXT_NAME, want);
	vm_label_short(first_vm(&b), label);
	assert_int_equal(strlen(label), VM_SHORT_SIZE - 1);
	assert_string_equal(label + VM_SHORT_SIZE - 4, "...");
	model_free(&b.model);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_plane_begins_with_a_reading),
		cmocka_unit_test(test_a_vcpus_fault_is_not_forgotten_for_others),
		cmocka_unit_test(test_a_reading_is_whole_or_none),
		cmocka_unit_test(test_a_loss_is_healed_by_a_later_reading),
		cmocka_unit_test(test_unknown_attribute_bits_are_kept),
		cmocka_unit_test(test_what_the_vmm_did_shows),
		cmocka_unit_test(test_no_host_plane_no_word_of_commit),
		cmocka_unit_test(test_changes_tell_what_they_followed),
		cmocka_unit_test(test_a_reset_begins_anew),
		cmocka_unit_test(test_a_reset_heals_the_guest_plane),
		cmocka_unit_test(test_a_reset_makes_no_map_where_there_is_none),
		cmocka_unit_test(test_what_a_reset_leaves_shared_differs),
		cmocka_unit_test(test_taking_back_in_one_go_is_told_once),
		cmocka_unit_test(test_texts_come_in_pieces),
		cmocka_unit_test(test_vcpus_and_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
