/* SPDX-License-Identifier: GPL-2.0-only */
/* What a key does: what is typed, commands of all views, and those of one. */
#include <stdlib.h>
#include <string.h>

#include "top/top_private.h"

/* ---- what is typed ---- */

static void open_prompt(struct top *top, enum prompt_kind kind, const char *text)
{
	top->prompt = (struct prompt_line){.kind = kind};
	snprintf(top->prompt.text, sizeof(top->prompt.text), "%s", text);
	top->prompt.length = strlen(top->prompt.text);
}

static bool filters_lines(const struct top *top)
{
	return top->view == VIEW_FINDINGS || top->view == VIEW_EVENTS;
}

static void jump(struct top *top)
{
	struct error err = {};

	if (top->prompt.length && map_jump(&top->map, top->prompt.text, &err))
		top_say(top, true, "%s%s%s", err.text, err.advice[0] ? "; " : "", err.advice);
}

/* Each key shows what it comes to; what makes no sense yet leaves the last filter that did. */
static bool apply_filter(struct top *top)
{
	bool lines = filters_lines(top);
	struct error err = {};

	top->message[0] = '\0';
	if (filter_parse(lines ? &top->line_filter : &top->filter, top->prompt.text, &err)) {
		top_say(top, true, "%s%s%s", err.text + strlen("filter: "),
			err.advice[0] ? "; " : "", err.advice);
		return false;
	}
	snprintf(lines ? top->line_filter_text : top->filter_text, FILTER_TEXT, "%s",
		top->prompt.text);
	top->rows_stale = true;
	return true;
}

static void apply_search(struct top *top)
{
	top->message[0] = '\0';
	snprintf(top->search, sizeof(top->search), "%s", top->prompt.text);
	views[top->view]->command(top, DO_SEARCH);
}

static void apply_interval(struct top *top)
{
	char *end;
	double seconds = strtod(top->prompt.text, &end);

	if (end == top->prompt.text || *end || !(seconds >= 0.1 && seconds <= 3600))
		top_say(top, true, "an interval is 0.1 to 3600 seconds");
	else
		stats_set_interval(top->stats, (uint64_t)(seconds * 1e9));
}

static void close_prompt(struct top *top)
{
	enum prompt_kind kind = top->prompt.kind;

	if (kind == PROMPT_LINE_FILTER && !apply_filter(top))
		return; /* stays open, with what is wrong beside it */
	top->prompt.kind = PROMPT_LINE_NONE;
	if (kind == PROMPT_LINE_INTERVAL)
		apply_interval(top);
	if (kind == PROMPT_LINE_ADDRESS)
		jump(top);
}

static void cancel_prompt(struct top *top)
{
	bool filter = top->prompt.kind == PROMPT_LINE_FILTER;

	top->prompt.text[0] = '\0';
	top->prompt.length = 0;
	if (filter)
		apply_filter(top);
	top->prompt.kind = PROMPT_LINE_NONE;
	top->message[0] = '\0';
}

static void type_code(struct prompt_line *prompt, uint32_t code)
{
	char bytes[4];
	size_t n;

	if (code < 0x20 || code == 0x7f || code > 0x10ffff)
		return;
	n = cell_utf8(code, bytes);
	if (prompt->length + n >= sizeof(prompt->text))
		return;
	memcpy(prompt->text + prompt->length, bytes, n);
	prompt->length += n;
	prompt->text[prompt->length] = '\0';
}

static void take_back(struct prompt_line *prompt)
{
	while (prompt->length && (prompt->text[prompt->length - 1] & 0xc0) == 0x80)
		prompt->length--;
	prompt->length -= prompt->length > 0;
	prompt->text[prompt->length] = '\0';
}

static void type(struct top *top, uint32_t key)
{
	struct prompt_line *prompt = &top->prompt;

	if (prompt->kind == PROMPT_LINE_QUESTION) {
		prompt->kind = PROMPT_LINE_NONE;
		if (key == 'y' || key == 'Y') {
			top->wish = prompt->wish;
			top->wish_vm = prompt->vm;
		}
		return;
	}
	if (key == TK_ENTER) {
		close_prompt(top);
		return;
	}
	if (key == TK_ESCAPE) {
		cancel_prompt(top);
		return;
	}
	if (key == TK_BACKSPACE || key == TK_DELETE)
		take_back(prompt);
	else if (key == ('u' & 0x1f)) /* Ctrl-U */
		prompt->text[prompt->length = 0] = '\0';
	else
		type_code(prompt, key);
	if (prompt->kind == PROMPT_LINE_FILTER)
		apply_filter(top);
	else if (prompt->kind == PROMPT_LINE_SEARCH)
		apply_search(top);
}

/* ---- commands that all views have ---- */

/* What a mode is changed to: from what was read of it last. */
static enum top_wish other_mode(const struct vm_stats *v)
{
	return v->policy == POLICY_MONITOR ? WISH_ENFORCE : WISH_MONITOR;
}

static const char *wish_text(enum top_wish wish)
{
	return wish == WISH_FREEZE    ? "Freeze"
	       : wish == WISH_RELEASE ? "Release"
	       : wish == WISH_MONITOR ? "Refuse nothing, only monitor"
				      : "Enforce the rules of";
}

static void ask(struct top *top, enum top_wish wish)
{
	const struct vm_stats *v;
	const struct row *row = top_cursor_row(top);
	uint32_t id = top->view == VIEW_VM || top->view == VIEW_MAP ? top->vm
		      : row && !row->group                          ? row->id
								    : 0;
	char label[VM_SHORT_SIZE];

	v = id ? stats_find(top->stats, id) : NULL;
	if (!v || !v->vm->alive) {
		top_say(top, true, "no VM that lives is chosen");
		return;
	}
	if (wish == WISH_MONITOR)
		wish = other_mode(v);
	top->prompt =
		(struct prompt_line){.kind = PROMPT_LINE_QUESTION, .wish = wish, .vm = v->vm->id};
	snprintf(top->prompt.question, sizeof(top->prompt.question), "%s VM %u %s (pid %u)? [y/N]",
		wish_text(wish), v->vm->id, vm_label_short(v->vm, label), v->vm->pid);
}

static void save(struct top *top)
{
	if (!top->options.saved_bad) {
		top->wish = WISH_SAVE;
		return;
	}
	top->prompt = (struct prompt_line){.kind = PROMPT_LINE_QUESTION, .wish = WISH_SAVE};
	snprintf(top->prompt.question, sizeof(top->prompt.question),
		"The file of settings is not understood. Keep it as top.yaml.bad, and save? [y/N]");
}

static void go_back(struct top *top)
{
	switch (top->view) {
	case VIEW_VMS:
		top->follow = false;
		top->filter.n = 0;
		top->filter_text[0] = '\0';
		top->rows_stale = true;
		break;
	case VIEW_FINDINGS:
	case VIEW_EVENTS:
		if (top->line_filter.n) {
			top->line_filter.n = 0;
			top->line_filter_text[0] = '\0';
		} else {
			top_show(top, VIEW_VMS);
		}
		break;
	case VIEW_TEXT:
		top_show(top, top->back_of_text);
		break;
	case VIEW_HELP:
	case VIEW_COLUMNS:
		top_show(top, top->back);
		break;
	case VIEW_VM:
		top_show(top, VIEW_MAP);
		break;
	default:
		top_show(top, VIEW_VMS);
	}
}

#define SEEK_INTERVALS 10

static void play(struct top *top, enum command_id command)
{
	struct playback *p = &top->playback;

	switch (command) {
	case DO_PAUSE:
		p->paused = !p->paused;
		break;
	case DO_STEP:
		p->step = p->paused = true;
		break;
	case DO_FASTER:
		p->speed = p->speed < 4096 ? p->speed * 2 : p->speed;
		break;
	case DO_SLOWER:
		p->speed = p->speed > 1.0 / 64 ? p->speed / 2 : p->speed;
		break;
	case DO_FORWARD:
		p->seek_ns += SEEK_INTERVALS * (int64_t)stats_interval(top->stats);
		break;
	case DO_BACKWARD:
		p->seek_ns -= SEEK_INTERVALS * (int64_t)stats_interval(top->stats);
		break;
	default:
		top->wish = WISH_RESTART;
	}
}

static void open_interval(struct top *top)
{
	char seconds[24];

	snprintf(seconds, sizeof(seconds), "%g", (double)stats_interval(top->stats) / 1e9);
	open_prompt(top, PROMPT_LINE_INTERVAL, seconds);
}

/* Whether it was one of these. */
static bool do_common(struct top *top, enum command_id command)
{
	switch (command) {
	case DO_QUIT:
		top->wish = WISH_QUIT;
		return true;
	case DO_REDRAW:
		top->wish = WISH_REDRAW;
		return true;
	case DO_HELP:
		if (top->view == VIEW_HELP)
			go_back(top);
		else
			top_show(top, VIEW_HELP);
		return true;
	case DO_VMS:
		top_show(top, VIEW_VMS);
		return true;
	case DO_FINDINGS:
		top_show(top, VIEW_FINDINGS);
		return true;
	case DO_EVENTS:
		top_show(top, VIEW_EVENTS);
		return true;
	case DO_NEXT_VIEW:
		top_show(top, top->view == VIEW_VMS        ? VIEW_FINDINGS
			      : top->view == VIEW_FINDINGS ? VIEW_EVENTS
							   : VIEW_VMS);
		return true;
	case DO_BACK:
		go_back(top);
		return true;
	case DO_FILTER:
		open_prompt(top, PROMPT_LINE_FILTER,
			filters_lines(top) ? top->line_filter_text : top->filter_text);
		return true;
	case DO_SEARCH:
		open_prompt(top, PROMPT_LINE_SEARCH, "");
		return true;
	case DO_INTERVAL:
		open_interval(top);
		return true;
	case DO_JUMP:
		open_prompt(top, PROMPT_LINE_ADDRESS, "");
		return true;
	case DO_RESET:
		stats_reset(top->stats);
		top->rows_stale = true;
		top_say(top, false, "the counters begin anew");
		return true;
	case DO_SAVE:
		save(top);
		return true;
	case DO_FREEZE:
		ask(top, WISH_FREEZE);
		return true;
	case DO_RELEASE:
		ask(top, WISH_RELEASE);
		return true;
	case DO_MODE:
		ask(top, WISH_MONITOR);
		return true;
	case DO_PAUSE:
	case DO_STEP:
	case DO_FASTER:
	case DO_SLOWER:
	case DO_FORWARD:
	case DO_BACKWARD:
	case DO_RESTART:
		play(top, command);
		return true;
	default:
		return false;
	}
}

void top_press(struct top *top, const struct key_press *press)
{
	enum command_id command;

	top->stale = true;
	if (press->key == TK_RESIZE)
		return;
	if (top->prompt.kind) {
		if (press->key != TK_CLICK)
			type(top, press->key);
		return;
	}
	top->message[0] = '\0';
	if (press->key == TK_CLICK) {
		if (views[top->view]->click)
			views[top->view]->click(top, press->x, press->y);
		return;
	}
	command =
		key_command(top->view, press->key, top->options.file != NULL, top->options.actions);
	if (command == DO_HOLD && !filters_lines(top)) {
		top->held = !top->held;
		top->rows_stale = true;
		return;
	}
	/* While it is typed a search goes through the view's DO_SEARCH; the key only opens it. */
	if (!do_common(top, command) && command)
		views[top->view]->command(top, command);
}
