/* SPDX-License-Identifier: GPL-2.0-only */
/* A configuration as a person, or a program, reads it: what holds, and where that is written. */
#ifndef OUTPUT_CONFIG_H
#define OUTPUT_CONFIG_H

#include <stdio.h>

#include "config/config.h"

/* As YAML that means the same, each value with its place beside it. */
void config_write_text(FILE *out, const struct config *config);

/* A line of JSON for each value. */
void config_write_json(FILE *out, const struct config *config);

/* A value as it would be written. Cut if it is longer. */
void config_value(
	const struct config *config, const struct config_key *key, char *text, size_t size);
#define CONFIG_VALUE_SIZE 4200

#endif
