/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as an Accept header, and as a text in OpenMetrics: one of two formats is chosen, and no
 * line of the other comes to be that was not there. Build: make fuzzers. */
#include <stdlib.h>
#include <string.h>

#include "metrics/exchange.h"
#include "metrics/text.h"

static void require(bool condition)
{
	if (!condition)
		abort();
}

static size_t lines(const char *bytes, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += bytes[i] == '\n';
	return count + (n && bytes[n - 1] != '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	char *accept = strndup(bytes, size);
	struct text out = {};
	enum metrics_format format;

	require(accept != NULL);
	format = metrics_negotiate(accept);
	require(format == METRICS_OPENMETRICS || format == METRICS_TEXT);
	require(format == METRICS_TEXT || strcasestr(accept, "application/openmetrics-text"));
	free(accept);

	metrics_downgrade(&out, bytes, size);
	require(!out.failed);
	require(lines(out.bytes, out.n) <= lines(bytes, size));
	require(!out.n || out.bytes[out.n - 1] == '\n');
	text_free(&out);
	return 0;
}
