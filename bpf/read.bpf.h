/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading KVM's structures through plain numbers: a pointer that came out of container_of, or out
 * of a table, is nothing the verifier would follow. A read that fails gives 0. */
#ifndef BPF_READ_H
#define BPF_READ_H

#include "kvm.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define READER(type)                                                           \
	static __always_inline type read_##type(u64 address)                   \
	{                                                                      \
		type value = 0;                                                \
                                                                               \
		bpf_probe_read_kernel(&value, sizeof(value), (void *)address); \
		return value;                                                  \
	}
READER(u32)
READER(u16)
READER(u8)
#undef READER

/* Most of what is read is 8 bytes. From 6.2 on they can be loaded without a helper's call, as a
 * member of some type that has them first; where the address is bad, that gives 0, too. */
extern void *bpf_rdonly_cast(void *address, __u32 btf_id) __ksym __weak;
const volatile bool has_rdonly_cast; /* set by the C half: the kernel has it */

static __always_inline u64 read_u64(u64 address)
{
	struct timespec64 *anything;
	u64 value = 0;

	if (has_rdonly_cast) {
		anything = bpf_rdonly_cast(
			(void *)address, bpf_core_type_id_kernel(struct timespec64));
		return anything->tv_sec;
	}
	bpf_probe_read_kernel(&value, sizeof(value), (void *)address);
	return value;
}

/* The address of a member, and members that changed their size between kernels: read as what they
 * are. */
#define MEMBER(address, type, member) ((address) + bpf_core_field_offset(struct type, member))
#define READ_SIZED(address, type, member)                              \
	(bpf_core_field_size(((struct type *)0)->member) == 8          \
			? read_u64(MEMBER(address, type, member))      \
		: bpf_core_field_size(((struct type *)0)->member) == 4 \
			? read_u32(MEMBER(address, type, member))      \
			: read_u8(MEMBER(address, type, member)))

#endif
