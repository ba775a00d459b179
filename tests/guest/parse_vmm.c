// SPDX-License-Identifier: GPL-2.0-only
/* Directives that the VMM does while the guest is out. */
#include <string.h>

#include "parse.h"

#define MAX_ERRNO 4095
#define MAX_GPA   (1ull << 52)

static const char *const directions[] = {"shared", "private", NULL};

/* count=N, by default as good as for ever */
static int take_count(const struct parser *p, char **words, struct step *step)
{
	step->count = UINT64_MAX;
	return take_number(p, words, "count", &step->count) || nothing_left(p, words) ? -1 : 0;
}

int parse_answer(struct parser *p, char **words)
{
	struct step *step = add_step(p, STEP_ANSWER);

	return number(p, words[0], &step->ret) ? -1 : take_count(p, words + 1, step);
}

int parse_delay(struct parser *p, char **words)
{
	struct step *step = add_step(p, STEP_DELAY);

	return number(p, words[0], &step->microseconds) ? -1 : take_count(p, words + 1, step);
}

int parse_commit(struct parser *p, char **words)
{
	static const char *const ways[] = {"asked", "none", "other", "opposite", NULL};
	struct step *step = add_step(p, STEP_COMMIT);
	int way = choice(p, words[0], ways);

	if (way < 0)
		return -1;
	if (!p->vm->attributes)
		return wrong(p, "commit wants a VM with attributes=on");
	step->commit = way;
	return take_count(p, words + 1, step);
}

/* The guest could not run, were its own part private. */
static int spares_reserved(const struct parser *p, uint64_t start, uint64_t end)
{
	bool real = p->vm->mode == MODE_REAL;
	uint64_t gpa = real ? REAL_RESERVED : LONG_RESERVED;
	uint64_t size = real ? REAL_RESERVED_SIZE : LONG_RESERVED_SIZE;

	if (start < gpa + size && end > gpa)
		return wrong(p, "the guest's own part is in there");
	if (start < RESET_PAGE + GUEST_PAGE_SIZE && end > RESET_PAGE)
		return wrong(p, "the reset vector is in there");
	return 0;
}

/* GPA PAGES private|shared */
static int parse_call(struct parser *p, char **words, struct attributes *call)
{
	int direction = choice(p, words[2], directions);
	uint64_t pages, end;

	if (direction < 0 || number(p, words[0], &call->gpa) ||
		in_range(p, words[1], 0, UINT64_MAX >> GUEST_PAGE_SHIFT, &pages))
		return -1;
	call->size = pages << GUEST_PAGE_SHIFT;
	call->private = direction;
	if (__builtin_add_overflow(call->gpa, call->size, &end))
		end = UINT64_MAX;
	return direction ? spares_reserved(p, call->gpa, end) : 0;
}

int parse_attributes(struct parser *p, char **words)
{
	static const char *const places[] = {"stack", "absent", "bad", "compat", NULL};
	struct step *step = add_step(p, STEP_ATTRIBUTES);
	const char *expect = take(words + 3, "expect");
	int place = choose(p, words + 3, "argument", places, ARGUMENT_STACK);

	step->count = 1;
	step->attributes.any = expect && !strcmp(expect, "any");
	if (place < 0 || parse_call(p, words, &step->attributes.call) ||
		take_number(p, words + 3, "flags", &step->attributes.call.flags) ||
		take_number(p, words + 3, "times", &step->count) ||
		(expect && !step->attributes.any &&
			in_range(p, expect, 1, MAX_ERRNO, &step->attributes.expect)))
		return -1;
	step->attributes.call.argument = place;
	return nothing_left(p, words + 3);
}

int parse_foreign(struct parser *p, char **words)
{
	return parse_call(p, words, &add_step(p, STEP_FOREIGN)->attributes.call);
}

int parse_rewrite(struct parser *p, char **words)
{
	struct step *step = add_step(p, STEP_REWRITE);
	int direction = choice(p, words[5], directions);
	uint64_t pages[2], size;

	if (direction < 0 || in_range(p, words[0], 1, UINT64_MAX, &step->count))
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		if (in_range(p, words[1 + 2 * i], 0, MAX_GPA, &step->rewrite.gpa[i]) ||
			in_range(p, words[2 + 2 * i], 1, MAX_GPA >> GUEST_PAGE_SHIFT, &pages[i]))
			return -1;
		if (step->rewrite.gpa[i] & (GUEST_PAGE_SIZE - 1))
			return wrong(p, "'%s' is no multiple of 4K", words[1 + 2 * i]);
		step->rewrite.size[i] = pages[i] << GUEST_PAGE_SHIFT;
	}
	step->rewrite.private = direction;
	size = rewrite_size(step);
	for (unsigned i = 0; i < 2 && direction; i++)
		if (spares_reserved(p, step->rewrite.gpa[i], step->rewrite.gpa[i] + size))
			return -1;
	return 0;
}

int parse_race(struct parser *p, char **words)
{
	struct step *step = add_step(p, STEP_RACE);
	uint64_t min = p->vm->base, max = p->vm->base + p->vm->memory, threads = MAX_RACERS;
	const char *word = take(words + 2, "threads");

	if (number(p, words[0], &step->count) || number(p, words[1], &step->race.seed) ||
		(word && in_range(p, word, 1, MAX_RACERS, &threads)) ||
		take_number(p, words + 2, "min", &min) || take_number(p, words + 2, "max", &max))
		return -1;
	if ((min | max) & (GUEST_PAGE_SIZE - 1) || min >= max)
		return wrong(p, "min and max are multiples of 4K, and min is less");
	step->race.min = min;
	step->race.max = max;
	step->race.threads = threads;
	return spares_reserved(p, min, max) ? -1 : nothing_left(p, words + 2);
}

/* A part of memory; with MEMFD, of what guest_memfd backs. */
static int parse_memory(struct parser *p, char **words, enum step_kind kind, bool memfd)
{
	struct step *step = add_step(p, kind);
	uint64_t size = memfd ? p->vm->memfd : p->vm->memory, pages;

	if (in_range(p, words[0], p->vm->base, p->vm->base + size, &step->memory.gpa) ||
		in_range(p, words[1], 1,
			(p->vm->base + size - step->memory.gpa) >> GUEST_PAGE_SHIFT, &pages))
		return -1;
	if (step->memory.gpa & (GUEST_PAGE_SIZE - 1))
		return wrong(p, "'%s' is no multiple of 4K", words[0]);
	step->memory.size = pages << GUEST_PAGE_SHIFT;
	return 0;
}

int parse_write(struct parser *p, char **words)
{
	return parse_memory(p, words, STEP_WRITE, false);
}

int parse_read(struct parser *p, char **words)
{
	return parse_memory(p, words, STEP_READ, false);
}

int parse_discard(struct parser *p, char **words)
{
	return parse_memory(p, words, STEP_DISCARD, false);
}

int parse_punch(struct parser *p, char **words)
{
	return parse_memory(p, words, STEP_PUNCH, true);
}

int parse_reset(struct parser *p, char **words)
{
	(void)words;
	if (p->vcpu != p->vm->vcpu)
		return wrong(p, "it is vcpu 0 that resets the VM");
	if (p->vm->base < RESET_PAGE + GUEST_PAGE_SIZE && p->vm->base + p->vm->memory > RESET_PAGE)
		return wrong(p, "a VM that is reset has no memory at %#llx", RESET_PAGE);
	p->vm->resets = true;
	add_step(p, STEP_RESET);
	return 0;
}

int parse_abandon(struct parser *p, char **words)
{
	(void)words;
	add_step(p, STEP_ABANDON);
	return 0;
}

int parse_barrier(struct parser *p, char **words)
{
	struct script *script = p->script;
	size_t i;

	for (i = 0; i < script->barrier_count; i++)
		if (!strcmp(script->barriers[i], words[0]))
			break;
	if (i == MAX_BARRIERS)
		return wrong(p, "more than %d barriers", MAX_BARRIERS);
	if (i == script->barrier_count)
		script->barriers[script->barrier_count++] = strdup(words[0]);

	bool named = false;

	for (size_t s = 0; s < p->vcpu->step_count; s++)
		named |= p->vcpu->steps[s].kind == STEP_BARRIER && p->vcpu->steps[s].barrier == i;
	script->barrier_users[i] += !named;
	add_step(p, STEP_BARRIER)->barrier = i;
	return 0;
}

int parse_wait_file(struct parser *p, char **words)
{
	add_step(p, STEP_WAIT_FILE)->path = strdup(words[0]);
	return 0;
}

int parse_touch_file(struct parser *p, char **words)
{
	add_step(p, STEP_TOUCH_FILE)->path = strdup(words[0]);
	return 0;
}

int parse_truth(struct parser *p, char **words)
{
	add_step(p, STEP_TRUTH)->path = strdup(words[0]);
	return 0;
}
