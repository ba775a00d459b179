/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/policy.h"

#include <errno.h>
#include <strings.h>

#include "base/cleanup.h"
#include "verdict.h"

static const char *const names[] = {
	[POLICY_UNKNOWN] = "-",
	[POLICY_UNREADABLE] = "?",
	[POLICY_NONE] = "none",
	[POLICY_MONITOR] = "monitor",
	[POLICY_ENFORCE] = "enforce",
	[POLICY_FROZEN] = "frozen",
};
_Static_assert(ARRAY_SIZE(names) == POLICY_MODES, "a name for each mode");

const char *policy_mode_name(enum policy_mode mode)
{
	return names[mode];
}

int policy_mode_from_name(const char *name, enum policy_mode *ret)
{
	for (int i = 0; i < POLICY_MODES; i++)
		if (!strcasecmp(name, names[i])) {
			*ret = (enum policy_mode)i;
			return 0;
		}
	return -EINVAL;
}

enum policy_mode policy_mode_of(const struct event *verdict)
{
	const struct kes_judgement *j = verdict->judgement;

	if (!j->set) /* a proof's */
		return POLICY_UNKNOWN;
	if (j->action == KES_FREEZE)
		return POLICY_FROZEN;
	if (j->line || j->action >= KES_DENY)
		return POLICY_ENFORCE;
	return j->would_line ? POLICY_MONITOR : POLICY_UNKNOWN;
}
