/* SPDX-License-Identifier: GPL-2.0-only */
/* What the service manager hears of the daemon, by the protocol of sd_notify(3). Without a service
 * manager nothing happens. */
#ifndef SERVICE_NOTIFY_H
#define SERVICE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct notify {
	uint64_t watchdog_ns; /* between two signs of life; 0: nobody waits for them */
	uint64_t told_ns;
	bool ready;
	char status[256]; /* as told last */
};

/* Reads how often the service manager wants a sign of life: half that time is kept. */
void notify_init(struct notify *notify);

/* The capture loop has turned: a sign of life, if it is time for one. */
void notify_turn(struct notify *notify, uint64_t now_ns);

/* When it is time for the next one; UINT64_MAX: never. */
uint64_t notify_due(const struct notify *notify);

/* A line for `systemctl status`; told when it is not what was told last. */
void notify_status(struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Started, or read anew after notify_reloading(). */
void notify_ready(struct notify *notify);
void notify_reloading(void);
void notify_stopping(void);

#endif
