/* SPDX-License-Identifier: GPL-2.0-only */
/* The tables of the kernel half. All are bounded, and those on the path of each event preallocated.
 */
#ifndef BPF_TABLES_H
#define BPF_TABLES_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "wire.h"

/* Set by the C half before loading. */
const volatile bool host_is_svm;        /* kvm-amd drives this host's vCPUs */
const volatile __u64 wake_bytes = 4096; /* wake the reader when so much waits for it */

/* Records on their way to the C half. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 21);
} ring SEC(".maps");

/* VMs, by slot. A slot is taken at birth or first sight and given back by the C half, once it has
 * read the last figures of the VM that ended. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u32);
	__type(value, struct kes_vm_slot);
} vms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, KES_MAX_VMS);
	__type(value, u32);
} free_slots SEC(".maps");

/* struct kvm * -> slot, for VMs that live */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u64);
	__type(value, u32);
} slot_of SEC(".maps");

/* struct kvm * -> who that was, for VMs of an earlier life */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KES_MAX_VMS);
	__type(key, u64);
	__type(value, struct kes_known);
} known_vms SEC(".maps");

/* struct kvm_vcpu * -> what is known of it. Written only by the task that holds the vCPU's mutex.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KES_MAX_VCPUS);
	__type(key, u64);
	__type(value, struct kes_vcpu);
} vcpus SEC(".maps");

/* The vCPU that a thread had loaded when its guest made a conversion hypercall: what ties the exit
 * that follows, at which no vCPU is loaded any more, to it. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} caller SEC(".maps");

/* What is only counted: exits and hypercalls, per VMM process. Not preallocated: so many places on
 * so many CPUs would take long to make, and a key is new once in a VM's life. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KES_MAX_COUNTS);
	__type(key, struct kes_count_key);
	__type(value, u64);
} counts SEC(".maps");

/* The same, found without a hash table's cache lines: see count(). The C half gives each CPU its
 * KES_TALLIES, and reads them where they lie. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, KES_TALLIES);
	__type(key, u32);
	__type(value, struct kes_tally);
} tallies SEC(".maps");

/* One for the host, shared by all programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_host);
} host SEC(".maps");

/* What the C half tells the programs, where it lies. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_control);
} control SEC(".maps");

static __always_inline struct kes_control *the_control(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

static __always_inline struct kes_host *the_host(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&host, &zero);
}

static __always_inline void host_lost(enum kes_cause cause)
{
	struct kes_host *h = the_host();

	if (h)
		__sync_fetch_and_add(&h->lost[cause], 1);
}

/* The key has no tally on this CPU. */
static __noinline int count_in_table(u64 who)
{
	struct kes_count_key key = {
		.tgid = who >> 32, .counter = (u16)(who >> 16), .index = (u16)who};
	u64 one = 1, *total = bpf_map_lookup_elem(&counts, &key);

	if (!total) {
		if (!bpf_map_update_elem(&counts, &key, &one, BPF_NOEXIST))
			return 0;
		total = bpf_map_lookup_elem(&counts, &key); /* another CPU was first */
	}
	if (total)
		__sync_fetch_and_add(total, 1); /* per CPU, but some kernels may preempt us */
	else
		host_lost(KES_CAUSE_COUNTS_FULL);
	return 0;
}

/* A key is counted by one program only, which the kernel never runs twice at once on a CPU: so
 * adding needs no atomic operation, and only claiming a place does. */
static __always_inline void count(u32 tgid, u32 counter, u32 index)
{
	u64 who = (u64)tgid << 32 | counter << 16 | index;
	u32 at = bpf_get_smp_processor_id() * KES_TALLIES +
		 (u32)(who * 0x9e3779b97f4a7c15ull >> (64 - KES_TALLY_BITS));
	struct kes_tally *tally = bpf_map_lookup_elem(&tallies, &at);

	if (tally && (tally->who == who ||
			     (!tally->who && !__sync_val_compare_and_swap(&tally->who, 0, who))))
		tally->n++;
	else
		count_in_table(who);
}

#endif
