/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/session.h"

static int run(const struct options *given, struct error *err)
{
	struct options options = *given;
	struct reader reader = {.endless = true, .max_ended = 256}; /* as top */
	char name[64];
	time_t now = time(NULL);
	struct tm tm;

	if (!options.output) {
		localtime_r(&now, &tm);
		strftime(name, sizeof(name), "kvm-encstat-%Y%m%d-%H%M%S.ke", &tm);
		options.output = name;
	}
	options.save = options.output;
	return session_run(&options, &reader, true, err);
}

const struct command command_record = {
	.name = "record",
	.arguments = "[-o FILE] [--duration SECONDS] [-- COMMAND ...]",
	.summary = "write what happens to a capture file",
	.text = "Writes every record to a capture until Ctrl-C, --duration, or the end of COMMAND, "
		"which it\n"
		"starts once it watches and whose exit status it keeps. The capture is written "
		"block by\n"
		"block: if kvm-encstat is killed, what was written until the last second can be "
		"read.",
	.options = OPT_LIVE | OPT_ASKS | OPT_ABI | OPT_DURATION | OPT_OUTPUT | OPT_FORCE,
	.takes_command = true,
	.run = run,
};
