/* SPDX-License-Identifier: GPL-2.0-only */
/* What is around each view: the host's figures above, keys or what is typed below. */
#include <stdarg.h>
#include <string.h>
#include <sys/param.h> /* MIN */

#include "base/cleanup.h"
#include "base/escape.h"
#include "top/top_private.h"

/* ---- above ---- */

/* Draws one piece behind another, and stops where the line ends. */
struct line {
	struct cells *cells;
	int x, y, end;
};

static void put(struct line *line, struct pen pen, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void put(struct line *line, struct pen pen, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	line->x += cells_text(line->cells, line->x, line->y, line->end - line->x, pen, text);
}

/* "name value  "; all of it or nothing. */
static void put_pair(struct line *line, const char *name, enum role role, const char *value)
{
	if (line->x + text_width(name) + text_width(value) + 1 > line->end)
		return;
	put(line, PEN(ROLE_LABEL), "%s ", name);
	put(line, (struct pen){.role = role, .attributes = CELL_BOLD}, "%s", value);
	line->x += 2;
}

struct sums {
	size_t alive, ended;
	uint64_t memory, shared, lost, open;
};

static bool any_alive(const struct top *top)
{
	for (size_t i = 0; i < stats_count(top->stats); i++)
		if (stats_at(top->stats, i)->vm->alive)
			return true;
	return false;
}

/* Memory is that of VMs that live; when none does any more, at the end of a capture, of those that
 * did. */
static struct sums sum_up(const struct top *top)
{
	struct sums sums = {};
	bool alive = !top->options.file || any_alive(top);

	for (size_t i = 0; i < stats_count(top->stats); i++) {
		const struct vm *vm = stats_at(top->stats, i)->vm;
		uint64_t oldest_ns;

		*(vm->alive ? &sums.alive : &sums.ended) += 1;
		sums.lost += vm_lost(vm);
		if (vm->alive != alive)
			continue;
		sums.memory += vm_memory_pages(vm) << 12;
		sums.shared += vm->shared << 12;
		sums.open += vm_open_requests(vm, &oldest_ns);
	}
	return sums;
}

/* What the picture is of: live, held, or so far into a capture. */
static void put_mode(struct top *top)
{
	char mode[64], time[24];
	const struct playback *p = &top->playback;
	double seconds = (double)(top->now_ns - top->first_ns) / 1e9;

	if (!top->options.file)
		snprintf(mode, sizeof(mode), "%s", top->held ? "HELD" : "live");
	else if (p->ended)
		snprintf(mode, sizeof(mode), "+%.1fs end", seconds);
	else if (p->paused)
		snprintf(mode, sizeof(mode), "+%.1fs paused", seconds);
	else
		snprintf(mode, sizeof(mode), "+%.1fs %gx%s", seconds, p->speed,
			top->held ? " HELD" : "");
	if (top->since_ns) { /* rates and latencies of before are not known */
		size_t n = strlen(mode);

		snprintf(mode + n, sizeof(mode) - n, ", since +%.1fs",
			(double)(top->since_ns - MIN(top->first_ns, top->since_ns)) / 1e9);
	}
	time_text(&top->style, top->now_ns, time);
	time[8] = '\0'; /* seconds will do */
	snprintf(top->message_mode, sizeof(top->message_mode), "%s  %s", top->now_ns ? time : "",
		mode);
}

static void draw_first(struct line *line, const struct sums *sums)
{
	char text[64], bytes[2][24];
	double part = sums->memory ? (double)sums->shared / (double)sums->memory : 0;
	int bar;

	snprintf(text, sizeof(text), "%zu", sums->alive);
	put_pair(line, "VMs", ROLE_VALUE, text);
	if (sums->ended) {
		snprintf(text, sizeof(text), "%zu", sums->ended);
		put_pair(line, "ended", ROLE_DIM, text);
	}
	snprintf(text, sizeof(text), "%s/%s", bytes_short(sums->shared, bytes[0]),
		sums->memory ? bytes_short(sums->memory, bytes[1]) : "?");
	put_pair(line, "shared", ROLE_SHARED, text);
	bar = line->end - line->x - 8;
	bar = bar > 40 ? 40 : bar;
	if (bar < 6)
		return;
	cells_put(line->cells, line->x, line->y, '[', PEN(ROLE_DIM));
	cells_bar(line->cells, line->x + 1, line->y, bar - 2, part, PEN(ROLE_SHARED));
	cells_put(line->cells, line->x + bar - 1, line->y, ']', PEN(ROLE_DIM));
	line->x += bar;
	put(line, PEN(ROLE_TEXT), " %.1f%%", 100 * part);
}

static void put_rate(struct line *line, const char *name, double rate, enum role role)
{
	char text[24];

	put_pair(line, name, rate > 0 ? role : ROLE_DIM, rate_short(rate, text));
}

static void draw_rates(struct top *top, struct line *line, const struct sums *sums)
{
	const double *rates = stats_host(top->stats)->rates;
	char text[24];

	put(line, PEN(ROLE_LABEL), "per s: ");
	put_rate(line, ">shared", rates[FLOW_TO_SHARED], ROLE_VALUE);
	put_rate(line, ">private", rates[FLOW_TO_PRIVATE], ROLE_VALUE);
	put_rate(line, "refused", rates[FLOW_REFUSED], ROLE_WARNING);
	if (rates[FLOW_VETOED] > 0)
		put_rate(line, "vetoed", rates[FLOW_VETOED], ROLE_WARNING);
	put_rate(line, "hypercalls", rates[FLOW_HYPERCALLS], ROLE_VALUE);
	put_rate(line, "exits", rates[FLOW_EXITS], ROLE_VALUE);
	put_pair(line, "open", sums->open ? ROLE_NOTICE : ROLE_DIM, count_short(sums->open, text));
}

static void put_findings(struct top *top, struct line *line)
{
	static const enum role roles[] = {ROLE_DIM, ROLE_NOTICE, ROLE_WARNING, ROLE_CRITICAL};
	_Static_assert(ARRAY_SIZE(roles) == SEVERITIES, "a role for each severity");
	const struct host_stats *host = stats_host(top->stats);
	bool any = false;

	put(line, PEN(ROLE_LABEL), "findings ");
	for (int i = SEVERITIES - 1; i >= 0; i--)
		if (host->open[i]) {
			put(line, PEN(roles[i]), "%u %s", host->open[i],
				severity_name((enum severity)i));
			line->x++;
			any = true;
		}
	if (!any) {
		put(line, PEN(ROLE_GOOD), "none");
		line->x++;
	}
	line->x++;
}

/* How many VMs are in each mode; why nothing is known of it; nothing where nobody looks. */
static void put_policies(struct top *top, struct line *line)
{
	size_t modes[POLICY_MODES] = {};
	char text[64];

	for (size_t i = 0; i < stats_count(top->stats); i++)
		modes[stats_at(top->stats, i)->policy] += stats_at(top->stats, i)->vm->alive;
	if (top->policies == POLICIES_NOT_LOADED)
		put_pair(line, "policies", ROLE_DIM, "none loaded");
	else if (top->policies == POLICIES_UNREADABLE)
		put_pair(line, "policies", ROLE_WARNING, top->policies_why);
	if (top->policies != POLICIES_LOADED)
		return;
	snprintf(text, sizeof(text), "%zu VMs", modes[POLICY_ENFORCE]);
	put_pair(line, "enforced", ROLE_VALUE, text);
	for (enum policy_mode mode = POLICY_MONITOR; mode <= POLICY_FROZEN; mode++)
		if (mode != POLICY_ENFORCE && modes[mode]) {
			snprintf(text, sizeof(text), "%zu", modes[mode]);
			put_pair(line, mode == POLICY_FROZEN ? "frozen" : "monitored",
				mode == POLICY_FROZEN ? ROLE_CRITICAL : ROLE_NOTICE, text);
		}
}

static void draw_cost(struct top *top, struct line *line, const struct sums *sums)
{
	char text[48], bytes[24];

	put_findings(top, line);
	put_pair(line, "lost", sums->lost ? ROLE_WARNING : ROLE_DIM, count_short(sums->lost, text));
	if (top->cost.cpu_percent >= 0) {
		snprintf(text, sizeof(text), "%.1f%% cpu %s", top->cost.cpu_percent,
			bytes_short((uint64_t)top->cost.rss_bytes, bytes));
		put_pair(line, "self", ROLE_TEXT, text);
	}
	if (top->cost.ns_per_event >= 0) {
		snprintf(text, sizeof(text), "%.0fns", top->cost.ns_per_event);
		put_pair(line, "per event", ROLE_TEXT, text);
	}
	put_policies(top, line);
}

int draw_header(struct top *top, struct cells *cells, struct area area)
{
	struct sums sums = sum_up(top);
	struct line line = {cells, area.x + 1, area.y, area.x + area.width};
	int mode_width;

	put_mode(top);
	mode_width = text_width(top->message_mode) + 1;
	if (mode_width + 20 < area.width) {
		cells_right(cells, area.x, area.y, area.width - 1,
			PEN(top->held || top->playback.paused ? ROLE_WARNING : ROLE_DIM),
			top->message_mode);
		line.end -= mode_width + 1;
	}
	draw_first(&line, &sums);
	if (area.height < 16)
		return 1;
	line = (struct line){cells, area.x + 1, area.y + 1, area.x + area.width};
	draw_rates(top, &line, &sums);
	line = (struct line){cells, area.x + 1, area.y + 2, area.x + area.width};
	draw_cost(top, &line, &sums);
	return area.height < 20 ? 3 : 4;
}

void draw_title(struct cells *cells, struct area area, const char *format, ...)
{
	struct pen pen = {.role = ROLE_HEADER, .ground = ROLE_HEADER};
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cells_fill(cells, (struct area){area.x, area.y, area.width, 1}, ' ', pen);
	cells_text(cells, area.x + 1, area.y, area.width - 2, pen, text);
}

/* ---- below ---- */

static bool has_label(const struct top *top, const struct key_row *row)
{
	return row->label && (row->views & IN(top->view)) &&
	       (row->scope != SCOPE_ACTIONS || top->options.actions);
}

#define LABELS 16

/* Those that have room; the last one, which leads out, always has. */
static int choose_labels(const struct top *top, int width, const struct key_row *rows[LABELS])
{
	int n = 0, used = 0;

	for (size_t i = 0; i < n_key_rows && n < LABELS; i++)
		if (has_label(top, &key_rows[i]))
			rows[n++] = &key_rows[i];
	for (int i = 0; i < n; i++)
		used += (int)strlen(rows[i]->label) + (rows[i]->keys[0] >= TK_F1 + 9 ? 3 : 2);
	for (; n > 1 && used > width; n--) {
		used -= (int)strlen(rows[n - 2]->label) + 2;
		rows[n - 2] = rows[n - 1];
	}
	return n;
}

/* What is left of the width is spread among the labels, up to htop's six cells each and more. */
static void draw_keys(struct top *top, struct cells *cells, struct area area)
{
	const struct pen pen = {.role = ROLE_ACTION, .ground = ROLE_ACTION};
	const struct key_row *rows[LABELS];
	int n = choose_labels(top, area.width, rows), x = area.x, spare = area.width;
	char name[16];

	for (int i = 0; i < n; i++)
		spare -= (int)strlen(rows[i]->label) +
			 (int)strlen(key_spelling(rows[i]->keys[0], name));
	for (int i = 0; i < n; i++) {
		int width = (int)strlen(rows[i]->label), more = spare / (n - i);

		more = more < 0 ? 0 : more > 3 ? 3 : more;
		spare -= more;
		x += cells_text(cells, x, area.y, area.x + area.width - x, PEN(ROLE_KEY),
			key_spelling(rows[i]->keys[0], name));
		cells_fill(cells, (struct area){x, area.y, width + more, 1}, ' ', pen);
		cells_text(cells, x, area.y, width, pen, rows[i]->label);
		x += width + more;
	}
	cells_fill(cells, (struct area){x, area.y, area.x + area.width - x, 1}, ' ', pen);
}

static void draw_typed(struct top *top, struct cells *cells, struct area area)
{
	static const char *const names[] = {
		[PROMPT_LINE_FILTER] = "Filter: ",
		[PROMPT_LINE_SEARCH] = "Search: ",
		[PROMPT_LINE_INTERVAL] = "Seconds: ",
		[PROMPT_LINE_ADDRESS] = "Address, in hex: ",
	};
	const struct prompt_line *prompt = &top->prompt;
	int x;

	if (prompt->kind == PROMPT_LINE_QUESTION) {
		cells_text(cells, area.x, area.y, area.width, PEN_BOLD(ROLE_WARNING),
			prompt->question);
		return;
	}
	x = cells_text(cells, area.x, area.y, area.width, PEN(ROLE_LABEL), names[prompt->kind]);
	/* The end of what is typed stays in sight. */
	{
		const char *text = prompt->text;
		int room = area.width - x - 1;

		while (text_width(text) > room && *text)
			text++;
		x += cells_text(cells, area.x + x, area.y, room, PEN(ROLE_PROMPT), text);
	}
	cells_put(cells, area.x + x, area.y, ' ',
		(struct pen){.ground = ROLE_PROMPT, .attributes = CELL_REVERSE});
	if (top->message[0] && x + 3 < area.width)
		cells_text(cells, area.x + x + 2, area.y, area.width - x - 2, PEN(ROLE_WARNING),
			top->message);
}

void draw_bottom(struct top *top, struct cells *cells, struct area area)
{
	if (top->prompt.kind)
		draw_typed(top, cells, area);
	else if (top->message[0])
		cells_text(cells, area.x, area.y, area.width,
			top->message_is_error ? PEN_BOLD(ROLE_CRITICAL) : PEN_BOLD(ROLE_TEXT),
			top->message);
	else
		draw_keys(top, cells, area);
}
