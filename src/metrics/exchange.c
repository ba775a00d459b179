/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/exchange.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

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
