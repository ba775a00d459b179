/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "cli/commands.h"

/* `replay FILE COMMAND ...` is two command lines in one, so it is taken apart here, not by getopt.
 */
static int take_apart(int argc, char **argv, struct error *err)
{
	const struct command *command;
	char shown[ESCAPED_SIZE(64)];

	if (argc < 3) {
		error_set(err, -EINVAL, "replay: wants a capture and a command");
		error_advise(err, "such as: kvm-encstat replay boot.ke map");
		return EXIT_USAGE;
	}
	command = command_find(argv[2]);
	if (!command || !command->replays) {
		error_set(err, -EINVAL, "replay: '%s' does not read captures",
			escape(argv[2], shown, sizeof(shown)));
		error_advise(
			err, "list, events, map, findings, explain, metrics, audit and report do");
		return EXIT_USAGE;
	}
	return command_run(command, argc - 2, argv + 2, argv[1], err);
}

static int run(const struct options *options, struct error *err)
{
	int argc = 1;

	while (options->words[argc])
		argc++;
	return take_apart(argc, options->words, err);
}

const struct command command_replay = {
	.name = "replay",
	.arguments = "FILE COMMAND [OPTION...]",
	.summary = "run a reading command over a capture file",
	.text = "Runs a reading command over a capture as if it happened now: same code, same "
		"output.\n"
		"Needs neither root nor KVM.",
	.takes_words = true,
	.run = run,
};
