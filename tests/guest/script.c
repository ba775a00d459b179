// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

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

uint64_t rewrite_size(const struct step *step)
{
	const uint64_t *size = step->rewrite.size;

	return size[0] > size[1] ? size[0] : size[1];
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
	{"share", parse_share, 2, 5, false,
		"share GPA PAGES [times=N] [stride=PAGES] [size=4k|2m|1g]"},
	{"private", parse_private, 2, 5, false,
		"private GPA PAGES [times=N] [stride=PAGES] [size=4k|2m|1g]"},
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
	{"attributes", parse_attributes, 3, 7, false,
		"attributes GPA PAGES shared|private [flags=N] [expect=ERRNO|any] [times=N] "
		"[argument=stack|absent|bad|compat]"},
	{"rewrite", parse_rewrite, 6, 6, false,
		"rewrite COUNT GPA-A PAGES-A GPA-B PAGES-B shared|private"},
	{"foreign", parse_foreign, 3, 3, false, "foreign GPA PAGES shared|private"},
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
