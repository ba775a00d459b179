/* SPDX-License-Identifier: GPL-2.0-only */
/* Puts records on the ring as all programs do, by BPF test runs. */
#include "record.bpf.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

/* One record of the VM in that slot. */
SEC("raw_tp")
int BPF_PROG(put_one, u64 index, u64 urgent)
{
	u32 key = index;
	struct kes_vm_slot *vm = bpf_map_lookup_elem(&vms, &key);
	struct kes_record r;

	if (!vm)
		return 1;
	record_begin(&r, vm, KES_REFUSED);
	r.seq = 1; /* so that it is not the one that looks how much waits */
	record_send(&r, vm, urgent);
	return 0;
}

/* The second half of that, of who stood still for long: what it put there was taken meanwhile. */
SEC("raw_tp")
int wake_late(void *ctx)
{
	return wake_reader(false);
}

/* How many bytes were ever put on the ring. */
SEC("raw_tp")
int put_so_far(void *ctx)
{
	return bpf_ringbuf_query(&ring, BPF_RB_PROD_POS);
}
