/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as a configuration: what is taken is shown as YAML that is taken, too, and means the
 * same; what is not has an error with its place. Build: make fuzzers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/hostile_names.h"
#include "output/config.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static char *shown(const struct config *config, size_t *ret_size)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_size);

	require(out);
	config_write_text(out, config);
	require(!fclose(out));
	return text;
}

/* The ends of lines are ours. */
static void check_lines(const char *text)
{
	char *copy = strdup(text), *line, *rest = copy;

	require(copy);
	while ((line = strsep(&rest, "\n")))
		require(!hostile_complaint(line));
	free(copy);
}

/* Texts may be shown escaped, which is not what they were: only numbers have to come back. */
static void check_same(const struct config *a, const struct config *b)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (config_keys[i].type != CONFIG_TEXT && config_keys[i].type != CONFIG_FILE)
			require(config_equal(a, b, &config_keys[i]));
	require(!memcmp(a->settings->values, b->settings->values, sizeof(a->settings->values)));
	require(!memcmp(a->settings->enabled, b->settings->enabled, sizeof(a->settings->enabled)));
	require(a->settings->n_sacred == b->settings->n_sacred);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	/* Exactly as large, so that the sanitizer sees each byte read beyond. */
	unsigned char *copy = malloc(size ? size : 1);
	struct config *config = NULL, *again = NULL;
	struct error err = {};
	char *text;
	int r;

	require(copy);
	if (size)
		memcpy(copy, data, size);
	r = config_parse(&config, "file", copy, size, &err);
	free(copy);
	if (r) {
		require(!config && (r == -EINVAL || r == -EFBIG) && err.code == r);
		require(!strncmp(err.text, "file:", 5) && !hostile_complaint(err.text));
		return 0;
	}
	text = shown(config, &size);
	check_lines(text);
	require(!config_parse(&again, "file", text, size, &err));
	check_same(config, again);
	free(text);
	config_free(&config);
	config_free(&again);
	return 0;
}
