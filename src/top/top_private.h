/* SPDX-License-Identifier: GPL-2.0-only */
/* Between top.c and the views. */
#ifndef TOP_TOP_PRIVATE_H
#define TOP_TOP_PRIVATE_H

#include "top/log.h"
#include "top/map.h"
#include "top/settings.h"
#include "top/stats.h"
#include "top/top.h"

/* A list that is scrolled: which line keys act on, and which is the first that is seen. */
struct scroll {
	size_t cursor, first;
	size_t height; /* lines that were seen last */
};

/* Keeps the cursor within n lines and in sight, of height lines. */
void scroll_fit(struct scroll *scroll, size_t n, size_t height);
/* Whether the command moves the cursor. */
bool scroll_command(struct scroll *scroll, enum command_id command, size_t n);
/* The same for a page of text, which has no cursor: first moves. */
bool scroll_page(struct scroll *scroll, enum command_id command);
void scroll_page_fit(struct scroll *scroll, size_t n, size_t height);

enum prompt_kind {
	PROMPT_LINE_NONE,
	PROMPT_LINE_FILTER,
	PROMPT_LINE_SEARCH,
	PROMPT_LINE_INTERVAL,
	PROMPT_LINE_ADDRESS,
	PROMPT_LINE_QUESTION, /* y or n */
};

struct prompt_line {
	enum prompt_kind kind;
	char text[FILTER_TEXT];
	size_t length;
	char question[128];
	enum top_wish wish; /* what yes means */
	uint32_t vm;
};

#define TOP_MARKS 1024

struct top {
	struct top_options options;
	struct stats *stats;
	const struct model *model; /* NULL: gone, or not there yet */
	struct style style;
	uint64_t now_ns; /* of the records */
	uint64_t first_ns;
	uint64_t since_ns; /* what was before is known by its totals only; 0: all was seen */
	int colours;       /* of the terminal */
	struct top_cost cost;
	enum policy_state policies;
	char policies_why[128];
	struct log *log;

	enum view_id view, back, back_of_text; /* where Esc leads to */
	bool stale, held;
	enum top_wish wish;
	uint32_t wish_vm;
	struct playback playback;

	struct prompt_line prompt;
	char message[256];
	bool message_is_error;
	char message_mode[96]; /* time and what it is of, for the first line */
	char search[FILTER_TEXT];

	/* the table */
	struct rows rows;
	bool rows_stale;
	struct column_set columns;
	const struct column *sort;
	bool falling, ended, follow;
	uint32_t follow_vm;
	enum tree tree;
	struct filter filter;
	char filter_text[FILTER_TEXT];
	struct scroll vms;
	size_t shift; /* columns that were moved out to the left */
	uint32_t marks[TOP_MARKS];
	size_t n_marks;
	struct area table;           /* as it was drawn: for the mouse */
	int title_ends[COLUMNS_MAX]; /* where each title ends */
	struct column_set titles;
	bool sort_only; /* VIEW_COLUMNS was opened to sort */

	/* one VM */
	uint32_t vm;
	struct map map;
	struct area map_area;   /* its cells, as they were drawn: for the mouse */
	unsigned int map_width; /* columns of the terminal that a cell takes */
	uint64_t *warm;         /* by cell in sight: when it changed last */
	size_t n_warm;
	struct scroll page;

	struct scroll findings, events, choice;
	bool events_tail;      /* the cursor stays with the newest */
	uint64_t events_until; /* paused: what came later is not shown */
	bool events_paused;
	size_t events_shift;
	struct filter line_filter; /* of findings and events */
	char line_filter_text[FILTER_TEXT];

	char *text; /* VIEW_TEXT */
	struct scroll text_scroll;
	struct scroll help;
};

struct view {
	void (*draw)(struct top *top, struct cells *cells, struct area area);
	/* Whether the command was one of its own. */
	bool (*command)(struct top *top, enum command_id command);
	/* A click within its area. May be NULL. */
	void (*click)(struct top *top, int x, int y);
	const char *name;
};

extern const struct view view_vms, view_map, view_vm, view_findings, view_events, view_columns,
	view_text, view_help;
extern const struct view *const views[VIEWS];

void top_show(struct top *top, enum view_id view);

/* The VM under the cursor of the table; NULL: none. */
const struct row *top_cursor_row(struct top *top);
void top_open_vm(struct top *top, uint32_t vm);
void top_sort_by(struct top *top, const struct column *column);

/* Shows a page of text, which is taken: from malloc(). */
void top_open_text(struct top *top, char *text);

/* The line above a list: a title over the whole width. */
void draw_title(struct cells *cells, struct area area, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The lines at the top: of the host and of the tool itself. Returns how many lines it took. */
int draw_header(struct top *top, struct cells *cells, struct area area);
/* The last line: keys, what is typed, or what there is to say. */
void draw_bottom(struct top *top, struct cells *cells, struct area area);

bool top_is_marked(const struct top *top, uint32_t vm);

/* The next line from the cursor on that has the text which is searched for; n: none has. */
typedef bool (*line_has_fn)(struct top *top, size_t line, const char *text);
void top_search(struct top *top, struct scroll *scroll, size_t n, line_has_fn has, bool next);

#endif
