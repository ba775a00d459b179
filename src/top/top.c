/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/top_private.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

const struct view *const views[VIEWS] = {
	[VIEW_VMS] = &view_vms,
	[VIEW_MAP] = &view_map,
	[VIEW_VM] = &view_vm,
	[VIEW_FINDINGS] = &view_findings,
	[VIEW_EVENTS] = &view_events,
	[VIEW_COLUMNS] = &view_columns,
	[VIEW_TEXT] = &view_text,
	[VIEW_HELP] = &view_help,
};

/* ---- life ---- */

/* They were read strictly, so that all of it holds. */
static void take_settings(struct top *top, const struct top_settings *settings)
{
	struct error err;

	if (settings->columns.n)
		top->columns = settings->columns;
	if (settings->sort) {
		top->sort = settings->sort;
		top->falling = settings->falling;
	}
	top->tree = settings->tree;
	top->map.kind = settings->map;
	top->ended |= settings->ended;
	if (!filter_parse(&top->filter, settings->filter, &err))
		snprintf(top->filter_text, sizeof(top->filter_text), "%s", settings->filter);
}

static int take_options(struct top *top, const struct top_options *options, struct error *err)
{
	int r = 0;

	column_set_default(&top->columns);
	top->sort = column_find("id");
	if (options->saved)
		take_settings(top, options->saved);
	if (options->filter) {
		r = filter_parse(&top->filter, options->filter, err);
		snprintf(top->filter_text, sizeof(top->filter_text), "%s", options->filter);
	}
	if (!r && options->columns)
		r = column_set_parse(&top->columns, options->columns, err);
	if (!r && options->sort) {
		struct column_set one;

		r = column_set_parse(&one, options->sort, err);
		if (!r)
			top_sort_by(top, one.columns[0]);
	}
	return r;
}

int top_new(struct top **ret, const struct top_options *options, struct error *err)
{
	struct top *top = calloc(1, sizeof(*top));
	int r;

	if (!top)
		return error_set(err, -ENOMEM, "out of memory");
	top->options = *options;
	top->ended = options->ended;
	top->cost = (struct top_cost){-1, -1, -1};
	top->style.ascii = options->ascii;
	top->playback.speed = options->speed > 0 ? options->speed : 1;
	top->playback.paused = options->file && options->speed <= 0;
	top->events_tail = true;
	top->stale = true;
	r = stats_new(&top->stats, options->interval_ns);
	if (!r)
		r = log_new(&top->log);
	r = r ? error_set(err, r, "out of memory") : take_options(top, options, err);
	if (r)
		top_free(&top);
	else
		*ret = top;
	return r;
}

void top_free(struct top **ret)
{
	struct top *top = *ret;

	if (!top)
		return;
	stats_free(&top->stats);
	log_free(&top->log);
	rows_free(&top->rows);
	map_free(&top->map);
	free(top->warm);
	free(top->text);
	free(top);
	*ret = NULL;
}

/* ---- what comes in ---- */

void top_watch(struct top *top, const struct model *model, const struct style *style)
{
	top->model = model;
	top->style = *style;
	top->style.ascii |= top->options.ascii;
	top->now_ns = top->first_ns = top->since_ns = 0;
	top->rows.n = 0;
	top->rows_stale = top->stale = true;
	top->playback.ended = false;
	stats_watch(top->stats, model);
	log_clear(top->log);
}

int top_restored(struct top *top, struct detect *detect, uint64_t first_ns)
{
	const struct finding *const *findings;
	size_t n = 0;
	int r = stats_restore(top->stats);

	top->now_ns = top->since_ns = model_now(top->model);
	top->first_ns = first_ns ? first_ns : top->now_ns;
	findings = detect ? detect_findings(detect, &n) : NULL;
	for (size_t i = 0; i < n && !r; i++)
		r = top_finding(top, findings[i],
			findings[i]->state == FINDING_ENDED ? PHASE_END : PHASE_UPDATE);
	return r;
}

void top_unwatch(struct top *top)
{
	top->model = NULL;
	stats_watch(top->stats, NULL);
}

int top_event(struct top *top, const struct event *event)
{
	uint64_t ticks = stats_ticks(top->stats);
	int r = stats_event(top->stats, event);

	if (!top->first_ns)
		top->first_ns = event->now_ns;
	top->now_ns = event->now_ns > top->now_ns ? event->now_ns : top->now_ns;
	if (event->kind < EVENT_TOLD)
		log_event(top->log, event);
	/* Between intervals only what comes and goes is new: figures change with the interval. */
	if (stats_ticks(top->stats) != ticks || event->kind == EVENT_VM_NEW ||
		event->kind == EVENT_VM_END || event->kind == EVENT_FORGOTTEN) {
		top->rows_stale = true;
		top->stale = true;
	}
	return r;
}

int top_finding(struct top *top, const struct finding *finding, enum finding_phase phase)
{
	stats_finding(top->stats, finding, phase);
	top->stale = true;
	return log_finding(top->log, finding);
}

void top_set_cost(struct top *top, const struct top_cost *cost)
{
	top->cost = *cost;
	top->stale = true;
}

void top_set_policy(struct top *top, enum policy_state state, const struct vm_policy *vms, size_t n,
	const char *why)
{
	top->policies = state;
	snprintf(top->policies_why, sizeof(top->policies_why), "%s", why);
	stats_policy(top->stats, vms, n,
		state == POLICIES_UNREADABLE ? POLICY_UNREADABLE
		: state == POLICIES_LOADED   ? POLICY_NONE
					     : POLICY_UNKNOWN);
	top->stale = true;
}

void top_set_colours(struct top *top, int colours)
{
	top->stale |= top->colours != colours;
	top->colours = colours;
}

/* ---- what comes out ---- */

bool top_is_stale(const struct top *top)
{
	return top->stale;
}

const struct column_set *top_columns(const struct top *top)
{
	return &top->columns;
}

uint64_t top_ticks(const struct top *top)
{
	return stats_ticks(top->stats);
}

uint64_t top_interval_ns(const struct top *top)
{
	return stats_interval(top->stats);
}

void top_close_interval(struct top *top, bool whole)
{
	stats_close(top->stats, whole);
	if (top->model && model_now(top->model) > top->now_ns)
		top->now_ns = model_now(top->model);
	top->rows_stale = top->stale = true;
}

enum top_wish top_take_wish(struct top *top, uint32_t *ret_vm)
{
	enum top_wish wish = top->wish;

	top->wish = WISH_NONE;
	*ret_vm = top->wish_vm;
	return wish;
}

const struct vm *top_vm(const struct top *top, uint32_t vm)
{
	const struct vm_stats *v = top->model ? stats_find(top->stats, vm) : NULL;

	return v ? v->vm : NULL;
}

void top_say(struct top *top, bool error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(top->message, sizeof(top->message), format, args);
	va_end(args);
	top->message_is_error = error;
	top->stale = true;
}

struct playback *top_playback(struct top *top)
{
	return &top->playback;
}

void top_show(struct top *top, enum view_id view)
{
	if (view == VIEW_HELP || view == VIEW_COLUMNS)
		top->back = top->view == view ? top->back : top->view;
	if (view == VIEW_HELP)
		top->help.first = 0;
	top->view = view;
	top->stale = true;
}

void top_open_text(struct top *top, char *text)
{
	if (!text)
		return;
	free(top->text);
	top->text = text;
	top->text_scroll = (struct scroll){};
	top->back_of_text = top->view;
	top_show(top, VIEW_TEXT);
}

void top_draw(struct top *top, struct cells *cells)
{
	struct area all, body;
	int used = 0;

	cells->ascii = top->style.ascii;
	cells_clear(cells);
	all = cells_area(cells);
	if (all.height > 4)
		used = draw_header(top, cells, all);
	body = (struct area){0, used, all.width, all.height - used - 1};
	if (body.height > 0)
		views[top->view]->draw(top, cells, body);
	draw_bottom(top, cells, (struct area){0, all.height - 1, all.width, 1});
	top->stale = false;
}

void top_get_settings(const struct top *top, struct top_settings *ret)
{
	ret->interval_ns = stats_interval(top->stats);
	ret->sort = top->sort;
	ret->falling = top->falling;
	ret->columns = (struct column_set){};
	if (top->columns.chosen)
		ret->columns = top->columns;
	snprintf(ret->filter, sizeof(ret->filter), "%s", top->filter.n ? top->filter_text : "");
	ret->tree = top->tree;
	ret->map = top->map.kind;
	if (!top->options.file) /* of a capture they always are */
		ret->ended = top->ended;
}

void top_settings_saved(struct top *top)
{
	top->options.saved_bad = false;
}

/* ---- searching ---- */

void top_search(struct top *top, struct scroll *scroll, size_t n, line_has_fn has, bool next)
{
	for (size_t i = 0; i < n && top->search[0]; i++) {
		size_t line = (scroll->cursor + i + next) % n;

		if (has(top, line, top->search)) {
			scroll->cursor = line;
			return;
		}
	}
	if (top->search[0])
		top_say(top, true, "not found");
}
