/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel enforces now, read from its tables. */
#ifndef CLI_LOADED_H
#define CLI_LOADED_H

#include "base/error.h"
#include "capture/live_veto.h"
#include "capture/live_veto_tables.h"
#include "output/enforced.h"

/* All but the rules. */
int loaded_read(struct enforced *ret, const struct veto_tables *tables, struct error *err);

/* How often programs were passed over, if that is not known yet: who has given up CAP_SYS_ADMIN
 * cannot look for them, but knows its own. veto NULL: it has none. */
void loaded_add_missed(struct enforced *enforced, const struct live_veto *veto);

/* The rules and their counts: of all that have any, but for sets that nobody goes by any more and
 * that have decided nothing. */
int loaded_read_sets(
	struct enforced *enforced, const struct veto_tables *tables, struct error *err);

/* Fits _cleanup_(). */
void loaded_free(struct enforced *enforced);

/* word: an id, a pid, or a name as it is shown. -ENOENT or -ENOTUNIQ with the candidates in err. */
int loaded_find(const struct enforced *enforced, const char *word, const struct enforced_vm **ret,
	struct error *err);

#endif
