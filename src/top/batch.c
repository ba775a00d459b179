/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/batch.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "top/top_private.h"

/* ---- text ---- */

static void write_host(FILE *out, struct top *top, const struct rows *rows)
{
	const struct host_stats *host = stats_host(top->stats);
	char time[24], rates[5][24];

	fprintf(out, "%s  VMs %zu", top->now_ns ? time_text(&top->style, top->now_ns, time) : "-",
		rows->n);
	fprintf(out, "  per s: >shared %s >private %s refused %s hypercalls %s exits %s\n",
		rate_short(host->rates[FLOW_TO_SHARED], rates[0]),
		rate_short(host->rates[FLOW_TO_PRIVATE], rates[1]),
		rate_short(host->rates[FLOW_REFUSED], rates[2]),
		rate_short(host->rates[FLOW_HYPERCALLS], rates[3]),
		rate_short(host->rates[FLOW_EXITS], rates[4]));
}

/* Pictures say nothing here. */
static bool is_text(const struct column *column)
{
	return strcmp(column->id, "bar") && strcmp(column->id, "spark");
}

static void write_cell(FILE *out, const struct column *column, const char *text, int width)
{
	int spaces = width - text_width(text);

	if (column->unit == COLUMN_TEXT)
		fprintf(out, "%s%*s", text, spaces, "");
	else
		fprintf(out, "%*s%s", spaces, "", text);
}

static void measure(const struct column_set *set, const struct rows *rows, int widths[COLUMNS_MAX])
{
	char text[COLUMN_SIZE];

	for (size_t c = 0; c < set->n; c++) {
		widths[c] = text_width(set->columns[c]->title);
		for (size_t i = 0; i < rows->n; i++) {
			int width = text_width(column_text(set->columns[c], &rows->rows[i], text));

			widths[c] = width > widths[c] ? width : widths[c];
		}
	}
}

/* A line: titles, or what a row says. */
static void write_line(
	FILE *out, const struct column_set *set, const int widths[], const struct row *row)
{
	char text[COLUMN_SIZE], line[4096];
	size_t length;
	FILE *memory = fmemopen(line, sizeof(line), "w");

	if (!memory)
		return;
	for (size_t c = 0; c < set->n; c++) {
		const struct column *column = set->columns[c];

		if (!is_text(column))
			continue;
		write_cell(memory, column, row ? column_text(column, row, text) : column->title,
			widths[c]);
		putc(' ', memory);
	}
	fclose(memory);
	line[sizeof(line) - 1] = '\0';
	for (length = strlen(line); length && line[length - 1] == ' '; length--)
		;
	fprintf(out, "%.*s\n", (int)length, line);
}

void batch_write_text(FILE *out, struct top *top)
{
	const struct rows *rows = top_rows(top);
	const struct column_set *set = top_columns(top);
	int widths[COLUMNS_MAX];

	write_host(out, top, rows);
	measure(set, rows, widths);
	write_line(out, set, widths, NULL);
	for (size_t i = 0; i < rows->n; i++)
		write_line(out, set, widths, &rows->rows[i]);
	putc('\n', out);
}

/* ---- JSON ---- */

static void add_rate(json_object *object, const char *key, double rate)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", rate);
	json_object_object_add(object, key, json_object_new_double_s(rate, text));
}

static void add_flows(json_object *object, const struct row *row)
{
	static const char *const names[FLOWS] = {
		[FLOW_TO_SHARED] = "to_shared",
		[FLOW_TO_PRIVATE] = "to_private",
		[FLOW_REFUSED] = "refused",
		[FLOW_VETOED] = "vetoed",
		[FLOW_HYPERCALLS] = "hypercalls",
		[FLOW_EXITS] = "exits",
	};
	json_object *rates = json_object_new_object(), *totals = json_object_new_object();

	for (int i = 0; i < FLOWS; i++) {
		add_rate(rates, names[i], row->rates[i]);
		json_add_u64(totals, names[i], row->totals[i]);
	}
	json_object_object_add(object, "per_second", rates);
	json_object_object_add(object, "totals", totals);
	json_object_object_add(object, "of_process", json_object_new_boolean(row->process));
}

static void add_findings(json_object *object, const struct row *row)
{
	json_object *open = json_object_new_object();

	for (int i = 0; i < SEVERITIES; i++)
		json_add_u64(open, severity_name((enum severity)i), row->open[i]);
	json_object_object_add(object, "findings", open);
}

static void write_row(FILE *out, const struct top *top, const struct row *row)
{
	json_object *object = json_object_new_object();
	char type[16];

	json_add_string(object, "schema", "kvm-encstat.top/1");
	json_add_u64(object, "ts_ns", top->now_ns);
	json_add_u64(object, "interval_ns", stats_host(top->stats)->seconds_ns);
	json_add_u64(object, "vm", row->id);
	json_add_u64(object, "pid", row->pid);
	json_add_u64(object, "uid", row->uid);
	json_add_string(object, "name", row->name);
	json_add_string(object, "type", vm_type_name(row->type, type));
	json_object_object_add(object, "alive", json_object_new_boolean(row->alive));
	json_add_string(object, "confidence", confidence_name(row->confidence));
	if (row->has_host)
		json_add_string(object, "host_confidence", confidence_name(row->host));
	if (row->memory)
		json_add_u64(object, "memory_bytes", row->memory);
	if (row->has_map)
		json_add_u64(object, "shared_bytes", row->shared);
	add_flows(object, row);
	if (row->policy != POLICY_UNKNOWN)
		json_add_string(object, "policy",
			row->policy == POLICY_UNREADABLE ? "unreadable"
							 : policy_mode_name(row->policy));
	json_add_u64(object, "open", row->open_requests);
	if (row->open_requests)
		json_add_u64(object, "oldest_ns", row->oldest_ns);
	if (row->p50_ns) {
		json_add_u64(object, "p50_ns", row->p50_ns);
		json_add_u64(object, "p99_ns", row->p99_ns);
	}
	add_findings(object, row);
	json_add_u64(object, "lost", row->lost);
	json_line(out, object);
}

void batch_write_json(FILE *out, struct top *top)
{
	const struct rows *rows = top_rows(top);

	for (size_t i = 0; i < rows->n; i++)
		write_row(out, top, &rows->rows[i]);
}
