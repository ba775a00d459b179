/* SPDX-License-Identifier: GPL-2.0-only */
/* A script, as parsed: VMs, their vCPUs, and what each of those does. README.md has the language.
 */
#ifndef GUEST_SCRIPT_H
#define GUEST_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_PAGE_SHIFT 12
#define GUEST_PAGE_SIZE  (1ull << GUEST_PAGE_SHIFT)

#define MAX_VMS      16
#define MAX_VCPUS    8
#define MAX_LOOPS    8
#define MAX_BARRIERS 32
#define MAX_RACERS   8

/*
 * The guest's code, tables and page tables have a memory slot of their own, cut out of the VM's
 * memory. It is never private on the host's side, whatever the guest asks for. The page at the
 * vCPU's reset vector is another one, of VMs that are reset.
 */
#define LONG_RESERVED      0xe0000000ull
#define LONG_RESERVED_SIZE 0x100000ull
#define REAL_RESERVED      0x0ull
#define REAL_RESERVED_SIZE 0x80000ull
#define RESET_PAGE         0xfffff000ull

#define HC_MAP_GPA_RANGE 12 /* include/uapi/linux/kvm_para.h; KVM_HC_PAGE_ENC_STATUS too */

enum vm_type { VM_DEFAULT, VM_SW_PROTECTED };
enum vm_mode { MODE_REAL, MODE_LONG };
enum vm_abi { ABI_MAP_GPA_RANGE, ABI_PAGE_ENC_STATUS };
enum page_size { SIZE_4K, SIZE_2M, SIZE_1G, PAGE_SIZES };

/* What attributes the VMM sets when it has said yes to a conversion. */
enum commit { COMMIT_ASKED, COMMIT_NONE, COMMIT_OTHER, COMMIT_OPPOSITE };

/* Where the argument of a KVM_SET_MEMORY_ATTRIBUTES lies, and how the call is made. */
enum argument { ARGUMENT_STACK, ARGUMENT_ABSENT, ARGUMENT_BAD, ARGUMENT_COMPAT };

struct attributes {
	uint64_t gpa, size, flags;
	bool private;
	enum argument argument;
};

enum step_kind {
	/* done by the guest */
	STEP_CALL,
	STEP_RANDOM,
	STEP_FLOOD,
	STEP_OUT,
	STEP_TOUCH,
	STEP_SPIN,
	/* the flow of it */
	STEP_REPEAT,
	STEP_UNTIL, /* repeats until path exists */
	STEP_END,
	/* done by the VMM, while the guest is out */
	STEP_ANSWER,
	STEP_DELAY,
	STEP_ABANDON,
	STEP_BARRIER,
	STEP_WAIT_FILE,
	STEP_TOUCH_FILE,
	STEP_TRUTH,
	STEP_COMMIT,
	STEP_ATTRIBUTES,
	STEP_RACE,
	STEP_REWRITE,
	STEP_FOREIGN,
	STEP_RESET,
	/* to its own mapping of memory, and to guest_memfd */
	STEP_WRITE,
	STEP_READ,
	STEP_DISCARD,
	STEP_PUNCH,
};

struct step {
	enum step_kind kind;
	uint64_t count; /* of STEP_CALL, RANDOM, FLOOD, OUT, TOUCH, SPIN, REPEAT, ANSWER, DELAY, COMMIT,
			   ATTRIBUTES, RACE, REWRITE */
	union {
		struct {
			uint64_t nr;
			uint64_t args[4];
			uint64_t stride; /* bytes, from one to the next */
		} call;
		struct {
			uint64_t seed, min, max; /* gpas, [min, max) */
			unsigned sizes;          /* 1 << enum page_size */
		} random;
		struct {
			uint64_t gpa;
			uint64_t ignore; /* faults to ignore before the VMM converts */
		} touch;                 /* and flood */
		size_t begin;            /* STEP_END: index of the step after its repeat */
		uint64_t ret;
		uint64_t microseconds;
		enum commit commit;
		struct {
			struct attributes call;
			uint64_t expect; /* errno */
			bool any;        /* whatever comes of it */
		} attributes;            /* and foreign */
		struct {
			uint64_t gpa[2], size[2];
			bool private;
		} rewrite;
		struct {
			uint64_t seed, min, max; /* gpas, [min, max) */
			unsigned threads;
		} race;
		struct {
			uint64_t gpa, size;
		} memory; /* STEP_WRITE, READ, DISCARD, PUNCH */
		unsigned barrier;
		char *path;
	};
};

struct vcpu_script {
	bool named; /* has a section */
	unsigned cpl;
	struct step *steps;
	size_t step_count;
};

struct vm_script {
	char *name;
	uint64_t memory, base; /* bytes */
	uint64_t memfd;        /* bytes from base on that guest_memfd backs (sw-protected) */
	enum vm_type type;
	enum vm_mode mode;
	enum vm_abi abi;
	unsigned vcpus;
	bool hypercalls;  /* KVM_CAP_EXIT_HYPERCALL */
	bool attributes;  /* KVM_SET_MEMORY_ATTRIBUTES on each accepted conversion */
	bool any_refusal; /* the guest's calls and the VMM's may be refused inside the kernel */
	bool resets;      /* has a STEP_RESET */
	struct vcpu_script vcpu[MAX_VCPUS];
};

struct script {
	struct vm_script vms[MAX_VMS];
	size_t vm_count;
	char *barriers[MAX_BARRIERS];
	unsigned barrier_users[MAX_BARRIERS]; /* vCPUs that name it */
	size_t barrier_count;
};

/* Smallest gpa step and length of a conversion of that size, in bytes. */
uint64_t page_size_bytes(enum page_size size);

/* The attributes argument of a conversion hypercall. */
uint64_t call_attributes(enum vm_abi abi, bool private, enum page_size size);

/* The longer one of a STEP_REWRITE's ranges, in bytes: either of them may get it. */
uint64_t rewrite_size(const struct step *step);

/* Reads PATH; says on stderr what is wrong in which line; 0 or -1. What it allocates stays. */
int script_read(struct script *ret_script, const char *path);

#endif
