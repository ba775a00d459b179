/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live view: what it knows, what a key does to it, and what it looks like. It knows no terminal
 * and no clock: keys and records come in, cells go out.
 */
#ifndef TOP_TOP_H
#define TOP_TOP_H

#include "base/error.h"
#include "detect/detect.h"
#include "detect/settings.h"
#include "output/output.h"
#include "top/cells.h"
#include "top/columns.h"
#include "top/filter.h"
#include "top/keys.h"
#include "top/policy.h"
#include "top/settings.h"

struct top;

struct top_options {
	uint64_t interval_ns;
	const char *filter, *sort, *columns; /* NULL: not given */
	const char *file;                    /* the capture that is played; NULL: live */
	bool ascii, actions;
	double speed; /* of a capture: records' time by time of day; 0: step by step */
	bool ended;   /* show VMs that ended, too */
	const struct settings
		*settings; /* what must stay private; must outlive it. NULL: nothing */
	/* Where the others say nothing; NULL: defaults. */
	const struct top_settings *saved;
	bool saved_bad; /* a file is there that is not understood: it is asked before it goes */
};

/* -ENOMEM, or -EINVAL: one of the options makes no sense; err is filled. */
int top_new(struct top **ret, const struct top_options *options, struct error *err);
void top_free(struct top **top);

/* ---- what comes in ---- */

/* Records of a model follow, from the first on; what was known before is forgotten. */
void top_watch(struct top *top, const struct model *model, const struct style *style);
/* The model is no longer there; what was last taken of it can still be shown. */
void top_unwatch(struct top *top);

/* The model that is watched is in the middle: its past is what detect knows of it, and its totals.
 * first_ns: when all began, if that is known. -ENOMEM. */
int top_restored(struct top *top, struct detect *detect, uint64_t first_ns);

int top_event(struct top *top, const struct event *event);
int top_finding(struct top *top, const struct finding *finding, enum finding_phase phase);

/* What the tool itself costs; negative: not known. */
struct top_cost {
	double cpu_percent;
	double rss_bytes;
	double ns_per_event; /* of the kernel's half */
};
void top_set_cost(struct top *top, const struct top_cost *cost);

/* What policies do, live. vms: in order of id, those that are alive; why: of POLICIES_UNREADABLE.
 */
void top_set_policy(struct top *top, enum policy_state state, const struct vm_policy *vms, size_t n,
	const char *why);

/* How many colours what it draws will have; 0 at first. */
void top_set_colours(struct top *top, int colours);

void top_press(struct top *top, const struct key_press *press);

/* ---- what comes out ---- */

void top_draw(struct top *top, struct cells *cells);

/* As they are now; the theme is not top's, and is left as it is. */
void top_get_settings(const struct top *top, struct top_settings *settings);
/* They were saved. */
void top_settings_saved(struct top *top);

/* Whether what it would draw changed since. */
bool top_is_stale(const struct top *top);

/* The latest figures, sorted and filtered; until the next event. */
const struct rows *top_rows(struct top *top);
const struct column_set *top_columns(const struct top *top);
uint64_t top_ticks(const struct top *top);
uint64_t top_interval_ns(const struct top *top);
/* The interval ends now; whole: its figures are those since the first record. */
void top_close_interval(struct top *top, bool whole);

enum top_wish {
	WISH_NONE,
	WISH_QUIT,
	WISH_RESTART, /* play the capture from its beginning */
	WISH_FREEZE,  /* the VM of top_wish_vm(): the user said yes */
	WISH_RELEASE,
	WISH_MONITOR, /* its policies' rules only monitor it */
	WISH_ENFORCE,
	WISH_REDRAW, /* the whole screen */
	WISH_SAVE,   /* top_get_settings() */
};
/* What the user wants and only others can do; asked once, it is none again. */
enum top_wish top_take_wish(struct top *top, uint32_t *ret_vm);

/* NULL: it is not there any more. */
const struct vm *top_vm(const struct top *top, uint32_t vm);

/* Told in the last line until the next key; error: as one. */
void top_say(struct top *top, bool error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- playing a capture ---- */

struct playback {
	double speed;      /* records' time by time of day */
	bool paused, step; /* step: until the interval ends */
	bool ended;        /* all records were played */
	int64_t seek_ns;   /* so far forward or back, of the records' time; 0: not */
};
struct playback *top_playback(struct top *top);

#endif
