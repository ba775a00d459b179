/* SPDX-License-Identifier: GPL-2.0-only */
/* Records, keys and the clock meet here: src/top knows none of where they come from. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/seek.h"
#include "cli/session.h"
#include "cli/top_actions.h"
#include "cli/top_config.h"
#include "cli/top_cost.h"
#include "cli/top_policy.h"
#include "cli/top_request.h"
#include "top/batch.h"
#include "top/screen.h"
#include "top/stats.h"

#define DRAW_NS  40000000ull /* at most so often, unless a key asks for it */
#define LOOK_NS  20000000ull /* at least so often keys are looked for while records come in */
#define POLL_MS  50
#define PACE_RECORDS 64 /* that are due and come without a look at the clock */
#define MAX_KEPT 256 /* VMs that ended */

struct run {
	const struct options *options;
	struct top *top;
	struct top_policies policies;
	struct settings *settings;
	struct top_config config;
	struct top_request request;

	/* with a screen */
	struct screen *screen; /* NULL: batch mode */
	struct cells cells;
	struct top_meter meter;
	struct live *live; /* NULL: of a capture, or the daemon's */
	uint64_t drawn_ns;
	bool started, quit;

	/* without */
	unsigned long left; /* tables yet to be written; 0: no end */
	bool whole, done;   /* whole: one table of all records */
	uint64_t ticks;

	/* a capture */
	uint64_t playhead_ns, wall_ns, looked_ns; /* 0: it has not begun */
	uint64_t step_ticks, unpaced;
	uint64_t first_ns, now_ns; /* of its first record; of the one that is next */
	struct seeker *seeker; /* NULL: it has no other times to go to */
};

/* ---- the screen ---- */

static int draw(struct run *run)
{
	int width, height;

	screen_size(run->screen, &width, &height);
	if (cells_resize(&run->cells, width, height))
		return -ENOMEM;
	top_draw(run->top, &run->cells);
	screen_present(run->screen, &run->cells);
	run->drawn_ns = clock_now_ns();
	return 0;
}

static void change(struct run *run, uint32_t id, enum top_wish wish)
{
	const struct vm *vm = top_vm(run->top, id);
	char label[VM_SHORT_SIZE];
	struct error err = {};

	if (!vm || !vm->alive)
		top_say(run->top, true, "the VM has ended");
	else if (top_act(vm, wish, &err))
		top_say(run->top, true, "%s%s%s", err.text, err.advice[0] ? "; " : "", err.advice);
	else
		top_say(run->top, false, "VM %u %s %s", vm->id, vm_label_short(vm, label),
			top_act_outcome(wish));
	top_policies_forget(&run->policies);
}

static void save(struct run *run)
{
	struct top_settings settings = run->config.settings;
	struct error err = {};

	if (run->request.theme < THEMES)
		settings.theme = run->request.theme;
	top_get_settings(run->top, &settings);
	if (top_config_write(&run->config, &settings, &err)) {
		top_say(run->top, true, "%s", err.text);
		return;
	}
	top_settings_saved(run->top);
	top_say(run->top, false, "saved to %s", run->config.path);
}

/* To another time of the capture. Up to there it is played without waiting: from the nearest state
 * before it that leaves room for the history on the screen, or, forward, from here. */
static void go_to(struct run *run, uint64_t ts_ns)
{
	uint64_t history_ns = STATS_HISTORY * top_interval_ns(run->top);

	if (!run->seeker || !run->first_ns)
		return;
	if (ts_ns < run->playhead_ns || top_playback(run->top)->ended ||
		seeker_helps(run->seeker, run->now_ns, ts_ns, history_ns))
		seeker_want(run->seeker, ts_ns, history_ns);
	run->playhead_ns = ts_ns;
}

static void grant(struct run *run)
{
	uint32_t vm;
	enum top_wish wish = top_take_wish(run->top, &vm);

	switch (wish) {
	case WISH_QUIT:
		run->quit = true;
		break;
	case WISH_RESTART:
		go_to(run, run->first_ns);
		break;
	case WISH_FREEZE:
	case WISH_RELEASE:
	case WISH_MONITOR:
	case WISH_ENFORCE:
		change(run, vm, wish);
		break;
	case WISH_SAVE:
		save(run);
		break;
	case WISH_REDRAW:
		screen_redraw(run->screen);
		break;
	default:
		break;
	}
}

static void seek(struct run *run)
{
	struct playback *p = top_playback(run->top);
	int64_t at = (int64_t)(run->playhead_ns - run->first_ns) + p->seek_ns;

	p->seek_ns = 0;
	go_to(run, run->first_ns + (at > 0 ? (uint64_t)at : 0));
}

/* Takes keys in and draws what changed. */
static int look(struct run *run, struct error *err)
{
	struct top_cost cost;
	struct key_press press;
	bool pressed = false;
	int r = 0;

	if (!run->started) {
		r = screen_start(run->screen, err);
		if (r)
			return r;
		run->started = true;
		top_set_colours(run->top, screen_colours(run->screen));
	}
	while (screen_read(run->screen, &press)) {
		top_press(run->top, &press);
		grant(run);
		if (top_playback(run->top)->seek_ns)
			seek(run);
		pressed = true;
	}
	run->quit |= screen_is_over(run->screen);
	if (top_meter_read(&run->meter, run->live, &cost))
		top_set_cost(run->top, &cost);
	if (pressed || (top_is_stale(run->top) && clock_now_ns() - run->drawn_ns >= DRAW_NS))
		r = draw(run);
	return r ? error_set(err, r, "out of memory") : 0;
}

static void wait_for_keys(struct run *run, int timeout_ms)
{
	struct pollfd fd = {.fd = screen_fd(run->screen), .events = POLLIN};

	poll(&fd, 1, timeout_ms);
}

/* ---- batch mode ---- */

static int write_table(struct run *run)
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
static int write_tables(struct run *run)
{
	if (run->whole || run->done || top_ticks(run->top) == run->ticks)
		return 0;
	run->ticks = top_ticks(run->top);
	return write_table(run);
}

/* ---- records ---- */

static void watch(void *context, const struct model *model, const struct style *style)
{
	struct run *run = context;

	top_watch(run->top, model, style);
}

static int restored(void *context, const struct model *model, struct detect *detect)
{
	struct run *run = context;

	(void)model;
	return top_restored(run->top, detect, run->first_ns);
}

static int on_event(void *context, const struct style *style, const struct event *event)
{
	struct run *run = context;
	int r = top_event(run->top, event);

	(void)style;
	if (!r && !run->screen)
		r = write_tables(run);
	return r || !run->done ? r : -EPIPE;
}

static int on_finding(void *context, const struct style *style, const struct finding *finding,
	enum finding_phase phase)
{
	struct run *run = context;

	(void)style;
	return top_finding(run->top, finding, phase);
}

static int turn(void *context, const struct model *model, struct error *err)
{
	struct run *run = context;
	int r;

	top_policies_look(&run->policies, run->top, model);
	if (!run->screen)
		return run->done;
	r = look(run, err);
	return r ? r : run->quit;
}

static void stop(void *context)
{
	struct run *run = context;

	run->live = NULL;
	if (run->screen)
		screen_stop(run->screen);
}

static int start(void *context, struct live *live, int (*pump)(void *), void *session,
	struct error *err)
{
	struct run *run = context;

	(void)pump;
	(void)session;
	(void)err;
	run->live = live;
	return 0;
}

/* ---- a capture ---- */

/* While it was stopped (Ctrl-Z) nothing of the capture passes. */
static uint64_t passed(const struct run *run, uint64_t now)
{
	return now - run->wall_ns < 2 * POLL_MS * 1000000ull ? now - run->wall_ns
							     : POLL_MS * 1000000ull;
}

/* Whether the record of this time is due. The time of a capture passes as that of the day, times
 * the speed; what was seen of it passes at once. */
static bool is_due(struct run *run, uint64_t ts_ns)
{
	struct playback *p = top_playback(run->top);
	uint64_t now = clock_now_ns();

	run->now_ns = ts_ns;
	if (!run->first_ns)
		run->first_ns = run->playhead_ns = ts_ns;
	else if (run->wall_ns && !p->paused)
		run->playhead_ns += (uint64_t)((double)passed(run, now) * p->speed);
	run->wall_ns = now;
	if (p->step && top_ticks(run->top) != run->step_ticks) {
		p->step = false;
		run->step_ticks = top_ticks(run->top);
	}
	if (p->step && ts_ns > run->playhead_ns)
		run->playhead_ns = ts_ns;
	if (!p->step)
		run->step_ticks = top_ticks(run->top);
	return ts_ns <= run->playhead_ns;
}

static int until_due_ms(const struct run *run, uint64_t ts_ns)
{
	double ms = (double)(ts_ns - run->playhead_ns) / 1e6 / top_playback(run->top)->speed;

	return ms < 1 ? 1 : ms > POLL_MS ? POLL_MS : (int)ms;
}

/* Nothing more is to be read from here. */
static bool leaves(const struct run *run)
{
	return run->quit || seeker_is_wanted(run->seeker);
}

static int pace(void *context, uint64_t ts_ns, struct error *err)
{
	struct run *run = context;
	int r;

	/* What is to be played at once comes by the million. */
	if (ts_ns <= run->playhead_ns && ++run->unpaced % PACE_RECORDS &&
		!top_playback(run->top)->step) {
		run->now_ns = ts_ns;
		return 0;
	}
	for (;;) {
		bool due = is_due(run, ts_ns);

		if (!due || run->wall_ns - run->looked_ns >= LOOK_NS) {
			run->looked_ns = run->wall_ns;
			r = look(run, err);
			if (r)
				return r;
		}
		if (leaves(run))
			return -EPIPE;
		if (due)
			return 0;
		wait_for_keys(run, until_due_ms(run, ts_ns));
	}
}

/* The capture is at its end: what it came to stays on the screen. */
static int stay(struct run *run, struct error *err)
{
	int r = 0;

	top_playback(run->top)->ended = true;
	top_close_interval(run->top, false);
	while (!leaves(run) && !r) {
		r = look(run, err);
		if (!r && !leaves(run))
			wait_for_keys(run, POLL_MS);
	}
	return r;
}

static int finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	struct run *run = context;
	int r = 0;

	(void)style;
	(void)model;
	if (run->screen && run->seeker && !leaves(run))
		r = stay(run, err);
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
static void take_config(struct run *run, struct top_options *top)
{
	top_config_read(&run->config);
	top->saved = &run->config.settings;
	top->saved_bad = run->config.bad;
	if (run->config.settings.interval_ns)
		top->interval_ns = run->config.settings.interval_ns;
}

/* Without the folders: a line has to do. */
static void say_bad_config(struct run *run)
{
	const char *text = run->config.why.text, *name = strstr(text, "/kvm-encstat/top.yaml");

	top_say(run->top, true, "%s; it does not count",
		name ? name + strlen("/kvm-encstat/") : text);
}

/* NO_COLOR is stronger than what was saved, and an option than both. */
static enum theme theme_of(const struct run *run)
{
	enum theme standard = theme_default();

	if (run->request.theme < THEMES)
		return run->request.theme;
	return standard == THEME_MONO || run->config.settings.theme == THEMES
		       ? standard
		       : run->config.settings.theme;
}

static int parse(struct run *run, struct top_options *top, struct error *err)
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

static int play(struct run *run, struct error *err)
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
		reader.pace = pace;
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

static void release(struct run *run)
{
	screen_free(&run->screen);
	seeker_free(&run->seeker);
	cells_free(&run->cells);
	top_free(&run->top);
	settings_free(&run->settings);
}

static int run_top(const struct options *options, struct error *err)
{
	_cleanup_(release) struct run run = {.options = options};
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
