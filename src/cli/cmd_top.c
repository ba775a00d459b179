/* SPDX-License-Identifier: GPL-2.0-only */
/* Records, keys and the clock meet here: src/top knows none of where they come from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/top_run.h"
#include "top/batch.h"

#define MAX_KEPT 256 /* VMs that ended */

/* ---- batch mode ---- */

static int write_table(struct top_run *run)
{
	if (run->options->format == FORMAT_JSON)
		batch_write_json(stdout, run->top);
	else
		batch_write_text(stdout, run->top);
	if (run->left && !--run->left)
		run->done = true;
	return fflush(stdout) || ferror(stdout) ? -EPIPE : 0;
}

/* An interval may have ended. */
static int write_tables(struct top_run *run)
{
	if (run->whole || run->done || top_ticks(run->top) == run->ticks)
		return 0;
	run->ticks = top_ticks(run->top);
	return write_table(run);
}

/* ---- records ---- */

static void watch(void *context, const struct model *model, const struct style *style)
{
	struct top_run *run = context;

	top_watch(run->top, model, style);
}

static int restored(void *context, const struct model *model, struct detect *detect)
{
	struct top_run *run = context;

	(void)model;
	return top_restored(run->top, detect, run->first_ns);
}

static int on_event(void *context, const struct style *style, const struct event *event)
{
	struct top_run *run = context;
	int r = top_event(run->top, event);

	(void)style;
	if (!r && !run->screen)
		r = write_tables(run);
	return r || !run->done ? r : -EPIPE;
}

static int on_finding(void *context, const struct style *style, const struct finding *finding,
	enum finding_phase phase)
{
	struct top_run *run = context;

	(void)style;
	return top_finding(run->top, finding, phase);
}

static int turn(void *context, const struct model *model, struct error *err)
{
	struct top_run *run = context;
	int r;

	top_policies_look(&run->policies, run->top, model);
	if (!run->screen)
		return run->done;
	r = top_look(run, err);
	return r ? r : run->quit;
}

static void stop(void *context)
{
	struct top_run *run = context;

	run->live = NULL;
	if (run->screen)
		screen_stop(run->screen);
}

static int start(
	void *context, struct live *live, int (*pump)(void *), void *session, struct error *err)
{
	struct top_run *run = context;

	(void)pump;
	(void)session;
	(void)err;
	run->live = live;
	return 0;
}

static int finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	struct top_run *run = context;
	int r = 0;

	(void)style;
	(void)model;
	if (run->screen && run->seeker && !top_leaves(run))
		r = top_stay(run, err);
	/* What is left of the last interval: the records have an end, or COMMAND had. */
	if (!run->screen && !run->done) {
		top_close_interval(run->top, run->whole || !run->ticks);
		write_table(run);
	}
	top_unwatch(run->top);
	return r;
}

static bool wants_screen(const struct options *o)
{
	return !o->batch && !o->once && !o->samples && o->format != FORMAT_JSON && !o->command &&
	       isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* What the user has saved is for his screen: tables for programs are the same everywhere. */
static void take_config(struct top_run *run, struct top_options *top)
{
	top_config_read(&run->config);
	top->saved = &run->config.settings;
	top->saved_bad = run->config.bad;
	if (run->config.settings.interval_ns)
		top->interval_ns = run->config.settings.interval_ns;
}

/* Without the folders: a line has to do. */
static void say_bad_config(struct top_run *run)
{
	const char *text = run->config.why.text, *name = strstr(text, "/kvm-encstat/top.yaml");

	top_say(run->top, true, "%s; it does not count",
		name ? name + strlen("/kvm-encstat/") : text);
}

/* NO_COLOR is stronger than what was saved, and an option than both. */
static enum theme theme_of(const struct top_run *run)
{
	enum theme standard = theme_default();

	if (run->request.theme < THEMES)
		return run->request.theme;
	return standard == THEME_MONO || run->config.settings.theme == THEMES
		       ? standard
		       : run->config.settings.theme;
}

static int parse(struct top_run *run, struct top_options *top, struct error *err)
{
	struct top_request *request = &run->request;
	int r = top_request_parse(request, run->options, err);

	if (r)
		return r;
	if (request->interval_ns)
		top->interval_ns = request->interval_ns;
	top->speed = request->speed;
	run->left = request->tables;
	run->whole = run->options->once && run->options->file;
	return 0;
}

/* ---- the command ---- */

static int play(struct top_run *run, struct error *err)
{
	struct reader reader = {
		.watch = watch,
		.event = on_event,
		.finding = on_finding,
		.finish = finish,
		.context = run,
		.max_ended = MAX_KEPT,
		.wants_resident = true,
		.endless = true,
		.quiet = run->screen != NULL,
		.turn = turn,
		.stop = stop,
	};
	int status;

	if (run->screen) {
		reader.start = start;
		reader.count_runs = !run->options->no_kernel_stats;
		reader.input_fd = screen_fd(run->screen);
	}
	if (run->screen && run->options->file) {
		if (seeker_new(&run->seeker, 0)) {
			error_set(err, -ENOMEM, "out of memory");
			return EXIT_FAILED;
		}
		reader.pace = top_pace;
		reader.restored = restored;
		reader.seeker = run->seeker;
	}
	do {
		run->wall_ns = run->looked_ns = run->step_ticks = 0;
		status = session_run(run->options, &reader, false, err);
	} while (status != EXIT_FAILED && run->seeker && seeker_is_wanted(run->seeker) &&
		 !run->quit);
	return run->screen && status == EXIT_PARTIAL ? EXIT_DONE : status;
}

static void release(struct top_run *run)
{
	screen_free(&run->screen);
	seeker_free(&run->seeker);
	cells_free(&run->cells);
	top_free(&run->top);
	settings_free(&run->settings);
}

static int run_top(const struct options *options, struct error *err)
{
	_cleanup_(release) struct top_run run = {.options = options};
	struct top_options top = {
		.interval_ns = 1000000000ull,
		.filter = options->filter,
		.sort = options->sort,
		.columns = options->columns,
		.file = options->file,
		.ascii = options->ascii,
		.actions = options->allow_actions && !options->file,
		.speed = 1,
		.ended = options->all || options->file || options->command,
	};
	bool screen = wants_screen(options);
	int r;

	if (screen)
		take_config(&run, &top);
	r = parse(&run, &top, err);
	if (!r && screen) {
		if (session_settings(options, &run.settings, err))
			return EXIT_FAILED;
		top.settings = run.settings;
	}
	if (!r)
		r = top_new(&run.top, &top, err);
	if (r)
		return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	if (screen && screen_new(&run.screen, theme_of(&run), err))
		return EXIT_FAILED;
	if (run.config.bad)
		say_bad_config(&run);
	return play(&run, err);
}

const struct command command_top = {
	.name = "top",
	.arguments = "[--from FILE] [--filter EXPR] [--sort COLUMN] [--batch | --once] [--json]",
	.summary = "the live view: who shares what, what changes now, what is wrong",
	.text = "Shows the VMs and their figures as they change, as htop shows processes; ? lists "
		"the keys.\n"
		"Without a terminal, and with --batch, --once, --samples or --json it prints plain "
		"tables.\n"
		"--from plays a capture in the same screen.",
	.options = OPT_READ | OPT_JSON | OPT_ALL | OPT_ASCII | OPT_CONFIG | OPT_TOP,
	.takes_command = true,
	.replays = true,
	.run = run_top,
};
