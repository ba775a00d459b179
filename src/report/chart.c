/* SPDX-License-Identifier: GPL-2.0-only */
/* Charts as SVG: no script draws them, so they are there in print, too. */
#include <math.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/escape.h"
#include "base/units.h"
#include "report/html.h"
#include "report/series.h"

#define WIDTH  560
#define HEIGHT 236
#define LEFT   58
#define RIGHT  (WIDTH - 14)
#define TOP    14
#define BOTTOM (HEIGHT - 40)
#define ROWS   16 /* of the table beside */

const char *chart_number(enum chart_unit unit, double value, char buffer[24])
{
	if (unit == CHART_BYTES) {
		bytes_short((uint64_t)value, buffer);
		if (value < 1024)
			snprintf(buffer, 24, "%.0f", value);
	} else if (value >= 1e6) {
		snprintf(buffer, 24, "%.3gM", value / 1e6);
	} else if (value >= 1e4) {
		snprintf(buffer, 24, "%.3gk", value / 1e3);
	} else {
		snprintf(buffer, 24, "%.4g", value);
	}
	return buffer;
}

/* The step between marks: 1, 2 or 5 times a power of ten, or of 1024 for bytes. */
static double nice_step(double span, int marks, bool binary)
{
	double raw = span / marks, base = 1;

	if (raw <= 0)
		return 1;
	if (binary) {
		while (base < raw)
			base *= 2;
		return base;
	}
	base = pow(10, floor(log10(raw)));
	return raw <= base       ? base
	       : raw <= 2 * base ? 2 * base
	       : raw <= 5 * base ? 5 * base
				 : 10 * base;
}

static double x_of(const struct chart *chart, double step)
{
	return LEFT + (RIGHT - LEFT) * (chart->n > 1 ? step / (double)(chart->n - 1) : 0.5);
}

static double y_of(double value, double top)
{
	return BOTTOM - (BOTTOM - TOP) * (value / top);
}

static double highest(const struct chart *chart)
{
	double most = 0;

	for (size_t i = 0; i < chart->n_lines; i++)
		for (size_t k = 0; k < chart->n; k++)
			most = MAX(most, chart->lines[i].values[k]);
	return most;
}

/* "+1.5 s", in the unit that the whole span has. */
static const char *time_unit(double span_s, double *ret_scale)
{
	static const struct {
		double least_s, scale;
		const char *name;
	} units[] = {
		{2 * 86400, 1.0 / 3600, "hours"},
		{2 * 3600, 1.0 / 3600, "hours"},
		{300, 1.0 / 60, "minutes"},
		{1, 1, "seconds"},
		{1e-3, 1e3, "milliseconds"},
		{0, 1e6, "microseconds"},
	};
	size_t i = 0;

	while (span_s < units[i].least_s)
		i++;
	*ret_scale = units[i].scale;
	return units[i].name;
}

static void write_axes(FILE *out, const struct chart *chart, double top, double step_y)
{
	double span = chart->step_s * (double)(chart->n > 1 ? chart->n - 1 : 1), scale, step;
	const char *unit = time_unit(span, &scale);
	char text[24];

	for (double y = 0; y <= top * 1.0001; y += step_y)
		fprintf(out,
			"<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"axis end\" x=\"%d\" "
			"y=\"%.1f\">%s</text>\n",
			LEFT, y_of(y, top), RIGHT, LEFT - 6, y_of(y, top) + 4,
			chart_number(chart->unit, y, text));
	step = nice_step(span * scale, 6, false);
	for (double t = 0; t <= span * scale * 1.0001; t += step) {
		double x = LEFT + (RIGHT - LEFT) * t / (span * scale);

		fprintf(out,
			"<path class=\"tick\" d=\"M%.1f %dv5\"/><text class=\"axis middle\" "
			"x=\"%.1f\" y=\"%d\">%.4g</text>\n",
			x, BOTTOM, x, BOTTOM + 18, t);
	}
	fprintf(out, "<path class=\"tick\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, BOTTOM, RIGHT);
	fprintf(out,
		"<text class=\"axis middle\" x=\"%d\" y=\"%d\">%s since it was first seen</text>\n",
		(LEFT + RIGHT) / 2, HEIGHT - 6, unit);
}

static void write_line(
	FILE *out, const struct chart *chart, const struct chart_line *line, double top)
{
	if (line->low) {
		fprintf(out, "<path class=\"band %s\" d=\"", line->class);
		for (size_t i = 0; i < chart->n; i++)
			fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', x_of(chart, (double)i),
				y_of(line->values[i], top));
		for (size_t i = chart->n; i-- > 0;)
			fprintf(out, "L%.1f %.1f", x_of(chart, (double)i), y_of(line->low[i], top));
		fputs("Z\"/>\n", out);
		return;
	}
	fprintf(out, "<path class=\"line %s\" d=\"", line->class);
	for (size_t i = 0; i < chart->n; i++)
		if (!i || i + 1 == chart->n || line->values[i] != line->values[i - 1] ||
			line->values[i] != line->values[i + 1])
			fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', x_of(chart, (double)i),
				y_of(line->values[i], top));
	if (chart->n == 1)
		fputs("h1", out);
	fputs("\"/>\n", out);
}

static void write_legend(FILE *out, const struct chart *chart)
{
	fputs("<p class=\"legend\">", out);
	for (size_t i = 0; i < chart->n_lines; i++) {
		fprintf(out, "<span class=\"key %s %s\"></span> ", chart->lines[i].class,
			chart->lines[i].low ? "wide" : "");
		escape_xml(out, chart->lines[i].name);
		fputs(" ", out);
	}
	fputs("</p>\n", out);
}

/* Fewer rows than there are steps: each is its step. */
static void write_table(FILE *out, const struct chart *chart)
{
	size_t stride = (chart->n + ROWS - 1) / ROWS;
	double scale;
	const char *unit = time_unit(chart->step_s * (double)chart->n, &scale);
	char text[24];

	fprintf(out,
		"<details><summary>As a table</summary><div class=\"scroll\"><table><thead><tr>"
		"<th scope=\"col\" class=\"n\">%s</th>",
		unit);
	for (size_t i = 0; i < chart->n_lines; i++) {
		fputs("<th scope=\"col\" class=\"n\">", out);
		escape_xml(out, chart->lines[i].name);
		fputs("</th>", out);
	}
	fputs("</tr></thead><tbody>\n", out);
	for (size_t k = 0; k < chart->n; k += stride ?: 1) {
		size_t at = MIN(k, chart->n - 1);

		fprintf(out, "<tr><td class=\"n\">%.4g</td>",
			(chart->begin_s + chart->step_s * (double)at) * scale);
		for (size_t i = 0; i < chart->n_lines; i++)
			fprintf(out, "<td class=\"n\">%s</td>",
				chart_number(chart->unit, chart->lines[i].values[at], text));
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>", out);
	if (stride > 1)
		fprintf(out, "<p class=\"note\">One row in %zu of those that are drawn.</p>",
			stride);
	fputs("</details>\n", out);
}

void chart_write(FILE *out, const struct chart *chart)
{
	double top = highest(chart), step;

	if (top <= 0)
		top = chart->unit == CHART_BYTES ? 4096 : 1;
	step = nice_step(top, chart->unit == CHART_BYTES ? 6 : 5, chart->unit == CHART_BYTES);
	if (chart->unit != CHART_RATE && step < 1)
		step = 1;
	top = ceil(top / step) * step;
	fprintf(out, "<figure class=\"chart\" id=\"%s\"><figcaption>", chart->id);
	escape_xml(out, chart->title);
	fprintf(out,
		"</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-t "
		"%s-d\"><title id=\"%s-t\">",
		WIDTH, HEIGHT, chart->id, chart->id, chart->id);
	escape_xml(out, chart->title);
	fprintf(out, "</title><desc id=\"%s-d\">", chart->id);
	escape_xml(out, chart->about);
	fputs("</desc>\n", out);
	write_axes(out, chart, top, step);
	for (size_t i = 0; i < chart->n_lines; i++)
		write_line(out, chart, &chart->lines[i], top);
	fputs("</svg>\n", out);
	write_legend(out, chart);
	fputs("<p class=\"about\">", out);
	escape_xml(out, chart->about);
	fputs("</p>\n", out);
	write_table(out, chart);
	fputs("</figure>\n", out);
}

/* ---- how long answers took ---- */

static double log_of(double value, double from, double to)
{
	return (log2(value) - log2(from)) / (log2(to) - log2(from));
}

/* Counts from 1 to top, a little above the axis so that one is to be seen. */
static double bar_of(uint64_t count, double top)
{
	return (BOTTOM - TOP) * (log10((double)count) + 0.15) / (log10(top) + 0.15);
}

static void write_bars(
	FILE *out, const struct spread *spread, unsigned int first, unsigned int last, double top)
{
	double from = (double)(first ? spread_bound(first - 1) : 512);
	double to = (double)spread_bound(last);

	for (unsigned int i = first; i <= last; i++) {
		double low = (double)(i ? spread_bound(i - 1) : 512),
		       high = (double)spread_bound(i);
		double x = LEFT + (RIGHT - LEFT) * log_of(low, from, to);
		double width = LEFT + (RIGHT - LEFT) * log_of(high, from, to) - x;
		double height = spread->counts[i] ? bar_of(spread->counts[i], top) : 0;
		char a[24], b[24];

		if (!height)
			continue;
		fprintf(out,
			"<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
			"<title>%s to %s: %llu</title></rect>\n",
			x + 0.5, BOTTOM - height, width > 2 ? width - 1 : width, height,
			i ? duration_short((uint64_t)low, a) : "0",
			duration_short((uint64_t)high, b), (unsigned long long)spread->counts[i]);
	}
	for (double t = 1e3; t < to * 1.0001; t *= 10) {
		static const char *const names[] = {
			"1us", "10us", "100us", "1ms", "10ms", "100ms", "1s", "10s", "100s"};
		double x = LEFT + (RIGHT - LEFT) * log_of(t, from, to);
		int name = (int)lround(log10(t)) - 3;

		if (t < from || name >= (int)(sizeof(names) / sizeof(*names)))
			continue;
		fprintf(out,
			"<path class=\"tick\" d=\"M%.1f %dv5\"/><text class=\"axis middle\" "
			"x=\"%.1f\" y=\"%d\">%s</text>\n",
			x, BOTTOM, x, BOTTOM + 18, names[name]);
	}
}

static void write_spread_table(
	FILE *out, const struct spread *spread, unsigned int first, unsigned int last)
{
	char a[24], b[24];

	fputs("<details><summary>As a table</summary><div class=\"scroll\"><table><thead><tr><th "
	      "scope=\"col\" class=\"n\">from</th><th scope=\"col\" class=\"n\">to</th><th "
	      "scope=\"col\" class=\"n\">answers</th></tr></thead><tbody>\n",
		out);
	for (unsigned int i = first; i <= last; i++)
		if (spread->counts[i])
			fprintf(out,
				"<tr><td class=\"n\">%s</td><td class=\"n\">%s</td><td "
				"class=\"n\">%llu</td></tr>\n",
				i ? duration_short(spread_bound(i - 1), a) : "0",
				duration_short(spread_bound(i), b),
				(unsigned long long)spread->counts[i]);
	fputs("</tbody></table></div></details>\n", out);
}

void chart_spread(FILE *out, const char *id, const struct spread *spread)
{
	unsigned int first = SPREAD_BUCKETS, last = 0;
	double top = 1, most = 0;
	char p50[24], p99[24], low[24], high[24];

	for (unsigned int i = 0; i < SPREAD_BUCKETS; i++)
		if (spread->counts[i]) {
			first = MIN(first, i);
			last = i;
			most = MAX(most, (double)spread->counts[i]);
		}
	if (!spread->n) {
		fputs("<p class=\"note\">No answer was seen from its request on: there are no "
		      "latencies.</p>\n",
			out);
		return;
	}
	/* Room to both sides: a single bar is not a wall. */
	first = first > 2 ? first - 2 : 0;
	last = MIN(last + 2, SPREAD_BUCKETS - 1);
	while (top < most)
		top *= 10;
	fprintf(out,
		"<figure class=\"chart\" id=\"%s\"><figcaption>Answer latency</figcaption>\n<svg "
		"viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-t %s-d\"><title "
		"id=\"%s-t\">Answer latency</title><desc id=\"%s-d\">How many requests took how "
		"long to be answered; both axes are logarithmic.</desc>\n",
		id, WIDTH, HEIGHT, id, id, id, id);
	for (double y = 1; y <= top; y *= 10) {
		double at = BOTTOM - bar_of((uint64_t)y, top);
		char text[24];

		fprintf(out,
			"<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"axis end\" x=\"%d\" "
			"y=\"%.1f\">%s</text>\n",
			LEFT, at, RIGHT, LEFT - 6, at + 4, chart_number(CHART_COUNT, y, text));
	}
	write_bars(out, spread, first, last, top);
	fprintf(out, "<path class=\"tick\" d=\"M%d %dV%dH%d\"/>\n", LEFT, TOP, BOTTOM, RIGHT);
	fprintf(out,
		"<text class=\"axis middle\" x=\"%d\" y=\"%d\">time from request to answer "
		"(log)</text></svg>\n",
		(LEFT + RIGHT) / 2, HEIGHT - 6);
	fprintf(out,
		"<p class=\"legend\"><span class=\"key bar wide\"></span> answers in each half a "
		"power of two (log)</p>\n"
		"<p class=\"about\">%llu answers, from %s to %s; half of them within %s, 99%% "
		"within "
		"%s.</p>\n",
		(unsigned long long)spread->n, duration_short(spread->low_ns, low),
		duration_short(spread->high_ns, high),
		duration_short(spread_permille(spread, 500), p50),
		duration_short(spread_permille(spread, 990), p99));
	write_spread_table(out, spread, first, last);
	fputs("</figure>\n", out);
}
