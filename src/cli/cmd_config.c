/* SPDX-License-Identifier: GPL-2.0-only */
/* `config check` and `config show`: what the files say, before a daemon goes by it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/yaml.h"
#include "cli/commands.h"
#include "output/config.h"
#include "policy/policy.h"

static const char *path_of(const struct options *options)
{
	return options->n_args ? options->args[0] : options->config;
}

/* ---- check ---- */

static void tell(void *context, const struct error *err)
{
	(void)context;
	fprintf(stderr, "kvm-encstat: %s\n", err->text);
	if (*err->advice)
		fprintf(stderr, "kvm-encstat: %s\n", err->advice);
}

static int run_check(const struct options *options, struct error *err)
{
	_cleanup_(config_free) struct config *config = NULL;
	struct yaml_errors errors = {.tell = tell};
	int r = config_check(&config, path_of(options), &errors, err);

	if (errors.n) {
		error_set(err, -EINVAL, "%zu error%s", errors.n, errors.n == 1 ? "" : "s");
		return EXIT_FAILED;
	}
	if (r)
		return EXIT_FAILED;
	for (size_t i = 0; i < config->settings->n_files; i++)
		printf("%s: ok\n", config->settings->files[i]);
	if (!config->settings->n_files)
		puts("no files: defaults hold");
	return EXIT_DONE;
}

static const struct command command_check = {
	.name = "config check",
	.arguments = "[FILE]",
	.summary = "whether the configuration is right",
	.text = "Reads " CONFIG_PATH " and its drop-ins, conf.d/*.yaml beside it, or\n"
		"another file and those beside that. All that is wrong is said, each with file, "
		"line and column;\n"
		"exit status 1 then.",
	.options = OPT_CONFIG,
	.takes_args = 1,
	.may_lack_args = true,
	.run = run_check,
};

/* ---- show ---- */

static int run_show(const struct options *options, struct error *err)
{
	_cleanup_(config_free) struct config *config = NULL;

	if (config_load(&config, path_of(options), err))
		return EXIT_FAILED;
	if (options->format == FORMAT_JSON)
		config_write_json(stdout, config);
	else
		config_write_text(stdout, config);
	return EXIT_DONE;
}

static const struct command command_show = {
	.name = "config show",
	.arguments = "[FILE] [--json]",
	.summary = "what holds, and which line of which file says it",
	.text = "Prints all that the files and the drop-ins together say, defaults included, as "
		"YAML that means\n"
		"the same; each value has the place beside it where it is written.",
	.options = OPT_CONFIG | OPT_JSON,
	.takes_args = 1,
	.may_lack_args = true,
	.run = run_show,
};

/* ---- the command ---- */

static const struct command *const subcommands[] = {&command_check, &command_show, NULL};

static int run(const struct options *options, struct error *err)
{
	static const size_t prefix = sizeof("config ") - 1;
	char **words = options->words, shown[ESCAPED_SIZE(64)];
	int n = 0;

	while (words[n])
		n++;
	for (size_t i = 0; n > 1 && subcommands[i]; i++)
		if (!strcmp(subcommands[i]->name + prefix, words[1]))
			return command_run(subcommands[i], n - 1, words + 1, NULL, err);
	if (n < 2)
		error_set(err, -EINVAL, "config wants check or show");
	else
		error_set(err, -EINVAL, "config: there is no command '%s'",
			escape(words[1], shown, sizeof(shown)));
	error_advise(err, "check and show are there");
	return EXIT_USAGE;
}

const struct command command_config = {
	.name = "config",
	.arguments = "check|show ...",
	.summary = "the configuration: whether it is right, what holds",
	.text = "  check      whether the files are right\n"
		"  show       what holds, and which line of which file says it\n"
		"Each has its own --help. kvm-encstat.yaml(5) says what is in them.",
	.takes_words = true,
	.commands = subcommands,
	.run = run,
};
