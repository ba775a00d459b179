/* SPDX-License-Identifier: GPL-2.0-only */
/* What a long run says of itself, a line each on stderr. Where journald reads that, each line tells
 * it how grave it is. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <syslog.h> /* LOG_ERR ... */

/* "kvm-encstat: ..."; what is others' bytes in it has been escaped. */
void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
