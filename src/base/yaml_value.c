/* SPDX-License-Identifier: GPL-2.0-only */
/* What nodes mean: to walk them, and to take values from them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h> /* MIN */

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/yaml.h"

#define SHOWN       40 /* bytes of a value that an error shows */
#define WANTED_SIZE 160
#define NEAR        2  /* letters that may be wrong in a word that is known again */
#define WORD_MAX    32 /* longer words are not looked for */

/* ---- errors ---- */

/* "'fast'", "a list": what there is. */
static const char *describe(const struct yaml_node *node, char buffer[ESCAPED_SIZE(SHOWN) + 2])
{
	char text[SHOWN + 4], shown[ESCAPED_SIZE(SHOWN)];

	if (node->type != YAML_SCALAR)
		return node->type == YAML_MAPPING ? "a mapping" : "a list";
	if (yaml_is_null(node))
		return "nothing";
	snprintf(text, sizeof(text), "%s", node->text);
	snprintf(buffer, ESCAPED_SIZE(SHOWN) + 2, "'%s'", escape(text, shown, sizeof(shown)));
	return buffer;
}

int yaml_wants(const struct yaml_node *node, struct error *err, const char *wanted)
{
	char is[ESCAPED_SIZE(SHOWN) + 2], key[ESCAPED_SIZE(SHOWN) + 2];

	if (!node->key)
		return yaml_error(
			node, err, "%s is wanted here, not %s", wanted, describe(node, is));
	return yaml_error(node, err, "%s wants %s, not %s", describe(node->key, key), wanted,
		describe(node, is));
}

/* ---- words that are nearly right ---- */

static size_t least_of(size_t a, size_t b, size_t c)
{
	return MIN(MIN(a, b), c);
}

/* How many letters have to be put in, left out, changed, or swapped with the next one. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][WORD_MAX + 1], la = strlen(a), lb = strlen(b);
	size_t *two = rows[0], *one = rows[1], *now = rows[2];

	if (la > WORD_MAX || lb > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		one[j] = two[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *spare = two;

		now[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			now[j] = least_of(
				one[j] + 1, now[j - 1] + 1, one[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = MIN(now[j], two[j - 2] + 1);
		}
		two = one;
		one = now;
		now = spare;
	}
	return one[lb];
}

static const char *nearest(const char *word, const char *const *names, size_t n)
{
	size_t least = NEAR + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t far = distance(word, names[i]);

		/* "a" is as near to "x" as to anything. */
		if (far < least && far < strlen(names[i])) {
			least = far;
			found = names[i];
		}
	}
	return found;
}

static void advise(struct error *err, const char *word, const char *const *names, size_t n)
{
	const char *meant = nearest(word, names, n);
	char list[sizeof(err->advice) - 16] = "";
	size_t used = 0;

	if (meant) {
		error_advise(err, "did you mean '%s'?", meant);
		return;
	}
	for (size_t i = 0; i < n && used < sizeof(list); i++)
		used += (size_t)snprintf(
			list + used, sizeof(list) - used, "%s%s", i ? ", " : "", names[i]);
	error_advise(err, "there is: %s", list);
}

int yaml_choose(const struct yaml_node *node, const char *what, const char *const *names, size_t n,
	size_t *ret, struct error *err)
{
	char shown[ESCAPED_SIZE(SHOWN) + 2];
	int r;

	if (node->type != YAML_SCALAR || yaml_is_null(node)) {
		r = yaml_wants(node, err, "one of the words below");
		advise(err, "", names, n);
		return r;
	}
	for (size_t i = 0; i < n; i++)
		if (!strcmp(node->text, names[i])) {
			*ret = i;
			return 0;
		}
	r = yaml_error(node, err, "there is no %s %s", what, describe(node, shown));
	advise(err, node->text, names, n);
	return r;
}

/* ---- to walk ---- */

/* All that is wrong below a node, from here on. */
struct walk {
	struct yaml_errors *errors; /* NULL: the first one ends it */
	size_t before;
};

static struct walk walk_begin(const struct yaml_node *node)
{
	struct yaml_errors *errors = yaml_errors(node->yaml);

	return (struct walk){errors, errors ? errors->n : 0};
}

/* What a step returned: 0 to go on. What its own steps have told of is not told again. */
static int walk_step(const struct walk *walk, size_t told, int r, const struct error *err)
{
	if (!walk->errors || r != -EINVAL)
		return r;
	if (walk->errors->n == told) {
		walk->errors->n++;
		walk->errors->tell(walk->errors->context, err);
	}
	return 0;
}

static int walk_end(const struct walk *walk, int r)
{
	return !r && walk->errors && walk->errors->n > walk->before ? -EINVAL : r;
}

static size_t walk_told(const struct walk *walk)
{
	return walk->errors ? walk->errors->n : 0;
}

int yaml_each_pair(
	const struct yaml_node *mapping, yaml_pair_fn fn, void *context, struct error *err)
{
	struct walk walk = walk_begin(mapping);
	int r = 0;

	if (yaml_is_null(mapping))
		return 0;
	if (mapping->type != YAML_MAPPING)
		return yaml_wants(mapping, err, "a mapping (lines of 'key: value')");
	for (const struct yaml_node *key = mapping->first; key && !r; key = key->next) {
		size_t told = walk_told(&walk);

		r = walk_step(&walk, told, fn(context, key, key->value, err), err);
	}
	return walk_end(&walk, r);
}

int yaml_each_item(const struct yaml_node *list, yaml_item_fn fn, void *context, struct error *err)
{
	struct walk walk = walk_begin(list);
	int r = 0;

	if (yaml_is_null(list))
		return 0;
	if (list->type != YAML_LIST)
		return yaml_wants(list, err, "a list (lines of '- item')");
	for (const struct yaml_node *item = list->first; item && !r; item = item->next) {
		size_t told = walk_told(&walk);

		r = walk_step(&walk, told, fn(context, item, err), err);
	}
	return walk_end(&walk, r);
}

const struct yaml_node *yaml_find(const struct yaml_node *mapping, const char *key)
{
	if (mapping->type != YAML_MAPPING)
		return NULL;
	for (const struct yaml_node *node = mapping->first; node; node = node->next)
		if (!strcmp(node->text, key))
			return node->value;
	return NULL;
}

#define FIELDS_MAX 32

struct fields {
	const struct yaml_field *fields;
	size_t n;
	void *context;
};

static int read_field(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	const struct fields *f = context;
	const char *names[FIELDS_MAX];
	size_t which, n = MIN(f->n, (size_t)FIELDS_MAX);
	int r;

	for (size_t i = 0; i < n; i++)
		names[i] = f->fields[i].name;
	r = yaml_choose(key, "key", names, n, &which, err);
	return r < 0 ? r : f->fields[which].read(f->context, value, err);
}

int yaml_each_field(const struct yaml_node *mapping, const struct yaml_field *fields, size_t n,
	void *context, struct error *err)
{
	struct fields f = {fields, n, context};
	int r = yaml_each_pair(mapping, read_field, &f, err);

	for (size_t i = 0; i < n && !r; i++)
		if (fields[i].required && !yaml_find(mapping, fields[i].name))
			r = yaml_error(mapping, err, "'%s' is missing here", fields[i].name);
	return r;
}

/* ---- numbers ---- */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {{"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30},
	{"T", 1ull << 40}, {"P", 1ull << 50}};
static const struct unit time_units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000},
	{"s", 1000000000}, {"m", 60 * 1000000000ull}, {"h", 3600 * 1000000000ull}};
static const struct unit percent_units[] = {{"%", 1}};

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : 99;
}

/* Takes digits off *text. -EINVAL: there are none; -ERANGE: too many. */
static int take_digits(const char **text, int base, uint64_t *ret)
{
	const char *p = *text;
	uint64_t value = 0;
	bool wraps = false;

	for (; digit(*p) < base; p++)
		wraps |= __builtin_mul_overflow(value, (uint64_t)base, &value) ||
			 __builtin_add_overflow(value, (uint64_t)digit(*p), &value);
	if (p == *text || (base == 10 && **text == '0' && p != *text + 1))
		return -EINVAL; /* 010 is 8 to some */
	if (wraps)
		return -ERANGE;
	*text = p;
	*ret = value;
	return 0;
}

/* Behind a number nothing but a unit, or nothing at all unless it is required. */
static int take_unit(
	const char *text, const struct unit *units, size_t n, bool required, uint64_t *value)
{
	if (!*text)
		return required ? -EINVAL : 0;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(text, units[i].name))
			return __builtin_mul_overflow(*value, units[i].factor, value) ? -ERANGE : 0;
	return -EINVAL;
}

struct number {
	const struct unit *units;
	size_t n_units;
	bool unit_required;
	const char *what;    /* "a size" */
	const char *such_as; /* ", such as ...", "" */
};

/* In the largest unit that divides it. */
static const char *number_text(const struct number *number, uint64_t value, char buffer[32])
{
	const struct unit *unit = number->unit_required ? &number->units[0] : NULL;

	for (size_t i = 0; i < number->n_units && value; i++)
		if (value >= number->units[i].factor && value % number->units[i].factor == 0)
			unit = &number->units[i];
	snprintf(buffer, 32, "%llu%s", (unsigned long long)(unit ? value / unit->factor : value),
		unit ? unit->name : "");
	return buffer;
}

static int wrong_number(const struct yaml_node *node, const struct number *number, uint64_t min,
	uint64_t max, bool zero, struct error *err)
{
	char from[32], to[32], key[ESCAPED_SIZE(SHOWN) + 2], wanted[WANTED_SIZE];

	snprintf(wanted, sizeof(wanted), "%s from %s to %s%s", number->what,
		number_text(number, min, from), number_text(number, max, to), number->such_as);
	if (!zero || !node->key)
		return yaml_wants(node, err, wanted);
	return yaml_error(
		node, err, "%s cannot be 0: it wants %s", describe(node->key, key), wanted);
}

static int get_number(const struct yaml_node *node, const struct number *number, uint64_t min,
	uint64_t max, uint64_t *ret, struct error *err)
{
	const char *text = node->text;
	uint64_t value = 0;
	int r = node->type == YAML_SCALAR ? take_digits(&text, 10, &value) : -EINVAL;

	if (!r)
		r = take_unit(text, number->units, number->n_units, number->unit_required, &value);
	if (r < 0 || value < min || value > max)
		return wrong_number(node, number, min, max, !r && !value, err);
	*ret = value;
	return 0;
}

int yaml_get_uint(
	const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	static const struct number number = {NULL, 0, false, "a whole number", ""};

	return get_number(node, &number, min, max, ret, err);
}

int yaml_get_bytes(
	const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	static const struct number number = {byte_units, ARRAY_SIZE(byte_units), false, "a size",
		", such as 4096, 64K, 16M or 1G"};

	return get_number(node, &number, min, max, ret, err);
}

int yaml_get_duration(
	const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	static const struct number number = {time_units, ARRAY_SIZE(time_units), true, "a time",
		", with its unit, such as 500ms, 10s, 5m or 1h"};

	return get_number(node, &number, min, max, ret, err);
}

int yaml_get_percent(
	const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret, struct error *err)
{
	static const struct number number = {
		percent_units, ARRAY_SIZE(percent_units), false, "a percentage", ", such as 6%"};

	return get_number(node, &number, min, max, ret, err);
}

/* ---- others ---- */

int yaml_get_bool(const struct yaml_node *node, bool *ret, struct error *err)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};

	if (node->type == YAML_SCALAR)
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			if (!strcmp(node->text, words[i])) {
				*ret = i & 1;
				return 0;
			}
	return yaml_wants(node, err, "yes or no");
}

/* 0x1000, 4096. */
static int take_address(const char **text, uint64_t *ret)
{
	const char *p = *text;
	bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
	int r;

	p += hex ? 2 : 0;
	r = take_digits(&p, hex ? 16 : 10, ret);
	if (!r)
		*text = p;
	return r;
}

/* -ERANGE: it is empty, or wraps, or has numbers that are too large. */
static int parse_range(const char *text, struct yaml_range *ret)
{
	uint64_t start, other;
	char between;
	int r = take_address(&text, &start);

	if (r < 0)
		return r;
	between = *text++;
	if (between != '+' && between != '-')
		return -EINVAL;
	r = take_address(&text, &other);
	if (!r)
		r = take_unit(text, byte_units, between == '+' ? ARRAY_SIZE(byte_units) : 0, false,
			&other);
	if (r < 0)
		return r;
	if (between == '-' && other < start)
		return -ERANGE;
	if (between == '-')
		other -= start - 1; /* 2^64 bytes come out as 0 */
	if (!other || other - 1 > UINT64_MAX - start)
		return -ERANGE;
	*ret = (struct yaml_range){start, other};
	return 0;
}

int yaml_get_range(const struct yaml_node *node, struct yaml_range *ret, struct error *err)
{
	int r = node->type == YAML_SCALAR ? parse_range(node->text, ret) : -EINVAL;

	if (r == -ERANGE)
		return yaml_wants(node, err,
			"a range that is not empty, ends behind its start, and below 2^64");
	if (r < 0)
		return yaml_wants(
			node, err, "a range of addresses, such as 0x1000+4K or 0x1000-0x1fff");
	return 0;
}

int yaml_get_string(const struct yaml_node *node, size_t max, const char **ret, struct error *err)
{
	char wanted[WANTED_SIZE];

	if (node->type == YAML_SCALAR && !yaml_is_null(node) && *node->text &&
		strlen(node->text) <= max) {
		*ret = node->text;
		return 0;
	}
	snprintf(wanted, sizeof(wanted), "a text of 1 to %zu bytes", max);
	return yaml_wants(node, err, wanted);
}
