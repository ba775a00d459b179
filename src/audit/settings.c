/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/settings.h"

#include <stdio.h>

/* With each conversion told, it is for the operator to see that the journal takes them. */
#define FULL_RATE 2000

void audit_settings_take(struct audit_settings *ret, const struct config *config)
{
	bool to_file =
		config->audit_to == CONFIG_AUDIT_FILE || config->audit_to == CONFIG_AUDIT_BOTH;

	*ret = (struct audit_settings){
		.journal = config->audit_to == CONFIG_AUDIT_JOURNAL ||
			   config->audit_to == CONFIG_AUDIT_BOTH,
		.full = config->audit_mode,
		.interval_ns = config->audit_interval,
		.rate = config->audit_mode ? FULL_RATE : config->audit_rate,
		.burst = config->audit_vm_burst,
		.vm_rate = config->audit_vm_rate,
		.spool_bytes = config->audit_spool,
		.file_bytes = config->audit_rotate,
		.file_count = config->audit_files,
		.sync_ns = config->audit_sync,
		.confirm = config->audit_confirm,
	};
	if (to_file)
		snprintf(ret->file, sizeof(ret->file), "%s", config->audit_file);
}
