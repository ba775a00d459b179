/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Throw-away guests of our own, in child processes: what they do is known, so what comes of it
 * proves the hooks, and the map. They bear the tool's own process name.
 */
#ifndef CLI_CANARY_H
#define CLI_CANARY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum canary_kind {
	CANARY_QUIET,   /* writes a port and halts */
	CANARY_CALLS,   /* converts pages, see canary_shared */
	CANARY_REFUSED, /* its VMM makes calls that a veto is to refuse, see CANARY_DENIED_GFN, and
			   waits for canary_end() while its VM is frozen */
	CANARY_PROTECTED, /* its VMM makes pages private to KVM, see canary_private, and waits for
			     canary_end() */
};

enum canary_result {
	CANARY_DONE,
	CANARY_NO_KVM,      /* /dev/kvm cannot be opened */
	CANARY_FAILED,      /* KVM would not run it */
	CANARY_TIMEOUT,     /* it did not come back and was killed */
	CANARY_UNSUPPORTED, /* this KVM has no such VMs */
};

/* Frames: [gfn, gfn + npages). */
struct canary_range {
	uint64_t gfn, npages;
};

/* What is shared in the end by the guest's word, and what is private by the VMM's; sorted. */
#define CANARY_SHARED_RANGES  3
#define CANARY_PRIVATE_RANGES 2
extern const struct canary_range canary_shared[CANARY_SHARED_RANGES];
extern const struct canary_range canary_private[CANARY_PRIVATE_RANGES];

/* What is to be refused to them: to share the first ones, and that anything is shared of the
 * second, which is to freeze the VM. CANARY_CALLS shares the first, and nothing of the second. */
#define CANARY_DENIED_GFN    9
#define CANARY_DENIED_PAGES  5
#define CANARY_FREEZES_GFN   0x20
#define CANARY_FREEZES_PAGES 3

/* Runs one to its end, but not longer than timeout_ms. */
enum canary_result canary_run(enum canary_kind kind, int timeout_ms);

/* The same in two steps, for what must be looked at while it lives: canary_start() returns when the
 * guest has done what it does, CANARY_DONE then being what there is to end; else nothing is left to
 * be ended. */
struct canary {
	pid_t pid;     /* in any case; not above 0: there was no process */
	int ready, go; /* our ends of pipes */
};
enum canary_result canary_start(struct canary *ret, enum canary_kind kind, int timeout_ms);
/* What became of it. */
enum canary_result canary_end(struct canary *canary);

#endif
