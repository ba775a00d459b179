/* SPDX-License-Identifier: GPL-2.0-only */
/* Putting records on the ring, with their sequence numbers and the account of those that did not
 * fit. */
#ifndef BPF_RECORD_H
#define BPF_RECORD_H

#include "tables.bpf.h"

/* Begins a record of the VM; what is not set stays 0. It has used up its number, whatever becomes
 * of it. */
static __always_inline void record_begin(struct kes_record *r, struct kes_vm_slot *vm, u8 kind)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->seq = __sync_fetch_and_add(&vm->seq, 1);
	r->ts_ns = bpf_ktime_get_ns();
	r->vm = vm->id;
	r->kind = kind;
}

/* What was put on the ring just now should not wait for a reader that waits. Only afterwards does
 * this look whether one does: a reader says that it will sleep before it looks at the ring for the
 * last time, and that it will nap before it looks for the last time whether it was urged, so that
 * one of the two sees the other. Something has to be let go for the kernel to wake it. Of many CPUs
 * one does, and that once: waking costs many times what a record does. */
static __noinline int wake_reader(bool urgent)
{
	struct kes_control *c = the_control();
	void *nothing;
	u32 waits;

	if (!c)
		return 0;
	if (urgent && !c->urged)
		__sync_lock_test_and_set(&c->urged, 1);
	if (c->reader == KES_READER_LOOKS || (c->reader == KES_READER_NAPS && !urgent))
		return 0;
	waits = __sync_lock_test_and_set(&c->reader, KES_READER_LOOKS);
	if (waits == KES_READER_LOOKS)
		return 0;
	nothing = bpf_ringbuf_reserve(&ring, sizeof(u64), 0);
	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
	else
		c->reader = waits; /* full: the reader was woken by what fills it */
	return 0;
}

/* Puts a whole record on the ring. */
static __always_inline bool put_record(const struct kes_record *r, bool urgent)
{
	if (bpf_ringbuf_output(&ring, (void *)r, sizeof(*r), BPF_RB_NO_WAKEUP))
		return false;
	wake_reader(urgent);
	return true;
}

/* Puts it on the ring. If that is full, the reader sees the gap in the numbers, and the loss is
 * counted: false. Wake-ups are batched: a reader that naps looks by itself a few times a second,
 * and is woken only when much waits, for which every 16th record looks, or for what it should act
 * on now. */
static __always_inline bool record_send(
	const struct kes_record *r, struct kes_vm_slot *vm, bool urgent)
{
	bool much = !(r->seq & 15) && bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wake_bytes;

	if (put_record(r, urgent || much))
		return true;
	__sync_fetch_and_add(&vm->lost[KES_CAUSE_RING_FULL], 1);
	return false;
}

/* Records of the VM that are missing so far. */
static __always_inline u64 records_lost(const struct kes_vm_slot *vm)
{
	u64 lost = 0;

	for (int i = 0; i < KES_CAUSE_MAX; i++)
		if (i != KES_CAUSE_COUNTS_FULL)
			lost += vm->lost[i];
	return lost;
}

#endif
