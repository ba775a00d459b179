/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel half and the C half say to each other, and what a capture file holds: 64-byte
 * records of fixed width. Both halves compile this file and its static asserts, so it includes
 * nothing; whoever includes it has __u8..__u64 and __s32, __s64 from <linux/types.h> or from
 * vmlinux.h.
 *
 * Persisted: kinds, reasons, causes and offsets are append-only. A reader skips kinds it does not
 * know.
 */
#ifndef KES_WIRE_H
#define KES_WIRE_H

#define KES_COMM_LEN 16 /* TASK_COMM_LEN */

enum kes_kind {
	KES_NONE = 0,
	/* from the kernel, each with the next sequence number of its VM */
	KES_VM_NEW = 1,  /* a VM was born, or was first seen */
	KES_VM_END = 2,  /* its last reference is gone */
	KES_MEMSLOT = 3, /* one memslot of a snapshot of all of them */
	KES_REQUEST = 4, /* KVM_EXIT_HYPERCALL carried a conversion to the VMM */
	KES_ANSWER = 5,  /* the VMM answered it; stands alone if the request was lost */
	KES_REFUSED = 6, /* KVM refused a conversion hypercall itself; the VMM never heard of it */
	KES_FAULT = 7,   /* KVM_EXIT_MEMORY_FAULT: the guest touched a page as what it is not */
	KES_ATTRS = 8,   /* a call that sets memory attributes returned: the host plane */
	KES_ATTRS_BEGIN = 9, /* a call that sets memory attributes is under way */
	KES_RESET = 10,      /* the boot vCPU is at the reset vector again */
	KES_VM_INFO = 11,    /* what else there is to know of a VM; again when it changed */
	KES_VERDICT = 12,    /* a policy said something about a hypercall, before KVM acted on it */
	/* written by the C half from the kernel's tables; outside the sequence (seq is 0) */
	KES_LOSS = 32,  /* records that did not fit: a total, per cause */
	KES_COUNT = 33, /* a counter that lives in the kernel: a total */
	KES_TEXT = 34,  /* a piece of a text about a VM: its name, uuid, cgroup */
	/* from the kernel, outside the sequence, too: they have numbers of their own */
	KES_SNAPSHOT = 35, /* the host plane is read back from the kernel: begin, end */
	KES_PAGES = 36,    /* a part of what was read */
	/* from the C half again */
	KES_TIME = 37, /* so late it is now: about once a second, when nothing else comes, too */
	KES_HOST_INFO = 38, /* the kernel, and what can be seen on it; again when it changed */
	KES_RESIDENT = 39,  /* memory that a VM has twice: one range of all that were found */
	KES_REACTION = 40,  /* a policy said something about a finding: a judgement, too */
	KES_KIND_MAX,
};

/* kes_record.flags */
enum kes_flag {
	KES_F_BORN = 1 << 0, /* VM_NEW: seen from birth, so nothing of it was missed */
	KES_F_LATE = 1 << 1, /* ANSWER: read at a later stop of the vCPU; ts_ns is an upper bound */
	KES_F_NO_ANSWER = 1 << 2, /* ANSWER: the answer was overwritten before it could be read */
	KES_F_INFERRED = 1 << 3,  /* REFUSED: no exit followed, the cause is not known better */
	KES_F_LONG_MODE = 1 << 4, /* REQUEST, REFUSED: the caller was in 64-bit mode */
	KES_F_UNHOOKED = 1 << 5,  /* REQUEST: its answer may go unseen, see KES_F_LATE;
				     ATTRS_BEGIN: no ATTRS will follow */
	KES_F_LOCKED = 1 << 6, /* ATTRS_BEGIN: sent while KVM's lock was held, so that the order of
				  these records is KVM's own order, and what KVM took is in it */
	KES_F_UNSURE = 1 << 7, /* ATTRS: its arguments could not be read, or changed meanwhile */
};

/* The same of VERDICT. */
enum kes_verdict_flag {
	KES_F_CHANGE = 1 << 0,     /* about a VMM's change of attributes; else about a hypercall */
	KES_F_BY_VMM = 1 << 1,     /* that no guest asked for */
	KES_F_UNREADABLE = 1 << 2, /* whose arguments could not be read */
	KES_F_BEYOND = 1 << 3,     /* there was no room to count what it would make shared */
	KES_F_BUSY = 1 << 4,       /* the VM's state was locked for too long */
	KES_F_REPLACED = 1 << 5, /* KVM took other arguments than were judged: what is refused here
				    came to be */
	KES_F_FOUND = 1 << 6,    /* about a finding: nr is its kind */
};

/* Why KVM refused a conversion hypercall; in the order in which KVM looks. */
enum kes_reason {
	KES_REASON_NONE = 0,
	KES_REASON_CPL = 1,       /* caller above CPL 0: -KVM_EPERM */
	KES_REASON_DISABLED = 2,  /* KVM_CAP_EXIT_HYPERCALL not enabled for it: -KVM_ENOSYS */
	KES_REASON_UNALIGNED = 3, /* GPA not on a 4 KiB boundary: -KVM_EINVAL */
	KES_REASON_EMPTY = 4,     /* no pages: -KVM_EINVAL */
	KES_REASON_WRAP = 5,      /* first frame + number of pages wraps: -KVM_EINVAL */
	KES_REASON_UNKNOWN = 6,   /* no exit followed and none of the above is known to hold */
	KES_REASON_MAX,
};

/* Why a record, or what it would have said, is missing. */
enum kes_cause {
	KES_CAUSE_RING_FULL = 0,    /* the ring had no room: the reader was too slow */
	KES_CAUSE_TABLE_FULL = 1,   /* no room for one more VM or vCPU in the kernel's tables */
	KES_CAUSE_UNATTRIBUTED = 2, /* an exit whose vCPU could not be proved, or not be read */
	KES_CAUSE_COUNTS_FULL =
		3,               /* no room for one more counter: counts are short, no record is */
	KES_CAUSE_UNWATCHED = 4, /* nobody watched: between two lives of the daemon */
	KES_CAUSE_MAX,
};

enum kes_counter {
	KES_COUNTER_EXIT = 0,       /* exits to user space, by KVM_EXIT_ reason */
	KES_COUNTER_EXIT_ERROR = 1, /* the same where KVM_RUN returned an error */
	KES_COUNTER_HYPERCALL = 2,  /* hypercalls by number; the last index takes all others */
	KES_COUNTER_MAX,
};
#define KES_EXIT_REASONS 64 /* the last index takes all reasons above */
#define KES_HYPERCALLS   16

/* kvm->arch.vm_type from 6.10 on (arch/x86/include/uapi/asm/kvm.h, KVM_X86_*_VM), and made from
 * kvm_sev_info on older kernels. */
enum kes_vm_type {
	KES_VM_DEFAULT = 0,
	KES_VM_SW_PROTECTED = 1,
	KES_VM_SEV = 2,
	KES_VM_SEV_ES = 3,
	KES_VM_SNP = 4,
	KES_VM_TDX = 5,
	KES_VM_TYPE_MAX,
};

struct kes_vm_new {
	__u32 pid; /* of the VMM: a thread group id */
	__u32 uid;
	__u32 type;              /* kes_vm_type, or a number newer than this list */
	__u32 hypercalls;        /* kvm->arch.hypercall_exit_enabled: bit n, hypercall n exits */
	__u64 cgroup;            /* id (inode number) of the VMM's cgroup v2 */
	char comm[KES_COMM_LEN]; /* any bytes; not terminated when all are used */
};

struct kes_vm_end {
	__u64 sent; /* sequence numbers the VM used up, this record's included: seen + lost */
	__u32 slot; /* its place in the kernel half's table */
	__u32 spare[7];
};

struct kes_memslot {
	__u64 gfn;    /* first frame */
	__u64 npages; /* frames */
	__u32 slot;   /* KVM's slot id */
	__u32 flags;  /* KVM_MEM_* */
	__u32 index;  /* 0-based place in this snapshot */
	__u32 total; /* memslots in this snapshot; 0: the VM has none, this record says only that */
	__u64 generation; /* kvm_memslots.generation */
};

/* What a guest asks for, as it came: gpa in bytes, npages in 4 KiB frames, attrs raw. */
struct kes_conversion {
	__u64 gpa;
	__u64 npages;
	__u64 attrs;
	union {
		struct {          /* REQUEST */
			__u64 nr; /* hypercall number */
			__u64 spare;
		} request;
		struct {                  /* ANSWER */
			__s64 ret;        /* run->hypercall.ret; 0 is yes */
			__u64 request_ns; /* ts_ns of the request; 0 if unknown */
		} answer;
		struct {              /* REFUSED */
			__s64 ret;    /* what the guest gets in RAX: -KVM_E* */
			__u32 reason; /* kes_reason */
			__u32 nr;
		} refused;
	};
};

struct kes_fault {
	__u64 gpa;   /* bytes */
	__u64 size;  /* bytes */
	__u64 flags; /* run->memory_fault.flags */
	__s64 err;   /* what KVM_RUN returned: -EFAULT or -EHWPOISON */
	__u64 spare;
};

struct kes_attrs {
	__u64 gpa;        /* bytes */
	__u64 size;       /* bytes */
	__u64 attributes; /* raw */
	union {
		__s64 err;         /* ATTRS: what the ioctl returned */
		struct {           /* ATTRS_BEGIN */
			__u32 tid; /* of the VMM's thread */
			__u32 spare;
		};
	};
	__u64 begin; /* ATTRS: seq of its ATTRS_BEGIN, plus one; 0: there was none */
};

enum kes_vm_info_flag {
	KES_VM_HAS_ATTRIBUTES = 1 << 0, /* its pages can be private to KVM, too: a host plane */
};

struct kes_reset {
	__u64 lost; /* records of the VM that were lost so far */
	__u64 spare[4];
};

struct kes_vm_info {
	__u32 vcpus;   /* made so far */
	__u32 flags;   /* kes_vm_info_flag */
	__u32 creator; /* thread id of who made the VM: kvm->userspace_pid */
	__u32 spare;
	__u64 spare2[3];
};

struct kes_judgement {
	__u64 gpa;             /* bytes; 0, as npages, of a hypercall that converts nothing */
	__u64 npages;          /* frames */
	__u32 attrs;           /* the low half, raw: of a hypercall KVM's, of a change kvm.h's */
	__u32 line;            /* of the rule that decided, in its file; 0: none did */
	__u32 would_line;      /* of the monitored rule that matched first; 0: none did */
	__u32 set;             /* which rule set it was: numbered from 1 on; 0: a proof's */
	__u16 nr;              /* hypercall number; 65535: above */
	__u16 err;             /* errno that a VMM's call got */
	__u8 action;           /* kes_action: what happened */
	__u8 would;            /* kes_action: what the monitored rule would have made happen */
	__u8 file, would_file; /* of the rules: see KES_TEXT_FILE */
};

enum kes_text_about {
	KES_TEXT_NAME = 0,
	KES_TEXT_UUID = 1,
	KES_TEXT_CGROUP = 2,
	KES_TEXT_MAX,
	KES_TEXT_FILE = 16, /* about no VM: path of the policy file that has kes_record.vcpu as its
			       number */
};
#define KES_FILES      256
#define KES_TEXT_PIECE 36
#define KES_TEXT_LIMIT 256 /* bytes of a whole text, its end not counted */

/* Texts are other people's bytes, never terminated. kes_record.seq is where in the text the piece
 * belongs: 0 begins a new one. */
struct kes_text {
	__u8 about;       /* kes_text_about */
	__u8 size;        /* bytes in this piece */
	__u16 total : 15; /* of the whole text */
	__u16 cut : 1;    /* the text was longer than KES_TEXT_LIMIT */
	char bytes[KES_TEXT_PIECE];
};

enum kes_snapshot_phase {
	KES_SNAPSHOT_BEGIN = 0,
	KES_SNAPSHOT_END = 1,
};

struct kes_snapshot {
	__u32 phase;  /* kes_snapshot_phase */
	__u32 number; /* of this snapshot */
	__u64 pages;  /* END: how many KES_PAGES it had */
	__u64 lost;   /* BEGIN: records of the VM that were lost so far */
	__u64 calls;  /* BEGIN: calls under way whose ATTRS will follow, or was lost */
	__u64 spare;
};

/* Frames whose attributes are not 0. All others of the snapshot have 0. */
struct kes_pages {
	__u64 gfn;
	__u64 npages;     /* frames */
	__u64 attributes; /* raw */
	__u64 bits;       /* which of [gfn, gfn + 64) have them, if npages is at most 64 */
	__u32 index;      /* 0-based, within the snapshot */
	__u32 number;     /* of the snapshot */
};

enum kes_host_flag {
	KES_HOST_TRAMPOLINES = 1 << 0,  /* BPF trampolines can be used */
	KES_HOST_ATTRIBUTES = 1 << 1,   /* KVM has memory attributes: VMs may have a host plane */
	KES_HOST_CHANGES = 1 << 2,      /* hooks on calls that set attributes fire */
	KES_HOST_NO_CHANGES = 1 << 3,   /* they are needed, and do not */
	KES_HOST_NO_ANSWERS = 1 << 4,   /* this kernel has no hook on answers */
	KES_HOST_NO_INVENTORY = 1 << 5, /* VMs that ran before cannot be found */
};

struct kes_host_info {
	__u32 release; /* KERNEL_VERSION(6, 12, 9); 0 where it is not known */
	__u32 flags;   /* kes_host_flag */
	__u64 spare[4];
};

/* Frames for which guest_memfd has a page, and the VMM's mapping of the same memslot has one, too.
 * One record for each range of a look, in order of gfn. */
struct kes_resident {
	__u64 gfn;
	__u64 npages; /* frames */
	__u64 pages;  /* frames in all ranges of this look */
	__u32 index;  /* 0-based, of this range in the look */
	__u32 total;  /* ranges in it; 0: nothing is there twice, this record says only that */
	__u64 spare;
};

struct kes_loss {
	__u64 total; /* since the VM's first record; never goes down */
	__u32 cause; /* kes_cause */
	__u32 spare[7];
};

/* Counted per VMM process; kes_record.vm is its VM, or 0 where it has several or none that is
 * known. */
struct kes_count {
	__u64 total;
	__u32 counter; /* kes_counter */
	__u32 index;
	__u32 pid;
	__u32 spare[5];
};

struct kes_record {
	__u64 ts_ns; /* CLOCK_MONOTONIC */
	__u64 seq;   /* per VM, from 0 without gaps: a gap is loss */
	__u32 vm;    /* id, never used twice while the tool runs; 0 is the host */
	__u16 vcpu;  /* KVM's vcpu_id */
	__u8 kind;   /* kes_kind */
	__u8 flags;  /* kes_flag */
	union {
		struct kes_vm_new vm_new;
		struct kes_vm_end vm_end;
		struct kes_memslot memslot;
		struct kes_conversion conversion;
		struct kes_fault fault;
		struct kes_attrs set_attrs;
		struct kes_loss loss;
		struct kes_count count;
		struct kes_vm_info vm_info;
		struct kes_reset reset;
		struct kes_text text;
		struct kes_snapshot snapshot;
		struct kes_pages pages;
		struct kes_host_info host_info;
		struct kes_resident resident;
		struct kes_judgement judgement;
		__u64 payload[5];
	};
};

_Static_assert(sizeof(struct kes_vm_new) == 40, "wire: vm_new");
_Static_assert(sizeof(struct kes_vm_end) == 40, "wire: vm_end");
_Static_assert(sizeof(struct kes_memslot) == 40, "wire: memslot");
_Static_assert(sizeof(struct kes_conversion) == 40, "wire: conversion");
_Static_assert(sizeof(struct kes_fault) == 40, "wire: fault");
_Static_assert(sizeof(struct kes_attrs) == 40, "wire: attrs");
_Static_assert(sizeof(struct kes_loss) == 40, "wire: loss");
_Static_assert(sizeof(struct kes_count) == 40, "wire: count");
_Static_assert(sizeof(struct kes_reset) == 40, "wire: reset");
_Static_assert(sizeof(struct kes_vm_info) == 40, "wire: vm_info");
_Static_assert(sizeof(struct kes_text) == 40, "wire: text");
_Static_assert(sizeof(struct kes_snapshot) == 40, "wire: snapshot");
_Static_assert(sizeof(struct kes_pages) == 40, "wire: pages");
_Static_assert(sizeof(struct kes_host_info) == 40, "wire: host_info");
_Static_assert(sizeof(struct kes_resident) == 40, "wire: resident");
_Static_assert(sizeof(struct kes_judgement) == 40, "wire: judgement");
_Static_assert(sizeof(struct kes_record) == 64, "wire: record");
_Static_assert(__builtin_offsetof(struct kes_record, payload) == 24, "wire: payload");

/*
 * Tables of the kernel half that the C half reads or fills. Not persisted.
 */
#define KES_MAX_VMS    4096
#define KES_MAX_VCPUS  16384
#define KES_MAX_COUNTS 65536

struct kes_vm_slot {
	__u64 kvm; /* struct kvm *; 0 once the VM ended */
	__u64 seq; /* of its next record */
	__u64 lost[KES_CAUSE_MAX];
	__u64 memslots_generation; /* of the last snapshot sent */
	__u64 memslots_checked_ns;
	__s64 clock_offset; /* kvm->arch.kvmclock_offset at birth: tells two VMs at one address
			       apart */
	__u32 id;           /* 0: the slot is free */
	__u32 pid;
	__u32 born;       /* its birth was seen and told */
	__u32 creator;    /* kvm->userspace_pid: whose uevents are this VM's */
	__u32 told_vcpus; /* in the last VM_INFO */
	__u32 has_attributes;
	__u32 looked_empty; /* it was looked whether it has none set, as it was first seen */
	__u32 spare;
	__u64 calls;   /* whose ATTRS_BEGIN was sent, and whose ATTRS was not yet */
	__u64 seen_ns; /* when the last inventory found a file of it */
};

/* A VM that an earlier life of the C half knew: it goes on with its id and its numbers, if it is
 * still the one at that address. Written before the programs are attached. */
struct kes_known {
	__s64 clock_offset;
	__u64 seq; /* of its next record */
	__u64 lost[KES_CAUSE_MAX];
	__u32 id, spare;
};

enum kes_vcpu_state {
	KES_VCPU_IDLE = 0,
	KES_VCPU_CALLED = 1, /* made a conversion hypercall; exit or refusal must follow */
	KES_VCPU_OPEN = 2,   /* the VMM was asked and has not answered */
};

struct kes_vcpu {
	__u64 kvm;
	__u64 run; /* struct kvm_run * */
	__u64 gpa, npages, attrs;
	__u64 request_ns;
	__u32 slot;        /* in vms */
	__u32 vm;          /* id the slot had when this was written: else stale */
	__u16 vcpu;        /* vcpu_id */
	__u8 state;        /* kes_vcpu_state */
	__u8 cpl_readable; /* its vcpu_svm checked out */
	__u8 unhooked;     /* its open request was made while no hook would see the answer */
	__u8 enabled;      /* conversion hypercalls went to the VMM when it was last looked up */
	__u8 at_reset;     /* it entered last at the reset vector, or has never run */
	__u8 spare;
};

/* A call of a thread that sets memory attributes, while it lasts. */
struct kes_call {
	__u64 kvm;
	__u64 arg;                   /* of the ioctl: where its arguments are in user memory */
	__u64 gpa, size, attributes; /* as read at the entry, or as KVM took them */
	__u64 begin;                 /* seq of its ATTRS_BEGIN, plus one; 0: none was sent */
	__u32 slot, vm;
	__u8 readable; /* the arguments could be read */
	__u8 locked;   /* they are KVM's own */
	__u8 orphan;   /* it was under way before the hook on its end came */
	__u8 spare[5];
};
#define KES_MAX_CALLS 4096

/* What the C half asks of the reader of attributes, and what that says. */
enum kes_reading_state {
	KES_READING_NONE = 0,
	KES_READING_ASKED = 1, /* set by the C half; still so afterwards: the VM was not found */
	KES_READING_MORE = 2,  /* a part was read: run it again */
	KES_READING_DONE = 3,
	KES_READING_BUSY = 4,   /* a change is under way that is not watched: try again later */
	KES_READING_FAILED = 5, /* the ring was full: begin again */
};

struct kes_reading {
	__u64 kvm;                                 /* of which VM */
	__u64 cursor;                              /* the next gfn to read */
	__u64 run_gfn, run_npages, run_attributes; /* equal frames, not yet sent */
	__u64 pages;                               /* KES_PAGES sent */
	__u32 slot;
	__u32 number;     /* of the snapshot */
	__u32 state;      /* kes_reading_state */
	__u32 check_lock; /* calls that were under way when the hooks came leave no trace */
};

struct kes_count_key {
	__u32 tgid;
	__u16 counter; /* kes_counter */
	__u16 index;
};

/* Where most keys are counted: on each CPU, one place that belongs to the first key that hashes to
 * it, until its process is gone. */
#define KES_TALLY_BITS 10
#define KES_TALLIES    (1 << KES_TALLY_BITS)
struct kes_tally {
	__u64 who; /* tgid << 32 | counter << 16 | index; 0: free */
	__u64 n;
};

/* Hooks on calls that set attributes, as the tool's own call makes them fire. */
enum kes_proof {
	KES_PROOF_ENTRY = 0,
	KES_PROOF_LOCKED = 1,
	KES_PROOF_END = 2,
	KES_PROOF_MAX,
};

struct kes_host {
	__u32 vms;                 /* VMs so far: the last id that was given */
	__u32 slots;               /* of vms that were ever used; freed ones wait in free_slots */
	__u64 unhooked;            /* requests made while no hook would see their answer ... */
	__u64 settled;             /* ... of which so many were settled otherwise */
	__u64 lost[KES_CAUSE_MAX]; /* what no VM can be charged with */
	__u64 holders; /* files of VMs that are not known, held by others than their VMM */
	__u64 proofs[KES_PROOF_MAX];
	__u32 tool; /* the tool's thread group, as the kernel counts: its calls only prove that
		       hooks fire */
	__u32 spare;
};

/* Written by the C half only, but for what is said otherwise. */
struct kes_control {
	__u32 answers_hooked; /* a hook on KVM_RUN's entry is attached */
	__u32 inside_hooked;  /* a hook where KVM holds its lock tells of changes of attributes */
	__u32 any_holder;     /* the inventory takes a VM of whoever holds it */
	__u32 attributes_hooked; /* all hooks on changes of attributes are there */
	__u64 written_off;       /* unhooked requests that ended with their VM */
	__u32 reader;            /* kes_reader; who wakes it makes it KES_READER_LOOKS */
	__u32 urged; /* something urgent came since it began to look; it takes that back */
};

/* What the reader of the ring does, and so who wakes it. */
enum kes_reader {
	KES_READER_LOOKS,  /* nobody: it looks whether it was urged before it waits */
	KES_READER_NAPS,   /* what is urgent: it looks by itself soon */
	KES_READER_SLEEPS, /* whatever comes */
};

#endif
