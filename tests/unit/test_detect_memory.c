/* SPDX-License-Identifier: GPL-2.0-only */
/* Detectors of where pages lie, what is left of them, and what they cost the host. */
#include "detect_bench.h"

#define MIB 256ull /* frames */
#define GIB (1024 * MIB)

static void convert_one(uint64_t gfn, uint64_t npages, uint64_t attrs)
{
	convert(&d.b, 1, gfn, npages, attrs, 0);
}

/* ---- outside ---- */

static void test_outside_to_shared(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 0x2000);
	convert_one(0x1ff8, 16, SHARED); /* half of it */
	later(&d, 500 * MILLISECOND_NS);
	assert_silent(&d);
	later(&d, 2 * SECOND_NS);
	f = found_only(&d, FINDING_OUTSIDE);
	assert_weight(f, SEVERITY_INFO, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->values[0], 8);
	assert_range(f, 0, 0x1ff8, 16, 1);
}

static void test_outside_to_private(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 0x2000);
	convert_one(0x4000, 16, SHARED);
	convert_one(0x8000, 4, PRIVATE);
	later(&d, 3 * SECOND_NS);
	f = found_only(&d, FINDING_OUTSIDE);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 2);
	assert_int_equal(f->values[1], 4);
	assert_int_equal(f->n_ranges, 1); /* what is information does not show it */
	assert_range(f, 0, 0x8000, 4, 1);
}

/* Firmware shares a gigabyte in pieces of 2 MiB. */
static void test_outside_in_pieces(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 0x2000);
	for (uint64_t i = 0; i < 512; i++)
		convert_one(0x80000 + i * 512, 512, SHARED);
	for (uint64_t i = 0; i < 20; i++)
		convert_one(0x4000 + 2 * i, 1, SHARED);
	later(&d, 3 * SECOND_NS);
	f = found_only(&d, FINDING_OUTSIDE);
	assert_int_equal(f->count, 532);
	assert_int_equal(f->values[0], GIB + 20);
	assert_int_equal(f->severity, SEVERITY_INFO);
}

/* Those to private are not lost among them. */
static void test_outside_mixed(void **state)
{
	(void)state;
	sev_vm(&d, 1, 0x2000);
	for (uint64_t i = 0; i < 20; i++)
		convert_one(0x4000 + 2 * i, 1, SHARED);
	convert_one(0x4027, 1, PRIVATE); /* it follows one of them */
	later(&d, 3 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_OUTSIDE)->severity, SEVERITY_WARNING);
	assert_int_equal(found_only(&d, FINDING_OUTSIDE)->values[1], 1);
}

static void test_outside_is_decided_at_the_end(void **state)
{
	(void)state;
	sev_vm(&d, 1, 0x2000);
	convert_one(0x8000, 1, PRIVATE);
	vm_end(&d, 1);
	assert_int_equal(found_only(&d, FINDING_OUTSIDE)->count, 1);
}

/* The guest accepts new memory before it is known here that there is some. */
static void accepts_new_memory(uint64_t step)
{
	restart();
	sev_vm(&d, 1, 0x2000);
	later(&d, 900 * MILLISECOND_NS); /* the next look comes too soon */
	for (uint64_t i = 0; i < 64; i++)
		convert_one(0x8000 + i * step, 1, PRIVATE);
	later(&d, 300 * MILLISECOND_NS);
	memslot(&d.b, 1, 0, 0x2000, 0, 2);
	memslot(&d.b, 1, 0x8000, 64 * step, 1, 2);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
}

static void test_not_outside(void **state)
{
	(void)state;
	accepts_new_memory(1);
	accepts_new_memory(7);
	restart();
	vm_new_record(&d.b, 1, KES_F_BORN, KES_VM_SEV); /* where its memory is, is not known */
	convert_one(0x8000, 1, PRIVATE);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
}

/* ---- sacred ---- */

static void sacred_is(uint64_t gfn, uint64_t npages, uint64_t want_gfn, uint64_t want_npages)
{
	const struct finding *f;

	restart();
	sev_vm(&d, 1, 0x100000);
	convert_one(gfn, npages, SHARED);
	if (!want_npages) {
		assert_silent(&d);
		return;
	}
	f = found_only(&d, FINDING_SACRED);
	assert_weight(f, SEVERITY_CRITICAL, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->pages, want_npages);
	assert_range(f, 0, want_gfn, want_npages, 1);
}

static void test_sacred_places(void **state)
{
	(void)state;
	sacred_is(0x7c, 4, 0x7c, 4);
	sacred_is(0x98, 16, 0x98, 8);
	sacred_is(0xb8, 16, 0xc0, 8);
	sacred_is(0xff, 2, 0xff, 1);
	sacred_is(0xfffff, 1, 0xfffff, 1);
	sacred_is(0xfefff, 2, 0xff000, 1);
	sacred_is(0xa0, 0x20, 0, 0); /* the VGA window */
	sacred_is(0x100, 16, 0, 0);
	sacred_is(0xfefff, 1, 0, 0);
}

static void test_not_sacred(void **state)
{
	(void)state;
	sev_vm(&d, 1, 0x90);
	convert_one(0x10, 4, PRIVATE);
	convert(&d.b, 1, 0x10, 4, SHARED, 1); /* denied */
	convert_one(0x98, 8, SHARED);         /* no memory is there */
	assert_silent(&d);
	convert_one(0x10, 4, SHARED);
	convert_one(0x10, 4, SHARED); /* so already */
	assert_int_equal(found_only(&d, FINDING_SACRED)->count, 1);
}

static void test_sacred_to_some(void **state)
{
	(void)state;
	d.settings->sacred[d.settings->n_sacred++] = (struct sacred){0x5000, 0x10, "mine", "db*"};
	for (uint32_t vm = 1; vm <= 2; vm++) {
		sev_vm(&d, vm, 0x10000);
		text(&d.b, vm, KES_TEXT_NAME, vm == 1 ? "web1" : "db1");
		convert(&d.b, vm, 0x5008, 0x10, SHARED, 0);
	}
	assert_int_equal(found_only(&d, FINDING_SACRED)->vm, 2);
	assert_range(found(&d, FINDING_SACRED), 0, 0x5008, 8, 1);
}

static void test_sacred_by_the_vmm(void **state)
{
	(void)state;
	protected_vm(&d, 1, 0x100000);
	commit(&d, 1, 0x10, 1, SHARED); /* counts once: when it is answered */
	assert_int_equal(found_only(&d, FINDING_SACRED)->count, 1);
	set_attributes(&d.b, 1, 0x20, 1, false);
	assert_int_equal(found(&d, FINDING_SACRED)->count, 2);
	restart();
	protected_vm(&d, 1, 2 * GIB);
	set_attributes(&d.b, 1, 0, GIB + 1, false); /* at launch: it clears all */
	assert_silent(&d);
	set_attributes(&d.b, 1, 0, GIB, true);
	set_attributes(&d.b, 1, 0, GIB, false);
	assert_int_equal(found_only(&d, FINDING_SACRED)->count, 2); /* of the places, each */
}

/* ---- left-shared ---- */

/* Shares 12 pages; the VMM takes back `private` of the first 8 before it resets the VM. */
static void reset_with(uint64_t private)
{
	restart();
	protected_vm(&d, 1, 65536);
	commit(&d, 1, 0x1000, 8, SHARED);
	commit(&d, 1, 0x2000, 4, SHARED);
	if (private)
		set_attributes(&d.b, 1, 0x1000, private, true);
	if (private == 8)
		set_attributes(&d.b, 1, 0x2000, 4, true);
	reset_vm(&d, 1);
}

static void test_left_over_a_reset(void **state)
{
	const struct finding *f;

	(void)state;
	reset_with(6);
	later(&d, SECOND_NS);
	assert_silent(&d);
	later(&d, 2 * SECOND_NS);
	f = found_only(&d, FINDING_LEFT_SHARED);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->pages, 6);
	assert_range(f, 0, 0x1006, 2, 2);
	assert_range(f, 1, 0x2000, 4, 4);
}

/* What it shares first, it has shared itself. */
static void test_left_as_the_guest_begins(void **state)
{
	(void)state;
	reset_with(6);
	convert(&d.b, 1, 0x2001, 2, SHARED, 0);
	assert_int_equal(found_only(&d, FINDING_LEFT_SHARED)->pages, 4);
}

static void test_left_while_records_were_lost(void **state)
{
	(void)state;
	reset_with(6);
	lose(&d, 1, KES_CAUSE_RING_FULL, 1);
	later(&d, 3 * SECOND_NS);
	assert_weight(found_only(&d, FINDING_LEFT_SHARED), SEVERITY_WARNING, CERTAINTY_LIKELY);
}

static void test_nothing_left(void **state)
{
	(void)state;
	reset_with(8);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
	reset_with(0);
	set_attributes(&d.b, 1, 0x1000, 8, true); /* a little late */
	set_attributes(&d.b, 1, 0x2000, 4, true);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
	reset_with(0);
	set_own(&d, FINDING_LEFT_SHARED, "pages", 12);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
	reset_with(0);
	set_own(&d, FINDING_LEFT_SHARED, "pages", 11);
	later(&d, 5 * SECOND_NS);
	assert_int_equal(found_only(&d, FINDING_LEFT_SHARED)->pages, 12);
}

static void test_left_nobody_knows(void **state)
{
	const struct finding *f;

	(void)state;
	sev_vm(&d, 1, 65536);
	convert_one(0x1000, 8, SHARED);
	reset_vm(&d, 1);
	later(&d, 3 * SECOND_NS);
	f = found_only(&d, FINDING_LEFT_SHARED);
	assert_weight(f, SEVERITY_INFO, CERTAINTY_POSSIBLE);
	assert_int_equal(f->count, 1);
	assert_range(f, 0, 0x1000, 8, 8);
	restart();
	sev_vm(&d, 1, 65536);
	convert_one(0x1000, 8, SHARED);
	convert_one(0x1000, 8, PRIVATE);
	reset_vm(&d, 1);
	later(&d, 3 * SECOND_NS);
	assert_silent(&d);
}

/* Shares 16 ranges of 64 pages, and takes them back but for `left` pages. */
static void kexec_with(uint64_t left)
{
	restart();
	protected_vm(&d, 1, 65536);
	for (uint64_t i = 0; i < 16; i++)
		commit(&d, 1, 0x1000 + i * 0x100, 64, SHARED);
	for (uint64_t i = 0; i < 16; i++)
		commit(&d, 1, 0x1000 + i * 0x100, i == 15 ? 64 - left : 64, PRIVATE);
	assert_silent(&d);
}

static void test_left_over_a_kexec(void **state)
{
	const struct finding *f;

	(void)state;
	kexec_with(50);
	later(&d, SECOND_NS);
	commit(&d, 1, 0x8000, 8, SHARED);
	f = found_only(&d, FINDING_LEFT_SHARED);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_LIKELY);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->pages, 50);
	assert_range(f, 0, 0x1f00 + 14, 50, 50);
	kexec_with(50);
	later(&d, 3 * SECOND_NS); /* the next kernel shares nothing */
	assert_int_equal(found_only(&d, FINDING_LEFT_SHARED)->pages, 50);
	kexec_with(0);
	commit(&d, 1, 0x8000, 8, SHARED);
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
}

/* ---- giant ---- */

static void test_a_giant(void **state)
{
	const struct finding *f;

	(void)state;
	protected_vm(&d, 1, 8 * GIB);
	commit(&d, 1, 0x100000, GIB, PRIVATE);
	assert_silent(&d);
	commit(&d, 1, 0x100000, GIB + 1, PRIVATE);
	f = found_only(&d, FINDING_GIANT);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_range(f, 0, 0x100000, GIB + 1, 1);
	convert(&d.b, 1, 0x200000, 2 * GIB, SHARED, 1); /* that it was denied is no matter */
	assert_int_equal(f->count, 2);
	assert_int_equal(f->values[0], 2 * GIB);
}

static void vmm_takes(uint64_t ns)
{
	uint64_t asked = request(&d.b, 1, 0, 0x1000, 8, SHARED);

	set_attributes_slowly(&d, 1, 0x1000, 8, ns);
	answer(&d.b, 1, 0, 0x1000, 8, SHARED, 0, asked, 0);
}

static void test_a_stall(void **state)
{
	const struct finding *f;

	(void)state;
	protected_vm(&d, 1, 65536);
	vmm_takes(500 * MILLISECOND_NS - 1);
	assert_silent(&d);
	vmm_takes(500 * MILLISECOND_NS);
	f = found_only(&d, FINDING_GIANT);
	assert_weight(f, SEVERITY_WARNING, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->values[0], 8);
	assert_int_equal(f->values[1], 500 * MILLISECOND_NS);
}

static void test_no_giant(void **state)
{
	(void)state;
	sev_vm(&d, 1, 8 * GIB); /* no attributes */
	convert_one(0x100000, 4 * GIB, PRIVATE);
	protected_vm(&d, 2, 8 * GIB);
	set_attributes_slowly(&d, 2, 0x100000, 4 * GIB, SECOND_NS); /* launch */
	later(&d, 5 * SECOND_NS);
	assert_silent(&d);
}

/* ---- twice ---- */

static void look(uint64_t pages, uint64_t gfn)
{
	resident(&d, 1, (struct kes_resident){gfn, pages - 8, pages, 0, 2, 0});
	resident(&d, 1, (struct kes_resident){gfn + pages, 8, pages, 1, 2, 0});
}

static void test_there_twice(void **state)
{
	const struct finding *f;

	(void)state;
	protected_vm(&d, 1, 65536);
	look(32 * MIB - 1, 0x1000);
	assert_silent(&d);
	look(32 * MIB, 0x1000);
	f = found_only(&d, FINDING_TWICE);
	assert_weight(f, SEVERITY_NOTICE, CERTAINTY_CERTAIN);
	assert_int_equal(f->count, 1);
	assert_int_equal(f->pages, 32 * MIB);
	assert_range(f, 0, 0x1000, 32 * MIB - 8, 32 * MIB - 8);
	assert_range(f, 1, 0x1000 + 32 * MIB, 8, 8);
	later(&d, 300 * SECOND_NS); /* it lasts */
	look(40 * MIB, 0x4000);
	look(36 * MIB, 0x5000); /* the last look is what counts */
	f = found_only(&d, FINDING_TWICE);
	assert_int_equal(f->count, 3);
	assert_int_equal(f->pages, 36 * MIB);
	assert_int_equal(f->values[0], 40 * MIB);
	assert_int_equal(f->n_ranges, 2);
	assert_range(f, 0, 0x5000, 36 * MIB - 8, 36 * MIB - 8);
	resident(&d, 1, (struct kes_resident){});
	assert_int_equal(found_only(&d, FINDING_TWICE)->ended, ENDED_RESOLVED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		DETECTS(test_outside_to_shared),
		DETECTS(test_outside_to_private),
		DETECTS(test_outside_in_pieces),
		DETECTS(test_outside_mixed),
		DETECTS(test_outside_is_decided_at_the_end),
		DETECTS(test_not_outside),
		DETECTS(test_sacred_places),
		DETECTS(test_not_sacred),
		DETECTS(test_sacred_to_some),
		DETECTS(test_sacred_by_the_vmm),
		DETECTS(test_left_over_a_reset),
		DETECTS(test_left_as_the_guest_begins),
		DETECTS(test_left_while_records_were_lost),
		DETECTS(test_nothing_left),
		DETECTS(test_left_nobody_knows),
		DETECTS(test_left_over_a_kexec),
		DETECTS(test_a_giant),
		DETECTS(test_a_stall),
		DETECTS(test_no_giant),
		DETECTS(test_there_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
