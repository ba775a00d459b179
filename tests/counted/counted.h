/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two halves of this test say to each other. Types as in wire.h. */
#ifndef COUNTED_H
#define COUNTED_H

#define OPERATIONS 16 /* one for each thread */

enum kind {
	REQUEST,    /* of a vCPU, that KVM would let through */
	IMPOSSIBLE, /* the same, that KVM will refuse */
	ANSWER,     /* the vCPU is back */
	RESET,      /* the VM was */
	GONE,       /* it ended */
};

struct operation {
	__u64 kvm, gfn, npages, memory, now_ns;
	__u32 kind, vcpu;
	__u32 what;                  /* kes_ask_what */
	__u32 set, serial, counting; /* of kes_policed */
	__u32 status;                /* kes_flight_status */
	__u32 vcpus;                 /* that a VM had which ended */

	/* what came of it */
	__u32 done;
	__u32 action, rule, flags;
	__u32 leaves, flights;
	__u64 more, shared;
};

#endif
