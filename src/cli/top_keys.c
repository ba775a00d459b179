/* SPDX-License-Identifier: GPL-2.0-only */
/* The screen of `top`: keys, and what they ask for beyond it. */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "cli/top_actions.h"
#include "cli/top_run.h"
#include "top/stats.h"

#define DRAW_NS 40000000ull /* at most so often, unless a key asks for it */

static int draw(struct top_run *run)
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

static void change(struct top_run *run, uint32_t id, enum top_wish wish)
{
	const struct vm *vm = top_vm(run->top, id);
	char label[VM_SHORT_SIZE];
	struct error err = {};

	if (!vm || !vm->alive)
		top_say(run->top, true, "the VM has ended");
	else if (top_act(run->options, vm, wish, &err))
		top_say(run->top, true, "%s%s%s", err.text, err.advice[0] ? "; " : "", err.advice);
	else
		top_say(run->top, false, "VM %u %s %s", vm->id, vm_label_short(vm, label),
			top_act_outcome(wish));
	top_policies_forget(&run->policies);
}

static void save(struct top_run *run)
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
static void go_to(struct top_run *run, uint64_t ts_ns)
{
	uint64_t history_ns = STATS_HISTORY * top_interval_ns(run->top);

	if (!run->seeker || !run->first_ns)
		return;
	if (ts_ns < run->playhead_ns || top_playback(run->top)->ended ||
		seeker_helps(run->seeker, run->now_ns, ts_ns, history_ns))
		seeker_want(run->seeker, ts_ns, history_ns);
	run->playhead_ns = ts_ns;
}

static void grant(struct top_run *run)
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

static void seek(struct top_run *run)
{
	struct playback *p = top_playback(run->top);
	int64_t at = (int64_t)(run->playhead_ns - run->first_ns) + p->seek_ns;

	p->seek_ns = 0;
	go_to(run, run->first_ns + (at > 0 ? (uint64_t)at : 0));
}

int top_look(struct top_run *run, struct error *err)
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

void top_wait(struct top_run *run, int timeout_ms)
{
	struct pollfd fd = {.fd = screen_fd(run->screen), .events = POLLIN};

	poll(&fd, 1, timeout_ms);
}
