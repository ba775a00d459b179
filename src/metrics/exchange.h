/* SPDX-License-Identifier: GPL-2.0-only */
/* The formats as they go over HTTP. Knows nothing of VMs: the exporter links it. */
#ifndef METRICS_EXCHANGE_H
#define METRICS_EXCHANGE_H

#include "metrics/metrics.h"

/* By an Accept header; NULL: there is none. The older format, unless the other is asked for at
 * least as much. */
enum metrics_format metrics_negotiate(const char *accept);

/* Its media type. */
const char *metrics_content_type(enum metrics_format format);

#endif
