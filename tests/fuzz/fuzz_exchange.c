/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as an Accept header: one of two formats is chosen, OpenMetrics only if it is named.
 * Build: make fuzzers. */
#include <stdlib.h>
#include <string.h>

#include "metrics/exchange.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	char *accept = strndup(bytes, size);
	enum metrics_format format;

	require(accept != NULL);
	format = metrics_negotiate(accept);
	require(format == METRICS_OPENMETRICS || format == METRICS_TEXT);
	require(format == METRICS_TEXT || strcasestr(accept, "application/openmetrics-text"));
	free(accept);
	return 0;
}
