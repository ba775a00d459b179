/* SPDX-License-Identifier: GPL-2.0-only */
/* Metrics where the daemon runs: it has counted for longer than we could. */
#include <errno.h>
#include <json-c/json.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/cmd_metrics.h"
#include "cli/options.h"
#include "cli/remote.h"
#include "metrics/metrics.h"
#include "service/client.h"

/* A connection each time: the daemon may be another one by then. */
static int fetch(const struct options *options, char **ret, size_t *ret_size, struct error *err)
{
	_cleanup_(daemon_client_free) struct daemon_client *client = NULL;
	json_object *parameters;
	int r = remote_open(&client, options, err);

	if (!r)
		r = error_set(err, -ECONNREFUSED, "the daemon is gone");
	if (r < 0)
		return r;
	parameters = json_object_new_object();
	json_object_object_add(parameters, "format",
		json_object_new_string(
			options->textfile || options->plain ? "text" : "openmetrics"));
	return daemon_client_text(
		client, "MetricsText", parameters, CLIENT_TIMEOUT_MS, ret, ret_size, err);
}

static int write_once(const struct options *options, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = fetch(options, &text, &size, err);

	if (r)
		return r;
	if (options->textfile)
		return metrics_write_file(options->textfile, text, size, err);
	fwrite(text, 1, size, stdout);
	return fflush(stdout) ? error_set(err, -errno, "writing the output failed") : 0;
}

/* A textfile is kept until a signal or --duration ends it. */
int metrics_run_remote(const struct options *options, uint64_t interval_ns, struct error *err)
{
	const struct timespec interval = {
		(time_t)(interval_ns / SECOND_NS), (long)(interval_ns % SECOND_NS)};
	uint64_t end_ns = options->duration_s < 0
				  ? UINT64_MAX
				  : clock_now_ns() + (uint64_t)(options->duration_s * 1e9);
	int r = write_once(options, err);

	while (!r && options->textfile && clock_now_ns() < end_ns) {
		nanosleep(&interval, NULL);
		r = write_once(options, err);
	}
	return r;
}
