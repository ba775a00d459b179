/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/cleanup.h"
#include "metrics/metrics_private.h"

const char *family_type_name(enum family_type type)
{
	static const char *const names[] = {
		[FAMILY_COUNTER] = "counter",
		[FAMILY_GAUGE] = "gauge",
		[FAMILY_HISTOGRAM] = "histogram",
		[FAMILY_INFO] = "info",
		[FAMILY_STATESET] = "stateset",
	};
	_Static_assert(ARRAY_SIZE(names) == FAMILY_TYPES, "a name for each type");

	return names[type];
}

const char *family_suffix(const struct family *family)
{
	return family->type == FAMILY_COUNTER ? "_total"
	       : family->type == FAMILY_INFO  ? "_info"
					      : "";
}

static void head_line(struct text *out, const char *what, const struct family *family,
	const char *suffix, const char *value)
{
	text_string(out, what);
	text_string(out, family->name);
	text_string(out, suffix);
	text_put(out, " ", 1);
	text_string(out, value);
	text_put(out, "\n", 1);
}

/* The older format knows neither units nor info and state sets, and has the whole name everywhere.
 */
void family_head(struct text *out, const struct family *family, enum metrics_format format)
{
	enum family_type type = family->type;
	const char *suffix = "";

	if (format == METRICS_TEXT) {
		suffix = family_suffix(family);
		if (type == FAMILY_INFO || type == FAMILY_STATESET)
			type = FAMILY_GAUGE;
	}
	head_line(out, "# TYPE ", family, suffix, family_type_name(type));
	if (*family->unit && format == METRICS_OPENMETRICS)
		head_line(out, "# UNIT ", family, suffix, family->unit);
	head_line(out, "# HELP ", family, suffix, family->help);
}
