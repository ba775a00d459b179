/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of findings; Enter explains one. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "output/findings.h"
#include "top/top_private.h"

static const enum role roles[] = {ROLE_DIM, ROLE_NOTICE, ROLE_WARNING, ROLE_CRITICAL};
_Static_assert(ARRAY_SIZE(roles) == SEVERITIES, "a role for each severity");

static void put_who(const struct finding *f, char *out, size_t size)
{
	char label[VM_SHORT_SIZE];

	if (f->vm)
		snprintf(out, size, "%u %s", f->vm, name_short(f->name, label));
	else
		snprintf(out, size, "host");
}

/* All of it, for the filter and the search. */
static void put_line(const struct finding *f, char *out, size_t size)
{
	char who[VM_SHORT_SIZE + 16], id[FINDING_FULL_ID_SIZE], text[512] = "";

	put_who(f, who, sizeof(who));
	detectors[f->kind]->describe(f, text, sizeof(text));
	snprintf(out, size, "%s %s %s %s: %s", severity_name(f->severity), finding_id(f, id), who,
		detectors[f->kind]->title, text);
}

/* The numbers in the log of those that the filter leaves. */
static size_t choose(struct top *top, uint16_t chosen[LOG_FINDINGS])
{
	size_t n = 0;
	char line[1024];

	for (size_t i = 0; i < log_findings(top->log); i++) {
		put_line(log_finding_at(top->log, i), line, sizeof(line));
		if (filter_matches_text(&top->line_filter, line))
			chosen[n++] = (uint16_t)i;
	}
	return n;
}

static void draw_finding(
	struct top *top, struct cells *cells, struct area line, const struct finding *f)
{
	bool open = f->state != FINDING_ENDED;
	int x = line.x, end = line.x + line.width, who_width = line.width < 60 ? 12 : 22;
	char who[VM_SHORT_SIZE + 16], id[FINDING_FULL_ID_SIZE], time[24], text[512] = "";

	cells_text(cells, x, line.y, 8, PEN(open ? roles[f->severity] : ROLE_DIM),
		severity_name(f->severity));
	x += 9;
	cells_text(cells, x, line.y, 5, PEN(open ? ROLE_TEXT : ROLE_DIM), open ? "open" : "ended");
	x += 6;
	if (line.width >= 76) {
		time_text(&top->style, f->last_ns, time);
		time[8] = '\0';
		cells_text(cells, x, line.y, 8, PEN(ROLE_DIM), time);
		x += 9;
	}
	put_who(f, who, sizeof(who));
	cells_text(cells, x, line.y, who_width, PEN(ROLE_LABEL), who);
	x += who_width + 1;
	if (line.width >= 100) {
		cells_text(cells, x, line.y, 14, PEN(ROLE_DIM), finding_id(f, id));
		x += 15;
	}
	detectors[f->kind]->describe(f, text, sizeof(text));
	cells_format(cells, x, line.y, end - x, PEN(open ? ROLE_TEXT : ROLE_DIM), "%s: %s",
		detectors[f->kind]->title, text);
}

static void draw(struct top *top, struct cells *cells, struct area area)
{
	uint16_t chosen[LOG_FINDINGS];
	size_t n = choose(top, chosen), height = area.height > 1 ? (size_t)area.height - 1 : 0;

	scroll_fit(&top->findings, n, height);
	draw_title(cells, area, "Findings: %zu%s%s  Enter explains, Tab: events", n,
		top->line_filter.n ? "  filter: " : "", top->line_filter_text);
	if (!n)
		cells_text(cells, area.x + 2, area.y + 2, area.width - 2, PEN(ROLE_GOOD),
			top->line_filter.n ? "none matches the filter"
					   : "nothing suspicious so far");
	for (size_t i = 0; i < height && top->findings.first + i < n; i++) {
		struct area line = {area.x, area.y + 1 + (int)i, area.width, 1};

		draw_finding(top, cells, line,
			log_finding_at(top->log, chosen[top->findings.first + i]));
		if (top->findings.first + i == top->findings.cursor)
			cells_tint(cells, line,
				(struct pen){.role = ROLE_CURSOR, .ground = ROLE_CURSOR});
	}
	top->table = (struct area){area.x, area.y + 1, area.width, (int)height};
}

/* The same text as `kvm-encstat explain` prints. */
static void explain(struct top *top, const struct finding *f)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	finding_explain_text(out, &top->style, f);
	fclose(out);
	top_open_text(top, text);
}

static bool has_text(struct top *top, size_t line, const char *text)
{
	uint16_t chosen[LOG_FINDINGS];
	char shown[1024];

	if (line >= choose(top, chosen))
		return false;
	put_line(log_finding_at(top->log, chosen[line]), shown, sizeof(shown));
	return strcasestr(shown, text) != NULL;
}

static bool command(struct top *top, enum command_id id)
{
	uint16_t chosen[LOG_FINDINGS];
	size_t n = choose(top, chosen);

	if (scroll_command(&top->findings, id, n))
		return true;
	if (id == DO_OPEN && top->findings.cursor < n)
		explain(top, log_finding_at(top->log, chosen[top->findings.cursor]));
	else if (id == DO_SEARCH || id == DO_SEARCH_NEXT)
		top_search(top, &top->findings, n, has_text, id == DO_SEARCH_NEXT);
	else
		return false;
	return true;
}

static void click(struct top *top, int x, int y)
{
	size_t line = top->findings.first + (size_t)(y - top->table.y);

	(void)x;
	if (y < top->table.y)
		return;
	if (line == top->findings.cursor)
		command(top, DO_OPEN);
	top->findings.cursor = line;
}

const struct view view_findings = {
	.name = "findings",
	.draw = draw,
	.command = command,
	.click = click,
};
