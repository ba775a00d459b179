/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as a configuration file: settings are within their bounds and the file's texts are the
 * settings' own, or there is an error with its place and nothing has changed. Build: make fuzzers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/hostile_names.h"
#include "detect/settings.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check_error(const struct error *err, int code)
{
	require(err->code == code && *err->text);
	require(!strncmp(err->text, "file:", strlen("file:")));
	require(!hostile_complaint(err->text));
	require(code == -EFBIG || code == -EINVAL);
}

static bool owns(const struct settings *settings, const char *text)
{
	for (size_t i = 0; i < settings->n_texts; i++)
		if (settings->texts[i] == text)
			return true;
	return false;
}

static void check_sacred(const struct settings *settings)
{
	require(settings->n_sacred <= SETTINGS_SACRED);
	require(settings->n_defaults <= settings->n_sacred);
	for (size_t i = settings->n_defaults; i < settings->n_sacred; i++) {
		const struct sacred *sacred = &settings->sacred[i];

		require(sacred->npages && sacred->gfn + sacred->npages <= 1ull << 40);
		require(owns(settings, sacred->name) && *sacred->name);
		require(!sacred->vm || (owns(settings, sacred->vm) && *sacred->vm));
	}
}

static void check_value(uint64_t value, enum unit unit)
{
	switch (unit) {
	case UNIT_SWITCH:
		require(value <= 1);
		return;
	case UNIT_PERCENT:
		require(value <= 100);
		return;
	case UNIT_TIME:
		require(value <= 365 * 24 * 60 * MINUTE_NS);
		return;
	default:
		require(value <= 1ull << 40);
	}
}

static void check_values(const struct settings *settings)
{
	for (size_t type = 0; type < SETTINGS_TYPES; type++) {
		require(!(settings->enabled[type] & ~(ON(FINDING_KINDS) - 1)));
		for (int kind = 0; kind < FINDING_KINDS; kind++)
			for (int i = 0; i < SETTINGS_MAX; i++)
				check_value(settings->values[type][kind][i],
					detectors[kind]->settings[i].unit);
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct settings *settings = NULL, *before = NULL;
	/* Exactly as large, so that the sanitizer sees each byte read beyond. */
	unsigned char *copy = malloc(size ? size : 1);
	struct error err;
	int r;

	require(copy && !settings_new(&settings) && !settings_new(&before));
	if (size)
		memcpy(copy, data, size);
	memset(&err, 0x5a, sizeof(err));
	r = settings_parse(settings, "file", copy, size, &err);
	free(copy);
	if (r < 0) {
		check_error(&err, r);
		require(!memcmp(settings, before, sizeof(*before)));
	} else {
		check_sacred(settings);
		check_values(settings);
	}
	settings_free(&settings);
	settings_free(&before);
	return 0;
}
