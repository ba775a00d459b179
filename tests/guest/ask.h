/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM_SET_MEMORY_ATTRIBUTES, in all the ways in which it may be made. Nothing here counts anything.
 */
#ifndef GUEST_ASK_H
#define GUEST_ASK_H

#include "script.h"

#define ASK_NO_IA32     1 /* the kernel has no 32-bit system calls */
#define ASK_NO_ARGUMENT 2 /* the argument could not be put where it should lie */

/* 0, -errno, or one of the above: then no call was made. */
int ask_kvm(int fd, const struct attributes *call);

/* From a process that has the descriptor, but not the VM's memory; 0, -errno. -ECHILD: no call. */
int ask_kvm_foreign(int fd, const struct attributes *call);

/* With whatever ARGUMENT points to; 0, -errno. */
int ask_kvm_with(int fd, const void *argument);

#endif
