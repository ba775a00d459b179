/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/usage.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/commands.h"
#include "cli/table.h"

const struct command *const commands[] = {
	&command_list,
	&command_events,
	&command_map,
	&command_top,
	&command_findings,
	&command_explain,
	&command_policy,
	&command_enforce,
	&command_audit,
	&command_record,
	&command_report,
	&command_replay,
	&command_metrics,
	&command_daemon,
	&command_config,
	&command_doctor,
	NULL,
};

const struct command *command_find(const char *name)
{
	for (int i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

struct command command_replayed(const struct command *command)
{
	struct command taken = *command;

	taken.options &= ~(unsigned int)OPT_READ | OPT_ABI; /* it has its records already */
	if (command->options & (OPT_PICTURE | OPT_REPORT))
		taken.options |= OPT_FORCE;
	taken.takes_command = false;
	return taken;
}

int command_run(
	const struct command *command, int argc, char **argv, const char *file, struct error *err)
{
	struct command taken = file ? command_replayed(command) : *command;
	struct options options;
	int r;

	options_init(&options);
	options.file = file;
	r = options_parse(&options, &taken, argc, argv, err);
	if (r > 0)
		return EXIT_DONE; /* its help was printed */
	if (r)
		return EXIT_USAGE;
	return command->run(&options, err);
}

bool usage_is_wanted(const char *word)
{
	static const char *const words[] = {
		"--help", "-h", "help", "--version", "version", "--table"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i]))
			return true;
	return false;
}

int usage_print(FILE *out, const char *word)
{
	if (word && strstr(word, "version")) {
		fprintf(out, "kvm-encstat %s\n", KES_VERSION);
		return EXIT_DONE;
	}
	if (word && !strcmp(word, "--table")) {
		table_print(out);
		return EXIT_DONE;
	}
	fputs("usage: kvm-encstat COMMAND [OPTION...]\n\n"
	      "Shows which pages the guests of this KVM host share with it and which they keep "
	      "private,\n"
	      "as the guests themselves declare it, page by page.\n\ncommands:\n",
		out);
	for (int i = 0; commands[i]; i++)
		fprintf(out, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nkvm-encstat COMMAND --help tells more; kvm-encstat --version says which one this "
	      "is.\n"
	      "Exit status: 0 done, 1 failed, 2 usage, 3 done but records are missing, 4 something "
	      "was found.\n",
		out);
	return word ? EXIT_DONE : EXIT_USAGE;
}

int usage_unknown(const char *word)
{
	char shown[ESCAPED_SIZE(64)];

	fprintf(stderr, "kvm-encstat: there is no command '%s'\n",
		escape(word, shown, sizeof(shown)));
	for (int i = 0; commands[i]; i++)
		if (*word && !strncmp(commands[i]->name, word, strlen(word)))
			fprintf(stderr, "kvm-encstat: did you mean %s?\n", commands[i]->name);
	fputs("kvm-encstat: kvm-encstat --help lists the commands\n", stderr);
	return EXIT_USAGE;
}
