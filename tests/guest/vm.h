/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One VM: its memory slots and vCPUs (vm.c), what each vCPU's thread does (vcpu.c), what the VMM
 * sets on the host's side (attributes.c, by ask.c; many at once: race.c), and what it does to the
 * memory (memory.c).
 */
#ifndef GUEST_VM_H
#define GUEST_VM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "program.h"
#include "sync.h"
#include "truth.h"

#define MAX_SLOTS   8
#define MAX_REASONS 64

enum refusal { REFUSED_EPERM, REFUSED_ENOSYS, REFUSED_EINVAL, REFUSED_OTHER, REFUSALS };

/* What the VMM knows of an operation in the table. */
struct planned {
	bool asked, answered; /* a hypercall that came out */
	uint64_t ret;
	uint64_t ignored; /* faults */
};

/* answer, delay, commit: holds for the next COUNT hypercalls */
struct rule {
	uint64_t value, count;
};

struct counters {
	uint64_t exits[MAX_REASONS]; /* each return of KVM_RUN, by run->exit_reason */
	uint64_t exit_errors;        /* those with an errno; EFAULT of memory faults among them */
	uint64_t control_exits;
	uint64_t hypercalls, map_calls; /* instructions done; those with number 12 */
	uint64_t refused[REFUSALS];     /* without an exit */
	uint64_t refused_map[REFUSALS];
	uint64_t in_kernel;   /* answered 0 without an exit */
	uint64_t run_refused; /* KVM_RUN, before it did anything; not among the exits */
};

struct machine;

struct vcpu {
	struct vm *vm;
	unsigned index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;

	/* As KVM made it, and as the guest's code begins. */
	struct kvm_sregs power_on, begin_sregs;
	struct kvm_regs begin_regs;

	struct program program;
	struct guest_op *table;
	struct planned plan[TABLE_OPS];
	size_t filled, done; /* operations in the table, and through */
	struct rule answer, delay, commit;
	bool abandon;
	bool failed;
	bool unsupported; /* this kernel cannot do what the script wants */
	struct counters counters;
};

struct vm {
	const struct vm_script *script;
	const char *name;
	struct machine *machine;
	int fd, memfd;
	uint8_t *memory; /* of the script's base on, with a hole where the reserved part is */
	uint8_t *reserved;
	uint64_t reserved_gpa, reserved_size;
	struct slot {
		uint64_t gpa, size;
	} slots[MAX_SLOTS];
	unsigned slot_count;
	struct truth truth;
	struct vcpu vcpus[MAX_VCPUS];
};

struct machine {
	struct script script;
	struct vm vms[MAX_VMS];
	struct barriers barriers;
	bool log;
	const char *run_refused; /* a file to make at the first KVM_RUN that is refused */
	atomic_flag was_refused;
};

#define VM_UNSUPPORTED 1

/* 0; VM_UNSUPPORTED when this host has no such VMs; -1. The last two have been said on stderr. */
int vm_create(struct vm *ret_vm, struct machine *machine, const struct vm_script *script, int kvm);

/* Closes its vCPUs; closes all that keeps it alive in KVM. Its truth stays. */
void vm_close_vcpus(struct vm *vm);
void vm_close(struct vm *vm);

/*
 * KVM_SET_MEMORY_ATTRIBUTES, with the truth about it; what ask.h says. The first does it for what
 * lies in memory, in up to two calls, the second in one call for all that is said, the third the
 * same from another process. The caller has the truth's lock.
 */
int vm_set_private(
	struct vm *vm, uint64_t gfn, uint64_t npages, bool private, enum purpose purpose);
int vm_set_attributes(struct vm *vm, const struct attributes *call, enum purpose purpose);
int vm_set_foreign(struct vm *vm, const struct attributes *call);

/*
 * Many threads do it at once, or one while another one rewrites what it says, as STEP says; 0 or
 * the first -errno. Takes the truth's lock.
 */
int vm_race(struct vm *vm, const struct step *step);
int vm_rewrite(struct vm *vm, const struct step *step);

/* What the step says: STEP_WRITE, READ, DISCARD, PUNCH; 0 or -errno. Takes the truth's lock. */
int vm_memory(struct vm *vm, const struct step *step);

/* The guest has written to a page. Takes the truth's lock. */
void vm_touched(struct vm *vm, uint64_t gpa);

void vcpu_start(struct vcpu *vcpu);
void vcpu_join(struct vcpu *vcpu);

/* Writes all VMs' truths to PATH, one line each; 0 or -1. */
int machine_report(struct machine *machine, const char *path);

#endif
