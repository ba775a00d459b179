/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"

static int finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	const struct options *options = context;
	struct list_options list = {
		.all = options->all || options->file,
		.json = options->format == FORMAT_JSON,
	};
	int r = list_write(stdout, model, &list);

	(void)style;
	return r ? error_set(err, r, "writing the list failed: %s", strerror(-r)) : 0;
}

static int run(const struct options *options, struct error *err)
{
	struct reader reader = {.finish = finish, .context = (void *)options};

	return session_run(options, &reader, false, err);
}

const struct command command_list = {
	.name = "list",
	.arguments = "[--all] [--json] [-- COMMAND ...]",
	.summary = "the VMs: memory, private and shared pages, how far to trust it",
	.text = "Lists the VMs of this host, or of a capture, and what is known of their pages.\n"
		"Without --duration or a command it lists at once; VMs that ran before it was "
		"started\n"
		"have unknown pages then. --all adds VMs that ended while it watched.",
	.options = OPT_READ | OPT_JSON | OPT_ALL,
	.takes_command = true,
	.replays = true,
	.run = run,
};
