/* SPDX-License-Identifier: GPL-2.0-only */
/* What the exporter serves, without it: on standard output once, or as a file time and again. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "cli/cmd_metrics.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "cli/tool_metrics.h"

#define INTERVAL_DEFAULT_NS (15 * SECOND_NS)

struct metrics_run {
	const struct options *options;
	struct metrics *metrics;
	const struct model *model;
	struct live *live; /* NULL: not yet, or no more */
	uint64_t interval_ns, next_ns;
	struct metrics_tool tool;
	int error;
};

static void watch(void *context, const struct model *model, const struct style *style)
{
	struct metrics_run *run = context;

	(void)style;
	run->model = model;
	run->error = metrics_watch(run->metrics, model, NULL);
}

static int on_event(void *context, const struct style *style, const struct event *event)
{
	struct metrics_run *run = context;

	(void)style;
	return run->error ?: metrics_event(run->metrics, event);
}

static int on_finding(void *context, const struct style *style, const struct finding *finding,
	enum finding_phase phase)
{
	struct metrics_run *run = context;

	(void)style;
	metrics_finding(run->metrics, finding, phase);
	return 0;
}

static int on_start(
	void *context, struct live *live, int (*pump)(void *), void *session, struct error *err)
{
	struct metrics_run *run = context;

	(void)pump;
	(void)session;
	(void)err;
	run->live = live;
	return 0;
}

/* What follows is written without the hooks. */
static void on_stop(void *context)
{
	struct metrics_run *run = context;

	tool_metrics_read(&run->tool, run->live, run->model);
	run->live = NULL;
}

/* A replay says nothing of the tool that replays: it would be another text each time. */
static int write_text(struct metrics_run *run, struct error *err)
{
	const struct options *options = run->options;
	struct metrics_view view = {.tool = options->file ? NULL : &run->tool};
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	r = metrics_write(run->metrics, &view,
		options->textfile || options->plain ? METRICS_TEXT : METRICS_OPENMETRICS, &text,
		&size);
	if (r)
		return error_set(err, r, "out of memory");
	if (options->textfile)
		return metrics_write_file(options->textfile, text, size, err);
	fwrite(text, 1, size, stdout);
	return 0;
}

static int turn(void *context, const struct model *model, struct error *err)
{
	struct metrics_run *run = context;
	uint64_t now = clock_now_ns();

	if (!run->options->textfile || now < run->next_ns)
		return 0;
	run->next_ns = now + run->interval_ns;
	tool_metrics_read(&run->tool, run->live, model);
	return write_text(run, err);
}

static uint64_t due(void *context)
{
	const struct metrics_run *run = context;

	return run->options->textfile ? run->next_ns : UINT64_MAX;
}

static int finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	(void)style;
	(void)model;
	return write_text(context, err);
}

static int parse_interval(const struct options *options, uint64_t *ret_ns, struct error *err)
{
	const char *text = options->interval;
	char *end, shown[ESCAPED_SIZE(64)];
	double seconds;

	*ret_ns = INTERVAL_DEFAULT_NS;
	if (!text)
		return 0;
	seconds = strtod(text, &end);
	if (end == text || *end || !isfinite(seconds) || seconds < 1 || seconds > 3600) {
		error_set(err, -EINVAL, "--interval cannot be '%s'",
			escape(text, shown, sizeof(shown)));
		error_advise(err, "give seconds, 1 to 3600");
		return -EINVAL;
	}
	*ret_ns = (uint64_t)(seconds * 1e9);
	return 0;
}

static int run_with(struct metrics_run *run, struct error *err)
{
	struct reader reader = {
		.watch = watch,
		.event = on_event,
		.finding = on_finding,
		.finish = finish,
		.start = on_start,
		.turn = turn,
		.due = due,
		.stop = on_stop,
		.context = run,
		.wants_resident = true,
		.endless = run->options->textfile != NULL,
		.quiet = true,
	};

	return session_run(run->options, &reader, false, err);
}

/* What the daemon says is by its own configuration. */
static bool asks_daemon(const struct options *options)
{
	return options->detail == METRICS_DETAILS && options->max_vms == SIZE_MAX &&
	       !options->config && !options->save && session_asks_daemon(options);
}

static int run(const struct options *options, struct error *err)
{
	struct metrics_options wanted = {
		.detail = options->detail < METRICS_DETAILS ? options->detail : METRICS_FULL,
		.max_vms = options->max_vms < SIZE_MAX ? options->max_vms : METRICS_VMS_DEFAULT,
	};
	struct metrics_run run = {.options = options, .tool.start_s = (uint64_t)time(NULL)};
	int r = parse_interval(options, &run.interval_ns, err);

	if (r)
		return EXIT_USAGE;
	if (asks_daemon(options))
		return metrics_run_remote(options, run.interval_ns, err) ? EXIT_FAILED : EXIT_DONE;
	r = metrics_new(&run.metrics, &wanted);
	r = r ? error_set(err, r, "out of memory"), EXIT_FAILED : run_with(&run, err);
	metrics_free(&run.metrics);
	return r;
}

const struct command command_metrics = {
	.name = "metrics",
	.arguments = "[--textfile PATH] [--detail LEVEL]",
	.summary = "numbers for Prometheus: once, or as a file for node_exporter",
	.text = "Prints the metrics of this host, or of a capture, as OpenMetrics: what is known "
		"at "
		"once, or\n"
		"after --duration. With --textfile it writes them to a file every --interval "
		"seconds, "
		"until it\n"
		"is told to end. The daemon needs neither: kvm-encstat-exporter serves its "
		"metrics.",
	.options = OPT_READ | OPT_METRICS | OPT_CONFIG,
	.replays = true,
	.run = run,
};
