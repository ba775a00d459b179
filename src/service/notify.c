/* SPDX-License-Identifier: GPL-2.0-only */
#include "service/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"

void notify_init(struct notify *notify)
{
	uint64_t usec = 0;

	*notify = (struct notify){};
	if (sd_watchdog_enabled(0, &usec) > 0)
		notify->watchdog_ns = usec * 1000 / 2;
}

void notify_turn(struct notify *notify, uint64_t now_ns)
{
	if (!notify->watchdog_ns || now_ns - notify->told_ns < notify->watchdog_ns)
		return;
	notify->told_ns = now_ns;
	sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_due(const struct notify *notify)
{
	return notify->watchdog_ns ? notify->told_ns + notify->watchdog_ns : UINT64_MAX;
}

void notify_status(struct notify *notify, const char *format, ...)
{
	char status[sizeof(notify->status)];
	va_list args;

	va_start(args, format);
	vsnprintf(status, sizeof(status), format, args);
	va_end(args);
	if (!strcmp(status, notify->status))
		return;
	snprintf(notify->status, sizeof(notify->status), "%s", status);
	sd_notifyf(0, "STATUS=%s", status);
}

void notify_ready(struct notify *notify)
{
	notify->ready = true;
	sd_notify(0, "READY=1");
}

/* The time tells systemd that this is about its own signal, and no earlier one. */
void notify_reloading(void)
{
	sd_notifyf(
		0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(clock_now_ns() / 1000));
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}
