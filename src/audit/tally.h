/* SPDX-License-Identifier: GPL-2.0-only */
/* Records, counted instead of told: by kind and VM. What comes of it are records of the kind
 * "merged", which may be merged again. */
#ifndef AUDIT_TALLY_H
#define AUDIT_TALLY_H

#include "audit/record.h"

#define TALLY_MAX 1024 /* kinds of VMs; beyond, VMs are no longer told apart */

struct tally;

/* NULL without memory. */
struct tally *tally_new(void);
void tally_free(struct tally **tally); /* fits _cleanup_() */

/* Takes in a record, merged ones, too. -ENOMEM. */
int tally_add(struct tally *tally, const struct audit_record *record);

/* How many records it stands for. */
uint64_t tally_count(const struct tally *tally);

/* Takes out the first one as a record; why: KES_WHY. False: there is none. What it stands for stays
 * until tally_drop(). */
bool tally_first(const struct tally *tally, const char *why, struct audit_record *ret);
void tally_drop(struct tally *tally);

#endif
