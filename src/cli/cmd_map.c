/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "cli/commands.h"
#include "cli/select.h"
#include "cli/session.h"

static int write_map(const struct options *options, const struct style *style, const struct vm *vm)
{
	switch (options->format) {
	case FORMAT_JSON:
		return map_write_json(stdout, vm, options->plane);
	case FORMAT_RANGES:
		return map_write_ranges(stdout, vm, options->plane);
	default:
		return map_write_text(stdout, style, vm, options->plane);
	}
}

static int write_diff(const struct options *options, const struct style *style, const struct vm *vm)
{
	switch (options->format) {
	case FORMAT_JSON:
		return diff_write_json(stdout, vm);
	case FORMAT_RANGES:
		return diff_write_ranges(stdout, vm);
	default:
		return diff_write_text(stdout, style, vm);
	}
}

static int finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	const struct options *options = context;
	const struct vm *vm;
	int r = select_vm(model, options->vm, &vm, err);

	if (r)
		return r;
	if (options->diff)
		r = write_diff(options, style, vm);
	else
		r = write_map(options, style, vm);
	return r ? error_set(err, r, "writing the map failed: %s", strerror(-r)) : 0;
}

static int run(const struct options *options, struct error *err)
{
	struct reader reader = {.finish = finish, .context = (void *)options};

	return session_run(options, &reader, false, err);
}

const struct command command_map = {
	.name = "map",
	.arguments = "[VM] [--format FORMAT] [-- COMMAND ...]",
	.summary = "the page map of a VM: what is private, what is shared",
	.text = "Prints the page map of one VM. VM is an id, a pid or a name from `kvm-encstat "
		"list`; it may\n"
		"be left out where there is only one that it can be.\n"
		"Without --duration or a command it prints at once what is known, which for a VM "
		"that ran\n"
		"before it was watched is that its pages are unknown. With a command it watches "
		"that from\n"
		"birth to end and prints the last map.\n"
		"--plane diff prints where what the guest declared and what KVM enforces differ, "
		"since when,\n"
		"and who moved last.",
	.options = OPT_READ | OPT_JSON | OPT_FORMAT | OPT_PLANE | OPT_ASCII,
	.takes_vm = true,
	.takes_command = true,
	.replays = true,
	.run = run,
};
