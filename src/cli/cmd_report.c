/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "capture/file_reader.h"
#include "cli/commands.h"
#include "cli/outfile.h"
#include "cli/session.h"
#include "report/report.h"

struct report_run {
	const struct options *options;
	struct report *report;
	struct policies *policies; /* NULL: none is asked about */
	struct simulation *simulation;
	struct policy_totals totals;
	struct report_source source;
	char *metadata, problem[160];
};

/* ---- the first time ---- */

static int scan_event(void *context, const struct style *style, const struct event *event)
{
	struct report_run *run = context;

	(void)style;
	return report_scan(run->report, event);
}

static int scan_finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	struct report_run *run = context;
	int r = report_plan(run->report, model);

	(void)style;
	return r ? error_set(err, r, "out of memory") : 0;
}

/* ---- the second time ---- */

static void watch(void *context, const struct model *model, const struct style *style)
{
	struct report_run *run = context;

	report_watch(run->report, model, style);
}

static int pace(void *context, uint64_t ts_ns, struct error *err)
{
	struct report_run *run = context;

	return report_pace(run->report, ts_ns) ? error_set(err, -ENOMEM, "out of memory") : 0;
}

static int on_event(void *context, const struct style *style, const struct event *event)
{
	struct report_run *run = context;
	int r = report_event(run->report, event);

	(void)style;
	return r || !run->simulation ? r : simulation_event(run->simulation, event);
}

static int count_verdict(void *context, const struct verdict *verdict)
{
	struct report_run *run = context;

	return policy_totals_add(&run->totals, verdict);
}

static void keep_source(void *context, const struct capture_reader *reader)
{
	const struct capture_info *info = capture_reader_info(reader);
	struct report_run *run = context;

	free(run->metadata);
	run->metadata = strdup(capture_reader_metadata(reader));
	snprintf(run->problem, sizeof(run->problem), "%s", info->problem);
	run->source = (struct report_source){
		.path = run->options->file,
		.metadata = run->metadata,
		.records = info->records,
		.bytes = info->bytes,
		.begin_ns = info->first_ts_ns,
		.end_ns = info->last_ts_ns,
		.incomplete = !info->ended,
		.damaged = info->state == CAPTURE_DAMAGED || info->records_lost,
		.problem = run->problem,
	};
}

struct writing {
	struct report *report;
	const struct report_page *page;
};

static int write_into(void *context, FILE *out, struct error *err)
{
	const struct writing *writing = context;

	return report_write(out, writing->report, writing->page)
		       ? error_set(err, -ENOMEM, "making the page failed: out of memory")
		       : 0;
}

static int write_page(struct report_run *run, const struct report_page *page, struct error *err)
{
	struct writing writing = {run->report, page};

	return outfile_make(run->options->output, run->options->force, write_into, &writing, err);
}

static int finish(void *context, const struct style *style, const struct model *model,
	struct detect *detect, struct error *err)
{
	struct report_run *run = context;
	struct report_page page = {
		.source = run->source,
		.style = style,
		.model = model,
		.findings_dropped = detect_dropped(detect),
		.policy = run->policies ? &run->totals : NULL,
		.policy_path = run->options->policy,
	};
	int r = report_end(run->report);

	page.findings = detect_findings(detect, &page.n_findings);
	if (r || !page.findings)
		return error_set(err, -ENOMEM, "out of memory");
	return write_page(run, &page, err);
}

/* ---- the command ---- */

static int check(const struct options *options, struct error *err)
{
	struct stat st;

	if (!options->file) {
		error_set(err, -EINVAL, "report: wants a capture");
		error_advise(err, "such as: kvm-encstat report boot.ke -o boot.html");
		return EXIT_USAGE;
	}
	if (!stat(options->file, &st) && !S_ISREG(st.st_mode)) {
		error_set(err, -ESPIPE, "report: the capture is read twice: it must be a file");
		error_advise(err, "write it to one before");
		return EXIT_FAILED;
	}
	if (!options->output && isatty(STDOUT_FILENO)) {
		error_set(err, -EINVAL, "a page is nothing for a terminal");
		error_advise(err, "write it to a file with -o FILE");
		return EXIT_USAGE;
	}
	if (options->output && outfile_check(options->output, options->force, options->file, err))
		return EXIT_FAILED;
	return 0;
}

static int read_twice(struct report_run *run, struct error *err)
{
	struct reader first = {
		.event = scan_event,
		.finish = scan_finish,
		.context = run,
		.quiet = true,
	};
	struct reader second = {
		.watch = watch,
		.pace = pace,
		.event = on_event,
		.capture = keep_source,
		.findings = finish,
		.context = run,
	};
	int r = session_run(run->options, &first, false, err);

	if (r == EXIT_FAILED)
		return r;
	r = session_run(run->options, &second, false, err);
	if (r == EXIT_FAILED && run->simulation && *simulation_error(run->simulation)->text)
		*err = *simulation_error(run->simulation);
	return r;
}

static int run(const struct options *given, struct error *err)
{
	_cleanup_(policies_free) struct policies *policies = NULL;
	struct options options = *given;
	struct report_run run = {.options = &options};
	char shown[ESCAPED_SIZE(64)];
	int r;

	if (!options.file) {
		options.file = options.vm;
	} else if (options.vm) {
		error_set(err, -EINVAL, "report: does not take '%s'",
			escape(options.vm, shown, sizeof(shown)));
		error_advise(err, "it is about the whole capture");
		return EXIT_USAGE;
	}
	options.vm = NULL;
	r = check(&options, err);
	if (r)
		return r;
	if (options.policy && policies_load(&policies, options.policy, err))
		return EXIT_FAILED;
	run.policies = policies;
	if (report_new(&run.report) ||
		(policies && simulation_new(&run.simulation, policies, count_verdict, &run))) {
		error_set(err, -ENOMEM, "out of memory");
		r = EXIT_FAILED;
	} else {
		r = read_twice(&run, err);
	}
	simulation_free(&run.simulation);
	policy_totals_free(&run.totals);
	report_free(&run.report);
	free(run.metadata);
	return r;
}

const struct command command_report = {
	.name = "report",
	.arguments = "CAPTURE [-o FILE] [--policy PATH] [--force]",
	.summary = "a capture as one page of HTML: maps over time, charts, findings",
	.text = "Writes one file that needs nothing else and loads nothing: what was recorded, how "
		"far to trust\n"
		"it, each VM's page map with a slider over time, shared memory, conversions and "
		"latencies as\n"
		"charts, findings with their evidence, verdicts of policies. With --policy also "
		"what that one\n"
		"would have said, as `policy test`. Stays under 2 MB: what was left out for that "
		"is said in it.\n"
		"`replay CAPTURE report` does the same.",
	.options = OPT_REPORT | OPT_POLICY | OPT_CONFIG | OPT_ABI | OPT_FORCE,
	.takes_vm = true,
	.replays = true,
	.run = run,
};
