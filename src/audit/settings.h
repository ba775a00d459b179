/* SPDX-License-Identifier: GPL-2.0-only */
/* The section `audit:` of kvm-encstat.yaml(5). */
#ifndef AUDIT_SETTINGS_H
#define AUDIT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/yaml.h"

#define AUDIT_PATH_MAX 256

struct audit_settings {
	bool journal;              /* to journald */
	char file[AUDIT_PATH_MAX]; /* to this file, too; "": to none */
	bool full;                 /* each conversion by itself, not summaries */
	uint64_t interval_ns;      /* of summaries */
	uint64_t rate;             /* records a second to the journal, at most */
	uint64_t burst;            /* details of one VM that are told at once ... */
	uint64_t vm_rate;          /* ... and then a second; what is above is counted */
	uint64_t spool_bytes;      /* of each sink */
	uint64_t file_bytes;       /* a file that is larger is rotated */
	uint64_t file_count;       /* so many older ones are kept */
	uint64_t sync_ns;          /* the file is written through so often; 0: never */
	bool confirm;              /* what was sent to the journal is read back */
};

void audit_settings_init(struct audit_settings *settings);

/* Reads the section over them. 0 or -EINVAL with err filled; then some of it may be read. */
int audit_settings_read(
	struct audit_settings *settings, const struct yaml_node *section, struct error *err);

/* Writes them as YAML, each line behind `indent` blanks. */
void audit_settings_write(FILE *out, const struct audit_settings *settings, int indent);

#endif
