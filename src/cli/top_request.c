/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/top_request.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

static int bad(struct error *err, const char *option, const char *value, const char *advice)
{
	char shown[ESCAPED_SIZE(64)];

	error_set(err, -EINVAL, "%s cannot be '%s'", option, escape(value, shown, sizeof(shown)));
	error_advise(err, "%s", advice);
	return -EINVAL;
}

static int parse_interval(const char *text, uint64_t *ret_ns, struct error *err)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !isfinite(seconds) || seconds < 0.1 || seconds > 3600)
		return bad(err, "--interval", text, "give seconds, 0.1 to 3600");
	*ret_ns = (uint64_t)(seconds * 1e9);
	return 0;
}

static int parse_samples(const char *text, unsigned long *ret, struct error *err)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (end == text || *end || *text == '-' || errno || !n)
		return bad(err, "--samples", text, "give a number of tables from 1 on");
	*ret = n;
	return 0;
}

/* "10x", "0.5", or "step": 0. */
static int parse_speed(const char *text, double *ret, struct error *err)
{
	char *end;
	double speed = strtod(text, &end);

	*ret = 0;
	if (!strcmp(text, "step"))
		return 0;
	if (end == text || (*end && strcmp(end, "x")) || !isfinite(speed) || speed < 0.01 ||
		speed > 1e6)
		return bad(err, "--speed", text, "give a factor such as 10x, or step");
	*ret = speed;
	return 0;
}

int top_request_parse(struct top_request *ret, const struct options *o, struct error *err)
{
	int r = 0;

	*ret = (struct top_request){.theme = THEMES, .speed = 1};
	if (o->interval)
		r = parse_interval(o->interval, &ret->interval_ns, err);
	if (!r && o->samples)
		r = parse_samples(o->samples, &ret->tables, err);
	if (!r && o->speed)
		r = parse_speed(o->speed, &ret->speed, err);
	if (!r && o->theme && theme_from_name(o->theme, &ret->theme))
		r = bad(err, "--theme", o->theme, "it is dark, light or mono");
	if (o->once)
		ret->tables = 1;
	return r;
}
