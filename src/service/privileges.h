/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon may still do once its programs are loaded: root's files, the capabilities that
 * privileges.c names with their reasons, and the system calls of its list. There is no way back,
 * and none to another program.
 */
#ifndef SERVICE_PRIVILEGES_H
#define SERVICE_PRIVILEGES_H

#include <stdbool.h>

#include "base/error.h"

/* Of the whole process; pagemaps: those of VMMs will be read. On an error some may be gone: the
 * daemon had better end. */
int privileges_drop(bool pagemaps, struct error *err);

#endif
