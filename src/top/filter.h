/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which VMs to show: words, all of which have to hold. A plain word is part of the name, the type,
 * the cgroup or the uuid; COLUMN OP VALUE compares: type=snp shared>10% p99>=2ms name~db !lost=0
 */
#ifndef TOP_FILTER_H
#define TOP_FILTER_H

#include "base/error.h"
#include "top/columns.h"

#define FILTER_TERMS 16
#define FILTER_WORD  64
#define FILTER_TEXT  256

enum filter_op {
	FILTER_CONTAINS, /* ~, or a plain word */
	FILTER_EQUAL,
	FILTER_UNEQUAL,
	FILTER_LESS,
	FILTER_LESS_EQUAL,
	FILTER_MORE,
	FILTER_MORE_EQUAL,
};

struct filter {
	struct filter_term {
		const struct column *column; /* NULL: any text */
		enum filter_op op;
		bool negated;
		double number;
		char word[FILTER_WORD];
	} terms[FILTER_TERMS];
	size_t n; /* 0: all */
};

/* -EINVAL with err filled; *ret is untouched then. */
int filter_parse(struct filter *ret, const char *text, struct error *err);

bool filter_matches(const struct filter *filter, const struct row *row);

/* Whether a text has all plain words of it; what compares columns holds. For lists of lines. */
bool filter_matches_text(const struct filter *filter, const char *text);

#endif
