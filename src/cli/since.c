/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/since.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"

#define SECOND 1000000000ll
#define DAY    86400

static int refuse(const char *word, struct error *err)
{
	char shown[ESCAPED_SIZE(64)];

	error_set(err, -EINVAL, "--since cannot be '%s'", escape(word, shown, sizeof(shown)));
	error_advise(err,
		"give 30s, 10m, 2h or 1d ago, a time of day such as 14:05 or 14:05:30, or "
		"'2026-11-25 14:05:30'");
	return -EINVAL;
}

/* "10m": seconds; negative: it is no such thing. */
static int64_t parse_ago(const char *word)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', DAY}};
	unsigned long long number;
	char *end;

	if (*word < '0' || *word > '9')
		return -1;
	errno = 0;
	number = strtoull(word, &end, 10);
	if (errno || number > 1000000 || !*end || end[1])
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (*end == units[i].letter)
			return (int64_t)number * units[i].seconds;
	return -1;
}

static bool parse_whole(const char *word, const char *format, struct tm *tm)
{
	const char *end = strptime(word, format, tm);

	return end && !*end;
}

/* Seconds since the epoch, of the time of day or the date; -1: it is neither. */
static time_t parse_clock(const char *word, time_t now)
{
	static const char *const dates[] = {"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"};
	static const char *const times[] = {"%H:%M:%S", "%H:%M"};
	struct tm tm;
	time_t at;

	for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
		tm = (struct tm){.tm_isdst = -1};
		if (parse_whole(word, dates[i], &tm))
			return mktime(&tm);
	}
	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		localtime_r(&now, &tm);
		tm.tm_sec = 0;
		tm.tm_isdst = -1;
		if (!parse_whole(word, times[i], &tm))
			continue;
		at = mktime(&tm);
		if (at <= now)
			return at;
		tm.tm_mday--; /* yesterday's */
		tm.tm_isdst = -1;
		return mktime(&tm);
	}
	return -1;
}

int since_check(const char *word, struct error *err)
{
	return parse_ago(word) < 0 && parse_clock(word, time(NULL)) < 0 ? refuse(word, err) : 0;
}

int since_parse(const char *word, uint64_t now_ns, int64_t realtime_offset_ns, uint64_t *ret_ns,
	struct error *err)
{
	int64_t ago = parse_ago(word), now = (int64_t)now_ns + realtime_offset_ns, at;

	if (ago >= 0) {
		at = (int64_t)now_ns - ago * SECOND;
	} else {
		time_t clock = parse_clock(word, now / SECOND);

		if (clock < 0)
			return refuse(word, err);
		at = clock * SECOND - realtime_offset_ns;
	}
	*ret_ns = at > 0 ? (uint64_t)at : 0;
	return 0;
}
