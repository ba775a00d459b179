/* SPDX-License-Identifier: GPL-2.0-only */
/* Putting records on the ring, with their sequence numbers and the account of those that did not
 * fit. */
#ifndef BPF_RECORD_H
#define BPF_RECORD_H

#include "tables.bpf.h"

/* A zeroed record of the VM, or NULL when the ring is full: the number is used up all the same, so
 * that the reader sees the gap, and the loss is counted. */
static __always_inline struct kes_record *record_begin(struct kes_vm_slot *vm, u8 kind)
{
	u64 seq = __sync_fetch_and_add(&vm->seq, 1);
	struct kes_record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r) {
		__sync_fetch_and_add(&vm->lost[KES_CAUSE_RING_FULL], 1);
		return NULL;
	}
	r->ts_ns = bpf_ktime_get_ns();
	r->seq = seq;
	r->vm = vm->id;
	r->vcpu = 0;
	r->kind = kind;
	r->flags = 0;
	r->payload[0] = r->payload[1] = r->payload[2] = r->payload[3] = r->payload[4] = 0;
	return r;
}

/* Wake-ups are batched: the reader looks by itself a few times a second, and is woken only when
 * much waits, or for what it should act on now. */
static __always_inline void record_end(struct kes_record *r, bool urgent)
{
	bool wake = urgent || bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= wake_bytes;

	bpf_ringbuf_submit(r, wake ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

#endif
