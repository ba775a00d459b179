/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as the live view's settings: there is an error, and nothing has changed; or what they
 * say is written, and read as the same. Build: make fuzzers. */
#include <stdlib.h>
#include <string.h>

#include "../unit/hostile_names.h"
#include "top/settings.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check(const struct top_settings *s)
{
	struct filter filter;
	struct error err;

	require(!s->interval_ns ||
		(s->interval_ns >= INTERVAL_MIN_NS && s->interval_ns <= INTERVAL_MAX_NS));
	require(s->theme <= THEMES && s->tree < TREES && s->map < LAYOUT_KINDS &&
		s->columns.n <= COLUMNS_MAX);
	for (size_t i = 0; i < s->columns.n; i++)
		require(column_find(s->columns.columns[i]->id) == s->columns.columns[i]);
	require(!filter_parse(&filter, s->filter, &err));
}

static void check_round_trip(const struct top_settings *s)
{
	struct top_settings again;
	struct error err = {};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	require(out);
	top_settings_write(out, s);
	fclose(out);
	require(!top_settings_parse(&again, "again", text, size, &err));
	require(again.interval_ns / 1000000 == s->interval_ns / 1000000);
	require(again.sort == s->sort && again.tree == s->tree && again.theme == s->theme);
	require(again.columns.n == s->columns.n);
	require(!*again.filter || !strcmp(again.filter, s->filter));
	free(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct top_settings s, before;
	/* Exactly as large, so that the sanitizer sees each byte read beyond. */
	unsigned char *copy = malloc(size ? size : 1);
	struct error err = {};

	require(copy);
	if (size)
		memcpy(copy, data, size);
	memset(&s, 0x5a, sizeof(s));
	before = s;
	if (top_settings_parse(&s, "file", copy, size, &err)) {
		require(!strncmp(err.text, "file:", strlen("file:")));
		require(!hostile_complaint(err.text));
		require(!memcmp(&s, &before, sizeof(s)));
	} else {
		check(&s);
		check_round_trip(&s);
	}
	free(copy);
	return 0;
}
