/* SPDX-License-Identifier: GPL-2.0-only */
/* The stream of events; the newest is the last, and the cursor stays with it until it is moved. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "top/top_private.h"

/* The event with its VM again, as far as that is still there. */
static struct event whole_event(const struct top *top, const struct logged_event *logged)
{
	static struct vm gone; /* all that a line says of a VM that went */
	struct event event = logged->event;
	const struct vm_stats *v = logged->vm ? stats_find(top->stats, logged->vm) : NULL;

	if (!logged->vm)
		return event;
	gone = (struct vm){.id = logged->vm, .type = logged->type, .born = logged->born};
	snprintf(gone.text[KES_TEXT_NAME], sizeof(gone.text[0]), "(gone)");
	event.vm = v ? v->vm : &gone;
	return event;
}

static void put_line(const struct top *top, uint64_t number, char *out, size_t size)
{
	const struct logged_event *logged = log_event_at(top->log, number);
	struct event event = whole_event(top, logged);
	FILE *file = fmemopen(out, size, "w");

	*out = '\0';
	if (!file)
		return;
	event_write_text(file, &top->style, &event);
	fclose(file);
	out[size - 1] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

#define LINE 400

static bool is_shown(const struct top *top, uint64_t number)
{
	char line[LINE];

	if (!top->line_filter.n)
		return true;
	put_line(top, number, line, sizeof(line));
	return filter_matches_text(&top->line_filter, line);
}

/* One past the last event that is shown. */
static uint64_t end_of(const struct top *top)
{
	return top->events_paused ? top->events_until : log_events(top->log);
}

/* The numbers of those that the filter leaves, in order. */
static size_t choose(const struct top *top, uint64_t chosen[LOG_EVENTS])
{
	size_t n = 0;

	for (uint64_t i = log_oldest(top->log); i < end_of(top); i++)
		if (is_shown(top, i))
			chosen[n++] = i;
	return n;
}

static enum role role_of(const struct event *event)
{
	switch (event->kind) {
	case EVENT_CONVERTED:
		return event->commit == COMMIT_NOT || event->commit == COMMIT_PARTLY ? ROLE_WARNING
		       : event->to == PAGE_SHARED                                    ? ROLE_SHARED
		       : event->to == PAGE_PRIVATE                                   ? ROLE_PRIVATE
										     : ROLE_TEXT;
	case EVENT_DENIED:
	case EVENT_REFUSED:
	case EVENT_VERDICT:
	case EVENT_FAULT:
		return ROLE_WARNING;
	case EVENT_LOSS:
	case EVENT_NO_ANSWER:
	case EVENT_UNANSWERED:
		return ROLE_CRITICAL;
	case EVENT_VM_NEW:
	case EVENT_VM_END:
	case EVENT_RESET:
		return ROLE_GOOD;
	default:
		return ROLE_TEXT;
	}
}

static void draw_event(struct top *top, struct cells *cells, struct area line, uint64_t number)
{
	char text[LINE];
	size_t skip = top->events_shift * 8, length;

	put_line(top, number, text, sizeof(text));
	length = strlen(text);
	skip = skip < length ? skip : length;
	while (skip && (text[skip] & 0xc0) == 0x80) /* never inside a character */
		skip--;
	cells_text(cells, line.x, line.y, line.width,
		PEN(role_of(&log_event_at(top->log, number)->event)), text + skip);
	if (!top->events_shift)
		cells_tint(cells, (struct area){line.x, line.y, 15, 1},
			(struct pen){.role = ROLE_DIM});
}

static void draw(struct top *top, struct cells *cells, struct area area)
{
	static uint64_t chosen[LOG_EVENTS];
	size_t n = choose(top, chosen), height = area.height > 1 ? (size_t)area.height - 1 : 0;

	if (top->events_tail)
		top->events.cursor = n ? n - 1 : 0;
	scroll_fit(&top->events, n, height);
	draw_title(cells, area, "Events: %llu%s%s%s  Enter: all of it, Z: %s",
		(unsigned long long)end_of(top), top->events_paused ? " PAUSED" : "",
		top->line_filter.n ? "  filter: " : "", top->line_filter_text,
		top->events_paused ? "go on" : "pause");
	if (!n)
		cells_text(cells, area.x + 2, area.y + 2, area.width - 2, PEN(ROLE_DIM),
			top->line_filter.n ? "none matches the filter" : "no event so far");
	for (size_t i = 0; i < height && top->events.first + i < n; i++) {
		struct area line = {area.x, area.y + 1 + (int)i, area.width, 1};

		draw_event(top, cells, line, chosen[top->events.first + i]);
		if (top->events.first + i == top->events.cursor)
			cells_tint(cells, line,
				(struct pen){.role = ROLE_CURSOR, .ground = ROLE_CURSOR});
	}
	top->table = (struct area){area.x, area.y + 1, area.width, (int)height};
}

/* What its line and its JSON say, all of it. */
static void show_event(struct top *top, uint64_t number)
{
	struct event event = whole_event(top, log_event_at(top->log, number));
	json_object *json = event_json(&event);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (out) {
		event_write_text(out, &top->style, &event);
		fprintf(out, "\nAs programs get it (docs/json.md)\n %s\n",
			json_object_to_json_string_ext(
				json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					      JSON_C_TO_STRING_NOSLASHESCAPE));
		fclose(out);
		top_open_text(top, text);
	}
	json_object_put(json);
}

static bool has_text(struct top *top, size_t line, const char *text)
{
	static uint64_t chosen[LOG_EVENTS];
	char shown[LINE];

	if (line >= choose(top, chosen))
		return false;
	put_line(top, chosen[line], shown, sizeof(shown));
	return strcasestr(shown, text) != NULL;
}

static bool command(struct top *top, enum command_id id)
{
	static uint64_t chosen[LOG_EVENTS];
	size_t n = choose(top, chosen);

	if (scroll_command(&top->events, id, n)) {
		top->events_tail = top->events.cursor + 1 >= n;
		return true;
	}
	switch (id) {
	case DO_OPEN:
		if (top->events.cursor < n)
			show_event(top, chosen[top->events.cursor]);
		break;
	case DO_LEFT:
		top->events_shift -= top->events_shift > 0;
		break;
	case DO_RIGHT:
		top->events_shift += top->events_shift < LINE / 8;
		break;
	case DO_HOLD:
		top->events_paused = !top->events_paused;
		top->events_until = log_events(top->log);
		break;
	case DO_SEARCH:
	case DO_SEARCH_NEXT:
		top_search(top, &top->events, n, has_text, id == DO_SEARCH_NEXT);
		top->events_tail = false;
		break;
	default:
		return false;
	}
	return true;
}

static void click(struct top *top, int x, int y)
{
	(void)x;
	if (y < top->table.y)
		return;
	top->events.cursor = top->events.first + (size_t)(y - top->table.y);
	top->events_tail = false;
}

const struct view view_events = {
	.name = "events",
	.draw = draw,
	.command = command,
	.click = click,
};
