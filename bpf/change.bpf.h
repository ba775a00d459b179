/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMM's change of memory attributes, before KVM acts on it: who asked for it.
 *
 * That is what the vCPUs' run pages say, which the VMM may write, too: who forges a guest's request
 * is judged as that guest would be.
 */
#ifndef BPF_CHANGE_H
#define BPF_CHANGE_H

#include "file.bpf.h"
#include "ioctl.bpf.h"
#include "kvm_abi.h"
#include "mutex.bpf.h"
#include "state.bpf.h"
#include "xarray.bpf.h"

/* struct task_struct * -> what its call was judged by, and let through */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_CALLS);
	__type(key, u64);
	__type(value, struct memory_attributes);
} judged SEC(".maps");

#define MAX_VCPUS 4096 /* KVM_MAX_VCPUS can be configured so high */

static __always_inline u64 vcpu_at(u64 kvm, u32 index)
{
	u64 entry = read_u64(MEMBER(MEMBER(kvm, kvm, vcpu_array), xarray, xa_head));

	if (!is_node(entry))
		return index ? 0 : entry;
	for (int i = 0; i < XA_LEVELS && is_node(entry); i++) {
		u64 node = entry & ~3ull;
		u32 shift = read_u8(MEMBER(node, xa_node, shift));

		if (!i && index >> shift >= XA_SLOTS)
			return 0;
		entry = node_slot(node, index >> shift);
	}
	return is_node(entry) ? 0 : entry;
}

struct vcpu_search {
	u64 kvm, gfn, end; /* frames */
	u32 what;          /* kes_ask_what */
	bool found;
};

/* What a step of bpf_loop() returns that ends it; the verifier wants to see the number. */
static __always_inline long found_it(struct vcpu_search *search)
{
	search->found = true;
	return 1;
}

/* ---- whether the VM is past its launch ---- */

static long entered_step(u32 index, struct vcpu_search *search)
{
	u64 vcpu = vcpu_at(search->kvm, index);

	return vcpu && vcpu_has_run(vcpu) ? found_it(search) : 0;
}

static __noinline bool vm_was_entered(u64 kvm)
{
	struct vcpu_search search = {.kvm = kvm};
	u32 n = read_u32(MEMBER(kvm, kvm, created_vcpus));

	bpf_loop(n < MAX_VCPUS ? n : MAX_VCPUS, entered_step, &search, 0);
	return search.found;
}

/* ---- whether a guest asked for it, and waits ---- */

static __always_inline bool covers(const struct vcpu_search *search, u64 gfn, u64 npages)
{
	return search->gfn >= gfn && search->end <= gfn + npages && gfn + npages > gfn;
}

static __always_inline bool asks_for(u64 run, const struct vcpu_search *search)
{
	struct kvm_run_hypercall call = {};

	if (bpf_probe_read_kernel(&call, sizeof(call), (void *)(run + KVM_RUN_EXIT_OFFSET)))
		return false;
	return call.nr == KES_HC_MAP_GPA_RANGE &&
	       (call.args[2] & KES_MAP_GPA_ENCRYPTED ? KES_ASK_PRIVATE : KES_ASK_SHARED) ==
		       search->what &&
	       covers(search, call.args[0] >> 12, call.args[1]);
}

/* It touched a page as what it is not, and goes on only when it is that. */
static __always_inline bool faulted_on(u64 run, const struct vcpu_search *search)
{
	struct kvm_run_memory_fault fault = {};

	if (bpf_probe_read_kernel(&fault, sizeof(fault), (void *)(run + KVM_RUN_EXIT_OFFSET)))
		return false;
	return (fault.flags & KES_MEMORY_FAULT_PRIVATE ? KES_ASK_PRIVATE : KES_ASK_SHARED) ==
		       search->what &&
	       covers(search, fault.gpa >> 12, fault.size >> 12);
}

/* A vCPU that is in KVM_RUN waits for nothing, whatever its run page still says. */
static long asks_step(u32 index, struct vcpu_search *search)
{
	u64 vcpu = vcpu_at(search->kvm, index), run;
	u32 reason;

	if (!vcpu || mutex_owner(MEMBER(vcpu, kvm_vcpu, mutex)))
		return 0;
	run = read_u64(MEMBER(vcpu, kvm_vcpu, run));
	reason = read_u32(run + KVM_RUN_EXIT_REASON);
	if (reason == KES_EXIT_HYPERCALL && asks_for(run, search))
		return found_it(search);
	return reason == KES_EXIT_MEMORY_FAULT && faulted_on(run, search) ? found_it(search) : 0;
}

static __noinline bool guest_asks(u64 kvm, u64 gfn, u64 npages, u32 what)
{
	struct vcpu_search search = {.kvm = kvm, .gfn = gfn, .end = gfn + npages, .what = what};
	u32 n = read_u32(MEMBER(kvm, kvm, created_vcpus));

	bpf_loop(n < MAX_VCPUS ? n : MAX_VCPUS, asks_step, &search, 0);
	return search.found;
}

static __always_inline void fill_change(
	struct kes_ask *ask, u64 kvm, const struct memory_attributes *arguments)
{
	ask->gfn = arguments->gpa >> 12;
	ask->npages = arguments->size >> 12;
	ask->what =
		arguments->attributes & KES_ATTRIBUTE_PRIVATE ? KES_ASK_PRIVATE : KES_ASK_SHARED;
	ask->asker = KES_BY_VMM;
	if (!guest_asks(kvm, ask->gfn, ask->npages, ask->what))
		return;
	ask->asker = KES_BY_GUEST;
	ask->nr = KES_HC_MAP_GPA_RANGE;
}

/* ---- whether it was judged already, when the guest asked ---- */

static long flight_step(u32 index, struct vcpu_search *search)
{
	struct kes_flight_key key = {.kvm = search->kvm, .vcpu = index};
	struct kes_flight *flight = bpf_map_lookup_elem(&flights, &key);

	return flight && flight->status == KES_FLIGHT_PENDING && flight->what == search->what &&
			       covers(search, flight->gfn, flight->npages)
		       ? found_it(search)
		       : 0;
}

static __noinline bool was_let_through(u64 kvm, const struct kes_ask *ask)
{
	struct vcpu_search search = {.kvm = kvm};
	u32 n = read_u32(MEMBER(kvm, kvm, created_vcpus));

	if (!ask)
		return false;
	search.gfn = ask->gfn;
	search.end = ask->gfn + ask->npages;
	search.what = ask->what;
	bpf_loop(n < MAX_VCPUS ? n : MAX_VCPUS, flight_step, &search, 0);
	return search.found;
}

#endif
