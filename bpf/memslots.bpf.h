/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a VM's memory is: a snapshot of its memslots as records, when KVM's generation number of
 * them moved. The active set is never changed in place (KVM installs a new one), but it may be
 * replaced while we walk it: then the generation has moved again, and the next look sends it anew.
 */
#ifndef BPF_MEMSLOTS_H
#define BPF_MEMSLOTS_H

#include "read.bpf.h"
#include "record.bpf.h"

#define MEMSLOTS_EVERY_NS 100000000ull /* how often the event path looks */
#define MEMSLOT_CHAIN     32768        /* KVM allows no more memslots than this */
#define GENERATION_UPDATE (1ull << 63) /* KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS */

struct memslot_walk {
	struct kes_vm_slot *vm;
	u64 buckets; /* address of the hash table */
	u64 link;    /* offset of the chain's node in a memslot */
	u64 generation;
	u64 node; /* address of the next link in the chain */
	u32 index, total;
	bool counting; /* first pass */
};

/* One memslot of a bucket's chain; walk->node is its link. */
static long memslot_step(u32 step, struct memslot_walk *walk)
{
	u64 slot = walk->node - walk->link;
	struct kes_record r;

	if (!walk->node)
		return 1;
	walk->node = read_u64(walk->node); /* hlist_node.next */
	if (walk->counting) {
		walk->total++;
		return 0;
	}
	record_begin(&r, walk->vm, KES_MEMSLOT);
	r.memslot.gfn = read_u64(MEMBER(slot, kvm_memory_slot, base_gfn));
	r.memslot.npages = read_u64(MEMBER(slot, kvm_memory_slot, npages));
	r.memslot.slot = read_u16(MEMBER(slot, kvm_memory_slot, id));
	r.memslot.flags = read_u32(MEMBER(slot, kvm_memory_slot, flags));
	r.memslot.index = walk->index++;
	r.memslot.total = walk->total;
	r.memslot.generation = walk->generation;
	if (!record_send(&r, walk->vm, false)) {
		walk->vm->memslots_generation = ~0ull; /* once more, next time */
		return 1;
	}
	return 0;
}

static long memslot_bucket(u32 bucket, struct memslot_walk *walk)
{
	walk->node = read_u64(walk->buckets + bucket * sizeof(u64));
	if (walk->node)
		bpf_loop(MEMSLOT_CHAIN, memslot_step, walk, 0);
	return 0;
}

static __always_inline void memslots_send_none(struct kes_vm_slot *vm, u64 generation)
{
	struct kes_record r;

	record_begin(&r, vm, KES_MEMSLOT);
	r.memslot.generation = generation;
	record_send(&r, vm, false);
}

static __noinline int memslots_send(struct kes_vm_slot *vm, u64 kvm)
{
	struct memslot_walk walk = {.vm = vm};
	u64 set, sent;
	u32 buckets;

	if (!vm || !bpf_core_field_exists(struct kvm_memslots, id_hash))
		return 0; /* before 5.17: the C half says that it does not know the memory */
	set = read_u64(MEMBER(kvm, kvm, memslots));
	walk.generation = read_u64(MEMBER(set, kvm_memslots, generation)) & ~GENERATION_UPDATE;
	sent = vm->memslots_generation;
	if (!set || walk.generation == sent ||
		__sync_val_compare_and_swap(&vm->memslots_generation, sent, walk.generation) !=
			sent)
		return 0; /* known, or on its way from another vCPU */
	walk.buckets = MEMBER(set, kvm_memslots, id_hash);
	walk.link = bpf_core_field_offset(struct kvm_memory_slot, id_node);
	if (read_u32(MEMBER(set, kvm_memslots, node_idx)))
		walk.link += sizeof(struct hlist_node);
	buckets = bpf_core_field_size(((struct kvm_memslots *)0)->id_hash) / sizeof(u64);

	walk.counting = true;
	bpf_loop(buckets, memslot_bucket, &walk, 0);
	walk.counting = false;
	if (walk.total)
		bpf_loop(buckets, memslot_bucket, &walk, 0);
	else
		memslots_send_none(vm, walk.generation);
	return 0;
}

static __always_inline void memslots_check(struct kes_vm_slot *vm, u64 kvm, u64 now)
{
	if (now - vm->memslots_checked_ns < MEMSLOTS_EVERY_NS)
		return;
	vm->memslots_checked_ns = now;
	memslots_send(vm, kvm);
}

#endif
