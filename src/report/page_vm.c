/* SPDX-License-Identifier: GPL-2.0-only */
/* What the page says of one VM. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/units.h"
#include "picture/look.h"
#include "report/report_private.h"

#define TABLE_RANGES 64

const char *film_name(enum film_kind kind)
{
	static const char *const names[] = {"guest plane: what the guest declared",
		"host plane: what KVM's attributes say", "where the two differ"};
	_Static_assert(ARRAY_SIZE(names) == FILMS, "a name for each film");

	return names[kind];
}

static void write_trust(FILE *out, const struct style *style, const struct vm *vm, enum plane plane)
{
	char lines[MAP_TRUST_LINES][MAP_TRUST_LINE];
	size_t n = map_trust(style, vm, plane, lines);

	fprintf(out, "<p class=\"trust %s\"><strong>%s plane</strong> ",
		confidence_name(vm_confidence(vm, plane)), plane_name(plane));
	for (size_t i = 0; i < n; i++) {
		fputs(i ? "<br>" : "", out);
		escape_xml(out, lines[i]);
	}
	fputs("</p>\n", out);
}

static void write_facts(FILE *out, const struct report_page *page, const struct report_vm *seen,
	const struct vm *vm)
{
	char size[24], type[16], begin[64], took[24];
	const struct ledger_totals *totals = &vm->totals;
	uint64_t memory = vm_memory_pages(vm), oldest = 0;

	fprintf(out, "<dl class=\"facts\"><div><dt>Type</dt><dd>%s</dd></div>",
		vm_type_name(vm->type, type));
	fprintf(out, "<div><dt>Process</dt><dd>%u</dd></div>", vm->pid);
	fprintf(out, "<div><dt>Memory</dt><dd>%s</dd></div>",
		memory ? bytes_short(memory << 12, size) : "not known");
	fprintf(out, "<div><dt>vCPUs</dt><dd>%u</dd></div>", vm->vcpus);
	fprintf(out, "<div><dt>First seen</dt><dd>%s</dd></div>",
		full_time(page->style, seen->begin_ns, begin));
	fprintf(out, "<div><dt>Seen for</dt><dd>%s%s</dd></div>",
		duration_short(seen->end_ns - seen->begin_ns, took),
		vm->alive ? ", it still ran" : ", to its end");
	fprintf(out, "<div><dt>Conversions</dt><dd>%llu</dd></div>",
		(unsigned long long)totals->converted);
	fprintf(out,
		"<div><dt>Not done</dt><dd>%llu denied, %llu refused, %llu unanswered</dd></div>",
		(unsigned long long)totals->denied, (unsigned long long)totals->refused,
		(unsigned long long)totals->unanswered);
	if (vm_has_host_plane(vm))
		fprintf(out, "<div><dt>Changes by the VMM</dt><dd>%llu</dd></div>",
			(unsigned long long)totals->attributes);
	fprintf(out, "<div><dt>Open requests</dt><dd>%zu</dd></div>",
		vm_open_requests(vm, &oldest));
	fprintf(out, "<div><dt>Records lost</dt><dd class=\"%s\">%llu</dd></div>",
		vm_lost(vm) ? "bad" : "good", (unsigned long long)vm_lost(vm));
	fputs("</dl>\n", out);
}

/* ---- the map ---- */

static void write_planes(FILE *out, const struct report_vm *seen)
{
	size_t n = 0;

	for (int i = 0; i < FILMS; i++)
		n += !!seen->films[i];
	if (n < 2)
		return;
	fputs("<fieldset class=\"planes\"><legend>Plane</legend>", out);
	for (int i = 0, k = 0; i < FILMS; i++) {
		if (!seen->films[i])
			continue;
		fprintf(out,
			"<label><input type=\"radio\" name=\"plane-%u\" value=\"%d\"%s> %s</label>",
			seen->id, k, k ? "" : " checked", film_name((enum film_kind)i));
		k++;
	}
	fputs("</fieldset>\n", out);
}

static void write_thinned(FILE *out, const struct report_vm *seen)
{
	size_t dropped = 0, kept = 0;
	char size[24];

	for (int i = 0; i < FILMS; i++)
		if (seen->films[i]) {
			dropped += seen->films[i]->dropped;
			kept += seen->films[i]->n_shots;
		}
	fprintf(out, "<p class=\"note\">A cell is %s of guest memory. ",
		bytes_exact(4096ull << seen->layout->shift, size));
	fprintf(out,
		"The slider has the map at chosen times, half of them spread over the time, half "
		"over the changes; between two of them more may have happened.");
	if (dropped)
		fprintf(out, " Thinned out to stay small: %zu of %zu such times were left out.",
			dropped, dropped + kept);
	fputs("</p>\n", out);
}

static void write_map(FILE *out, const struct report_vm *seen, const char *label)
{
	enum film_kind first = seen->films[FILM_GUEST] ? FILM_GUEST : FILM_HOST;

	fprintf(out,
		"<figure class=\"map\" data-vm=\"%u\" id=\"vm-%u-map\"><figcaption>Page "
		"map</figcaption>\n",
		seen->id, seen->id);
	write_planes(out, seen);
	fprintf(out,
		"<div class=\"time\"><button type=\"button\" class=\"play\" aria-label=\"Play\" "
		"hidden>&#9654;</button><label for=\"vm-%u-time\">Time</label><input "
		"type=\"range\" id=\"vm-%u-time\" min=\"0\" max=\"%zu\" value=\"%zu\" "
		"step=\"1\"><output class=\"when\" for=\"vm-%u-time\"></output></div>\n",
		seen->id, seen->id, seen->films[first]->n_shots - 1,
		seen->films[first]->n_shots - 1, seen->id);
	fputs("<p class=\"sums\" aria-live=\"polite\"></p>\n", out);
	fprintf(out,
		"<div class=\"stage\"><canvas tabindex=\"0\" role=\"img\" aria-label=\"Page map of "
		"VM %u ",
		seen->id);
	escape_xml(out, label);
	fprintf(out,
		"; arrow keys move from cell to cell\" aria-describedby=\"vm-%u-cell\"></canvas>"
		"<noscript><p>The picture wants JavaScript, which is in this file; the table "
		"below "
		"says the same of the end.</p></noscript></div>\n",
		seen->id);
	fprintf(out,
		"<p class=\"cell\" id=\"vm-%u-cell\" role=\"status\">Point at a cell, or use the "
		"arrow keys on the picture.</p>\n<div class=\"looks\"></div>\n",
		seen->id);
	write_thinned(out, seen);
	fputs("</figure>\n", out);
}

/* ---- the same as a table ---- */

struct listing {
	FILE *out;
	size_t n;
};

static int list_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct listing *listing = context;
	char size[24];

	if (state == PAGE_PRIVATE || listing->n++ >= TABLE_RANGES)
		return 0;
	fprintf(listing->out,
		"<tr><td class=\"n\"><code>0x%llx</code></td><td "
		"class=\"n\"><code>0x%llx</code></td><td "
		"class=\"n\">%s</td><td>%s</td></tr>\n",
		(unsigned long long)gfn << 12, ((unsigned long long)(gfn + npages) << 12) - 1,
		bytes_exact(npages << 12, size), page_state_name(state));
	return 0;
}

static void write_ranges(FILE *out, const struct vm *vm, enum plane plane)
{
	struct listing listing = {.out = out};

	fprintf(out,
		"<details><summary>Ranges at the end that are not private, %s plane</summary><div "
		"class=\"scroll\"><table><thead><tr><th scope=\"col\" class=\"n\">from</th><th "
		"scope=\"col\" class=\"n\">to</th><th scope=\"col\" class=\"n\">size</th><th "
		"scope=\"col\">state</th></tr></thead><tbody>\n",
		plane_name(plane));
	vm_ranges(vm, plane, list_range, &listing);
	fputs("</tbody></table></div>", out);
	if (!listing.n)
		fputs("<p>There are none: all is private.</p>", out);
	else if (listing.n > TABLE_RANGES)
		fprintf(out,
			"<p class=\"note\">Thinned out: the first %d of %zu; <code>map</code> "
			"lists "
			"all.</p>",
			TABLE_RANGES, listing.n);
	fputs("</details>\n", out);
}

static void write_counts(FILE *out, const struct vm *vm, enum plane plane)
{
	uint64_t counts[PAGE_STATES];
	char size[24];

	vm_count(vm, plane, counts);
	fprintf(out, "<p>At the end, on the %s plane: ", plane_name(plane));
	for (int i = 0; i < PAGE_STATES; i++)
		fprintf(out, "%s%s <strong>%s</strong> (%llu pages)", i ? ", " : "",
			page_state_name((enum page_state)i), bytes_short(counts[i] << 12, size),
			(unsigned long long)counts[i]);
	fputs(".</p>\n", out);
}

/* ---- over time ---- */

static void write_shared(FILE *out, const struct report_vm *seen)
{
	const struct series *series = &seen->series;
	double high[SERIES_STEPS], low[SERIES_STEPS], last[SERIES_STEPS];
	uint64_t most = 0;
	struct chart_line lines[] = {
		{"lowest to highest", "shared", high, low},
		{"shared, bytes", "shared", last, NULL},
	};
	char id[32], about[200], a[24], b[24], c[24], d[24];

	for (size_t i = 0; i < series->n; i++) {
		high[i] = (double)series->steps[i].high;
		low[i] = (double)series->steps[i].low;
		last[i] = (double)series->steps[i].last;
		most = series->steps[i].high > most ? series->steps[i].high : most;
	}
	snprintf(id, sizeof(id), "vm-%u-shared", seen->id);
	snprintf(about, sizeof(about),
		"Shared on the guest plane: %s at first, %s at most, %s at the end; a step is %s.",
		bytes_short(series->steps[0].low, a), bytes_short(most, b),
		bytes_short(series->steps[series->n - 1].last, c),
		duration_short(series->step_ns, d));
	chart_write(out, &(struct chart){
				 .id = id,
				 .title = "Shared memory",
				 .about = about,
				 .unit = CHART_BYTES,
				 .step_s = (double)series->step_ns / 1e9,
				 .n = series->n,
				 .lines = lines,
				 .n_lines = ARRAY_SIZE(lines),
			 });
}

static void write_rates(FILE *out, const struct report_vm *seen)
{
	static const struct {
		const char *name, *class;
	} kinds[SERIES_COUNTS] = {
		[COUNT_TO_SHARED] = {"to shared, each second", "shared"},
		[COUNT_TO_PRIVATE] = {"to private", "private"},
		[COUNT_NOT_DONE] = {"denied, refused, unanswered", "failed"},
	};
	const struct series *series = &seen->series;
	double values[SERIES_COUNTS][SERIES_STEPS];
	struct chart_line lines[SERIES_COUNTS];
	uint64_t sums[SERIES_COUNTS] = {};
	char id[32], about[200], step[24];

	for (int k = 0; k < SERIES_COUNTS; k++) {
		lines[k] = (struct chart_line){kinds[k].name, kinds[k].class, values[k], NULL};
		for (size_t i = 0; i < series->n; i++) {
			sums[k] += series->steps[i].counts[k];
			values[k][i] = series->steps[i].counts[k] * 1e9 / (double)series->step_ns;
		}
	}
	snprintf(id, sizeof(id), "vm-%u-rates", seen->id);
	snprintf(about, sizeof(about),
		"Conversions: %llu to shared, %llu to private, %llu not done; each point is the "
		"mean of %s.",
		(unsigned long long)sums[COUNT_TO_SHARED],
		(unsigned long long)sums[COUNT_TO_PRIVATE],
		(unsigned long long)sums[COUNT_NOT_DONE], duration_short(series->step_ns, step));
	chart_write(out, &(struct chart){
				 .id = id,
				 .title = "Conversions each second",
				 .about = about,
				 .unit = CHART_RATE,
				 .step_s = (double)series->step_ns / 1e9,
				 .n = series->n,
				 .lines = lines,
				 .n_lines = SERIES_COUNTS,
			 });
}

void page_vm(FILE *out, const struct report *report, const struct report_page *page,
	const struct report_vm *seen, const struct vm *vm)
{
	char label[VM_LABEL_SIZE], id[32];
	enum film_kind first = seen->films[FILM_GUEST] ? FILM_GUEST : FILM_HOST;

	(void)report;
	vm_label(vm, label, sizeof(label));
	fprintf(out, "<section class=\"vm\" id=\"vm-%u\"><h2>VM %u ", vm->id, vm->id);
	escape_xml(out, label);
	fputs("</h2>\n", out);
	write_facts(out, page, seen, vm);
	if (vm_has_map(vm))
		write_trust(out, page->style, vm, PLANE_GUEST);
	if (vm_has_host_plane(vm))
		write_trust(out, page->style, vm, PLANE_HOST);
	if (!seen->layout || !seen->films[first] || !seen->films[first]->n_shots)
		fprintf(out, "<p class=\"note\">There is no picture of it: it %s.</p>\n",
			seen->films[first] ? "has no memory that is known of"
					   : map_why_none(PLANE_GUEST));
	else
		write_map(out, seen, label);
	for (int i = 0; i < PLANES; i++)
		if (i == PLANE_GUEST ? vm_has_map(vm) : vm_has_host_plane(vm)) {
			write_counts(out, vm, (enum plane)i);
			write_ranges(out, vm, (enum plane)i);
		}
	fputs("<div class=\"charts\">\n", out);
	if (vm_has_map(vm))
		write_shared(out, seen);
	write_rates(out, seen);
	snprintf(id, sizeof(id), "vm-%u-latency", vm->id);
	chart_spread(out, id, &seen->spread);
	fputs("</div>\n<p class=\"top\"><a href=\"#contents\">Contents</a></p></section>\n", out);
}
