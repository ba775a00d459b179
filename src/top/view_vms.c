/* SPDX-License-Identifier: GPL-2.0-only */
/* The table of VMs. */
#include <stdlib.h>
#include <string.h>

#include "top/top_private.h"

/* ---- rows ---- */

bool top_is_marked(const struct top *top, uint32_t vm)
{
	for (size_t i = 0; i < top->n_marks; i++)
		if (top->marks[i] == vm)
			return true;
	return false;
}

static void filter_rows(struct top *top)
{
	size_t kept = 0;

	for (size_t i = 0; i < top->rows.n; i++) {
		struct row *row = &top->rows.rows[i];

		if (!filter_matches(&top->filter, row))
			continue;
		row->marked = top_is_marked(top, row->id);
		if (kept != i)
			top->rows.rows[kept] = *row;
		kept++;
	}
	top->rows.n = kept;
}

static int compare_groups(const struct top *top, const struct row *a, const struct row *b)
{
	if (top->tree == TREE_CGROUP)
		return strcmp(a->cgroup, b->cgroup);
	return (a->uid > b->uid) - (a->uid < b->uid);
}

/* The place each row had in the order within its group. */
static int by_group(const void *a, const void *b, void *context)
{
	const struct row *x = a, *y = b;
	int r = compare_groups(context, x, y);

	return r ? r : (x->depth > y->depth) - (x->depth < y->depth);
}

static void add_up(struct row *head, const struct row *row)
{
	head->memory += row->memory;
	head->shared += row->shared;
	head->has_map |= row->has_map;
	head->alive |= row->alive;
	head->open_requests += row->open_requests;
	head->lost += row->lost;
	head->vcpus += row->vcpus;
	if (row->policy > head->policy)
		head->policy = row->policy;
	for (int i = 0; i < FLOWS; i++) {
		head->rates[i] += row->rates[i];
		head->totals[i] += row->totals[i];
	}
	for (int i = 0; i < SEVERITIES; i++)
		head->open[i] += row->open[i];
	if (row->oldest_ns > head->oldest_ns)
		head->oldest_ns = row->oldest_ns;
	head->group++;
}

static void name_group(const struct top *top, struct row *head, const struct row *row)
{
	memcpy(head->cgroup, row->cgroup, sizeof(head->cgroup));
	head->uid = row->uid;
	if (top->tree == TREE_USER)
		snprintf(head->name, sizeof(head->name), "uid %u", row->uid);
	else
		snprintf(head->name, sizeof(head->name), "%s",
			*row->cgroup ? row->cgroup : "(no cgroup)");
}

/* Rows come under a heading each, in the order they had. */
static void make_tree(struct top *top)
{
	struct rows *rows = &top->rows;
	size_t n = rows->n, out;
	struct row *from, *head = NULL;

	for (size_t i = 0; i < n; i++)
		rows->rows[i].depth = (int)i;
	qsort_r(rows->rows, n, sizeof(*rows->rows), by_group, top);
	for (size_t i = 0; i < n; i++)
		if (!rows_add(rows))
			return; /* room for as many headings as there can be; else no tree */
	memmove(&rows->rows[n], rows->rows, n * sizeof(*rows->rows));
	from = &rows->rows[n];
	out = 0;
	for (size_t i = 0; i < n; i++) {
		struct row row = from[i];

		if (!head || compare_groups(top, head, &row)) {
			head = &rows->rows[out++];
			memset(head, 0, sizeof(*head));
			name_group(top, head, &row);
		}
		add_up(head, &row);
		row.depth = 1;
		rows->rows[out++] = row;
	}
	rows->n = out;
}

/* The cursor stays with the VM that is followed. */
static void follow(struct top *top)
{
	for (size_t i = 0; i < top->rows.n && top->follow; i++)
		if (!top->rows.rows[i].group && top->rows.rows[i].id == top->follow_vm)
			top->vms.cursor = i;
}

const struct rows *top_rows(struct top *top)
{
	if (!top->rows_stale || !top->model)
		return &top->rows;
	if (rows_take(&top->rows, top->stats, top->now_ns, top->ended))
		top_say(top, true, "out of memory");
	filter_rows(top);
	rows_sort(&top->rows, top->sort, top->falling);
	if (top->tree && top->rows.n)
		make_tree(top);
	follow(top);
	top->rows_stale = false;
	return &top->rows;
}

const struct row *top_cursor_row(struct top *top)
{
	return top->vms.cursor < top->rows.n ? &top->rows.rows[top->vms.cursor] : NULL;
}

void top_sort_by(struct top *top, const struct column *column)
{
	top->falling = top->sort == column ? !top->falling : column->falling;
	top->sort = column;
	top->rows_stale = true;
}

/* ---- drawing ---- */

/* The columns as they are shown: those that were moved out to the left are not. */
static void shown_columns(struct top *top, int width, struct column_set *set, int widths[])
{
	struct column_set all = top->columns;

	column_set_fit(&all, width, set, widths);
	if (top->shift >= all.n)
		top->shift = all.n - 1;
	if (!top->shift)
		return;
	/* From there on all of them, as far as they have room. */
	memmove(all.columns, all.columns + top->shift, (all.n - top->shift) * sizeof(*all.columns));
	all.n -= top->shift;
	all.chosen = true;
	column_set_fit(&all, width, set, widths);
}

static bool is_left(const struct column *column)
{
	return column->unit == COLUMN_TEXT || !strcmp(column->id, "bar") ||
	       !strcmp(column->id, "spark");
}

static void draw_titles(struct top *top, struct cells *cells, struct area area,
	const struct column_set *set, const int widths[])
{
	int x = area.x;

	cells_fill(cells, (struct area){area.x, area.y, area.width, 1}, ' ',
		(struct pen){.role = ROLE_HEADER, .ground = ROLE_HEADER});
	for (size_t i = 0; i < set->n; i++) {
		const struct column *column = set->columns[i];
		bool sorted = column == top->sort;
		enum role role = sorted ? ROLE_SORTED : ROLE_HEADER;
		struct pen pen = {.role = role, .ground = role};
		int room = area.x + area.width - x;

		room = room < widths[i] ? room : widths[i];
		if (sorted)
			cells_fill(cells, (struct area){x, area.y, room, 1}, ' ', pen);
		if (is_left(column))
			cells_text(cells, x, area.y, room, pen, column->title);
		else
			cells_right(cells, x, area.y, room, pen, column->title);
		/* Behind a title that stands left, in front of one that stands right: if need be
		 * where columns are apart. */
		if (sorted)
			cells_put(cells,
				is_left(column) ? x + (int)strlen(column->title)
						: x + room - (int)strlen(column->title) - 1,
				area.y, top->falling ? 0x25bc : 0x25b2, pen);
		x += widths[i] + 1;
		top->title_ends[i] = x;
	}
	top->titles = *set;
}

static void draw_row(struct top *top, struct cells *cells, struct area line, const struct row *row,
	const struct column_set *set, const int widths[])
{
	int x = line.x;

	for (size_t i = 0; i < set->n; i++) {
		int room = line.x + line.width - x;
		bool own = !row->group || (strcmp(set->columns[i]->id, "id") &&
						  strcmp(set->columns[i]->id, "pid") &&
						  strcmp(set->columns[i]->id, "type") &&
						  strcmp(set->columns[i]->id, "conf"));

		/* A heading has no type: its name takes that room, too. */
		if (row->group && i + 1 < set->n && !strcmp(set->columns[i]->id, "name") &&
			!strcmp(set->columns[i + 1]->id, "type"))
			room = room < widths[i] + 1 + widths[i + 1] ? room
								    : widths[i] + 1 + widths[i + 1];
		else
			room = room < widths[i] ? room : widths[i];
		if (room > 0 && own)
			column_draw(set->columns[i], cells, x, line.y, room, row);
		x += widths[i] + 1;
	}
	if (row->group)
		cells_tint(cells, line, (struct pen){.role = ROLE_LABEL});
	else if (!row->alive)
		cells_tint(cells, line, (struct pen){.role = ROLE_DIM});
	(void)top;
}

static void draw_nothing(struct top *top, struct cells *cells, struct area area)
{
	const char *why = top->filter.n             ? "no VM matches the filter; Esc takes it off"
			  : stats_count(top->stats) ? "all VMs have ended; x shows them"
						    : "no VM yet: they appear as they start";

	cells_text(cells, area.x + 2, area.y + 1, area.width - 2, PEN(ROLE_DIM), why);
}

static void draw_filter(struct top *top, struct cells *cells, struct area area)
{
	char text[FILTER_TEXT + 64];

	if (!top->filter.n && !top->follow)
		return;
	snprintf(text, sizeof(text), " %s%s%s%zu shown ", top->filter.n ? "filter: " : "",
		top->filter_text, top->filter.n ? "  " : "", top->rows.n);
	cells_right(cells, area.x, area.y + area.height - 1, area.width,
		(struct pen){.role = ROLE_ACTION, .ground = ROLE_ACTION},
		top->filter.n ? text : " following ");
}

static void draw(struct top *top, struct cells *cells, struct area area)
{
	struct column_set set;
	int widths[COLUMNS_MAX];
	size_t height = area.height > 1 ? (size_t)area.height - 1 : 0;

	if (!top->held)
		top_rows(top);
	shown_columns(top, area.width, &set, widths);
	draw_titles(top, cells, area, &set, widths);
	if (!top->rows.n)
		draw_nothing(top, cells, area);
	scroll_fit(&top->vms, top->rows.n, height);
	top->table = (struct area){area.x, area.y + 1, area.width, (int)height};
	for (size_t i = 0; i < height && top->vms.first + i < top->rows.n; i++) {
		struct area line = {area.x, area.y + 1 + (int)i, area.width, 1};

		draw_row(top, cells, line, &top->rows.rows[top->vms.first + i], &set, widths);
		if (top->vms.first + i == top->vms.cursor)
			cells_tint(cells, line,
				(struct pen){.role = ROLE_CURSOR, .ground = ROLE_CURSOR});
	}
	draw_filter(top, cells, area);
}

/* ---- keys ---- */

static void mark(struct top *top)
{
	const struct row *row = top_cursor_row(top);

	if (!row || row->group)
		return;
	for (size_t i = 0; i < top->n_marks; i++)
		if (top->marks[i] == row->id) {
			top->marks[i] = top->marks[--top->n_marks];
			return;
		}
	if (top->n_marks < TOP_MARKS)
		top->marks[top->n_marks++] = row->id;
}

static void update_marks(struct top *top)
{
	for (size_t i = 0; i < top->rows.n; i++)
		top->rows.rows[i].marked = top_is_marked(top, top->rows.rows[i].id);
}

/* Among the columns that are shown as a rule, by delta places. */
static void sort_neighbour(struct top *top, int delta)
{
	const struct column_set *set = &top->columns;
	size_t at = 0;

	while (at < set->n && set->columns[at] != top->sort)
		at++;
	for (size_t tries = 0; tries < set->n; tries++) {
		at = (at + set->n + (size_t)delta) % set->n;
		if (*set->columns[at]->title)
			break;
	}
	if (set->columns[at] != top->sort)
		top_sort_by(top, set->columns[at]);
}

static bool has_text(struct top *top, size_t line, const char *text)
{
	const struct row *row = &top->rows.rows[line];

	return strcasestr(row->name, text) || strcasestr(row->cgroup, text) ||
	       strcasestr(row->uuid, text);
}

static void toggle_follow(struct top *top)
{
	const struct row *row = top_cursor_row(top);

	top->follow = !top->follow && row && !row->group;
	if (top->follow)
		top->follow_vm = row->id;
}

static void open_columns(struct top *top, bool sort_only)
{
	top->sort_only = sort_only;
	top->choice = (struct scroll){};
	for (size_t i = 0; i < n_columns && sort_only; i++)
		if (&columns[i] == top->sort)
			top->choice.cursor = i;
	top_show(top, VIEW_COLUMNS);
}

static bool command(struct top *top, enum command_id id)
{
	const struct row *row = top_cursor_row(top);

	if (scroll_command(&top->vms, id, top->rows.n)) {
		top->follow = false;
		return true;
	}
	top->rows_stale |= !top->held;
	switch (id) {
	case DO_OPEN:
		if (row && !row->group)
			top_open_vm(top, row->id);
		break;
	case DO_LEFT:
		top->shift -= top->shift > 0;
		break;
	case DO_RIGHT:
		top->shift += top->shift + 1 < top->columns.n;
		break;
	case DO_SORT_NEXT:
		sort_neighbour(top, 1);
		break;
	case DO_SORT_PREVIOUS:
		sort_neighbour(top, -1);
		break;
	case DO_INVERT:
		top->falling = !top->falling;
		break;
	case DO_COLUMNS:
	case DO_SORT:
		open_columns(top, id == DO_SORT);
		break;
	case DO_TREE:
		top->tree = (enum tree)((top->tree + 1) % TREES);
		break;
	case DO_MARK:
		mark(top);
		update_marks(top);
		scroll_command(&top->vms, DO_DOWN, top->rows.n);
		break;
	case DO_UNMARK:
		top->n_marks = 0;
		update_marks(top);
		break;
	case DO_FOLLOW:
		toggle_follow(top);
		break;
	case DO_ENDED:
		top->ended = !top->ended;
		break;
	case DO_SEARCH:
	case DO_SEARCH_NEXT:
		top_search(top, &top->vms, top->rows.n, has_text, id == DO_SEARCH_NEXT);
		break;
	default:
		return false;
	}
	return true;
}

/* A title sorts; a row is chosen, and opened when it is already. */
static void click(struct top *top, int x, int y)
{
	size_t line = top->vms.first + (size_t)(y - top->table.y);

	if (y == top->table.y - 1) {
		for (size_t i = 0; i < top->titles.n; i++)
			if (x < top->title_ends[i]) {
				top_sort_by(top, top->titles.columns[i]);
				return;
			}
	} else if (y >= top->table.y && line < top->rows.n) {
		if (line == top->vms.cursor)
			command(top, DO_OPEN);
		top->vms.cursor = line;
	}
}

const struct view view_vms = {
	.name = "VMs",
	.draw = draw,
	.command = command,
	.click = click,
};
