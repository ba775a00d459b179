/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CLI_CMD_METRICS_H
#define CLI_CMD_METRICS_H

#include <stdint.h>

#include "base/error.h"

struct options;

/* The daemon's metrics, once, or (--textfile) time and again. 0 or a negative errno, with err
 * filled. */
int metrics_run_remote(const struct options *options, uint64_t interval_ns, struct error *err);

#endif
