// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"

#define MAX_WORDS 16
#define MAX_ERRNO 4095

struct parser {
	const char *path;
	unsigned line;
	struct script *script;
	struct vm_script *vm;
	struct vcpu_script *vcpu;
	size_t repeats[MAX_LOOPS]; /* index of the step after each open repeat */
	unsigned depth;
};

__attribute__((format(printf, 2, 3))) static int wrong(
	const struct parser *p, const char *format, ...)
{
	va_list list;

	fprintf(stderr, "%s:%u: ", p->path, p->line);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
	return -1;
}

uint64_t page_size_bytes(enum page_size size)
{
	return GUEST_PAGE_SIZE << (9 * size);
}

uint64_t call_attributes(enum vm_abi abi, bool private, enum page_size size)
{
	if (abi == ABI_PAGE_ENC_STATUS)
		return private;
	return (private ? 1u << 4 : 0) | size;
}

/* ---- words -------------------------------------------------------------------------------------
 */

/* Decimal or 0x hex; K, M, G, T multiply by 1024, ... */
static int number(const struct parser *p, const char *word, uint64_t *ret)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	char *end;
	uint64_t value;
	unsigned shift;

	errno = 0;
	value = strtoull(word, &end, 0);
	if (errno || end == word || *word < '0' || *word > '9')
		return wrong(p, "'%s' is no number", word);
	if (*end) {
		suffix = strchr(suffixes, *end);
		if (!suffix || end[1])
			return wrong(p, "'%s' is no number (K, M, G, T may follow one)", word);
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		if (value << shift >> shift != value)
			return wrong(p, "'%s' is too large", word);
		value <<= shift;
	}
	*ret = value;
	return 0;
}

static int in_range(
	const struct parser *p, const char *word, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;

	if (number(p, word, &value))
		return -1;
	if (value < min || value > max)
		return wrong(p, "'%s' is not from %llu to %llu", word, (unsigned long long)min,
			(unsigned long long)max);
	*ret = value;
	return 0;
}

/* The index of WORD in a NULL-ended list of names. */
static int choice(const struct parser *p, const char *word, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(word, names[i]))
			return i;
	return wrong(p, "'%s' is not known here", word);
}

static const char *const size_names[] = {"4k", "2m", "1g", NULL};

/* Finds KEY=VALUE among words and returns VALUE; crosses the word out. */
static const char *take(char **words, const char *key)
{
	size_t length = strlen(key);

	for (; *words; words++)
		if (!strncmp(*words, key, length) && (*words)[length] == '=') {
			const char *value = *words + length + 1;

			*words = (char *)""; /* not NULL: that is the end */
			return value;
		}
	return NULL;
}

static int take_number(const struct parser *p, char **words, const char *key, uint64_t *value)
{
	const char *word = take(words, key);

	return word ? number(p, word, value) : 0;
}

/* Whatever nobody took. */
static int nothing_left(const struct parser *p, char **words)
{
	for (; *words; words++)
		if (**words)
			return wrong(p, "'%s' is not known here, or said twice", *words);
	return 0;
}

/* ---- sections ----------------------------------------------------------------------------------
 */

static int finish_vcpu(struct parser *p)
{
	p->vcpu = NULL;
	if (p->depth)
		return wrong(p, "a repeat has no end");
	return 0;
}

static int choose(const struct parser *p, char **words, const char *key, const char *const *names,
	int otherwise)
{
	const char *word = take(words, key);

	return word ? choice(p, word, names) : otherwise;
}

static int parse_vm(struct parser *p, char **words)
{
	static const char *const types[] = {"default", "sw-protected", NULL};
	static const char *const modes[] = {"real", "long", NULL};
	static const char *const abis[] = {"map-gpa-range", "page-enc-status", NULL};
	static const char *const switches[] = {"off", "on", NULL};
	static const char *const refusals[] = {"expected", "any", NULL};
	uint64_t vcpus = 1, max = 1ull << 52;
	struct vm_script *vm;
	const char *name;
	char number_name[16];
	int type, mode, abi, hypercalls, attributes, refusal;

	if (finish_vcpu(p))
		return -1;
	if (p->script->vm_count == MAX_VMS)
		return wrong(p, "more than %d VMs", MAX_VMS);
	vm = &p->script->vms[p->script->vm_count];

	name = take(words, "name");
	snprintf(number_name, sizeof(number_name), "vm%zu", p->script->vm_count);
	vm->name = strdup(name ? name : number_name);

	type = choose(p, words, "type", types, VM_DEFAULT);
	mode = choose(p, words, "mode", modes, MODE_LONG);
	abi = choose(p, words, "abi", abis, ABI_MAP_GPA_RANGE);
	hypercalls = choose(p, words, "hypercalls", switches, 1);
	attributes = choose(p, words, "attributes", switches, type == VM_SW_PROTECTED);
	refusal = choose(p, words, "refusals", refusals, 0);
	if (type < 0 || mode < 0 || abi < 0 || hypercalls < 0 || attributes < 0 || refusal < 0)
		return -1;
	vm->type = type;
	vm->mode = mode;
	vm->abi = abi;
	vm->hypercalls = hypercalls;
	vm->attributes = attributes;
	vm->any_refusal = refusal;

	if (take_number(p, words, "memory", &vm->memory) ||
		take_number(p, words, "base", &vm->base))
		return -1;
	vm->memfd = type == VM_SW_PROTECTED ? vm->memory : 0;
	name = take(words, "memfd");
	if (name && number(p, name, &vm->memfd))
		return -1;
	name = take(words, "vcpus");
	if (name && in_range(p, name, 1, MAX_VCPUS, &vcpus))
		return -1;
	vm->vcpus = vcpus;

	if (!vm->memory)
		return wrong(p, "a vm wants memory=");
	if ((vm->memory | vm->base | vm->memfd) & (GUEST_PAGE_SIZE - 1))
		return wrong(p, "memory, base and memfd are multiples of 4K");
	if (vm->memory > max || vm->base > max)
		return wrong(p, "memory and base end at 4 PiB");
	if (vm->memfd > vm->memory)
		return wrong(p, "memfd is larger than memory");
	if (type != VM_SW_PROTECTED && (vm->attributes || vm->memfd))
		return wrong(p, "attributes and memfd want type=sw-protected");
	p->script->vm_count++;
	p->vm = vm;
	return nothing_left(p, words);
}

static int parse_vcpu(struct parser *p, char **words)
{
	static const char *const cpls[] = {"0", "3", NULL};
	uint64_t index;
	int cpl;

	if (finish_vcpu(p))
		return -1;
	if (!p->vm)
		return wrong(p, "a vcpu before any vm");
	if (in_range(p, words[0], 0, p->vm->vcpus - 1, &index))
		return -1;
	cpl = choose(p, words + 1, "cpl", cpls, 0);
	if (cpl < 0)
		return -1;
	if (cpl && p->vm->mode == MODE_REAL)
		return wrong(p, "real mode has no cpl=3");
	p->vcpu = &p->vm->vcpu[index];
	if (p->vcpu->named)
		return wrong(p, "vcpu %s has a section already", words[0]);
	p->vcpu->named = true;
	p->vcpu->cpl = cpl ? 3 : 0;
	return nothing_left(p, words + 1);
}

/* ---- steps -------------------------------------------------------------------------------------
 */

static struct step *add(struct parser *p, enum step_kind kind)
{
	struct vcpu_script *vcpu = p->vcpu;
	size_t count = vcpu->step_count;
	struct step *step;

	if (!(count & (count - 1))) {
		size_t room = count ? 2 * count : 1;

		vcpu->steps = realloc(vcpu->steps, room * sizeof(*vcpu->steps));
		if (!vcpu->steps)
			abort();
	}
	step = &vcpu->steps[vcpu->step_count++];
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	return step;
}

/* A register of a real-mode guest has 32 bits. */
static int registers_fit(const struct parser *p, const struct step *step)
{
	uint64_t all = step->call.nr | step->call.args[0] | step->call.args[1] |
		       step->call.args[2] | step->call.args[3];

	if (p->vm->mode == MODE_REAL && all >> 32)
		return wrong(p, "that does not fit in the 32-bit registers of mode=real");
	return 0;
}

static int convert(struct parser *p, char **words, bool private)
{
	struct step *step = add(p, STEP_CALL);
	int size = choose(p, words + 2, "size", size_names, SIZE_4K);

	if (size < 0 || number(p, words[0], &step->call.args[0]) ||
		number(p, words[1], &step->call.args[1]))
		return -1;
	step->call.nr = HC_MAP_GPA_RANGE;
	step->call.args[2] = call_attributes(p->vm->abi, private, size);
	return registers_fit(p, step) ? -1 : nothing_left(p, words + 2);
}

static int parse_share(struct parser *p, char **words)
{
	return convert(p, words, false);
}

static int parse_private(struct parser *p, char **words)
{
	return convert(p, words, true);
}

static int parse_hypercall(struct parser *p, char **words)
{
	struct step *step = add(p, STEP_CALL);

	if (number(p, words[0], &step->call.nr))
		return -1;
	for (int i = 0; i < 4; i++)
		if (number(p, words[1 + i], &step->call.args[i]))
			return -1;
	return registers_fit(p, step);
}

static int parse_random(struct parser *p, char **words)
{
	struct step *step = add(p, STEP_RANDOM);
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

static int parse_flood(struct parser *p, char **words)
{
	struct step *step = add(p, STEP_FLOOD);

	return number(p, words[0], &step->count) || number(p, words[1], &step->touch.gpa) ? -1 : 0;
}

static int parse_out(struct parser *p, char **words)
{
	return in_range(p, words[0], 1, UINT32_MAX, &add(p, STEP_OUT)->count);
}

static int parse_spin(struct parser *p, char **words)
{
	uint64_t max = p->vm->mode == MODE_REAL ? UINT32_MAX : UINT64_MAX;

	return in_range(p, words[0], 1, max, &add(p, STEP_SPIN)->count);
}

static int parse_touch(struct parser *p, char **words)
{
	static const char *const answers[] = {"convert", "ignore", NULL};
	struct step *step = add(p, STEP_TOUCH);
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

static int parse_repeat(struct parser *p, char **words)
{
	if (p->depth == MAX_LOOPS)
		return wrong(p, "more than %d repeats in each other", MAX_LOOPS);
	if (in_range(p, words[0], 1, UINT64_MAX, &add(p, STEP_REPEAT)->count))
		return -1;
	p->repeats[p->depth++] = p->vcpu->step_count;
	return 0;
}

static int parse_until(struct parser *p, char **words)
{
	if (p->depth == MAX_LOOPS)
		return wrong(p, "more than %d repeats in each other", MAX_LOOPS);
	add(p, STEP_UNTIL)->path = strdup(words[0]);
	p->repeats[p->depth++] = p->vcpu->step_count;
	return 0;
}

static int parse_end(struct parser *p, char **words)
{
	(void)words;
	if (!p->depth)
		return wrong(p, "an end without repeat");
	add(p, STEP_END)->begin = p->repeats[--p->depth];
	return 0;
}

/* count=N, by default as good as for ever */
static int take_count(const struct parser *p, char **words, struct step *step)
{
	step->count = UINT64_MAX;
	return take_number(p, words, "count", &step->count) || nothing_left(p, words) ? -1 : 0;
}

static int parse_answer(struct parser *p, char **words)
{
	struct step *step = add(p, STEP_ANSWER);

	return number(p, words[0], &step->ret) ? -1 : take_count(p, words + 1, step);
}

static int parse_delay(struct parser *p, char **words)
{
	struct step *step = add(p, STEP_DELAY);

	return number(p, words[0], &step->microseconds) ? -1 : take_count(p, words + 1, step);
}

static int parse_commit(struct parser *p, char **words)
{
	static const char *const ways[] = {"asked", "none", "other", "opposite", NULL};
	struct step *step = add(p, STEP_COMMIT);
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

static int parse_attributes(struct parser *p, char **words)
{
	static const char *const directions[] = {"shared", "private", NULL};
	struct step *step = add(p, STEP_ATTRIBUTES);
	int direction = choice(p, words[2], directions);
	const char *expect = take(words + 3, "expect");
	uint64_t gpa, pages, end;

	if (direction < 0 || number(p, words[0], &gpa) ||
		in_range(p, words[1], 0, UINT64_MAX >> GUEST_PAGE_SHIFT, &pages) ||
		take_number(p, words + 3, "flags", &step->attributes.flags) ||
		(expect && in_range(p, expect, 1, MAX_ERRNO, &step->attributes.expect)))
		return -1;
	step->attributes.gpa = gpa;
	step->attributes.size = pages << GUEST_PAGE_SHIFT;
	step->attributes.private = direction;
	if (__builtin_add_overflow(gpa, step->attributes.size, &end))
		end = UINT64_MAX;
	if (direction && spares_reserved(p, gpa, end))
		return -1;
	return nothing_left(p, words + 3);
}

static int parse_race(struct parser *p, char **words)
{
	struct step *step = add(p, STEP_RACE);
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
	struct step *step = add(p, kind);
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

static int parse_write(struct parser *p, char **words)
{
	return parse_memory(p, words, STEP_WRITE, false);
}

static int parse_read(struct parser *p, char **words)
{
	return parse_memory(p, words, STEP_READ, false);
}

static int parse_discard(struct parser *p, char **words)
{
	return parse_memory(p, words, STEP_DISCARD, false);
}

static int parse_punch(struct parser *p, char **words)
{
	return parse_memory(p, words, STEP_PUNCH, true);
}

static int parse_reset(struct parser *p, char **words)
{
	(void)words;
	if (p->vcpu != p->vm->vcpu)
		return wrong(p, "it is vcpu 0 that resets the VM");
	if (p->vm->base < RESET_PAGE + GUEST_PAGE_SIZE && p->vm->base + p->vm->memory > RESET_PAGE)
		return wrong(p, "a VM that is reset has no memory at %#llx", RESET_PAGE);
	p->vm->resets = true;
	add(p, STEP_RESET);
	return 0;
}

static int parse_abandon(struct parser *p, char **words)
{
	(void)words;
	add(p, STEP_ABANDON);
	return 0;
}

static int parse_barrier(struct parser *p, char **words)
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
	add(p, STEP_BARRIER)->barrier = i;
	return 0;
}

static int parse_wait_file(struct parser *p, char **words)
{
	add(p, STEP_WAIT_FILE)->path = strdup(words[0]);
	return 0;
}

static int parse_touch_file(struct parser *p, char **words)
{
	add(p, STEP_TOUCH_FILE)->path = strdup(words[0]);
	return 0;
}

static int parse_truth(struct parser *p, char **words)
{
	add(p, STEP_TRUTH)->path = strdup(words[0]);
	return 0;
}

/* ---- lines -------------------------------------------------------------------------------------
 */

static const struct directive {
	const char *name;
	int (*parse)(struct parser *p, char **words);
	unsigned min, max; /* words after the name */
	bool section;
	const char *usage;
} directives[] = {
	{"vm", parse_vm, 1, MAX_WORDS, true, "vm memory=BYTES [KEY=VALUE...]"},
	{"vcpu", parse_vcpu, 1, 2, true, "vcpu N [cpl=0|3]"},
	{"share", parse_share, 2, 3, false, "share GPA PAGES [size=4k|2m|1g]"},
	{"private", parse_private, 2, 3, false, "private GPA PAGES [size=4k|2m|1g]"},
	{"hypercall", parse_hypercall, 5, 5, false, "hypercall NR A0 A1 A2 A3"},
	{"random", parse_random, 2, 5, false,
		"random COUNT SEED [min=GPA] [max=GPA] [sizes=4k,2m,1g]"},
	{"flood", parse_flood, 2, 2, false, "flood COUNT GPA"},
	{"out", parse_out, 1, 1, false, "out COUNT"},
	{"touch", parse_touch, 1, 4, false, "touch GPA [pages=N] [fault=convert|ignore] [times=N]"},
	{"spin", parse_spin, 1, 1, false, "spin N"},
	{"repeat", parse_repeat, 1, 1, false, "repeat N"},
	{"until", parse_until, 1, 1, false, "until PATH"},
	{"end", parse_end, 0, 0, false, "end"},
	{"answer", parse_answer, 1, 2, false, "answer RET [count=N]"},
	{"delay", parse_delay, 1, 2, false, "delay MICROSECONDS [count=N]"},
	{"commit", parse_commit, 1, 2, false, "commit none|other|opposite|asked [count=N]"},
	{"attributes", parse_attributes, 3, 5, false,
		"attributes GPA PAGES shared|private [flags=N] [expect=ERRNO]"},
	{"race", parse_race, 2, 5, false, "race COUNT SEED [threads=N] [min=GPA] [max=GPA]"},
	{"write", parse_write, 2, 2, false, "write GPA PAGES"},
	{"read", parse_read, 2, 2, false, "read GPA PAGES"},
	{"discard", parse_discard, 2, 2, false, "discard GPA PAGES"},
	{"punch", parse_punch, 2, 2, false, "punch GPA PAGES"},
	{"reset", parse_reset, 0, 0, false, "reset"},
	{"abandon", parse_abandon, 0, 0, false, "abandon"},
	{"barrier", parse_barrier, 1, 1, false, "barrier NAME"},
	{"wait-file", parse_wait_file, 1, 1, false, "wait-file PATH"},
	{"touch-file", parse_touch_file, 1, 1, false, "touch-file PATH"},
	{"truth", parse_truth, 1, 1, false, "truth PATH"},
};

static int parse_line(struct parser *p, char *line)
{
	char *words[MAX_WORDS + 2] = {NULL}, *rest = line, *word;
	unsigned count = 0;

	line[strcspn(line, "#\n")] = '\0';
	while ((word = strsep(&rest, " \t\r"))) {
		if (!*word)
			continue;
		if (count > MAX_WORDS)
			return wrong(p, "too many words");
		words[count++] = word;
	}
	if (!count)
		return 0;

	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
		const struct directive *d = &directives[i];

		if (strcmp(d->name, words[0]))
			continue;
		if (count - 1 < d->min || count - 1 > d->max)
			return wrong(p, "it is: %s", d->usage);
		if (!d->section && !p->vcpu)
			return wrong(p, "'%s' before any vcpu", d->name);
		return d->parse(p, words + 1);
	}
	return wrong(p, "'%s' is no directive", words[0]);
}

int script_read(struct script *ret_script, const char *path)
{
	struct parser p = {.path = path, .script = ret_script};
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	if (!file) {
		fprintf(stderr, "%s: %m\n", path);
		return -1;
	}
	memset(ret_script, 0, sizeof(*ret_script));
	while (!err && getline(&line, &room, file) >= 0) {
		p.line++;
		err = parse_line(&p, line);
	}
	if (!err && ferror(file))
		err = wrong(&p, "cannot be read");
	if (!err)
		err = finish_vcpu(&p);
	if (!err && !ret_script->vm_count)
		err = wrong(&p, "no vm in here");
	free(line);
	fclose(file);
	return err;
}
