/* SPDX-License-Identifier: GPL-2.0-only */
/* What this program itself costs: for the line that says so. */
#ifndef CLI_TOP_COST_H
#define CLI_TOP_COST_H

#include "capture/live.h"
#include "top/top.h"

struct top_meter {
	uint64_t at_ns, cpu_ns; /* of the last look; 0: none was taken */
	uint64_t runs, run_ns;  /* of the programs in the kernel, then */
};

/* What it cost since the last look, once a second; false: it is not time yet. live: may be NULL:
 * its programs run somewhere else, or nowhere. */
bool top_meter_read(struct top_meter *meter, struct live *live, struct top_cost *ret);

#endif
