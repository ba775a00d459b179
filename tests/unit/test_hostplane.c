/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host plane against a naive KVM: threads that set attributes under a lock, a page at a time, a
 * reader that looks at a few pages at a time, hooks that come while calls are under way, and a ring
 * that loses records; one step of any of them at a time, at random. Whatever the order, the model
 * must never claim to know a page that is otherwise, and must know all of them once all is quiet
 * and was read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "kvm_abi.h"
#include "model/model.h"

#define PAGES   192
#define THREADS 4
#define VM      1
#define STEPS   200
#define SEEDS   1000

enum mode {
	MODE_LOCKED, /* trampolines: the begin comes from under the lock */
	MODE_PLAIN,  /* system calls: it comes from the entry */
	MODE_LATE,   /* trampolines, but the hook under the lock comes a while after the others */
};

enum step {
	OUT,
	ENTERED, /* waits for the lock */
	LOCKED,  /* sets its pages, one each step */
	LEAVING, /* has set them; the return is not seen yet */
};

struct thread {
	enum step step;
	unsigned int first, end, at;
	bool private, fails;
	bool tracked; /* its entry was seen: so will be its end, with trampolines */
	uint64_t begin;
};

struct kvm {
	enum mode mode;
	uint64_t random;
	bool private[PAGES];
	struct thread threads[THREADS];
	int holder; /* of the lock, -1: nobody */
	bool hooked, hooked_inside;
	/* the tool */
	struct model *model;
	uint64_t seq, lost, told_lost;
	unsigned int loss_in; /* one record in so many is lost; 0: none */
	bool reading;
	unsigned int cursor;
	uint32_t number;
	uint64_t sent_pages;
};

static uint64_t next_random(struct kvm *kvm)
{
	uint64_t z = kvm->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static unsigned int below(struct kvm *kvm, unsigned int n)
{
	return (unsigned int)(next_random(kvm) % n);
}

static const struct vm *the_vm(const struct kvm *kvm)
{
	return model_vm(kvm->model, 0);
}

/* ---- records ---- */

static uint64_t clock_ns = 1000;

static void deliver(struct kvm *kvm, struct kes_record *r)
{
	r->vm = VM;
	r->ts_ns = clock_ns += 10;
	assert_int_equal(model_apply(kvm->model, r, 1), 0);
}

/* One of the sequence; may be lost. */
static uint64_t emit(struct kvm *kvm, struct kes_record *r)
{
	r->seq = kvm->seq++;
	if (kvm->loss_in && !below(kvm, kvm->loss_in))
		kvm->lost++;
	else
		deliver(kvm, r);
	return r->seq + 1;
}

static void fill(struct kes_record *r, const struct thread *thread)
{
	r->set_attrs.gpa = (uint64_t)thread->first << 12;
	r->set_attrs.size = (uint64_t)(thread->end - thread->first) << 12;
	r->set_attrs.attributes = thread->private ? KES_ATTRIBUTE_PRIVATE : 0;
}

static void emit_begin(struct kvm *kvm, struct thread *thread, uint8_t flags)
{
	struct kes_record r = {.kind = KES_ATTRS_BEGIN, .flags = flags};

	fill(&r, thread);
	r.set_attrs.tid = (uint32_t)(thread - kvm->threads) + 100;
	thread->begin = emit(kvm, &r);
}

static void emit_end(struct kvm *kvm, struct thread *thread)
{
	struct kes_record r = {.kind = KES_ATTRS};

	fill(&r, thread);
	r.set_attrs.err = thread->fails ? -22 : 0;
	r.set_attrs.begin = thread->begin;
	emit(kvm, &r);
}

static void tell_loss(struct kvm *kvm)
{
	struct kes_record r = {.kind = KES_LOSS, .loss = {.total = kvm->lost}};

	if (kvm->lost == kvm->told_lost)
		return;
	kvm->told_lost = kvm->lost;
	deliver(kvm, &r);
}

/* ---- KVM ---- */

static void enter(struct kvm *kvm, struct thread *thread)
{
	thread->first = below(kvm, PAGES);
	thread->end = thread->first + 1 + below(kvm, PAGES - thread->first);
	thread->at = thread->first;
	thread->private = below(kvm, 2);
	thread->fails = !below(kvm, 8);
	thread->begin = 0;
	thread->step = ENTERED;
	thread->tracked = kvm->hooked;
	if (kvm->hooked && !kvm->hooked_inside)
		emit_begin(kvm, thread, 0);
}

static void take_lock(struct kvm *kvm, struct thread *thread)
{
	if (thread->fails) {
		thread->step = LEAVING;
		return;
	}
	if (kvm->holder >= 0)
		return;
	kvm->holder = (int)(thread - kvm->threads);
	thread->step = LOCKED;
	if (kvm->hooked_inside && !thread->begin)
		emit_begin(kvm, thread, KES_F_LOCKED | (thread->tracked ? 0 : KES_F_UNHOOKED));
}

static void step_thread(struct kvm *kvm, struct thread *thread)
{
	switch (thread->step) {
	case OUT:
		enter(kvm, thread);
		break;
	case ENTERED:
		take_lock(kvm, thread);
		break;
	case LOCKED:
		kvm->private[thread->at++] = thread->private;
		if (thread->at == thread->end) {
			kvm->holder = -1;
			thread->step = LEAVING;
		}
		break;
	case LEAVING:
		if (kvm->hooked && (thread->tracked || kvm->mode == MODE_PLAIN))
			emit_end(kvm, thread);
		thread->step = OUT;
		break;
	}
}

/* ---- the reader ---- */

static uint64_t calls_under_way(const struct kvm *kvm)
{
	uint64_t n = 0;

	for (int i = 0; i < THREADS; i++)
		n += kvm->threads[i].step != OUT && kvm->threads[i].begin &&
		     kvm->threads[i].tracked;
	return n;
}

static void snapshot_record(struct kvm *kvm, uint32_t phase)
{
	struct kes_record r = {.kind = KES_SNAPSHOT,
		.snapshot = {.phase = phase,
			.number = kvm->number,
			.pages = kvm->sent_pages,
			.lost = kvm->lost,
			.calls = calls_under_way(kvm)}};

	deliver(kvm, &r);
}

static void begin_reading(struct kvm *kvm)
{
	bool inside = kvm->mode != MODE_PLAIN;

	if (inside ? !kvm->hooked_inside : !kvm->hooked)
		return; /* the tool waits until all hooks are there */
	/* A change that left no trace holds the lock: the kernel half says "busy". */
	if (inside && kvm->holder >= 0 && !kvm->threads[kvm->holder].tracked)
		return;
	kvm->reading = true;
	kvm->cursor = 0;
	kvm->sent_pages = 0;
	kvm->number++;
	snapshot_record(kvm, KES_SNAPSHOT_BEGIN);
}

/* Some pages, as bits or as a run. */
static void read_some(struct kvm *kvm)
{
	unsigned int n = 1 + below(kvm, 64);
	struct kes_record r = {.kind = KES_PAGES};

	if (kvm->cursor == PAGES) {
		kvm->reading = false;
		snapshot_record(kvm, KES_SNAPSHOT_END);
		return;
	}
	if (n > PAGES - kvm->cursor)
		n = PAGES - kvm->cursor;
	r.pages.gfn = kvm->cursor;
	r.pages.npages = n;
	r.pages.attributes = KES_ATTRIBUTE_PRIVATE;
	r.pages.number = kvm->number;
	for (unsigned int i = 0; i < n; i++)
		r.pages.bits |= (uint64_t)kvm->private[kvm->cursor + i] << i;
	if (r.pages.bits == (n == 64 ? ~0ull : (1ull << n) - 1))
		r.pages.bits = ~0ull;
	kvm->cursor += n;
	if (!r.pages.bits)
		return;
	r.pages.index = (uint32_t)kvm->sent_pages++;
	if (!kvm->loss_in || below(kvm, 4 * kvm->loss_in))
		deliver(kvm, &r); /* else lost: the reading is not whole */
}

/* ---- what must hold ---- */

static bool in_flight(const struct kvm *kvm, unsigned int page)
{
	for (int i = 0; i < THREADS; i++) {
		const struct thread *thread = &kvm->threads[i];

		if (thread->step != OUT && page >= thread->first && page < thread->end)
			return true;
	}
	return false;
}

static void check(const struct kvm *kvm)
{
	const struct vm *vm = the_vm(kvm);

	if (!vm->host.known || kvm->lost != kvm->told_lost)
		return; /* it will be told, and then it says so */
	if (vm_lost(vm) > vm->host.forgiven) {
		assert_int_equal(vm_confidence(vm, PLANE_HOST), CONFIDENCE_STALE);
		return;
	}
	for (unsigned int page = 0; page < PAGES; page++) {
		enum page_state state = pagemap_get(vm->planes[PLANE_HOST], page);

		if (state == PAGE_UNKNOWN)
			assert_int_not_equal(vm_confidence(vm, PLANE_HOST), CONFIDENCE_EXACT);
		else if (!in_flight(kvm, page))
			assert_int_equal(state, kvm->private[page] ? PAGE_PRIVATE : PAGE_SHARED);
	}
}

static bool quiet(const struct kvm *kvm)
{
	for (int i = 0; i < THREADS; i++)
		if (kvm->threads[i].step != OUT)
			return false;
	return true;
}

static void finish_threads(struct kvm *kvm)
{
	while (!quiet(kvm)) {
		struct thread *thread = &kvm->threads[below(kvm, THREADS)];

		if (thread->step != OUT)
			step_thread(kvm, thread);
		check(kvm);
	}
}

static void run(enum mode mode, uint64_t seed, unsigned int loss_in)
{
	struct kvm kvm = {.mode = mode, .random = seed, .holder = -1, .loss_in = loss_in};
	struct model_options options = {};
	struct kes_record info = {
		.kind = KES_VM_INFO, .vm_info = {.vcpus = 1, .flags = KES_VM_HAS_ATTRIBUTES}};
	unsigned int hook_at = below(&kvm, 60); /* one call of each thread may be under way then */

	assert_int_equal(model_new(&kvm.model, &options), 0);
	info.seq = kvm.seq++;
	deliver(&kvm, &info);
	for (unsigned int i = 0; i < STEPS; i++) {
		unsigned int what = below(&kvm, 12);

		if (i == hook_at)
			kvm.hooked = true;
		if (mode != MODE_PLAIN && i == hook_at + (mode == MODE_LATE ? 40 : 0))
			kvm.hooked_inside = true;
		if (what < 8)
			step_thread(&kvm, &kvm.threads[what % THREADS]);
		else if (what == 8)
			tell_loss(&kvm);
		else if (kvm.reading)
			read_some(&kvm);
		else if (what == 9)
			begin_reading(&kvm);
		check(&kvm);
	}
	finish_threads(&kvm);
	while (kvm.reading)
		read_some(&kvm);
	tell_loss(&kvm);
	check(&kvm);
	/* All is quiet: a reading, whole, makes it exact. */
	kvm.loss_in = 0;
	if (host_wants_reading(the_vm(&kvm))) {
		begin_reading(&kvm);
		while (kvm.reading)
			read_some(&kvm);
	}
	check(&kvm);
	assert_false(host_wants_reading(the_vm(&kvm)));
	assert_int_equal(pagemap_validate(the_vm(&kvm)->planes[PLANE_HOST]), 0);
	if (!the_vm(&kvm)->host.n_changes) /* ends that were lost leave changes open, which is said
					    */
		assert_int_equal(vm_confidence(the_vm(&kvm), PLANE_HOST), CONFIDENCE_EXACT);
	else
		assert_true(kvm.lost > 0);
	model_free(&kvm.model);
}

static void interleavings_in_kvms_order(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		run(MODE_LOCKED, seed, 0);
}

static void interleavings_without_an_order(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		run(MODE_PLAIN, seed, 0);
}

static void interleavings_whose_order_is_known_late(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		run(MODE_LATE, seed, 0);
}

static void interleavings_with_losses(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		run(MODE_LOCKED, seed, 20);
		run(MODE_PLAIN, seed, 20);
		run(MODE_LATE, seed, 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interleavings_in_kvms_order),
		cmocka_unit_test(interleavings_without_an_order),
		cmocka_unit_test(interleavings_whose_order_is_known_late),
		cmocka_unit_test(interleavings_with_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
