/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/settings.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "base/yaml.h"

static const char *const tree_names[] = {"none", "cgroup", "user"};
_Static_assert(ARRAY_SIZE(tree_names) == TREES, "a name for each tree");
static const char *const order_names[] = {"rising", "falling"};
static const char *const map_names[] = {"rows", "hilbert"};
_Static_assert(ARRAY_SIZE(map_names) == LAYOUT_KINDS, "a name for each layout");

void top_settings_init(struct top_settings *settings)
{
	*settings = (struct top_settings){.theme = THEMES};
}

/* ---- reading ---- */

static int read_interval(void *context, const struct yaml_node *node, struct error *err)
{
	struct top_settings *s = context;

	return yaml_get_duration(node, INTERVAL_MIN_NS, INTERVAL_MAX_NS, &s->interval_ns, err);
}

static int read_theme(void *context, const struct yaml_node *node, struct error *err)
{
	struct top_settings *s = context;
	const char *names[THEMES];
	size_t which;
	int r;

	for (int i = 0; i < THEMES; i++)
		names[i] = theme_name((enum theme)i);
	r = yaml_choose(node, "theme", names, THEMES, &which, err);
	if (!r)
		s->theme = (enum theme)which;
	return r;
}

static int read_column(const struct yaml_node *node, const struct column **ret, struct error *err)
{
	const char *names[COLUMNS_MAX];
	size_t which;
	int r;

	for (size_t i = 0; i < n_columns; i++)
		names[i] = columns[i].id;
	r = yaml_choose(node, "column", names, n_columns, &which, err);
	if (!r)
		*ret = &columns[which];
	return r;
}

static int read_sort(void *context, const struct yaml_node *node, struct error *err)
{
	struct top_settings *s = context;

	return read_column(node, &s->sort, err);
}

static int read_order(void *context, const struct yaml_node *node, struct error *err)
{
	struct top_settings *s = context;
	size_t which;
	int r = yaml_choose(node, "order", order_names, ARRAY_SIZE(order_names), &which, err);

	if (!r)
		s->falling = which;
	return r;
}

static int add_column(void *context, const struct yaml_node *node, struct error *err)
{
	struct column_set *set = context;
	const struct column *column;
	int r = read_column(node, &column, err);

	if (r)
		return r;
	if (set->n == COLUMNS_MAX)
		return yaml_error(node, err, "these are more columns than there are");
	set->columns[set->n++] = column;
	return 0;
}

static int read_columns(void *context, const struct yaml_node *node, struct error *err)
{
	struct top_settings *s = context;

	s->columns.chosen = true;
	return yaml_each_item(node, add_column, &s->columns, err);
}

static int read_filter(void *context, const struct yaml_node *node, struct error *err)
{
	struct top_settings *s = context;
	struct filter filter;
	struct error why = {};
	const char *text;
	int r = yaml_get_string(node, FILTER_TEXT - 1, &text, err);

	if (r)
		return r;
	if (filter_parse(&filter, text, &why))
		return yaml_error(node, err, "%s", why.text);
	snprintf(s->filter, sizeof(s->filter), "%s", text);
	return 0;
}

static int read_tree(void *context, const struct yaml_node *node, struct error *err)
{
	struct top_settings *s = context;
	size_t which;
	int r = yaml_choose(node, "tree", tree_names, TREES, &which, err);

	if (!r)
		s->tree = (enum tree)which;
	return r;
}

static int read_map(void *context, const struct yaml_node *node, struct error *err)
{
	struct top_settings *s = context;
	size_t which;
	int r = yaml_choose(node, "layout of maps", map_names, LAYOUT_KINDS, &which, err);

	if (!r)
		s->map = (enum layout_kind)which;
	return r;
}

static int read_ended(void *context, const struct yaml_node *node, struct error *err)
{
	struct top_settings *s = context;

	return yaml_get_bool(node, &s->ended, err);
}

static const struct yaml_field fields[] = {
	{"interval", read_interval, false},
	{"theme", read_theme, false},
	{"sort", read_sort, false},
	{"order", read_order, false},
	{"columns", read_columns, false},
	{"filter", read_filter, false},
	{"tree", read_tree, false},
	{"map", read_map, false},
	{"ended", read_ended, false},
};

static int read_all(struct top_settings *ret, const struct yaml *yaml, struct error *err)
{
	struct top_settings s;
	int r;

	top_settings_init(&s);
	r = yaml_each_field(yaml_root(yaml), fields, ARRAY_SIZE(fields), &s, err);
	if (!r)
		*ret = s;
	return r;
}

int top_settings_open(struct top_settings *ret, const char *path, struct error *err)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	int r = yaml_open(&yaml, path, err);

	return r ? r : read_all(ret, yaml, err);
}

int top_settings_parse(struct top_settings *ret, const char *label, const void *text, size_t size,
	struct error *err)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	int r = yaml_parse(&yaml, label, text, size, err);

	return r ? r : read_all(ret, yaml, err);
}

/* ---- writing ---- */

/* Whether it can stand between quotes: printable, and valid UTF-8. */
static bool is_text(const char *text)
{
	const char *end = text + strlen(text);

	while (text < end) {
		uint32_t code;
		size_t n = utf8_decode((const unsigned char *)text, (size_t)(end - text), &code);

		if (!n || code < 0x20 || (code >= 0x7f && code < 0xa0))
			return false;
		text += n;
	}
	return true;
}

/* Between double quotes two characters have a meaning. Between single ones a text with several
 * quotes in a row did not come back as it was. */
static void write_quoted(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

static void write_columns(FILE *out, const struct column_set *set)
{
	fputs("columns: [", out);
	for (size_t i = 0; i < set->n; i++)
		fprintf(out, "%s%s", i ? ", " : "", set->columns[i]->id);
	fputs("]\n", out);
}

void top_settings_write(FILE *out, const struct top_settings *s)
{
	fputs("# kvm-encstat top writes this with the key W; kvm-encstat-top(8) says what it is\n",
		out);
	if (s->interval_ns)
		fprintf(out, "interval: %llums\n", (unsigned long long)(s->interval_ns / 1000000));
	if (s->theme < THEMES)
		fprintf(out, "theme: %s\n", theme_name(s->theme));
	if (s->sort)
		fprintf(out, "sort: %s\norder: %s\n", s->sort->id, order_names[s->falling]);
	if (s->columns.n)
		write_columns(out, &s->columns);
	if (*s->filter && is_text(s->filter)) {
		fputs("filter: ", out);
		write_quoted(out, s->filter);
		putc('\n', out);
	}
	fprintf(out, "tree: %s\nmap: %s\nended: %s\n", tree_names[s->tree], map_names[s->map],
		s->ended ? "yes" : "no");
}
