/* SPDX-License-Identifier: GPL-2.0-only */
/* What the halves of `top` share. */
#ifndef CLI_TOP_RUN_H
#define CLI_TOP_RUN_H

#include "cli/seek.h"
#include "cli/session.h"
#include "cli/top_config.h"
#include "cli/top_cost.h"
#include "cli/top_policy.h"
#include "cli/top_request.h"
#include "top/screen.h"

#define TOP_POLL_MS 50

struct top_run {
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
	struct seeker *seeker;     /* NULL: it has no other times to go to */
};

/* ---- top_keys.c: the screen ---- */

/* Takes keys in, does what they ask for, and draws what changed. */
int top_look(struct top_run *run, struct error *err);

/* For a key, so long. */
void top_wait(struct top_run *run, int timeout_ms);

/* ---- top_play.c: a capture, as time passes ---- */

/* Nothing more is to be read from here. */
bool top_leaves(const struct top_run *run);

/* As a reader's pace(): waits until the record of this time is due. -EPIPE: it is not to be read.
 */
int top_pace(void *context, uint64_t ts_ns, struct error *err);

/* The capture is at its end: what it came to stays on the screen. */
int top_stay(struct top_run *run, struct error *err);

#endif
