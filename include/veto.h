/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C half and bpf/veto.bpf.c say to each other. Not persisted, but pinned: a version of the
 * tool goes on with another one's tables only if VETO_LAYOUT is the same. Types as in wire.h.
 */
#ifndef KES_VETO_H
#define KES_VETO_H

#include "verdict.h"
#include "wire.h"

#define KES_VETO_LAYOUT 2 /* changes with anything below, or in verdict.h */

#define KES_MAX_SETS 64 /* rule sets; the first one is empty: all is allowed */

/* What is counted by page: a leaf is 16 MiB of a VM's memory. */
#define KES_LEAF_FRAMES   4096
#define KES_LEAF_WORDS    (KES_LEAF_FRAMES / 64)
#define KES_MAX_LEAVES    16384 /* of all VMs */
#define KES_MAX_VM_LEAVES 1024  /* of one VM, so that none takes all */

#define KES_MAX_COUNTED_VCPUS 4096 /* of a VM: KVM_MAX_VCPUS can be configured so high; 64 * 64 */

struct kes_policed {
	__u32 set;      /* index of its rule set */
	__u32 serial;   /* that set's number, for records */
	__u32 vm;       /* the tool's id of the VM */
	__u32 counting; /* 0: none of its rules is about how much is shared; else it grows when
			   counting begins anew */
};

/* Whose vCPUs stay out of the guest. */
struct kes_frozen {
	__u64 since_ns;
	__u32 pid;     /* of the VMM */
	__u32 resumed; /* it was let go on, without its vCPUs */
};

/* What became of a VM's requests, since its first that was refused, or would have been. */
struct kes_denials {
	__u64 refused;
	__u64 spared; /* a rule would have refused them, if it, or the VM, was not only monitored */
};

/* For people: whose rules they are. */
#define KES_VM_LABEL 112
struct kes_vm_label {
	__u32 vm; /* the tool's id */
	__u32 pid;
	char name[KES_VM_LABEL]; /* any bytes; cut */
};

/* Written by the C half only. */
struct kes_veto {
	/* Of VMs that have not been given rules, by kes_vm_type; the last: types newer than that.
	 */
	struct kes_policed standard[KES_VM_TYPE_MAX + 1];
	__u32 layout;
	__u32 proving;  /* only guests of the tool's children are asked about */
	__u32 tool;     /* its thread group */
	__u32 gate;     /* guests' hypercalls are judged at the gate */
	__u32 freezing; /* some VM may be frozen */
	__u32 spare;
};

/* Since they were loaded. */
struct kes_veto_totals {
	__u64 hypercalls;        /* asked about */
	__u64 changes;           /* of attributes, asked about */
	__u64 kept_out;          /* KVM_RUN refused, of frozen VMs */
	__u64 unreadable_passed; /* changes whose arguments could not be read */
	__u64 unreadable_refused;
	__u64 beyond;   /* requests for which there was no room to count: see KES_F_BEYOND */
	__u64 busy;     /* requests that found a VM's state locked for too long */
	__u64 replaced; /* changes of whose arguments KVM took others than were judged */
	__u64 leaves;   /* in use */
};

struct kes_rule_count {
	__u64 decided;   /* by it: log, deny, freeze, kill */
	__u64 monitored; /* it would have been */
};

struct kes_state_key {
	__u64 kvm;   /* struct kvm * */
	__u32 asker; /* kes_asker */
	__u32 spare;
};

/* What is kept of a VM for one asker, under its lock. */
struct kes_state {
	struct kes_policy_state policy;
	__u32 lock;
	__u32 set;     /* of which the buckets are */
	__u32 serial;  /* the same */
	__u32 flights; /* how many bits are set in flying[] */
	__u32 leaves;
	__u32 counted;  /* kes_policed.counting, of which it is */
	__u32 reset;    /* the VM was, and nobody has looked since */
	__u32 at_reset; /* the boot vCPU entered last at the reset vector, or has not yet */
	/* By vCPU index: its request counts and is on its way; what became of it is known. */
	__u64 flying[KES_MAX_COUNTED_VCPUS / 64], answered[KES_MAX_COUNTED_VCPUS / 64];
	__u64 answered_words; /* those of answered[] that may have any */
};

struct kes_leaf_key {
	__u64 kvm;
	__u64 index; /* gfn / KES_LEAF_FRAMES */
};

/* Two bits a page: whether it is counted as shared; and, of one that is, whether it is no more once
 * a request to make it private is answered with yes. */
struct kes_leaf {
	__u64 shared[KES_LEAF_WORDS];
	__u64 asked[KES_LEAF_WORDS];
};

enum kes_flight_status {
	KES_FLIGHT_NONE = 0,
	KES_FLIGHT_PENDING = 1, /* it was let through */
	KES_FLIGHT_DONE = 2,    /* and the VMM said yes */
	KES_FLIGHT_FAILED = 3,  /* and did not come to be, or nobody knows */
};

struct kes_flight_key {
	__u64 kvm;
	__u32 vcpu; /* index */
	__u32 spare;
};

/* A vCPU's last request that was let through. */
struct kes_flight {
	__u64 gfn, npages;
	__u32 what;   /* kes_ask_what */
	__u32 status; /* kes_flight_status */
};

#endif
