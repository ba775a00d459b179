/* SPDX-License-Identifier: GPL-2.0-only */
/* What metrics say of the tool itself. */
#ifndef CLI_TOOL_METRICS_H
#define CLI_TOOL_METRICS_H

#include "capture/live.h"
#include "metrics/metrics.h"

/* As it is now; start_s is the caller's. Live may be NULL: no hooks are there. */
void tool_metrics_read(struct metrics_tool *tool, struct live *live, const struct model *model);

#endif
