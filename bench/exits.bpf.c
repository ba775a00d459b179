/* SPDX-License-Identifier: GPL-2.0-only */
/* The peer: what it costs to do as good as nothing at an exit, one per-CPU counter for all of them.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} total SEC(".maps");

SEC("tp_btf/kvm_userspace_exit")
int bump(void *context)
{
	__u32 zero = 0;
	__u64 *value = bpf_map_lookup_elem(&total, &zero);

	if (value)
		(*value)++;
	return 0;
}
