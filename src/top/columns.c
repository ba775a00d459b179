/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/escape.h"

/* ---- numbers ---- */

const char *count_short(uint64_t n, char buffer[24])
{
	static const char units[] = "KMGTPE";
	double value = (double)n;
	int unit = -1;

	while (value >= 999.5 && unit < 5) {
		value /= 1000;
		unit++;
	}
	if (unit < 0)
		snprintf(buffer, 24, "%.0f", value);
	else
		snprintf(buffer, 24, "%.*f%c", value < 9.95, value, units[unit]);
	return buffer;
}

/* Numbers of columns are doubles, of which one may be just above the largest integer. */
static uint64_t whole(double value)
{
	return value < 0x1p64 ? (uint64_t)value : UINT64_MAX;
}

const char *rate_short(double rate, char buffer[24])
{
	if (rate > 0 && rate < 9.95) {
		snprintf(buffer, 24, "%.1f", rate < 0.1 ? 0.1 : rate);
		return buffer;
	}
	return count_short(rate > 0 ? whole(rate + 0.5) : 0, buffer);
}

/* "4.2ms", never more than 6 cells. */
static void time_short(double ns, char out[COLUMN_SIZE])
{
	static const struct {
		double ns;
		const char *unit;
	} units[] = {{1e3, "us"}, {1e6, "ms"}, {1e9, "s"}, {60e9, "m"}, {3600e9, "h"}};
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && ns >= 0.9995 * units[i + 1].ns)
		i++;
	ns /= units[i].ns;
	snprintf(out, COLUMN_SIZE, "%.*f%s", ns < 9.95, ns, units[i].unit);
}

/* ---- what rows say ---- */

#define NUMBER(name, expression)                  \
	static double name(const struct row *row) \
	{                                         \
		return (double)(expression);      \
	}
NUMBER(get_id, row->id)
NUMBER(get_pid, row->pid)
NUMBER(get_uid, row->uid)
NUMBER(get_vcpus, row->vcpus)
NUMBER(get_memory, row->memory)
NUMBER(get_shared, row->shared)
NUMBER(get_percent, row_shared_percent(row))
NUMBER(get_to_shared, row->rates[FLOW_TO_SHARED])
NUMBER(get_to_private, row->rates[FLOW_TO_PRIVATE])
NUMBER(get_refused, row->rates[FLOW_REFUSED])
NUMBER(get_vetoed, row->rates[FLOW_VETOED])
NUMBER(get_hypercalls, row->rates[FLOW_HYPERCALLS])
NUMBER(get_exits, row->rates[FLOW_EXITS])
NUMBER(get_conversions, row->totals[FLOW_TO_SHARED] + row->totals[FLOW_TO_PRIVATE])
NUMBER(get_refusals, row->totals[FLOW_REFUSED])
NUMBER(get_denials, row->totals[FLOW_VETOED])
NUMBER(get_open, row->open_requests)
NUMBER(get_age, row->oldest_ns)
NUMBER(get_p50, row->p50_ns)
NUMBER(get_p99, row->p99_ns)
NUMBER(get_lost, row->lost)
NUMBER(get_policy, row->policy)

static const double severity_weights[] = {1, 1e2, 1e4, 1e6};
_Static_assert(ARRAY_SIZE(severity_weights) == SEVERITIES, "a weight for each severity");

/* Findings, the gravest first: one critical is more than any number of warnings. */
static double get_findings(const struct row *row)
{
	double sum = 0;

	for (int i = 0; i < SEVERITIES; i++)
		sum += row->open[i] * severity_weights[i];
	return sum;
}

static bool grade_findings(const char *word, double *ret)
{
	enum severity severity;

	if (severity_from_name(word, &severity))
		return false;
	*ret = severity_weights[severity];
	return true;
}

static bool grade_policy(const char *word, double *ret)
{
	enum policy_mode mode;

	if (policy_mode_from_name(word, &mode))
		return false;
	*ret = mode;
	return true;
}

static bool has_memory(const struct row *row)
{
	return row->memory;
}

static bool has_map(const struct row *row)
{
	return row->has_map;
}

static bool has_percent(const struct row *row)
{
	return row->has_map && row->memory;
}

static bool has_vcpus(const struct row *row)
{
	return row->vcpus;
}

static bool has_latency(const struct row *row)
{
	return row->p50_ns;
}

static bool has_age(const struct row *row)
{
	return row->open_requests;
}

#define TEXT(name, ...)                                                \
	static void name(const struct row *row, char out[COLUMN_SIZE]) \
	{                                                              \
		snprintf(out, COLUMN_SIZE, __VA_ARGS__);               \
	}
TEXT(put_name, "%s", row->name)
TEXT(put_cgroup, "%s", row->cgroup)
TEXT(put_uuid, "%s", row->uuid)
TEXT(put_state, "%s", row->alive ? "alive" : "ended")
TEXT(put_confidence, "%s", confidence_name(row->confidence))
TEXT(put_policy, "%s", policy_mode_name(row->policy))
TEXT(put_host, "%s", row->has_host ? confidence_name(row->host) : "-")

static void put_type(const struct row *row, char out[COLUMN_SIZE])
{
	char type[16];

	/* The longest of them is wider than all others. */
	snprintf(out, COLUMN_SIZE, "%s",
		row->type == KES_VM_SW_PROTECTED ? "sw-prot" : vm_type_name(row->type, type));
}

static void put_spark(const struct row *row, char out[COLUMN_SIZE])
{
	char bytes[24];

	snprintf(out, COLUMN_SIZE, "%s", bytes_short(row->shared, bytes));
}

/* ---- how some of them look ---- */

static void draw_bar(struct cells *cells, int x, int y, int width, const struct row *row)
{
	cells_put(cells, x, y, '[', PEN(ROLE_DIM));
	if (has_percent(row))
		cells_bar(cells, x + 1, y, width - 2, row_shared_percent(row) / 100,
			PEN(ROLE_SHARED));
	cells_put(cells, x + width - 1, y, ']', PEN(ROLE_DIM));
}

static void draw_spark(struct cells *cells, int x, int y, int width, const struct row *row)
{
	cells_spark(cells, x, y, width, PEN(ROLE_SHARED), row->spark, row->n_spark);
}

static void draw_confidence(struct cells *cells, int x, int y, int width, const struct row *row)
{
	static const enum role roles[] = {
		[CONFIDENCE_EXACT] = ROLE_GOOD,
		[CONFIDENCE_PARTIAL] = ROLE_NOTICE,
		[CONFIDENCE_STALE] = ROLE_WARNING,
	};
	_Static_assert(ARRAY_SIZE(roles) == CONFIDENCES, "a role for each confidence");

	cells_text(
		cells, x, y, width, PEN(roles[row->confidence]), confidence_name(row->confidence));
}

static void draw_policy(struct cells *cells, int x, int y, int width, const struct row *row)
{
	static const enum role roles[] = {
		[POLICY_UNKNOWN] = ROLE_DIM,
		[POLICY_UNREADABLE] = ROLE_WARNING,
		[POLICY_NONE] = ROLE_DIM,
		[POLICY_MONITOR] = ROLE_NOTICE,
		[POLICY_ENFORCE] = ROLE_GOOD,
		[POLICY_FROZEN] = ROLE_CRITICAL,
	};
	_Static_assert(ARRAY_SIZE(roles) == POLICY_MODES, "a role for each mode");

	cells_text(cells, x, y, width, PEN(roles[row->policy]), policy_mode_name(row->policy));
}

static const struct {
	enum severity severity;
	enum role role;
	char letter;
} ranks[] = {
	{SEVERITY_CRITICAL, ROLE_CRITICAL, 'c'},
	{SEVERITY_WARNING, ROLE_WARNING, 'w'},
	{SEVERITY_NOTICE, ROLE_NOTICE, 'n'},
	{SEVERITY_INFO, ROLE_DIM, 'i'},
};

/* "1c 3w": how many of each. */
static void put_findings(const struct row *row, char out[COLUMN_SIZE])
{
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ranks); i++)
		if (row->open[ranks[i].severity])
			used += (size_t)snprintf(out + used, COLUMN_SIZE - used, "%s%u%c",
				used ? " " : "", row->open[ranks[i].severity], ranks[i].letter);
	if (!used)
		snprintf(out, COLUMN_SIZE, "-");
}

static void draw_findings(struct cells *cells, int x, int y, int width, const struct row *row)
{
	int used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(ranks); i++) {
		unsigned int n = row->open[ranks[i].severity];

		if (!n)
			continue;
		used += cells_format(cells, x + used, y, width - used, PEN(ranks[i].role), "%u%c",
			n, ranks[i].letter);
		used++;
	}
	if (!used)
		cells_text(cells, x, y, width, PEN(ROLE_DIM), "-");
}

static void draw_name(struct cells *cells, int x, int y, int width, const struct row *row)
{
	struct pen pen = !row->alive   ? PEN(ROLE_DIM)
			 : row->marked ? PEN(ROLE_MARKED)
				       : PEN(ROLE_TEXT);

	x += 2 * row->depth;
	width -= 2 * row->depth;
	if (row->depth)
		cells_put(cells, x - 2, y, 0x2514, PEN(ROLE_DIM));
	if (row->group) { /* of a path its end tells it from others */
		const char *name = row->name;

		while (text_width(name) > width && *name)
			name++;
		cells_text(cells, x, y, width, pen, name);
		return;
	}
	cells_text(cells, x, y, width, pen, row->name);
}

/* ---- the table ---- */

const struct column columns[] = {
	{"id", "ID", "number that this tool gives it", 4, 2, COLUMN_COUNT, get_id, NULL, NULL, NULL,
		false, NULL},
	{"pid", "PID", "process of its VMM", 7, 5, COLUMN_COUNT, get_pid, NULL, NULL, NULL, false,
		NULL},
	{"uid", "UID", "user that runs the VMM", 6, 0, COLUMN_COUNT, get_uid, NULL, NULL, NULL,
		false, NULL},
	{"name", "NAME", "what its VMM calls it", 12, 1, COLUMN_TEXT, NULL, put_name, NULL,
		draw_name, false, NULL},
	{"type", "TYPE", "default, sev, sev-es, snp, tdx, sw-prot", 7, 4, COLUMN_TEXT, NULL,
		put_type, NULL, NULL, false, NULL},
	{"state", "STATE", "alive or ended", 5, 0, COLUMN_TEXT, NULL, put_state, NULL, NULL, false,
		NULL},
	{"vcpus", "VCPUS", "vCPUs made so far", 5, 0, COLUMN_COUNT, get_vcpus, NULL, has_vcpus,
		NULL, true, NULL},
	{"memory", "MEM", "guest memory", 5, 8, COLUMN_BYTES, get_memory, NULL, has_memory, NULL,
		true, NULL},
	{"shared", "SHARED", "what the guest shares with its host", 6, 3, COLUMN_BYTES, get_shared,
		NULL, has_map, NULL, true, NULL},
	{"percent", "SHR%", "the same as a part of its memory", 5, 7, COLUMN_PERCENT, get_percent,
		NULL, has_percent, NULL, true, NULL},
	{"bar", "", "the same as a bar", 8, 17, COLUMN_PERCENT, get_percent, NULL, has_percent,
		draw_bar, true, NULL},
	{"conf", "CONF", "how far its map can be trusted", 7, 9, COLUMN_TEXT, NULL, put_confidence,
		NULL, draw_confidence, false, NULL},
	{"host", "HOST", "the same of the host plane", 7, 0, COLUMN_TEXT, NULL, put_host, NULL,
		NULL, false, NULL},
	{"toshared", ">SH/s", "conversions to shared a second", 5, 6, COLUMN_RATE, get_to_shared,
		NULL, NULL, NULL, true, NULL},
	{"toprivate", ">PR/s", "conversions to private a second", 5, 6, COLUMN_RATE, get_to_private,
		NULL, NULL, NULL, true, NULL},
	{"refused", "REF/s", "requests that KVM refused or the VMM denied, a second", 5, 12,
		COLUMN_RATE, get_refused, NULL, NULL, NULL, true, NULL},
	{"vetoed", "VETO/s", "requests that a policy refused, a second", 6, 20, COLUMN_RATE,
		get_vetoed, NULL, NULL, NULL, true, NULL},
	{"open", "OPEN", "requests that wait for their answer", 4, 13, COLUMN_COUNT, get_open, NULL,
		NULL, NULL, true, NULL},
	{"age", "AGE", "how long the oldest of them waits", 6, 15, COLUMN_TIME, get_age, NULL,
		has_age, NULL, true, NULL},
	{"p50", "P50", "half of the answers came within (last minutes)", 6, 16, COLUMN_TIME,
		get_p50, NULL, has_latency, NULL, true, NULL},
	{"p99", "P99", "99 of 100 answers came within (last minutes)", 6, 11, COLUMN_TIME, get_p99,
		NULL, has_latency, NULL, true, NULL},
	{"hypercalls", "HC/s", "hypercalls a second", 5, 21, COLUMN_RATE, get_hypercalls, NULL,
		NULL, NULL, true, NULL},
	{"exits", "EXIT/s", "exits to the VMM a second", 6, 14, COLUMN_RATE, get_exits, NULL, NULL,
		NULL, true, NULL},
	{"lost", "LOST", "records that did not reach us", 5, 22, COLUMN_COUNT, get_lost, NULL, NULL,
		NULL, true, NULL},
	{"findings", "FIND", "findings that are open: critical, warning, notice, info", 6, 4,
		COLUMN_TEXT, get_findings, put_findings, NULL, draw_findings, true, grade_findings},
	{"spark", "TREND", "shared bytes at the last intervals", ROW_SPARK, 10, COLUMN_BYTES,
		get_shared, put_spark, has_map, draw_spark, true, NULL},
	{"conversions", "CONV", "conversions since the counters began", 6, 0, COLUMN_COUNT,
		get_conversions, NULL, NULL, NULL, true, NULL},
	{"refusals", "REF", "refused or denied since then", 5, 0, COLUMN_COUNT, get_refusals, NULL,
		NULL, NULL, true, NULL},
	{"policy", "POLICY", "what policies do to it: none, monitor, enforce, frozen", 7, 18,
		COLUMN_TEXT, get_policy, put_policy, NULL, draw_policy, true, grade_policy},
	{"denials", "DENIED", "requests that a policy refused", 6, 19, COLUMN_COUNT, get_denials,
		NULL, NULL, NULL, true, NULL},
	{"cgroup", "CGROUP", "control group of the VMM", 20, 0, COLUMN_TEXT, NULL, put_cgroup, NULL,
		NULL, false, NULL},
	{"uuid", "UUID", "as its VMM has it", 36, 0, COLUMN_TEXT, NULL, put_uuid, NULL, NULL, false,
		NULL},
};
const size_t n_columns = ARRAY_SIZE(columns);
_Static_assert(ARRAY_SIZE(columns) <= COLUMNS_MAX, "room for all columns");

const struct column *column_find(const char *word)
{
	for (size_t i = 0; i < n_columns; i++)
		if (!strcasecmp(columns[i].id, word) ||
			(*word && !strcasecmp(columns[i].title, word)))
			return &columns[i];
	return NULL;
}

const char *column_text(const struct column *c, const struct row *row, char out[COLUMN_SIZE])
{
	char short_text[24];

	if (c->is_known && !c->is_known(row)) {
		snprintf(out, COLUMN_SIZE, "-");
	} else if (c->text) {
		c->text(row, out);
	} else {
		double value = c->number(row);

		switch (c->unit) {
		case COLUMN_BYTES:
			snprintf(out, COLUMN_SIZE, "%s", bytes_short(whole(value), short_text));
			break;
		case COLUMN_PERCENT:
			snprintf(out, COLUMN_SIZE, "%.1f", value);
			break;
		case COLUMN_RATE:
			snprintf(out, COLUMN_SIZE, "%s", rate_short(value, short_text));
			break;
		case COLUMN_TIME:
			time_short(value, out);
			break;
		default:
			if (c->number == get_id || c->number == get_pid || c->number == get_uid)
				snprintf(out, COLUMN_SIZE, "%.0f", value);
			else
				snprintf(out, COLUMN_SIZE, "%s",
					count_short(whole(value), short_text));
		}
	}
	return out;
}

/* Of numbers that say something. */
static enum role role_of(const struct column *c)
{
	if (c->number == get_shared || c->number == get_percent)
		return ROLE_SHARED;
	if (c->number == get_refused || c->number == get_vetoed || c->number == get_denials ||
		c->number == get_lost)
		return ROLE_WARNING;
	if (c->number == get_open || c->number == get_age)
		return ROLE_NOTICE;
	return c->unit == COLUMN_RATE ? ROLE_VALUE : ROLE_TEXT;
}

void column_draw(
	const struct column *c, struct cells *cells, int x, int y, int width, const struct row *row)
{
	char text[COLUMN_SIZE];
	bool idle;

	if (c->draw) {
		c->draw(cells, x, y, width, row);
		return;
	}
	column_text(c, row, text);
	idle = !strcmp(text, "0") || !strcmp(text, "-") || !strcmp(text, "0.0") || !row->alive;
	if (c->unit == COLUMN_TEXT)
		cells_text(cells, x, y, width, PEN(idle ? ROLE_DIM : ROLE_TEXT), text);
	else
		cells_right(cells, x, y, width, PEN(idle ? ROLE_DIM : role_of(c)), text);
}

/* ---- order ---- */

int column_compare(const struct column *c, const struct row *a, const struct row *b)
{
	char texts[2][COLUMN_SIZE];
	int order = 0;

	if (c->number) {
		double x = c->number(a), y = c->number(b);

		order = (x > y) - (x < y);
	} else {
		c->text(a, texts[0]);
		c->text(b, texts[1]);
		order = strcmp(texts[0], texts[1]);
	}
	return order;
}

struct order {
	const struct column *column;
	bool falling;
};

static int compare(const void *a, const void *b, void *context)
{
	const struct order *order = context;
	const struct row *x = a, *y = b;
	int r = column_compare(order->column, x, y);

	if (r)
		return order->falling ? -r : r;
	return (x->id > y->id) - (x->id < y->id);
}

void rows_sort(struct rows *rows, const struct column *column, bool falling)
{
	struct order order = {column, falling};

	if (rows->n)
		qsort_r(rows->rows, rows->n, sizeof(*rows->rows), compare, &order);
}

/* ---- which of them ---- */

void column_set_default(struct column_set *set)
{
	set->n = 0;
	set->chosen = false;
	for (size_t i = 0; i < n_columns; i++)
		if (columns[i].rank)
			set->columns[set->n++] = &columns[i];
}

static int unknown_column(struct error *err, const char *word)
{
	char names[400] = "", shown[ESCAPED_SIZE(40)];

	for (size_t i = 0; i < n_columns; i++)
		say(names, sizeof(names), "%s%s", i ? ", " : "", columns[i].id);
	error_set(err, -EINVAL, "there is no column '%s'", escape(word, shown, sizeof(shown)));
	error_advise(err, "there are %s", names);
	return -EINVAL;
}

int column_set_parse(struct column_set *set, const char *list, struct error *err)
{
	struct column_set parsed = {.chosen = true};

	while (*list) {
		size_t length = strcspn(list, ",");
		char word[24];
		const struct column *column;

		snprintf(word, sizeof(word), "%.*s", (int)(length < 23 ? length : 23), list);
		column = column_find(word);
		if (!column)
			return unknown_column(err, word);
		if (parsed.n == COLUMNS_MAX)
			return error_set(err, -EINVAL, "these are more columns than there are");
		parsed.columns[parsed.n++] = column;
		list += length + (list[length] == ',');
	}
	if (!parsed.n)
		return unknown_column(err, "");
	*set = parsed;
	return 0;
}

/* Cells that all columns up to a rank take, with one between each two. */
static int width_of(const struct column_set *set, unsigned int rank)
{
	int width = -1;

	for (size_t i = 0; i < set->n; i++)
		if (set->columns[i]->rank <= rank)
			width += set->columns[i]->width + 1;
	return width;
}

#define NAME_MAX_WIDTH 32

void column_set_fit(const struct column_set *all, int width, struct column_set *ret,
	int ret_widths[COLUMNS_MAX])
{
	unsigned int rank = 99;
	int spare;

	while (!all->chosen && rank > 1 && width_of(all, rank) > width)
		rank--;
	*ret = (struct column_set){.chosen = all->chosen};
	for (size_t i = 0; i < all->n; i++)
		if (all->chosen || all->columns[i]->rank <= rank) {
			ret_widths[ret->n] = all->columns[i]->width;
			ret->columns[ret->n++] = all->columns[i];
		}
	spare = width - width_of(ret, 99);
	for (size_t i = 0; i < ret->n && spare > 0; i++)
		if (ret->columns[i]->draw == draw_name) {
			ret_widths[i] += spare;
			if (ret_widths[i] > NAME_MAX_WIDTH)
				ret_widths[i] = NAME_MAX_WIDTH;
		}
}
