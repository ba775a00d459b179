/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of a log has arrived in the journal, read back from it: journald says nothing to those that
 * send, neither when it drops their messages (rate limits, a full disk), nor when it dies with some
 * of them.
 */
#ifndef AUDIT_JOURNAL_BACK_H
#define AUDIT_JOURNAL_BACK_H

#include <stdint.h>

#include "base/sha256.h"

struct journal_back;

/* directory: of journal files; NULL: this host's. -errno: it cannot be read. */
int journal_back_open(struct journal_back **ret, const char *directory, const char *log);
void journal_back_free(struct journal_back **back); /* fits _cleanup_() */

/* Calls with each record that came since, of the last ones at first. -errno. */
typedef void (*arrived_fn)(void *context, uint64_t seq, const char *chain);
int journal_back_read(struct journal_back *back, arrived_fn fn, void *context);

#endif
