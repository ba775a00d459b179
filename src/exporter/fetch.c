/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "base/cleanup.h"
#include "exporter/exporter.h"
#include "service/client.h"

int fetch_metrics(const char *path, int timeout_ms, enum metrics_format format, char **ret,
	size_t *ret_size, struct error *err)
{
	_cleanup_(daemon_client_free) struct daemon_client *client = NULL;
	json_object *parameters;
	int r = daemon_client_new(&client, path, err);

	if (r)
		return r;
	parameters = json_object_new_object();
	json_object_object_add(parameters, "format",
		json_object_new_string(format == METRICS_TEXT ? "text" : "openmetrics"));
	return daemon_client_text(
		client, "MetricsText", parameters, timeout_ms, ret, ret_size, err);
}
