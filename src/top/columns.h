/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The columns of the table of VMs: one row here is one column there, on the screen, in batch mode,
 * in JSON, for --sort, --columns and filters.
 */
#ifndef TOP_COLUMNS_H
#define TOP_COLUMNS_H

#include "base/error.h"
#include "top/cells.h"
#include "top/rows.h"

enum column_unit {
	COLUMN_TEXT,
	COLUMN_COUNT,
	COLUMN_BYTES,
	COLUMN_PERCENT,
	COLUMN_RATE, /* a second */
	COLUMN_TIME, /* nanoseconds */
};

#define COLUMN_SIZE 72 /* room for the text of any */

struct column {
	const char *id;    /* for options and filters; JSON has its own names */
	const char *title; /* on the screen */
	const char *help;
	int width; /* cells; of the name, the least */
	unsigned int
		rank; /* what does not fit goes, the highest first; 0: not shown unless asked */
	enum column_unit unit;
	/* One of the two: */
	double (*number)(const struct row *row);
	void (*text)(const struct row *row, char out[COLUMN_SIZE]);
	/* Where the number says nothing: then "-" is shown. NULL: it always does. */
	bool (*is_known)(const struct row *row);
	/* How it looks, where it is more than its text; NULL: right-aligned numbers, left-aligned
	 * text. */
	void (*draw)(struct cells *cells, int x, int y, int width, const struct row *row);
	bool falling; /* as a rule one wants the largest first */
	/* Of text that has a number, too: the least number of what is called so, "warning"; false:
	 * nothing is. */
	bool (*grade)(const char *word, double *ret);
};

#define COLUMNS_MAX 40
extern const struct column columns[];
extern const size_t n_columns;

/* By its id, or its title; NULL: none has it. */
const struct column *column_find(const char *word);

/* Writes the row's cell as text; returns out. */
const char *column_text(const struct column *column, const struct row *row, char out[COLUMN_SIZE]);
void column_draw(const struct column *column, struct cells *cells, int x, int y, int width,
	const struct row *row);

/* Negative, 0, positive: in rising order; equal ones in order of id. */
int column_compare(const struct column *column, const struct row *a, const struct row *b);
void rows_sort(struct rows *rows, const struct column *column, bool falling);

/* Which columns, and in which order. */
struct column_set {
	const struct column *columns[COLUMNS_MAX];
	size_t n;
	bool chosen; /* all of them are wanted, whether they fit or not */
};

/* Those that are shown as a rule. */
void column_set_default(struct column_set *set);

/* "name,shared,conf". -EINVAL with err filled. */
int column_set_parse(struct column_set *set, const char *list, struct error *err);

/* Those of them that fit into width cells, by rank unless they were chosen; *ret_name_width is what
 * the column that grows has. */
void column_set_fit(const struct column_set *all, int width, struct column_set *ret,
	int ret_widths[COLUMNS_MAX]);

/* Short enough for a column: "1.2K"; rates with a digit behind the point where they are small. */
const char *count_short(uint64_t n, char buffer[24]);
const char *rate_short(double rate, char buffer[24]);

#endif
