/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/exchange.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "metrics/text.h"

/* ---- Accept: (RFC 9110, 12.5.1) ---- */

/* Thousandths; what is no weight is none: 0 to 1 with at most three digits behind the point. */
static int weight(const char *at)
{
	int value = *at == '1' ? 1000 : 0, digit = 100;

	if (*at != '0' && *at != '1')
		return 0;
	if (*++at == '.')
		for (at++; isdigit((unsigned char)*at) && digit; at++, digit /= 10)
			value += (*at - '0') * digit;
	return value > 1000 ? 1000 : value;
}

/* The weight of one range of the list, which is n bytes long; 0 if it is of another type. */
static int range_weight(const char *range, size_t n, const char *type)
{
	size_t length = strlen(type), name = strcspn(range, ";, \t");

	if (name > n || name != length || strncasecmp(range, type, length))
		return 0;
	for (const char *at = range + name; at + 2 < range + n; at++)
		if ((*at == ';' || *at == ' ' || *at == '\t') && !strncasecmp(at + 1, "q=", 2))
			return at + 3 < range + n ? weight(at + 3) : 0;
	return 1000;
}

/* The largest one in the whole list. */
static int weight_of(const char *accept, const char *type)
{
	int most = 0;

	while (*accept) {
		size_t n;
		int found;

		accept += strspn(accept, ", \t");
		n = strcspn(accept, ",");
		found = range_weight(accept, n, type);
		most = found > most ? found : most;
		accept += n;
	}
	return most;
}

enum metrics_format metrics_negotiate(const char *accept)
{
	int wanted = accept ? weight_of(accept, "application/openmetrics-text") : 0;

	return wanted && wanted >= weight_of(accept, "text/plain") ? METRICS_OPENMETRICS
								   : METRICS_TEXT;
}

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- from one format to the other ---- */

static bool begins(const char *line, size_t n, const char *with)
{
	return n >= strlen(with) && !memcmp(line, with, strlen(with));
}

static bool ends(const char *line, size_t n, const char *with)
{
	size_t length = strlen(with);

	return n >= length && !memcmp(line + n - length, with, length);
}

/* What the family's name gets behind it in the older format, by its TYPE line. */
static const char *suffix_of(const char *line, size_t n)
{
	return ends(line, n, " counter") ? "_total" : ends(line, n, " info") ? "_info" : "";
}

/* "# TYPE name ..." and "# HELP name ...": the name with its suffix. Types that are not known there
 * become gauges. */
static void head(struct text *out, const char *line, size_t n, const char *suffix)
{
	const char *space = n > 7 ? memchr(line + 7, ' ', n - 7) : NULL;
	size_t name = space ? (size_t)(space - line) : n;
	bool gauge = begins(line, n, "# TYPE ") &&
		     (ends(line, n, " info") || ends(line, n, " stateset"));

	text_put(out, line, name);
	text_string(out, suffix);
	if (gauge)
		text_string(out, " gauge");
	else
		text_put(out, line + name, n - name);
	text_put(out, "\n", 1);
}

void metrics_downgrade(struct text *out, const char *bytes, size_t n)
{
	const char *suffix = "";

	while (n) {
		const char *newline = memchr(bytes, '\n', n);
		size_t length = newline ? (size_t)(newline - bytes) : n;
		size_t step = newline ? length + 1 : length;

		if (begins(bytes, length, "# TYPE "))
			suffix = suffix_of(bytes, length);
		if (begins(bytes, length, "# TYPE ") || begins(bytes, length, "# HELP ")) {
			head(out, bytes, length, suffix);
		} else if (!begins(bytes, length, "#")) {
			text_put(out, bytes, length);
			text_put(out, "\n", 1);
		}
		bytes += step;
		n -= step;
	}
}
