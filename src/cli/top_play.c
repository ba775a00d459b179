/* SPDX-License-Identifier: GPL-2.0-only */
/* A capture in `top`: it passes as it did, or faster, or stands. */
#include <errno.h>

#include "base/clock.h"
#include "cli/top_run.h"

#define LOOK_NS      20000000ull /* at least so often keys are looked for while records come in */
#define PACE_RECORDS 64          /* that are due and come without a look at the clock */

/* While it was stopped (Ctrl-Z) nothing of the capture passes. */
static uint64_t passed(const struct top_run *run, uint64_t now)
{
	return now - run->wall_ns < 2 * TOP_POLL_MS * 1000000ull ? now - run->wall_ns
								 : TOP_POLL_MS * 1000000ull;
}

/* Whether the record of this time is due. The time of a capture passes as that of the day, times
 * the speed; what was seen of it passes at once. */
static bool is_due(struct top_run *run, uint64_t ts_ns)
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

static int until_due_ms(const struct top_run *run, uint64_t ts_ns)
{
	double ms = (double)(ts_ns - run->playhead_ns) / 1e6 / top_playback(run->top)->speed;

	return ms < 1 ? 1 : ms > TOP_POLL_MS ? TOP_POLL_MS : (int)ms;
}

bool top_leaves(const struct top_run *run)
{
	return run->quit || seeker_is_wanted(run->seeker);
}

int top_pace(void *context, uint64_t ts_ns, struct error *err)
{
	struct top_run *run = context;
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
			r = top_look(run, err);
			if (r)
				return r;
		}
		if (top_leaves(run))
			return -EPIPE;
		if (due)
			return 0;
		top_wait(run, until_due_ms(run, ts_ns));
	}
}

int top_stay(struct top_run *run, struct error *err)
{
	int r = 0;

	top_playback(run->top)->ended = true;
	top_close_interval(run->top, false);
	while (!top_leaves(run) && !r) {
		r = top_look(run, err);
		if (!r && !top_leaves(run))
			top_wait(run, TOP_POLL_MS);
	}
	return r;
}
