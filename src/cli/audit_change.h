/* SPDX-License-Identifier: GPL-2.0-only */
/* What somebody changes by hand in what is enforced, as records: by way of the daemon, and by a
 * command where none runs. */
#ifndef CLI_AUDIT_CHANGE_H
#define CLI_AUDIT_CHANGE_H

#include "audit/audit.h"
#include "capture/live_veto.h"
#include "config/config.h"
#include "service/server.h"

void audit_released(struct audit *audit, const struct audit_who *who, const char *why);

/* vm: as the model has it; NULL: only its label is known. */
void audit_changed(struct audit *audit, const struct audit_who *who, enum server_change what,
	const struct kes_vm_label *which, const struct vm *vm);

/* So long a command has the log at the most; a daemon that starts meanwhile waits for it, as does
 * another command. */
#define AUDIT_ALONE_MS 4000

/* Goes on with the log that the daemon keeps on this host. *ret is NULL where none is wanted, or
 * (begins: false) none was ever kept; else the caller's. */
int audit_of_host(struct audit **ret, const struct config *config, const char *mode, bool begins,
	struct error *err);

/* Goes on with the log that the daemon keeps on this host, tells that this command has made the
 * change, and ends it again. Does nothing where no daemon ever kept one; that a record is missing
 * or still waits is said. which: NULL: all was released. */
void audit_alone(enum server_change what, const struct kes_vm_label *which);

#endif
