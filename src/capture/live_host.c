/* SPDX-License-Identifier: GPL-2.0-only */
/* What there is to say of the host itself: its kernel, what cannot be seen on it, and how late it
 * is. */
#include <linux/version.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "capture/live_private.h"

static uint32_t kernel_release(void)
{
	struct utsname uts;
	unsigned int major, minor, patch = 0;

	if (uname(&uts) || sscanf(uts.release, "%u.%u.%u", &major, &minor, &patch) < 2)
		return 0;
	return KERNEL_VERSION(major & 0xff, minor & 0xff, patch);
}

static struct kes_host_info describe(const struct live *live)
{
	const struct hook *hooks = live->hooks;
	struct kes_host_info info = {.release = kernel_release()};

	if (!live->trampoline_err && live->trampoline)
		info.flags |= KES_HOST_TRAMPOLINES;
	if (live->kernel_has_attributes)
		info.flags |= KES_HOST_ATTRIBUTES;
	if (live->attributes_hooked)
		info.flags |= KES_HOST_CHANGES;
	else if (live->attributes_tried)
		info.flags |= KES_HOST_NO_CHANGES;
	if (hooks[LIVE_ANSWER_RUN].state < HOOK_STANDBY &&
		hooks[LIVE_ANSWER_FPU].state < HOOK_STANDBY)
		info.flags |= KES_HOST_NO_ANSWERS;
	if (hooks[LIVE_INVENTORY].state != HOOK_ATTACHED)
		info.flags |= KES_HOST_NO_INVENTORY;
	return info;
}

int live_tell_host(struct live *live, record_fn take, void *context)
{
	struct kes_record r = {.ts_ns = clock_now_ns(), .kind = KES_HOST_INFO};

	r.host_info = describe(live);
	if (live->host_told && !memcmp(&r.host_info, &live->host_info, sizeof(r.host_info)))
		return 0;
	live->host_told = true;
	live->host_info = r.host_info;
	return take(context, &r, 1);
}

int live_tell_time(record_fn take, void *context)
{
	struct kes_record r = {.ts_ns = clock_now_ns(), .kind = KES_TIME};

	return take(context, &r, 1);
}
