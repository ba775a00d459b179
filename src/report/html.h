/* SPDX-License-Identifier: GPL-2.0-only */
/* Text on a page, and pictures of numbers. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <linux/types.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Any bytes, as text between tags or in a quoted attribute: escape(), then escape_xml(). */
void html_foreign(FILE *out, const char *bytes);
/* The same, whose new lines stay. */
void html_foreign_lines(FILE *out, const char *bytes);

/* ---- charts: SVG, with what they show as text ---- */

enum chart_unit {
	CHART_BYTES,
	CHART_RATE, /* each second */
	CHART_COUNT,
};

struct chart_line {
	const char *name, *class; /* ours */
	const double *values;
	const double *low; /* NULL, or the lower edge of a band whose upper edge is values */
};

struct chart {
	const char *id, *title; /* ours */
	const char *about;      /* what is to be seen, in words */
	enum chart_unit unit;
	double begin_s, step_s;
	size_t n;
	const struct chart_line *lines;
	size_t n_lines;
};
void chart_write(FILE *out, const struct chart *chart);

struct spread;
/* How long answers took: both axes logarithmic. */
void chart_spread(FILE *out, const char *id, const struct spread *spread);

/* "1.5G", "12", "0.2" */
const char *chart_number(enum chart_unit unit, double value, char buffer[24]);

#endif
