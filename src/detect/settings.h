/* SPDX-License-Identifier: GPL-2.0-only */
/* What detectors are set to: their own defaults, as the configuration changed them. */
#ifndef DETECT_SETTINGS_H
#define DETECT_SETTINGS_H

#include "base/error.h"
#include "detect/detector.h"

#define SETTINGS_TYPES  (KES_VM_TYPE_MAX + 1) /* the last one: types newer than this program */
#define SETTINGS_SACRED 64

struct settings {
	uint64_t values[SETTINGS_TYPES][FINDING_KINDS][SETTINGS_MAX];
	uint32_t enabled[SETTINGS_TYPES]; /* ON() of finding kinds */
	struct sacred sacred[SETTINGS_SACRED];
	size_t n_sacred;
	char *texts[2 * SETTINGS_SACRED]; /* what sacred points to, if it is the configuration's */
	size_t n_texts;
};

/* All defaults, from detectors[]. -ENOMEM. */
int settings_new(struct settings **ret);
void settings_free(struct settings **settings);

/* The row of a VM type. */
static inline size_t settings_type(uint32_t type)
{
	return type < KES_VM_TYPE_MAX ? type : KES_VM_TYPE_MAX;
}

/* Reads the part `findings` of a configuration file over them; the error says file:line:column, and
 * nothing is changed then. -ENOENT: there is no such file. */
int settings_load(struct settings *settings, const char *path, struct error *err);

#endif
