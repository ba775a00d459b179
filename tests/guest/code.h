/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the code that runs in the guest (code.S) and the VMM agree on: a table of operations, ended
 * by one OP_END. The guest works through it, stores a result with each operation, tells the VMM by
 * a write to CONTROL_PORT, and begins again at the first one, by when the VMM has put a new table
 * there.
 */
#ifndef GUEST_CODE_H
#define GUEST_CODE_H

#define OP_END   0
#define OP_CALL  1 /* hypercall; result: RAX afterwards */
#define OP_OUT   2 /* rcx writes to WORK_PORT; result: OP_DONE */
#define OP_TOUCH 3 /* a byte written to rbx (real mode: to rbx:rcx); result: OP_DONE */
#define OP_SPIN  4 /* rcx turns of a loop without an exit; result: OP_DONE */

#define OP_DONE 1

#define OP_SIZE      64
#define TABLE_OPS    512 /* OP_END included */
#define CONTROL_PORT 0x10
#define WORK_PORT    0x11
#define RESET_PORT   0x12

#ifndef __ASSEMBLER__

#include <stdint.h>

/* What a result says before the guest has been there. */
#define OP_PENDING 0x5eed5eed5eed5eedull

struct guest_op {
	uint64_t op;
	uint64_t rax, rbx, rcx, rdx, rsi;
	uint64_t result;
	uint64_t spare;
};

_Static_assert(sizeof(struct guest_op) == OP_SIZE, "code.S counts on it");

/* Long mode: RBP is the table. Real mode: DS:0 is. The hypercall's three bytes are at _call. */
extern const uint8_t guest_long[], guest_long_call[], guest_long_end[];
extern const uint8_t guest_real[], guest_real_call[], guest_real_end[];

/* For the reset vector: tells the VMM that the vCPU got there. */
extern const uint8_t guest_reset[], guest_reset_end[];

#endif
#endif
