// SPDX-License-Identifier: GPL-2.0-only
/* The truth as JSON lines, one VM each; README.md says what the fields are. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "vm.h"

static void print_string(FILE *out, const char *string)
{
	fputc('"', out);
	for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c < 0x20 || *c == 0x7f)
			fprintf(out, "\\u%04x", *c);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

static void print_number(FILE *out, const char *name, uint64_t value)
{
	fprintf(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void print_refused(FILE *out, const char *name, const uint64_t refused[REFUSALS])
{
	fprintf(out, ",\"%s\":{\"eperm\":%llu,\"enosys\":%llu,\"einval\":%llu,\"other\":%llu}",
		name, (unsigned long long)refused[REFUSED_EPERM],
		(unsigned long long)refused[REFUSED_ENOSYS],
		(unsigned long long)refused[REFUSED_EINVAL],
		(unsigned long long)refused[REFUSED_OTHER]);
}

static struct counters sum(const struct vm *vm)
{
	struct counters all = {0};

	for (unsigned i = 0; i < vm->script->vcpus; i++) {
		const struct counters *one = &vm->vcpus[i].counters;

		for (unsigned reason = 0; reason < MAX_REASONS; reason++)
			all.exits[reason] += one->exits[reason];
		for (unsigned kind = 0; kind < REFUSALS; kind++) {
			all.refused[kind] += one->refused[kind];
			all.refused_map[kind] += one->refused_map[kind];
		}
		all.exit_errors += one->exit_errors;
		all.control_exits += one->control_exits;
		all.hypercalls += one->hypercalls;
		all.map_calls += one->map_calls;
		all.in_kernel += one->in_kernel;
		all.run_refused += one->run_refused;
	}
	return all;
}

static void print_calls(const struct truth *truth, FILE *out)
{
	struct outcomes all = {0}, own = truth->calls[FOR_VMM];

	for (unsigned purpose = 0; purpose < PURPOSES; purpose++)
		outcomes_add(&all, &truth->calls[purpose]);
	outcomes_add(&own, &truth->calls[FOR_DIRECTIVE]);
	print_number(out, "attribute_calls", all.ok + outcomes_failed(&all));
	print_number(out, "attribute_errors", outcomes_failed(&all));
	print_number(out, "attributes_ok", truth->calls[FOR_DIRECTIVE].ok);
	fputs(",\"refused_attributes\":", out);
	outcomes_print_failed(&truth->calls[FOR_CONVERSION], out);
	fputs(",\"refused_own\":", out);
	outcomes_print_failed(&own, out);
	fputs(",\"rewrite\":", out);
	outcomes_print_all(&truth->calls[FOR_REWRITE], out);
	fputs(",\"foreign\":", out);
	outcomes_print_all(&truth->calls[FOR_FOREIGN], out);
}

static void print_vm(struct vm *vm, FILE *out)
{
	const struct vm_script *script = vm->script;
	struct counters all = sum(vm);
	struct truth *truth = &vm->truth;
	bool any = false;

	pthread_mutex_lock(&truth->lock);
	fputs("{\"vm\":", out);
	print_string(out, vm->name);
	print_number(out, "pid", getpid());
	print_number(out, "fd", vm->fd);
	fprintf(out, ",\"type\":\"%s\",\"mode\":\"%s\",\"abi\":\"%s\"",
		script->type == VM_SW_PROTECTED ? "sw-protected" : "default",
		script->mode == MODE_LONG ? "long" : "real",
		script->abi == ABI_MAP_GPA_RANGE ? "map-gpa-range" : "page-enc-status");
	print_number(out, "vcpus", script->vcpus);
	print_number(out, "memory_pages", script->memory >> GUEST_PAGE_SHIFT);
	print_number(out, "base_gfn", script->base >> GUEST_PAGE_SHIFT);
	fputs(",\"memslots\":[", out);
	for (unsigned i = 0; i < vm->slot_count; i++)
		fprintf(out, "%s[%llu,%llu]", i ? "," : "",
			(unsigned long long)(vm->slots[i].gpa >> GUEST_PAGE_SHIFT),
			(unsigned long long)(vm->slots[i].size >> GUEST_PAGE_SHIFT));
	fputc(']', out);

	print_number(out, "requests", truth->requests);
	print_number(out, "accepted", truth->accepted);
	print_number(out, "denied", truth->denied);
	print_number(out, "unanswered", truth->unanswered);
	print_number(out, "hypercalls", all.hypercalls);
	print_number(out, "map_calls", all.map_calls);
	print_refused(out, "refused", all.refused);
	print_refused(out, "refused_map", all.refused_map);
	print_number(out, "in_kernel", all.in_kernel);
	print_number(out, "faults", truth->faults);
	print_calls(truth, out);
	print_number(out, "lies", truth->lies);
	print_number(out, "resets", truth->resets);

	fputs(",\"exits\":{", out);
	for (unsigned reason = 0; reason < MAX_REASONS; reason++) {
		if (!all.exits[reason])
			continue;
		fprintf(out, "%s\"%u\":%llu", any ? "," : "", reason,
			(unsigned long long)all.exits[reason]);
		any = true;
	}
	fputc('}', out);
	print_number(out, "exit_errors", all.exit_errors);
	print_number(out, "control_exits", all.control_exits);
	print_number(out, "run_refused", all.run_refused);

	fputs(",\"shared\":", out);
	truth_print_shared(truth, out);
	fputs(",\"host_private\":", out);
	truth_print_host_private(truth, out);
	fputs(",\"contested\":", out);
	truth_print_contested(truth, out);
	fputs(",\"left_shared\":", out);
	truth_print_left_shared(truth, out);
	fputs(",\"twice\":", out);
	truth_print_twice(truth, vm->memory, out);
	if (truth->log) {
		fputs(",\"conversions\":", out);
		truth_print_conversions(truth, out);
	}
	fputs("}\n", out);
	pthread_mutex_unlock(&truth->lock);
}

int machine_report(struct machine *machine, const char *path)
{
	char new[PATH_MAX];
	FILE *out;
	int err;

	if (snprintf(new, sizeof(new), "%s.new", path) >= (int)sizeof(new)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	out = fopen(new, "we");
	if (!out)
		return -1;
	for (size_t i = 0; i < machine->script.vm_count; i++)
		print_vm(&machine->vms[i], out);
	err = ferror(out);
	if (fclose(out) || err)
		return -1;
	return rename(new, path); /* whoever waits for it finds all of it */
}
