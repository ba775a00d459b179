/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "cli/options_table.h"

#define FIRST_LONG 256 /* getopt's values for options without a letter */

void options_init(struct options *options)
{
	*options = (struct options){
		.duration_s = -1,
		.detail = METRICS_DETAILS,
		.max_vms = SIZE_MAX,
	};
}

void options_help(const struct command *command)
{
	printf("usage: kvm-encstat %s%s%s\n\n%s\n", command->name, *command->arguments ? " " : "",
		command->arguments, command->text);
	printf("\noptions:\n");
	for (size_t i = 0; i < option_count; i++) {
		char spelling[40];

		if (!(command->options & option_defs[i].bit))
			continue;
		snprintf(spelling, sizeof(spelling), "--%s%s%s", option_defs[i].name,
			option_defs[i].argument ? " " : "",
			option_defs[i].argument ? option_defs[i].argument : "");
		printf("  %c%c%c %-20s  %s\n", option_defs[i].letter ? '-' : ' ',
			option_defs[i].letter ? option_defs[i].letter : ' ',
			option_defs[i].letter ? ',' : ' ', spelling, option_defs[i].help);
	}
	printf("  -h, %-20s  this text\n", "--help");
}

bool options_next(const struct command *command, size_t *i, struct option_row *ret)
{
	while (*i < option_count && !(command->options & option_defs[*i].bit))
		++*i;
	if (*i == option_count)
		return false;
	*ret = (struct option_row){.letter = option_defs[*i].letter,
		.name = option_defs[*i].name,
		.argument = option_defs[*i].argument,
		.help = option_defs[*i].help};
	++*i;
	return true;
}

/* getopt's own tables, for what the command takes. */
static void make_getopt(const struct command *command, char letters[], struct option longs[])
{
	size_t letter = 0, n = 0;

	letters[letter++] = '+'; /* the command after -- keeps its options */
	letters[letter++] = ':';
	letters[letter++] = 'h';
	for (size_t i = 0; i < option_count; i++) {
		if (!(command->options & option_defs[i].bit))
			continue;
		longs[n++] = (struct option){
			.name = option_defs[i].name,
			.has_arg = option_defs[i].argument ? required_argument : no_argument,
			.val = FIRST_LONG + (int)i,
		};
		if (!option_defs[i].letter)
			continue;
		letters[letter++] = option_defs[i].letter;
		if (option_defs[i].argument)
			letters[letter++] = ':';
	}
	longs[n++] = (struct option){.name = "help", .val = 'h'};
	longs[n] = (struct option){0};
	letters[letter] = '\0';
}

static const struct option_def *find_row(int value)
{
	if (value >= FIRST_LONG)
		return &option_defs[value - FIRST_LONG];
	for (size_t i = 0; i < option_count; i++)
		if (option_defs[i].letter == value)
			return &option_defs[i];
	return NULL;
}

static int usage(
	struct error *err, const struct command *command, const char *what, const char *which)
{
	char shown[ESCAPED_SIZE(64)];

	error_set(err, -EINVAL, "%s: %s '%s'", command->name, what,
		escape(which, shown, sizeof(shown)));
	error_advise(err, "kvm-encstat %s --help lists what it takes", command->name);
	return -EINVAL;
}

/* getopt's complaint about word: an option nobody knows, or one that lacks its value. */
static int bad_option(struct error *err, const struct command *command, int value, const char *word)
{
	char letter[] = {'-', (char)optopt, '\0'};

	if (optopt && optopt < FIRST_LONG && strncmp(word, "--", 2))
		word = letter; /* one of several letters in a word */
	return usage(err, command, value == ':' ? "wants a value after" : "does not know", word);
}

/* A word that is no option. -EINVAL: the command has no use for it. */
static int take_word(struct options *options, const struct command *command, const char *word)
{
	const char **taken = command->takes_id ? &options->id : &options->vm;

	if (options->n_args < command->takes_args) {
		options->args[options->n_args++] = word;
		return 0;
	}
	if (!(command->takes_vm || command->takes_id) || *taken)
		return -EINVAL;
	*taken = word;
	return 0;
}

/* Words before --: options and at most one VM, or finding, in any order. */
static int parse_words(struct options *options, const struct command *command, int argc,
	char **argv, struct error *err)
{
	char letters[2 * OPTION_DEFS + 4];
	struct option longs[OPTION_DEFS + 2];
	int value, r;

	make_getopt(command, letters, longs);
	optind = 1;
	for (;;) {
		value = getopt_long(argc, argv, letters, longs, NULL);
		if (value == -1 && optind < argc) { /* a word that is no option */
			if (take_word(options, command, argv[optind]))
				return usage(err, command, "does not take", argv[optind]);
			optind++;
			continue;
		}
		if (value == -1)
			return options->n_args == command->takes_args || command->may_lack_args
				       ? 0
				       : usage(err, command, "wants", command->arguments);
		if (value == 'h') {
			options_help(command);
			return 1;
		}
		if (value == '?' || value == ':')
			return bad_option(err, command, value, argv[optind - 1]);
		r = find_row(value)->set(options, optarg, err);
		if (r)
			return r;
	}
}

int options_parse(struct options *options, const struct command *command, int argc, char **argv,
	struct error *err)
{
	int words = 1;

	options->words = argv;
	if (command->takes_words &&
		!(argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))))
		return 0;
	while (words < argc && strcmp(argv[words], "--"))
		words++;
	if (words < argc) {
		if (!command->takes_command)
			return usage(err, command, "does not take a command after", "--");
		if (words + 1 == argc)
			return usage(err, command, "wants a command after", "--");
		options->command = &argv[words + 1];
	}
	return parse_words(options, command, words, argv, err);
}
