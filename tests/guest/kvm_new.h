/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What KVM's uapi has and Debian 12's linux-libc-dev (6.1) has not: all of it from Linux 6.8's
 * include/uapi/linux/kvm.h, but for the VM types, which are in arch/x86/include/uapi/asm/kvm.h. The
 * structs have names of their own, so that newer headers do not clash. (This program is a witness
 * against the tool, so it takes nothing from the tool's own headers.)
 */
#ifndef GUEST_KVM_NEW_H
#define GUEST_KVM_NEW_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#define NEW_X86_DEFAULT_VM      0
#define NEW_X86_SW_PROTECTED_VM 1

#define NEW_CAP_MEMORY_ATTRIBUTES 233
#define NEW_CAP_VM_TYPES          235

#define NEW_EXIT_MEMORY_FAULT 39

#define NEW_MEM_GUEST_MEMFD (1u << 2)

#define NEW_MEMORY_ATTRIBUTE_PRIVATE (1ull << 3)

struct new_memory_region {
	uint32_t slot;
	uint32_t flags;
	uint64_t guest_phys_addr;
	uint64_t memory_size;
	uint64_t userspace_addr;
	uint64_t guest_memfd_offset;
	uint32_t guest_memfd;
	uint32_t pad1;
	uint64_t pad2[14];
};

struct new_memory_attributes {
	uint64_t address;
	uint64_t size;
	uint64_t attributes;
	uint64_t flags;
};

struct new_guest_memfd {
	uint64_t size;
	uint64_t flags;
	uint64_t reserved[6];
};

#define NEW_SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct new_memory_region)
#define NEW_SET_MEMORY_ATTRIBUTES   _IOW(KVMIO, 0xd2, struct new_memory_attributes)
#define NEW_CREATE_GUEST_MEMFD      _IOWR(KVMIO, 0xd4, struct new_guest_memfd)

/* kvm_run's memory_fault, a member of the union that begins with hw. */
struct new_memory_fault {
	uint64_t flags;
	uint64_t gpa;
	uint64_t size;
};

static inline const struct new_memory_fault *new_memory_fault(const struct kvm_run *run)
{
	return (const void *)((const char *)run + offsetof(struct kvm_run, hw));
}

#endif
