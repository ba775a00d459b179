/* SPDX-License-Identifier: GPL-2.0-only */
/* A model that is fed with records as the kernel half writes them, and keeps what events come of
 * them. */
#ifndef MODEL_BENCH_H
#define MODEL_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "kvm_abi.h"
#include "model/model.h"

#define MAX_EVENTS 64

struct bench {
	struct model *model;
	struct event events[MAX_EVENTS];
	int n;
	uint64_t seq[4], ts; /* [vm] */
};

static inline int keep_event(void *context, const struct event *event)
{
	struct bench *b = context;

	if (b->n < MAX_EVENTS)
		b->events[b->n] = *event;
	b->n++;
	return 0;
}

static inline void start(struct bench *b, enum abi abi)
{
	struct model_options options = {
		.abi = abi, .on_event = keep_event, .context = b, .max_ended = 2};

	memset(b, 0, sizeof(*b));
	assert_int_equal(model_new(&b->model, &options), 0);
}

static inline struct kes_record record(struct bench *b, uint32_t vm, enum kes_kind kind)
{
	return (struct kes_record){
		.ts_ns = b->ts += 1000,
		.seq = kind < KES_LOSS ? b->seq[vm]++ : 0,
		.vm = vm,
		.kind = (uint8_t)kind,
	};
}

static inline void apply(struct bench *b, struct kes_record r)
{
	assert_int_equal(model_apply(b->model, &r, 1), 0);
}

static inline void vm_new_record(struct bench *b, uint32_t vm, uint8_t flags, uint32_t type)
{
	struct kes_record r = record(b, vm, KES_VM_NEW);

	r.flags = flags;
	r.vm_new.pid = 100 + vm;
	r.vm_new.type = type;
	memcpy(r.vm_new.comm, "qemu", 4);
	apply(b, r);
}

static inline void memslot(
	struct bench *b, uint32_t vm, uint64_t gfn, uint64_t npages, uint32_t index, uint32_t total)
{
	struct kes_record r = record(b, vm, KES_MEMSLOT);

	r.memslot =
		(struct kes_memslot){.gfn = gfn, .npages = npages, .index = index, .total = total};
	apply(b, r);
}

static inline uint64_t request(
	struct bench *b, uint32_t vm, uint16_t vcpu, uint64_t gfn, uint64_t npages, uint64_t attrs)
{
	struct kes_record r = record(b, vm, KES_REQUEST);

	r.vcpu = vcpu;
	r.conversion.gpa = gfn << 12;
	r.conversion.npages = npages;
	r.conversion.attrs = attrs;
	apply(b, r);
	return r.ts_ns;
}

static inline void answer(struct bench *b, uint32_t vm, uint16_t vcpu, uint64_t gfn,
	uint64_t npages, uint64_t attrs, int64_t ret, uint64_t asked_ns, uint8_t flags)
{
	struct kes_record r = record(b, vm, KES_ANSWER);

	r.vcpu = vcpu;
	r.flags = flags;
	r.conversion.gpa = gfn << 12;
	r.conversion.npages = npages;
	r.conversion.attrs = attrs;
	r.conversion.answer.ret = ret;
	r.conversion.answer.request_ns = asked_ns;
	apply(b, r);
}

static inline void convert(
	struct bench *b, uint32_t vm, uint64_t gfn, uint64_t npages, uint64_t attrs, int64_t ret)
{
	answer(b, vm, 0, gfn, npages, attrs, ret, request(b, vm, 0, gfn, npages, attrs), 0);
}

static inline const struct vm *first_vm(const struct bench *b)
{
	assert_true(model_vm_count(b->model) > 0);
	return model_vm(b->model, 0);
}

struct range {
	uint64_t gfn, npages;
	enum page_state state;
};

struct ranges {
	struct range list[16];
	size_t n;
};

static inline int keep_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct ranges *ranges = context;

	assert_true(ranges->n < ARRAY_SIZE(ranges->list));
	ranges->list[ranges->n++] = (struct range){gfn, npages, state};
	return 0;
}

static inline void check_ranges(const struct vm *vm, const struct range *want, size_t n)
{
	struct ranges got = {};

	assert_int_equal(vm_ranges(vm, PLANE_GUEST, keep_range, &got), 0);
	assert_int_equal(got.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(got.list[i].gfn, want[i].gfn);
		assert_int_equal(got.list[i].npages, want[i].npages);
		assert_int_equal(got.list[i].state, want[i].state);
	}
}

static inline void info(struct bench *b, uint32_t vm, uint32_t vcpus, uint32_t flags)
{
	struct kes_record r = record(b, vm, KES_VM_INFO);

	r.vm_info.vcpus = vcpus;
	r.vm_info.flags = flags;
	apply(b, r);
}

/* The VMM sets attributes, with KVM's own order. */
static inline void set_attributes(
	struct bench *b, uint32_t vm, uint64_t gfn, uint64_t npages, bool private)
{
	struct kes_record begin = record(b, vm, KES_ATTRS_BEGIN), end;

	begin.flags = KES_F_LOCKED;
	begin.set_attrs.gpa = gfn << 12;
	begin.set_attrs.size = npages << 12;
	begin.set_attrs.attributes = private ? KES_ATTRIBUTE_PRIVATE : 0;
	begin.set_attrs.tid = 77;
	apply(b, begin);
	end = record(b, vm, KES_ATTRS);
	end.set_attrs.gpa = gfn << 12;
	end.set_attrs.size = npages << 12;
	end.set_attrs.attributes = begin.set_attrs.attributes;
	end.set_attrs.begin = begin.seq + 1;
	apply(b, end);
}

/* The kernel's own attributes are read, and are all 0 but for one range. */
static inline void read_back(
	struct bench *b, uint32_t vm, uint32_t number, uint64_t gfn, uint64_t npages, uint64_t lost)
{
	struct kes_record r = record(b, vm, KES_SNAPSHOT);

	r.snapshot.phase = KES_SNAPSHOT_BEGIN;
	r.snapshot.number = number;
	r.snapshot.lost = lost;
	apply(b, r);
	if (npages) {
		struct kes_record pages = record(b, vm, KES_PAGES);

		pages.pages = (struct kes_pages){.gfn = gfn,
			.npages = npages,
			.attributes = KES_ATTRIBUTE_PRIVATE,
			.bits = ~0ull,
			.number = number};
		apply(b, pages);
	}
	r = record(b, vm, KES_SNAPSHOT);
	r.snapshot.phase = KES_SNAPSHOT_END;
	r.snapshot.number = number;
	r.snapshot.pages = npages ? 1 : 0;
	apply(b, r);
}

/* A text about the VM, in as many pieces as it needs. */
static inline void text(struct bench *b, uint32_t vm, enum kes_text_about about, const char *bytes)
{
	size_t all = strlen(bytes), total = all < KES_TEXT_LIMIT ? all : KES_TEXT_LIMIT;

	for (size_t at = 0; at < total; at += KES_TEXT_PIECE) {
		struct kes_record r = record(b, vm, KES_TEXT);
		size_t size = total - at < KES_TEXT_PIECE ? total - at : KES_TEXT_PIECE;

		r.seq = at;
		r.text.about = (uint8_t)about;
		r.text.size = (uint8_t)size;
		r.text.total = (uint16_t)total & 0x7fff;
		memcpy(r.text.bytes, bytes + at, size);
		apply(b, r);
	}
}

#endif
