/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/filter.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"

/* ---- values ---- */

static const struct suffix {
	const char *text;
	double times;
} byte_units[] = {{"k", 0x1p10}, {"m", 0x1p20}, {"g", 0x1p30}, {"t", 0x1p40}, {"b", 1}},
  time_units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}},
  count_units[] = {{"k", 1e3}, {"m", 1e6}, {"g", 1e9}};

static bool scale(const struct suffix *units, size_t n, const char *suffix, double *value)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(units[i].text, suffix)) {
			*value *= units[i].times;
			return true;
		}
	return false;
}

static bool take_unit(const struct filter_term *term, const char *suffix, double *value)
{
	switch (term->column->unit) {
	case COLUMN_BYTES:
		return scale(byte_units, ARRAY_SIZE(byte_units), suffix, value);
	case COLUMN_TIME:
		return scale(time_units, ARRAY_SIZE(time_units), suffix, value);
	case COLUMN_PERCENT:
		return !strcmp(suffix, "%");
	default:
		return scale(count_units, ARRAY_SIZE(count_units), suffix, value);
	}
}

static const char *units_of(enum column_unit unit)
{
	return unit == COLUMN_BYTES     ? "bytes, such as 64K, 1.5G"
	       : unit == COLUMN_TIME    ? "a time, such as 200us, 2ms, 1s"
	       : unit == COLUMN_PERCENT ? "a percentage, such as 10%"
					: "a number, such as 3 or 10k";
}

static int parse_number(struct filter_term *term, struct error *err)
{
	char shown[ESCAPED_SIZE(FILTER_WORD)];
	const struct column *column = term->column;
	char *end;
	double value = strtod(term->word, &end);

	/* A part of its memory, where the column is an amount of it. */
	if (*end == '%' && !end[1] && !strcmp(column->id, "shared"))
		term->column = column_find("percent");
	if (end != term->word && isfinite(value) && (!*end || take_unit(term, end, &value))) {
		term->number = value;
		return 0;
	}
	error_set(err, -EINVAL, "filter: '%s' cannot be compared with '%s'", column->id,
		escape(term->word, shown, sizeof(shown)));
	error_advise(err, "give %s%s", units_of(column->unit),
		strcmp(column->id, "shared") ? "" : ", or 10%");
	return -EINVAL;
}

/* Some text has an order, and its words stand for numbers: findings, policy. */
static int parse_value(struct filter_term *term, struct error *err)
{
	if (term->op == FILTER_CONTAINS)
		return 0;
	if (term->column->unit != COLUMN_TEXT)
		return parse_number(term, err);
	if (term->column->grade)
		return term->column->grade(term->word, &term->number) ? 0 : parse_number(term, err);
	if (term->op == FILTER_EQUAL || term->op == FILTER_UNEQUAL)
		return 0;
	error_set(
		err, -EINVAL, "filter: '%s' is text: it has no more and no less", term->column->id);
	error_advise(err, "use = (is), != (is not) or ~ (contains)");
	return -EINVAL;
}

/* ---- words ---- */

/* Takes the next word, with quotes taken off, into out; *ret_op is where its operator stands, NULL:
 * it has none, and *ret_value where its value begins. 1; 0: there is none. */
static int take_word(const char **at, char out[FILTER_TEXT], size_t *ret_op, struct error *err)
{
	const char *from = *at;
	size_t used = 0;
	char quote = 0;

	*ret_op = SIZE_MAX;
	from += strspn(from, " \t");
	if (!*from)
		return 0;
	for (; *from && (quote || !strchr(" \t", *from)); from++) {
		if (quote ? *from == quote : *from == '"' || *from == '\'') {
			quote = quote ? 0 : *from;
			continue;
		}
		if (!quote && *ret_op == SIZE_MAX && used && strchr("=<>~!", *from))
			*ret_op = used;
		if (used + 1 >= FILTER_TEXT)
			return error_set(err, -EINVAL, "filter: a word is too long");
		out[used++] = *from;
	}
	out[used] = '\0';
	*at = from;
	if (quote)
		return error_set(err, -EINVAL, "filter: a quote %c is not closed", quote);
	return 1;
}

static size_t take_op(const char *text, enum filter_op *ret)
{
	static const struct {
		const char *text;
		enum filter_op op;
	} ops[] = {
		{"!=", FILTER_UNEQUAL},
		{"<=", FILTER_LESS_EQUAL},
		{">=", FILTER_MORE_EQUAL},
		{"==", FILTER_EQUAL},
		{"=", FILTER_EQUAL},
		{"<", FILTER_LESS},
		{">", FILTER_MORE},
		{"~", FILTER_CONTAINS},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (!strncmp(text, ops[i].text, strlen(ops[i].text))) {
			*ret = ops[i].op;
			return strlen(ops[i].text);
		}
	return 0;
}

static int no_column(struct error *err, const char *word)
{
	char shown[ESCAPED_SIZE(FILTER_WORD)];

	error_set(err, -EINVAL, "filter: there is no column '%s'",
		escape(word, shown, sizeof(shown)));
	error_advise(err,
		"such as name, type, shared, percent, conf, toshared, p99, findings; quote a word "
		"that has one of = < > ~ in it");
	return -EINVAL;
}

static int keep_word(struct filter_term *term, const char *word, struct error *err)
{
	if (strlen(word) >= FILTER_WORD)
		return error_set(err, -EINVAL, "filter: a word is too long");
	snprintf(term->word, FILTER_WORD, "%s", word);
	return 0;
}

static int parse_term(struct filter_term *term, char *word, size_t op_at, struct error *err)
{
	size_t length;

	term->negated = *word == '!';
	word += term->negated;
	if (op_at == SIZE_MAX || op_at <= term->negated) {
		if (!*word)
			return error_set(err, -EINVAL, "filter: nothing follows '!'");
		return keep_word(term, word, err);
	}
	op_at -= term->negated;
	length = take_op(word + op_at, &term->op);
	if (!length)
		return error_set(err, -EINVAL, "filter: '!' is no comparison: use != or !word");
	if (!word[op_at + length])
		return error_set(err, -EINVAL, "filter: nothing to compare with at the end");
	if (keep_word(term, word + op_at + length, err))
		return -EINVAL;
	word[op_at] = '\0';
	term->column = column_find(word);
	return term->column ? parse_value(term, err) : no_column(err, word);
}

int filter_parse(struct filter *ret, const char *text, struct error *err)
{
	struct filter filter = {};
	char word[FILTER_TEXT];
	size_t op;
	int r;

	while ((r = take_word(&text, word, &op, err)) > 0) {
		if (filter.n == FILTER_TERMS)
			return error_set(err, -EINVAL, "filter: more than %d words", FILTER_TERMS);
		r = parse_term(&filter.terms[filter.n], word, op, err);
		if (r)
			return r;
		filter.n++;
	}
	if (!r)
		*ret = filter;
	return r;
}

/* ---- matching ---- */

static bool has_word(const struct row *row, const char *word)
{
	char type[16];

	return strcasestr(row->name, word) || strcasestr(row->cgroup, word) ||
	       strcasestr(row->uuid, word) || strcasestr(vm_type_name(row->type, type), word);
}

static bool compare_text(const struct filter_term *term, const struct row *row)
{
	char text[COLUMN_SIZE], type[16];
	const char *shown = column_text(term->column, row, text);
	bool equal;

	if (term->op == FILTER_CONTAINS)
		return strcasestr(shown, term->word) != NULL;
	equal = !strcasecmp(shown, term->word);
	if (!strcmp(term->column->id, "type")) /* by its full name, too */
		equal = equal || !strcasecmp(vm_type_name(row->type, type), term->word);
	return equal == (term->op == FILTER_EQUAL);
}

static bool compare_number(const struct filter_term *term, const struct row *row)
{
	double value = term->column->number(row);

	if (term->column->is_known && !term->column->is_known(row))
		return term->op == FILTER_UNEQUAL; /* nobody knows: it is not this */
	switch (term->op) {
	case FILTER_EQUAL:
		return fabs(value - term->number) <= 1e-9 * fabs(term->number);
	case FILTER_UNEQUAL:
		return fabs(value - term->number) > 1e-9 * fabs(term->number);
	case FILTER_LESS:
		return value < term->number;
	case FILTER_LESS_EQUAL:
		return value <= term->number;
	case FILTER_MORE:
		return value > term->number;
	default:
		return value >= term->number;
	}
}

static bool term_matches(const struct filter_term *term, const struct row *row)
{
	bool holds = !term->column ? has_word(row, term->word)
		     : term->column->number && term->op != FILTER_CONTAINS
			     ? compare_number(term, row)
			     : compare_text(term, row);

	return holds != term->negated;
}

bool filter_matches(const struct filter *filter, const struct row *row)
{
	for (size_t i = 0; i < filter->n; i++)
		if (!term_matches(&filter->terms[i], row))
			return false;
	return true;
}

bool filter_matches_text(const struct filter *filter, const char *text)
{
	for (size_t i = 0; i < filter->n; i++) {
		const struct filter_term *term = &filter->terms[i];

		if (!term->column && (strcasestr(text, term->word) != NULL) == term->negated)
			return false;
	}
	return true;
}
