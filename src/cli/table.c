/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/table.h"

#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "top/columns.h"
#include "top/theme.h"

/* ---- values that are one of a few words, as the options' setters know them ---- */

static const char *format_word(size_t i)
{
	return i < FORMATS ? format_name((enum format)i) : NULL;
}

static const char *plane_word(size_t i)
{
	return i < PLANES ? plane_name((enum plane)i) : i == PLANES ? "diff" : NULL;
}

static const char *layout_word(size_t i)
{
	return i < LAYOUT_KINDS ? layout_name((enum layout_kind)i) : NULL;
}

static const char *severity_word(size_t i)
{
	return i < SEVERITIES ? severity_name((enum severity)i) : NULL;
}

static const char *abi_word(size_t i)
{
	return i < ABI_COUNT ? abi_name((enum abi)i) : NULL;
}

static const char *theme_word(size_t i)
{
	return i < THEMES ? theme_name((enum theme)i) : NULL;
}

static const char *column_word(size_t i)
{
	return i < n_columns ? columns[i].id : NULL;
}

static const struct {
	const char *option;
	const char *(*word)(size_t i); /* the i-th; NULL: there are no more */
} values[] = {
	{"format", format_word},
	{"plane", plane_word},
	{"layout", layout_word},
	{"severity", severity_word},
	{"abi", abi_word},
	{"theme", theme_word},
	{"sort", column_word},
	{"columns", column_word},
};

/* Words with spaces between; "": it has none. */
static void list_words(const char *option, char *out, size_t size)
{
	size_t n = 0;

	*out = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		for (size_t k = 0; !strcmp(values[i].option, option) && values[i].word(k); k++)
			if (n < size)
				n += (size_t)snprintf(
					out + n, size - n, "%s%s", k ? " " : "", values[i].word(k));
}

/* ---- the table ---- */

static void print_row(
	FILE *out, const char *command, const char *word, const char *follows, const char *help)
{
	fprintf(out, "%s\t%s\t%s\t%s\n", command, word, follows, help);
}

/* Of what kind the value of an option is: one of its words, or what its name in the help says. */
static void say_value(const struct option_row *option, char *out, size_t size)
{
	char words[1000];

	list_words(option->name, words, sizeof(words));
	if (!option->argument)
		snprintf(out, size, "-");
	else if (*words)
		snprintf(out, size, "%c%s", strcmp(option->argument, "LIST") ? '=' : ',', words);
	else if (!strcmp(option->argument, "FILE") || !strcmp(option->argument, "PATH") ||
		 !strcmp(option->argument, "DIR"))
		snprintf(out, size, "file");
	else
		snprintf(out, size, "any");
}

static void print_options(FILE *out, const char *name, const struct command *command)
{
	struct option_row option;
	char value[1024], word[64];

	for (size_t i = 0; options_next(command, &i, &option);) {
		say_value(&option, value, sizeof(value));
		snprintf(word, sizeof(word), "--%s", option.name);
		print_row(out, name, word, value, option.help);
		snprintf(word, sizeof(word), "-%c", option.letter);
		if (option.letter)
			print_row(out, name, word, value, option.help);
	}
	print_row(out, name, "--help", "-", "what it does, and what it takes");
	if (command->takes_command)
		print_row(out, name, "--", "program", "start this once everything is watched");
	if (command->takes_vm)
		print_row(out, name, "", "vm", "");
	if (command->takes_args)
		print_row(out, name, "", "file", "");
	if (command->takes_id)
		print_row(out, name, "", "any", "");
}

/* What follows `replay FILE`. */
static void print_replay(FILE *out)
{
	struct command replayed;
	char name[64];

	print_row(out, "replay", "", "file", "");
	for (size_t i = 0; commands[i]; i++) {
		if (!commands[i]->replays)
			continue;
		replayed = command_replayed(commands[i]);
		snprintf(name, sizeof(name), "replay %s", replayed.name);
		print_row(out, "replay", replayed.name, "command", replayed.summary);
		print_options(out, name, &replayed);
	}
}

void table_print(FILE *out)
{
	const struct command *const *inner;

	for (size_t i = 0; commands[i]; i++) {
		print_row(out, "", commands[i]->name, "command", commands[i]->summary);
		print_options(out, commands[i]->name, commands[i]);
		for (inner = commands[i]->commands; inner && *inner; inner++) {
			/* its name has that of the outer one before it */
			print_row(out, commands[i]->name,
				(*inner)->name + strlen(commands[i]->name) + 1, "command",
				(*inner)->summary);
			print_options(out, (*inner)->name, *inner);
		}
	}
	print_replay(out);
	print_row(out, "", "--help", "-", "the commands");
	print_row(out, "", "--version", "-", "which one this is");
}
