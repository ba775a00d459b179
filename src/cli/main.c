/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/usage.h"

int main(int argc, char **argv)
{
	struct error err = {};
	const struct command *command;
	int status;

	setvbuf(stderr, NULL, _IOLBF, 0); /* whole lines, whoever else writes there */
	if (argc > 2 && usage_is_wanted(argv[1]) && command_find(argv[2])) {
		options_help(command_find(argv[2]));
		return EXIT_DONE;
	}
	if (argc < 2 || usage_is_wanted(argv[1]))
		return usage_print(argc < 2 ? stderr : stdout, argc > 1 ? argv[1] : NULL);
	command = command_find(argv[1]);
	if (!command)
		return usage_unknown(argv[1]);
	status = command_run(command, argc - 1, argv + 1, NULL, &err);
	if (err.text[0] && status != EXIT_DONE) {
		fprintf(stderr, "kvm-encstat: %s\n", err.text);
		if (err.advice[0])
			fprintf(stderr, "kvm-encstat: %s\n", err.advice);
	}
	return status;
}
