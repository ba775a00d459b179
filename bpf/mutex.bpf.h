/* SPDX-License-Identifier: GPL-2.0-only */
/* Who holds a mutex: what proves which thread is doing what. */
#ifndef BPF_MUTEX_H
#define BPF_MUTEX_H

#include "read.bpf.h"

/* The struct task_struct of who holds the mutex at this address; 0: nobody. */
static __always_inline u64 mutex_owner(u64 mutex)
{
	u64 owner;

	if (bpf_core_field_exists(struct mutex, owner))
		owner = read_u64(MEMBER(mutex, mutex, owner));
	else /* PREEMPT_RT */
		owner = read_u64(MEMBER(MEMBER(mutex, mutex___rt, rtmutex), rt_mutex_base, owner));
	return owner & ~7ull; /* the low bits are flags */
}

#endif
