/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host plane as the kernel has it: a VM's attributes, read from KVM's own xarray
 * (kvm->mem_attr_array), which is keyed by gfn, holds values where attributes are not 0, and
 * nothing or a reserved entry elsewhere.
 *
 * Nothing is locked, so KVM is never held up: the reader runs under RCU, in which no node is
 * reused, and what changes meanwhile shows as records of those changes between SNAPSHOT begin and
 * end; the C half puts both together. A part at a time is read, so that the ring never overflows
 * and no run takes long.
 */
#ifndef BPF_SNAPSHOT_H
#define BPF_SNAPSHOT_H

#include "attributes.bpf.h"
#include "xarray.bpf.h"

#define READ_STEPS 16384 /* nodes a run looks at */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_reading);
} reading SEC(".maps");

const volatile __u64 snapshot_room = 4096; /* stop reading when so much waits on the ring; set by
					      the C half */

struct reader {
	struct kes_reading *reading;
	struct xa_copy *leaf;
	u32 vm_id;
	u64 parent, parent_gfn; /* the last node above leaves, and where it begins; 0: none */
	u64 values;             /* slots of the leaf that hold a value, and were not sent yet */
};

/* ---- records ---- */

static __always_inline void send_pages(
	struct reader *reader, u64 gfn, u64 npages, u64 attributes, u64 bits)
{
	struct kes_reading *reading = reader->reading;
	struct kes_record r = {.ts_ns = bpf_ktime_get_ns(), .vm = reader->vm_id, .kind = KES_PAGES};

	r.pages.gfn = gfn;
	r.pages.npages = npages;
	r.pages.attributes = attributes;
	r.pages.bits = bits;
	r.pages.index = reading->pages++;
	r.pages.number = reading->number;
	if (bpf_ringbuf_output(&ring, &r, sizeof(r), BPF_RB_NO_WAKEUP))
		reading->state = KES_READING_FAILED;
}

/* Leaves that are all of one value are joined: most memory is. */
static __always_inline void flush_run(struct reader *reader)
{
	struct kes_reading *reading = reader->reading;

	if (reading->run_npages)
		send_pages(reader, reading->run_gfn, reading->run_npages, reading->run_attributes,
			~0ull);
	reading->run_npages = 0;
}

static __always_inline void add_run(struct reader *reader, u64 gfn, u64 attributes)
{
	struct kes_reading *reading = reader->reading;

	if (reading->run_npages && reading->run_attributes == attributes &&
		reading->run_gfn + reading->run_npages == gfn) {
		reading->run_npages += XA_SLOTS;
		return;
	}
	flush_run(reader);
	reading->run_gfn = gfn;
	reading->run_npages = XA_SLOTS;
	reading->run_attributes = attributes;
}

/* ---- one leaf: without a branch for each slot, which the verifier would follow both ways ---- */

/* The number of the lowest bit that is set, of one at least. */
static __always_inline u32 lowest_bit(u64 bits)
{
	u64 below = (bits & -bits) - 1; /* as many ones as there are lower bits: count them */

	below -= below >> 1 & 0x5555555555555555ull;
	below = (below & 0x3333333333333333ull) + (below >> 2 & 0x3333333333333333ull);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return below * 0x0101010101010101ull >> 56;
}

/* All slots that hold what the first one does of those left. */
static long send_value(u32 round, struct reader *reader)
{
	struct xa_copy *leaf = reader->leaf;
	u64 gfn = reader->reading->cursor, bits = 0, value;

	if (!reader->values)
		return 1;
	value = leaf->slots[lowest_bit(reader->values) & (XA_SLOTS - 1)];
	for (u32 i = 0; i < XA_SLOTS; i++)
		bits |= (differ(leaf->slots[i], value) ^ 1) << i;
	bits &= reader->values;
	reader->values &= ~bits;
	if (bits == ~0ull)
		add_run(reader, gfn, value >> 1);
	else
		send_pages(reader, gfn, XA_SLOTS, value >> 1, bits);
	return 0;
}

/* False: KVM is taking the node away, look again. */
static __always_inline bool read_leaf(struct reader *reader, u64 node)
{
	struct xa_copy *leaf = reader->leaf;
	u64 values = 0, other = 0, stays = 1;

	if (bpf_probe_read_kernel(leaf, sizeof(*leaf), (void *)MEMBER(node, xa_node, slots)))
		return false;
	for (u32 i = 0; i < XA_SLOTS; i++) {
		u64 entry = leaf->slots[i];

		values |= (entry & 1) << i;
		other |= entry ^ leaf->slots[0];
		stays &= differ(entry, XA_RETRY);
	}
	if (!stays)
		return false;
	reader->values = values;
	if (values == ~0ull && !other) /* what most leaves are */
		add_run(reader, reader->reading->cursor, leaf->slots[0] >> 1);
	else if (values)
		bpf_loop(XA_SLOTS, send_value, reader, 0);
	return true;
}

/* ---- the way there ---- */

/* Where the cursor's leaf is, from the top; 0 if there is none, with the cursor moved past what is
 * empty. */
static __noinline u64 find_leaf(struct reader *reader)
{
	struct kes_reading *reading;
	u64 entry, shift, node;

	if (!reader || !reader->reading)
		return 0;
	reading = reader->reading;
	entry = read_u64(MEMBER(MEMBER(reading->kvm, kvm, mem_attr_array), xarray, xa_head));
	if (!is_node(entry)) { /* nothing at all, or only frame 0 */
		if (entry & 1 && !reading->cursor)
			send_pages(reader, 0, 1, entry >> 1, 1);
		reading->cursor = ~0ull;
		return 0;
	}
	node = entry - 2;
	shift = read_u8(MEMBER(node, xa_node, shift));
	if (shift > XA_SHIFT * XA_LEVELS || reading->cursor >> shift >= XA_SLOTS) {
		reading->cursor = ~0ull; /* the end */
		return 0;
	}
	for (u32 level = 0; level < XA_LEVELS; level++) {
		if (!shift)
			return node;
		if (shift == XA_SHIFT) {
			reader->parent = node;
			reader->parent_gfn = reading->cursor & ~((1ull << 2 * XA_SHIFT) - 1);
		}
		entry = node_slot(node, reading->cursor >> shift);
		if (!is_node(entry)) {
			if (entry != XA_RETRY)
				reading->cursor = ((reading->cursor >> shift) + 1) << shift;
			return 0;
		}
		node = entry - 2;
		shift -= XA_SHIFT;
	}
	return 0;
}

static long read_step(u32 step, struct reader *reader)
{
	struct kes_reading *reading = reader->reading;
	u64 leaf = 0, entry;

	if (reading->cursor == ~0ull || reading->state == KES_READING_FAILED)
		return 1;
	if (!(step & 15) && bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > snapshot_room)
		return 1;
	if (reader->parent &&
		reading->cursor >> 2 * XA_SHIFT == reader->parent_gfn >> 2 * XA_SHIFT) {
		entry = node_slot(reader->parent, reading->cursor >> XA_SHIFT);
		if (!entry) {
			reading->cursor += XA_SLOTS;
			return 0;
		}
		if (is_node(entry))
			leaf = entry - 2;
		else
			reader->parent = 0;
	}
	if (!leaf)
		leaf = find_leaf(reader);
	if (leaf) {
		if (read_leaf(reader, leaf))
			reading->cursor += XA_SLOTS;
		else
			reader->parent = 0;
	}
	return 0;
}

/* ---- one part ---- */

static __always_inline void read_part(struct kes_reading *reading, struct kes_vm_slot *vm)
{
	struct reader reader = {.reading = reading, .vm_id = vm->id};
	u32 zero = 0;

	reader.leaf = bpf_map_lookup_elem(&xa_copies, &zero);
	if (!reader.leaf)
		return;
	if (!reading->cursor && !reading->pages) {
		if (reading->check_lock && is_busy(reading->kvm)) {
			reading->state = KES_READING_BUSY;
			return;
		}
		if (!send_snapshot(vm, reading->number, KES_SNAPSHOT_BEGIN, 0))
			reading->state = KES_READING_FAILED;
	}
	bpf_loop(READ_STEPS, read_step, &reader, 0);
	if (reading->state == KES_READING_FAILED)
		return;
	if (reading->cursor != ~0ull) {
		reading->state = KES_READING_MORE;
		return;
	}
	flush_run(&reader);
	if (!send_snapshot(vm, reading->number, KES_SNAPSHOT_END, reading->pages))
		reading->state = KES_READING_FAILED;
	if (reading->state != KES_READING_FAILED)
		reading->state = KES_READING_DONE;
}

#endif
