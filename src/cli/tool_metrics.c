/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/tool_metrics.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

_Static_assert(ARRAY_SIZE(((struct metrics_tool *)NULL)->hooks) == HOOK_STATES, "all hook states");

void tool_metrics_read(struct metrics_tool *tool, struct live *live, const struct model *model)
{
	uint64_t now = clock_now_ns(), latest = model_now(model);
	const struct hook *hooks;
	size_t n = 0;

	metrics_tool_read(tool);
	tool->capturing = live != NULL;
	tool->age_ns = now > latest ? now - latest : 0;
	memset(tool->hooks, 0, sizeof(tool->hooks));
	hooks = live ? live_hooks(live, &n) : NULL;
	for (size_t i = 0; i < n; i++)
		tool->hooks[hooks[i].state]++;
}
