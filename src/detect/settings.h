/* SPDX-License-Identifier: GPL-2.0-only */
/* What detectors are set to: their own defaults, as the configuration changed them. */
#ifndef DETECT_SETTINGS_H
#define DETECT_SETTINGS_H

#include "base/error.h"
#include "base/sha256.h"
#include "detect/detector.h"

#define SETTINGS_TYPES  (KES_VM_TYPE_MAX + 1) /* the last one: types newer than this program */
#define SETTINGS_SACRED 64
#define SETTINGS_FILES  64
#define SETTING_ENABLED SETTINGS_MAX /* in settings.from: after a detector's own */

struct yaml;

/* Where something is written; line 0: nowhere, it is the default. */
struct setting_place {
	uint16_t file; /* of settings.files */
	uint32_t line;
};

struct settings {
	uint64_t values[SETTINGS_TYPES][FINDING_KINDS][SETTINGS_MAX];
	uint32_t enabled[SETTINGS_TYPES]; /* ON() of finding kinds */
	struct sacred sacred[SETTINGS_SACRED];
	size_t n_sacred;
	size_t n_defaults;                /* of sacred, at its beginning: our own */
	char *texts[2 * SETTINGS_SACRED]; /* what sacred points to, if it is the configuration's */
	size_t n_texts;
	struct setting_place from[SETTINGS_TYPES][FINDING_KINDS][SETTINGS_MAX + 1];
	struct setting_place sacred_from[SETTINGS_SACRED];
	char *files[SETTINGS_FILES]; /* that were read, in that order */
	unsigned char digests[SETTINGS_FILES][SHA256_BYTES]; /* of what they said */
	size_t n_files;
};

/* All defaults, from detectors[]. -ENOMEM. */
int settings_new(struct settings **ret);
void settings_free(struct settings **settings);

/* How many values are not the same in both; those for several VM types count once. */
size_t settings_differ(const struct settings *a, const struct settings *b);

/* The row of a VM type. */
static inline size_t settings_type(uint32_t type)
{
	return type < KES_VM_TYPE_MAX ? type : KES_VM_TYPE_MAX;
}

/* Reads a configuration file over them; its sections daemon, audit and metrics are
 * config/config.h's. The error says file:line:column, and nothing is changed then. A second file
 * adds to the first. -ENOENT, with err as it was: there is no such file. */
int settings_load(struct settings *settings, const char *path, struct error *err);

/* The same of what is parsed already. */
int settings_take(struct settings *settings, const struct yaml *yaml, struct error *err);

/* The same from memory; label stands for the file in errors. */
int settings_parse(struct settings *settings, const char *label, const void *text, size_t size,
	struct error *err);

#endif
