/* SPDX-License-Identifier: GPL-2.0-only */
/* What the section `audit:` of kvm-encstat.yaml(5) comes to. */
#ifndef AUDIT_SETTINGS_H
#define AUDIT_SETTINGS_H

#include <stdbool.h>

#include "config/config.h"

#define AUDIT_PATH_MAX 3072

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
	uint64_t sync_ns;          /* the file is written through so often */
	bool confirm;              /* what was sent to the journal is read back */
};

void audit_settings_take(struct audit_settings *ret, const struct config *config);

#endif
