/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM constants that Debian 12's linux-libc-dev (6.1) does not have, or that no uapi header has.
 * Each names its source in the kernel tree.
 */
#ifndef KES_KVM_ABI_H
#define KES_KVM_ABI_H

/* include/uapi/linux/kvm_para.h. KVM_HC_PAGE_ENC_STATUS of the 2021 proposal had the same number.
 */
#define KES_HC_MAP_GPA_RANGE 12

/* include/uapi/linux/kvm_para.h: attributes of KVM_HC_MAP_GPA_RANGE */
#define KES_MAP_GPA_PAGE_SIZE_MASK 0xfull
#define KES_MAP_GPA_ENCRYPTED      (1ull << 4)
#define KES_MAP_GPA_KNOWN          (KES_MAP_GPA_PAGE_SIZE_MASK | KES_MAP_GPA_ENCRYPTED)

/* include/uapi/linux/kvm_para.h: errors a guest sees in RAX */
#define KES_KVM_EPERM  1
#define KES_KVM_EINVAL 22
#define KES_KVM_ENOSYS 1000

/* include/uapi/linux/kvm.h */
#define KES_EXIT_HYPERCALL           3
#define KES_EXIT_MEMORY_FAULT        39 /* 6.8 */
#define KES_EXIT_HYPERCALL_LONG_MODE (1ull << 0)
#define KES_MEMORY_FAULT_PRIVATE     (1ull << 3)
#define KES_ATTRIBUTE_PRIVATE        (1ull << 3)
#define KES_CAP_EXIT_HYPERCALL       201
#define KES_CAP_VM_TYPES             235
#define KES_KVM_RUN                  0xae80u     /* _IO(KVMIO, 0x80) */
#define KES_SET_MEMORY_ATTRIBUTES2   0xc080aed2u /* of guest_memfd; not in any kernel yet (2026) */
#define KES_SET_MEMORY_ATTRIBUTES    0x4020aed2u /* 6.8: _IOW(KVMIO, 0xd2, 32 bytes) */

/* arch/x86: where a vCPU begins after RESET, CS:IP f000:fff0 (AMD64 manual vol. 2, 14.1.3) */
#define KES_RESET_RIP 0xfff0ull
#define KES_CR0_PE    (1ull << 0)

#endif
