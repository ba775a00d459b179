/* SPDX-License-Identifier: GPL-2.0-only */
/* What there is to say of the host itself: its kernel, what cannot be seen on it, and how late it
 * is. */
#include <linux/version.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/live_private.h"

/* The kernel's own version behind the text, as in "#1 SMP Debian 6.1.158-1"; 0: there is none. */
static uint32_t version_after(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	unsigned int major, minor, patch;

	if (!at || sscanf(at + strlen(word), " %u.%u.%u", &major, &minor, &patch) != 3)
		return 0;
	return KERNEL_VERSION(major & 0xff, minor & 0xff, patch);
}

/* Ubuntu says it here, behind its own: "Ubuntu 6.8.0-45.45-generic 6.8.12". */
static uint32_t version_signature(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/version_signature", "re");
	unsigned int major, minor, patch;

	if (!file || fscanf(file, "%*s %*s %u.%u.%u", &major, &minor, &patch) != 3)
		return 0;
	return KERNEL_VERSION(major & 0xff, minor & 0xff, patch);
}

/* What the kernel is by its own count. Distributions name theirs X.Y.0-N, whatever is in it: such a
 * name alone says nothing. */
static uint32_t kernel_release(void)
{
	struct utsname uts;
	unsigned int major, minor, patch = 0;
	uint32_t version;

	if (uname(&uts) || sscanf(uts.release, "%u.%u.%u", &major, &minor, &patch) < 2)
		return 0;
	version = version_after(uts.version, "Debian");
	if (!version)
		version = version_signature();
	if (version || (!patch && strchr(uts.release, '-')))
		return version;
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
