/* SPDX-License-Identifier: GPL-2.0-only */
/* What this program itself costs: for the line that says so. */
#ifndef CLI_TOP_COST_H
#define CLI_TOP_COST_H

#include "top/top.h"

struct top_meter {
	uint64_t at_ns, cpu_ns; /* of the last look; 0: none was taken */
};

/* What it cost since the last look, once a second; false: it is not time yet. */
bool top_meter_read(struct top_meter *meter, struct top_cost *ret);

#endif
