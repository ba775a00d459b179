/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the page's script draws from, as JSON. It holds numbers and words of ours only, so there is
 * nothing in it that could end the element it stands in.
 *
 *   looks   [name, ground, mark, pattern]: enum look
 *   vms     id, clock (ms, of the day, as local time), films, ranges (gfn, npages, state; at the
 * end) films   plane, columns, rows, shift, segments (gfn, cell, cells), memory, sacred, shots
 *   shots   [us, private, shared, unknown, differ, trust, runs]; runs: cells skipped, cells, look,
 *           private, shared, unknown, differ, last change (us; -1: not known)
 */
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "picture/look.h"
#include "report/report_private.h"

static void write_looks(FILE *out)
{
	fputs("\"looks\":[", out);
	for (int i = 0; i < LOOKS; i++) {
		const struct look_style *style = &look_styles[i];

		fprintf(out, "%s[\"%s\",\"#%06x\",\"#%06x\",%d]", i ? "," : "", style->name,
			(unsigned int)style->ground, (unsigned int)style->mark,
			(int)style->pattern);
	}
	fputs("]", out);
}

static int64_t since_us(const struct report_vm *seen, uint64_t ts_ns)
{
	return ts_ns < seen->begin_ns ? 0 : (int64_t)((ts_ns - seen->begin_ns) / 1000);
}

static void write_runs(FILE *out, const struct report_vm *seen, const struct film_shot *shot)
{
	uint32_t next = 0;

	for (size_t i = 0; i < shot->n_changes;) {
		const struct film_change *change = &shot->changes[i];
		const uint32_t *frames = change->cell.frames;
		size_t n = 1;

		while (i + n < shot->n_changes &&
			film_is_run(&shot->changes[i + n - 1], &shot->changes[i + n]))
			n++;
		fprintf(out, "%s%u,%zu,%u,%u,%u,%u,%u,%" PRId64, i ? "," : "", change->at - next, n,
			change->cell.look, frames[0], frames[1], frames[2], frames[3],
			change->when_ns == FILM_NEVER ? -1 : since_us(seen, change->when_ns));
		next = change->at + (uint32_t)n;
		i += n;
	}
}

static void write_ranges(FILE *out, const char *key, const struct layout_range *list, size_t n)
{
	fprintf(out, ",\"%s\":[", key);
	for (size_t i = 0; i < n && i < 256; i++)
		fprintf(out, "%s[%" PRIu64 ",%" PRIu64 "]", i ? "," : "", list[i].gfn,
			list[i].npages);
	fputs("]", out);
}

static void write_layout(FILE *out, const struct layout *layout)
{
	fprintf(out, "\"columns\":%u,\"rows\":%u,\"shift\":%u,\"segments\":[", layout->columns,
		layout->rows, layout->shift);
	for (size_t i = 0; i < layout->n_segments; i++)
		fprintf(out, "%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", i ? "," : "",
			layout->segments[i].gfn, layout->segments[i].cell,
			layout->segments[i].cells);
	fputs("]", out);
	write_ranges(out, "slots", layout->slots, layout->n_slots);
}

static void write_film(FILE *out, const struct report_vm *seen, enum film_kind kind)
{
	const struct film *film = seen->films[kind];

	fprintf(out, "{\"plane\":%d,\"shots\":[", (int)kind);
	for (size_t i = 0; i < film->n_shots; i++) {
		const struct film_shot *shot = &film->shots[i];

		fprintf(out, "%s[%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u,[",
			i ? ",\n" : "", since_us(seen, shot->ts_ns), shot->counts[0],
			shot->counts[1], shot->counts[2], shot->counts[3], shot->trust);
		write_runs(out, seen, shot);
		fputs("]]", out);
	}
	fputs("]}", out);
}

struct listing {
	FILE *out;
	size_t n, max;
};

static int list_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	struct listing *listing = context;

	if (state == PAGE_PRIVATE)
		return 0;
	if (listing->n < listing->max)
		fprintf(listing->out, "%s[%" PRIu64 ",%" PRIu64 ",%d]", listing->n ? "," : "", gfn,
			npages, (int)state);
	return listing->n++ > listing->max;
}

/* Time of day where the report is made, whatever the zone of who reads it. */
static int64_t clock_ms(const struct style *style, uint64_t ts_ns)
{
	int64_t ns = (int64_t)ts_ns + style->realtime_offset_ns;
	time_t seconds = ns / 1000000000;
	struct tm tm;

	localtime_r(&seconds, &tm);
	return ns / 1000000 + tm.tm_gmtoff * 1000;
}

int page_data(FILE *out, const struct report *report, const struct report_page *page)
{
	bool any = false;

	fputs("{", out);
	write_looks(out);
	fputs(",\n\"vms\":[", out);
	for (size_t i = 0; i < report->n_vms; i++) {
		const struct report_vm *seen = &report->vms[i];
		const struct vm *vm = report_find_vm(page->model, seen->id);
		struct listing listing = {.out = out, .max = report->max_ranges};
		bool more = false;

		if (!seen->layout || !vm)
			continue;
		fprintf(out, "%s{\"id\":%u,\"clock\":%" PRId64 ",", any ? ",\n" : "", seen->id,
			clock_ms(page->style, seen->begin_ns));
		any = true;
		write_layout(out, seen->layout);
		fputs(",\"ranges\":[", out);
		if (vm_has_map(vm))
			vm_ranges(vm, PLANE_GUEST, list_range, &listing);
		fprintf(out, "],\"all\":%s,\"films\":[",
			listing.n <= listing.max ? "true" : "false");
		for (int k = 0; k < FILMS; k++) {
			if (!seen->films[k])
				continue;
			fputs(more ? ",\n" : "", out);
			write_film(out, seen, (enum film_kind)k);
			more = true;
		}
		fputs("]}", out);
	}
	fputs("]}\n", out);
	return ferror(out) ? -EIO : 0;
}
