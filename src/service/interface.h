/* SPDX-License-Identifier: GPL-2.0-only */
/* The interface as it describes itself. */
#ifndef SERVICE_INTERFACE_H
#define SERVICE_INTERFACE_H

#define INTERFACE_NAME "io.kvmencstat"

/* Text of io.kvmencstat.varlink, and of varlink's own org.varlink.service. */
extern const char interface_description[];
extern const char interface_service[];

#endif
