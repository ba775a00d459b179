// SPDX-License-Identifier: GPL-2.0-only
#include "program.h"

#include <string.h>
#include <unistd.h>

#define FLOOD_PAGES 512

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014) */
uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/*
 * One conversion takes four numbers of the generator, in this order: which of the sizes; the
 * direction (odd is private); the length; the place. The length is 1..512 pages of 4 KiB (every
 * 16th time 1..4096), 1..4 of 2 MiB, 1..2 of 1 GiB, cut to what fits; the place is any multiple of
 * the size from which it fits.
 */
static void random_call(struct program *program, const struct step *step, struct guest_op *op)
{
	uint64_t *state = &program->random, value, unit, first, units, length;
	unsigned sizes = __builtin_popcount(step->random.sizes), nth;
	enum page_size size = SIZE_4K;
	bool private;

	nth = next_random(state) % sizes;
	for (size = SIZE_4K;; size++)
		if (step->random.sizes & (1u << size) && !nth--)
			break;
	private = next_random(state) & 1;

	unit = page_size_bytes(size);
	first = (step->random.min + unit - 1) & -unit;
	units = (step->random.max - first) / unit;
	value = next_random(state);
	if (size == SIZE_4K)
		length = 1 + (value >> 8) % (value & 15 ? 512 : 4096);
	else
		length = 1 + value % (size == SIZE_2M ? 4 : 2);
	if (length > units)
		length = units;

	op->rax = HC_MAP_GPA_RANGE;
	op->rbx = first + next_random(state) % (units - length + 1) * unit;
	op->rcx = length * (unit / GUEST_PAGE_SIZE);
	op->rdx = call_attributes(program->vm->abi, private, size);
}

/* Shares a page and takes it back, then the next of FLOOD_PAGES pages, round and round. */
static void flood_call(struct program *program, const struct step *step, struct guest_op *op)
{
	uint64_t n = program->progress;

	op->rax = HC_MAP_GPA_RANGE;
	op->rbx = step->touch.gpa + n / 2 % FLOOD_PAGES * GUEST_PAGE_SIZE;
	op->rcx = 1;
	op->rdx = call_attributes(program->vm->abi, n & 1, SIZE_4K);
}

bool step_is_action(const struct step *step)
{
	return step->kind >= STEP_ANSWER;
}

void program_skip(struct program *program)
{
	program->at++;
	program->progress = 0;
}

/* At the end of a loop that begins with step: once more? */
static bool goes_on(struct program *program, const struct step *step)
{
	if (step->kind == STEP_UNTIL)
		return access(step->path, F_OK);
	return --program->left[program->depth - 1];
}

const struct step *program_step(struct program *program)
{
	while (program->at < program->script->step_count) {
		const struct step *step = &program->script->steps[program->at];

		switch (step->kind) {
		case STEP_REPEAT:
		case STEP_UNTIL:
			program->left[program->depth++] = step->count;
			program_skip(program);
			break;
		case STEP_END:
			if (goes_on(program, &program->script->steps[step->begin - 1])) {
				program->at = step->begin;
			} else {
				program->depth--;
				program_skip(program);
			}
			break;
		case STEP_CALL:
		case STEP_RANDOM:
		case STEP_FLOOD:
		case STEP_TOUCH:
			if (program->progress < step->count)
				return step;
			program_skip(program);
			break;
		default:
			return step;
		}
	}
	return NULL;
}

static void touch_op(struct program *program, const struct step *step, struct guest_op *op)
{
	uint64_t gpa = step->touch.gpa + program->progress * GUEST_PAGE_SIZE;

	op->op = OP_TOUCH;
	op->spare = step->touch.ignore;
	if (program->vm->mode == MODE_REAL) {
		op->rbx = gpa >> 4;
		op->rcx = gpa & 15;
	} else {
		op->rbx = gpa;
	}
}

uint64_t touch_gpa(const struct vm_script *vm, const struct guest_op *op)
{
	return vm->mode == MODE_REAL ? (op->rbx << 4) + op->rcx : op->rbx;
}

void program_op(struct program *program, struct guest_op *ret_op)
{
	const struct step *step = &program->script->steps[program->at];
	struct guest_op op = {.result = OP_PENDING};

	switch (step->kind) {
	case STEP_CALL:
		op.op = OP_CALL;
		op.rax = step->call.nr;
		op.rbx = step->call.args[0] + program->progress * step->call.stride;
		op.rcx = step->call.args[1];
		op.rdx = step->call.args[2];
		op.rsi = step->call.args[3];
		break;
	case STEP_RANDOM:
		op.op = OP_CALL;
		if (!program->progress)
			program->random = step->random.seed;
		random_call(program, step, &op);
		break;
	case STEP_FLOOD:
		op.op = OP_CALL;
		flood_call(program, step, &op);
		break;
	case STEP_OUT:
		op.op = OP_OUT;
		op.rcx = step->count;
		break;
	case STEP_TOUCH:
		touch_op(program, step, &op);
		break;
	case STEP_SPIN:
		op.op = OP_SPIN;
		op.rcx = step->count;
		break;
	default:
		break;
	}
	*ret_op = op;

	if (step->kind == STEP_CALL || step->kind == STEP_RANDOM || step->kind == STEP_FLOOD ||
		step->kind == STEP_TOUCH)
		program->progress++;
	else
		program_skip(program);
}
