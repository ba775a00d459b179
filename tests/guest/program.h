/* SPDX-License-Identifier: GPL-2.0-only */
/* Walks through one vCPU's steps and turns those that are the guest's into operations, one by one.
 */
#ifndef GUEST_PROGRAM_H
#define GUEST_PROGRAM_H

#include "code.h"
#include "script.h"

struct program {
	const struct vm_script *vm;
	const struct vcpu_script *script;
	size_t at;         /* step */
	uint64_t progress; /* operations made of that step */
	uint64_t random;   /* state of the generator */
	uint64_t left[MAX_LOOPS];
	unsigned depth;
};

/* splitmix64 */
uint64_t next_random(uint64_t *state);

/* The step at hand, NULL at the end. */
const struct step *program_step(struct program *program);

/* Is that for the VMM to do? Then program_skip() goes on, else program_op(). */
bool step_is_action(const struct step *step);
void program_skip(struct program *program);
void program_op(struct program *program, struct guest_op *ret_op);

/* What an OP_TOUCH touches. */
uint64_t touch_gpa(const struct vm_script *vm, const struct guest_op *op);

#endif
