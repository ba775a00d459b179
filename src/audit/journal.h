/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records to journald, by its native protocol: systemd's docs/JOURNAL_NATIVE_PROTOCOL.md.
 * sd_journal_sendv() is not used: its socket blocks when journald's is full, and this one must not.
 */
#ifndef AUDIT_JOURNAL_H
#define AUDIT_JOURNAL_H

#include "audit/record.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* A socket for journal_send(), which the caller closes; -errno. */
int journal_open(void);

/* Never waits. -EAGAIN: journald's socket is full; -ENOENT, -ECONNREFUSED: journald is away. That
 * it was sent does not mean that it arrived: see journal_back.h. */
int journal_send(int fd, const char *socket_path, const struct audit_record *record);

#endif
