// SPDX-License-Identifier: GPL-2.0-only
/* Directives that the guest does, and the flow of a script. */
#include <stdlib.h>
#include <string.h>

#include "parse.h"

/* A register of a real-mode guest has 32 bits. */
static int registers_fit(const struct parser *p, const struct step *step)
{
	uint64_t last = step->call.args[0] + (step->count - 1) * step->call.stride;
	uint64_t all = step->call.nr | step->call.args[0] | step->call.args[1] |
		       step->call.args[2] | step->call.args[3] | last;

	if (p->vm->mode == MODE_REAL && all >> 32)
		return wrong(p, "that does not fit in the 32-bit registers of mode=real");
	return 0;
}

static int convert(struct parser *p, char **words, bool private)
{
	struct step *step = add_step(p, STEP_CALL);
	int size = choose(p, words + 2, "size", size_names, SIZE_4K);
	uint64_t stride;
	const char *times;

	step->count = 1;
	if (size < 0 || number(p, words[0], &step->call.args[0]) ||
		number(p, words[1], &step->call.args[1]))
		return -1;
	times = take(words + 2, "times");
	if (times && in_range(p, times, 1, UINT32_MAX, &step->count))
		return -1;
	stride = step->call.args[1];
	if (take_number(p, words + 2, "stride", &stride))
		return -1;
	step->call.stride = stride * GUEST_PAGE_SIZE;
	step->call.nr = HC_MAP_GPA_RANGE;
	step->call.args[2] = call_attributes(p->vm->abi, private, size);
	return registers_fit(p, step) ? -1 : nothing_left(p, words + 2);
}

int parse_share(struct parser *p, char **words)
{
	return convert(p, words, false);
}

int parse_private(struct parser *p, char **words)
{
	return convert(p, words, true);
}

int parse_hypercall(struct parser *p, char **words)
{
	struct step *step = add_step(p, STEP_CALL);

	step->count = 1;
	if (number(p, words[0], &step->call.nr))
		return -1;
	for (int i = 0; i < 4; i++)
		if (number(p, words[1 + i], &step->call.args[i]))
			return -1;
	return registers_fit(p, step);
}

int parse_random(struct parser *p, char **words)
{
	struct step *step = add_step(p, STEP_RANDOM);
	const char *sizes;
	char *copy, *rest, *word;

	step->random.min = p->vm->base;
	step->random.max = p->vm->base + p->vm->memory;
	step->random.sizes = 1u << SIZE_4K;
	if (number(p, words[0], &step->count) || number(p, words[1], &step->random.seed) ||
		take_number(p, words + 2, "min", &step->random.min) ||
		take_number(p, words + 2, "max", &step->random.max))
		return -1;
	sizes = take(words + 2, "sizes");
	if (sizes) {
		step->random.sizes = 0;
		copy = rest = strdup(sizes);
		while ((word = strsep(&rest, ","))) {
			int size = choice(p, word, size_names);

			if (size < 0) {
				free(copy);
				return -1;
			}
			step->random.sizes |= 1u << size;
		}
		free(copy);
	}
	if (p->vm->mode == MODE_REAL && step->random.max > 1ull << 32)
		return wrong(p, "mode=real names no gpa beyond 4G");
	for (enum page_size size = 0; size < PAGE_SIZES; size++) {
		uint64_t unit = page_size_bytes(size);
		uint64_t first = (step->random.min + unit - 1) & -unit;

		if (step->random.sizes & (1u << size) && first + unit > step->random.max)
			return wrong(p, "no %s page fits from min to max", size_names[size]);
	}
	return nothing_left(p, words + 2);
}

int parse_flood(struct parser *p, char **words)
{
	struct step *step = add_step(p, STEP_FLOOD);

	return number(p, words[0], &step->count) || number(p, words[1], &step->touch.gpa) ? -1 : 0;
}

int parse_out(struct parser *p, char **words)
{
	return in_range(p, words[0], 1, UINT32_MAX, &add_step(p, STEP_OUT)->count);
}

int parse_spin(struct parser *p, char **words)
{
	uint64_t max = p->vm->mode == MODE_REAL ? UINT32_MAX : UINT64_MAX;

	return in_range(p, words[0], 1, max, &add_step(p, STEP_SPIN)->count);
}

int parse_touch(struct parser *p, char **words)
{
	static const char *const answers[] = {"convert", "ignore", NULL};
	struct step *step = add_step(p, STEP_TOUCH);
	uint64_t times = 16, max = p->vm->mode == MODE_REAL ? 0xfffff : UINT64_MAX;
	const char *word;
	int answer;

	if (in_range(p, words[0], 0, max, &step->touch.gpa))
		return -1;
	step->count = 1;
	word = take(words + 1, "pages");
	if (word &&
		in_range(p, word, 1, (max - step->touch.gpa) / GUEST_PAGE_SIZE + 1, &step->count))
		return -1;
	answer = choose(p, words + 1, "fault", answers, 0);
	if (answer < 0)
		return -1;
	word = take(words + 1, "times");
	if (word && !answer)
		return wrong(p, "times= wants fault=ignore");
	if (word && number(p, word, &times))
		return -1;
	step->touch.ignore = answer ? times : 0;
	return nothing_left(p, words + 1);
}

int parse_repeat(struct parser *p, char **words)
{
	if (p->depth == MAX_LOOPS)
		return wrong(p, "more than %d repeats in each other", MAX_LOOPS);
	if (in_range(p, words[0], 1, UINT64_MAX, &add_step(p, STEP_REPEAT)->count))
		return -1;
	p->repeats[p->depth++] = p->vcpu->step_count;
	return 0;
}

int parse_until(struct parser *p, char **words)
{
	if (p->depth == MAX_LOOPS)
		return wrong(p, "more than %d repeats in each other", MAX_LOOPS);
	add_step(p, STEP_UNTIL)->path = strdup(words[0]);
	p->repeats[p->depth++] = p->vcpu->step_count;
	return 0;
}

int parse_end(struct parser *p, char **words)
{
	(void)words;
	if (!p->depth)
		return wrong(p, "an end without repeat");
	add_step(p, STEP_END)->begin = p->repeats[--p->depth];
	return 0;
}
