/* SPDX-License-Identifier: GPL-2.0-only */
/* What is taken down while the records pass by. */
#include "report/report_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/place.h"
#include "picture/look.h"

int report_new(struct report **ret)
{
	struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return -ENOMEM;
	*ret = report;
	return 0;
}

void report_free(struct report **pointer)
{
	struct report *report = *pointer;

	if (!report)
		return;
	for (size_t i = 0; i < report->n_vms; i++) {
		struct report_vm *seen = &report->vms[i];

		for (int k = 0; k < FILMS; k++)
			film_free(&seen->films[k]);
		layout_free(&seen->layout);
		free(seen->cells);
		free(seen->film_cells);
	}
	free(report->vms);
	free(report->seen);
	free(report);
	*pointer = NULL;
}

const struct vm *report_find_vm(const struct model *model, uint32_t id)
{
	size_t n = model_vm_count(model), at = PLACE(n, i, model_vm(model, i)->id < id);

	return at < n && model_vm(model, at)->id == id ? model_vm(model, at) : NULL;
}

/* ---- the first time ---- */

/* Where a VM is, or would be. */
static size_t seen_at(const struct report *report, uint32_t id)
{
	return PLACE(report->n_seen, i, report->seen[i].vm < id);
}

int report_scan(struct report *report, const struct event *event)
{
	struct report_seen *grown;
	size_t at;
	bool known;

	if (!event->vm)
		return 0;
	at = seen_at(report, event->vm->id);
	known = at < report->n_seen && report->seen[at].vm == event->vm->id;
	if (event->kind == EVENT_FORGOTTEN) {
		if (known)
			memmove(&report->seen[at], &report->seen[at + 1],
				(--report->n_seen - at) * sizeof(*report->seen));
		return 0;
	}
	if (!known) {
		if (!(report->n_seen & (report->n_seen - 1))) { /* a power of two is full */
			grown = reallocarray(
				report->seen, MAX(1, 2 * report->n_seen), sizeof(*report->seen));
			if (!grown)
				return -ENOMEM;
			report->seen = grown;
		}
		memmove(&report->seen[at + 1], &report->seen[at],
			(report->n_seen++ - at) * sizeof(*report->seen));
		report->seen[at] =
			(struct report_seen){.vm = event->vm->id, .begin_ns = event->now_ns};
	}
	report->seen[at].end_ns = event->now_ns;
	return 0;
}

static uint64_t changes_of(const struct vm *vm)
{
	return vm->totals.converted + vm->totals.attributes + vm->totals.no_answer + vm->resets;
}

static int by_changes(const void *a, const void *b)
{
	const struct vm *x = *(const struct vm *const *)a, *y = *(const struct vm *const *)b;

	if (changes_of(x) != changes_of(y))
		return changes_of(x) > changes_of(y) ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static int by_id(const void *a, const void *b)
{
	const struct vm *x = *(const struct vm *const *)a, *y = *(const struct vm *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

static bool has_film(const struct vm *vm, enum film_kind kind)
{
	return kind == FILM_GUEST ? vm_has_map(vm) : vm_has_host_plane(vm);
}

/* The fewer maps, the more cells each has. */
static unsigned int cells_a_side(size_t films)
{
	return films <= 6 ? 64 : films <= 20 ? 32 : 16;
}

static int plan_films(struct report_vm *seen, const struct vm *vm, size_t films)
{
	unsigned int side = cells_a_side(films);
	struct layout_options options = {.columns = side, .rows = side};
	uint64_t span = seen->end_ns - seen->begin_ns;
	int r = layout_new(&seen->layout, vm, &options);

	if (r || !seen->layout->cells) {
		layout_free(&seen->layout);
		return r;
	}
	seen->cells = calloc(seen->layout->cells, sizeof(*seen->cells));
	seen->film_cells = calloc(seen->layout->cells, sizeof(*seen->film_cells));
	if (!seen->cells || !seen->film_cells)
		return -ENOMEM;
	for (int i = 0; i < FILMS && !r; i++)
		if (has_film(vm, (enum film_kind)i))
			r = film_new(&seen->films[i], (uint32_t)seen->layout->cells, REPORT_SHOTS,
				REPORT_RUNS / films, span / 4096 + 1);
	return r;
}

/* Half of the shots are spread over the time, half over the changes. */
static int plan_vm(
	const struct report *report, struct report_vm *seen, const struct vm *vm, size_t films)
{
	size_t at = seen_at(report, vm->id);
	bool known = at < report->n_seen && report->seen[at].vm == vm->id;

	seen->id = vm->id;
	seen->begin_ns = known ? report->seen[at].begin_ns : vm->last_ns;
	seen->end_ns = known ? report->seen[at].end_ns : vm->last_ns;
	seen->every_ns = MAX(1, (seen->end_ns - seen->begin_ns) / (REPORT_SHOTS / 2));
	seen->due_ns = UINT64_MAX;
	seen->changes = changes_of(vm);
	seen->every = seen->changes / (REPORT_SHOTS / 2 - 2) + 1;
	series_init(&seen->series, seen->begin_ns, seen->end_ns);
	return plan_films(seen, vm, films);
}

int report_plan(struct report *report, const struct model *model)
{
	_cleanup_free_ const struct vm **list = NULL;
	size_t n = model_vm_count(model), films = 0;
	struct model_totals totals;
	int r = 0;

	model_totals(model, &totals);
	report->all_vms = n + totals.forgotten;
	list = calloc(n ?: 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		list[i] = model_vm(model, i);
	qsort(list, n, sizeof(*list), by_changes);
	n = MIN(n, REPORT_VMS);
	qsort(list, n, sizeof(*list), by_id);
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < FILMS; k++)
			films += has_film(list[i], (enum film_kind)k);
	report->vms = calloc(n ?: 1, sizeof(*report->vms));
	if (!report->vms)
		return -ENOMEM;
	report->max_ranges = REPORT_RANGES / MAX(1, n);
	for (size_t i = 0; i < n && !r; i++)
		r = plan_vm(report, &report->vms[report->n_vms++], list[i], MAX(1, films));
	return r;
}

/* ---- the second time: maps ---- */

static struct report_vm *find(struct report *report, uint32_t id)
{
	size_t at = PLACE(report->n_vms, i, report->vms[i].id < id);

	return at < report->n_vms && report->vms[at].id == id ? &report->vms[at] : NULL;
}

static void read_cell(const struct layout *layout, const struct vm *vm, enum film_kind kind,
	uint64_t at, struct film_cell *ret)
{
	struct layout_cell cell;

	*ret = (struct film_cell){};
	if (kind == FILM_DIFF) {
		layout_read_diff(layout, vm, at, &cell);
		ret->frames[PAGE_PRIVATE] = (uint32_t)cell.accords[ACCORD_PRIVATE];
		ret->frames[PAGE_SHARED] = (uint32_t)cell.accords[ACCORD_SHARED];
		ret->frames[PAGE_UNKNOWN] = (uint32_t)cell.accords[ACCORD_UNKNOWN];
		ret->frames[3] = (uint32_t)(cell.accords[ACCORD_HOST_SHARED] +
					    cell.accords[ACCORD_HOST_PRIVATE]);
	} else {
		layout_read(layout, vm, kind == FILM_HOST ? PLANE_HOST : PLANE_GUEST, at, &cell);
		for (int i = 0; i < PAGE_STATES; i++)
			ret->frames[i] = (uint32_t)cell.counts[i];
	}
	ret->look = look_of(&cell, kind == FILM_DIFF);
}

static int take_shot(struct report_vm *seen, const struct vm *vm, enum film_kind kind)
{
	enum confidence trust = vm_confidence(vm, kind == FILM_GUEST ? PLANE_GUEST : PLANE_HOST);
	uint64_t counts[FILM_COUNTS] = {};

	for (uint64_t at = 0; at < seen->layout->cells; at++) {
		read_cell(seen->layout, vm, kind, at, &seen->film_cells[at]);
		for (int i = 0; i < FILM_COUNTS; i++)
			counts[i] += seen->film_cells[at].frames[i];
	}
	if (kind == FILM_DIFF)
		trust = MAX(trust, vm_confidence(vm, PLANE_GUEST));
	else /* outside of the picture, too */
		vm_count(vm, kind == FILM_HOST ? PLANE_HOST : PLANE_GUEST, counts);
	return film_take(seen->films[kind], seen->last_ns, counts, trust, seen->film_cells);
}

static int take_shots(struct report *report, struct report_vm *seen)
{
	const struct vm *vm = report_find_vm(report->model, seen->id);
	int r = 0;

	seen->ripe = false;
	seen->since = 0;
	for (int i = 0; i < FILMS && vm && !r; i++)
		if (seen->films[i])
			r = take_shot(seen, vm, (enum film_kind)i);
	return r;
}

int report_pace(struct report *report, uint64_t ts_ns)
{
	int r = 0;

	if (ts_ns < report->next_ns)
		return 0;
	report->next_ns = UINT64_MAX;
	for (size_t i = 0; i < report->n_vms && !r; i++) {
		struct report_vm *seen = &report->vms[i];

		if (seen->ripe || ts_ns >= seen->due_ns) {
			bool late = ts_ns >= seen->due_ns;

			if (late) { /* nothing happened until now: so it was until then */
				seen->last_ns =
					MAX(seen->last_ns, MIN(seen->due_ns - 1, seen->end_ns));
				seen->due_ns = ts_ns + seen->every_ns;
			}
			r = take_shots(report, seen);
		}
		if (ts_ns > seen->end_ns)
			seen->due_ns = UINT64_MAX;
		report->next_ns = MIN(report->next_ns, seen->due_ns);
	}
	return r;
}

static void touch(struct film *film, const struct layout *layout, uint64_t gfn, uint64_t npages,
	uint64_t when_ns)
{
	uint64_t end = gfn + MIN(npages, PAGEMAP_FRAMES);

	if (!film || gfn >= PAGEMAP_FRAMES)
		return;
	for (size_t i = 0; i < layout->n_segments; i++) {
		const struct layout_segment *segment = &layout->segments[i];
		uint64_t stop = segment->gfn + (segment->cells << layout->shift);
		uint64_t from = MAX(gfn, segment->gfn), to = MIN(end, stop);

		if (from < to)
			film_touch(film, segment->cell + ((from - segment->gfn) >> layout->shift),
				segment->cell + ((to - 1 - segment->gfn) >> layout->shift),
				when_ns);
	}
}

/* Which planes an event changes; bits. */
static unsigned int planes_of(const struct event *event)
{
	switch (event->kind) {
	case EVENT_CONVERTED:
	case EVENT_NO_ANSWER:
		return 1 << PLANE_GUEST;
	case EVENT_ATTRIBUTES:
		return event->ret ? 0 : 1 << PLANE_HOST;
	case EVENT_RESET:
		return 1 << PLANE_GUEST | 1 << PLANE_HOST;
	default:
		return 0;
	}
}

static void take_change(struct report *report, struct report_vm *seen, const struct event *event)
{
	unsigned int planes = planes_of(event);
	bool all = event->kind == EVENT_RESET;

	if (!planes)
		return;
	seen->since++;
	for (int i = 0; i < FILMS && seen->layout; i++)
		if (i == FILM_DIFF || planes & 1u << (i == FILM_HOST ? PLANE_HOST : PLANE_GUEST))
			touch(seen->films[i], seen->layout, all ? 0 : event->gpa >> 12,
				all ? PAGEMAP_FRAMES : event->npages, event->now_ns);
	if (seen->since < seen->every)
		return;
	seen->ripe = true;
	report->next_ns = 0;
}

/* ---- numbers ---- */

static void take_numbers(struct report *report, struct report_vm *seen, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CONVERTED:
		series_count(&seen->series, event->now_ns,
			event->to == PAGE_SHARED ? COUNT_TO_SHARED : COUNT_TO_PRIVATE);
		break;
	case EVENT_DENIED:
	case EVENT_NO_ANSWER:
	case EVENT_UNANSWERED:
	case EVENT_REFUSED:
		series_count(&seen->series, event->now_ns, COUNT_NOT_DONE);
		break;
	default:
		break;
	}
	if (event->has_latency && (event->kind == EVENT_CONVERTED || event->kind == EVENT_DENIED))
		spread_add(&seen->spread, event->latency_ns);
	series_level(&seen->series, event->now_ns, event->vm->shared << 12);
	(void)report;
}

static void copy_foreign(char *to, size_t size, const char *from)
{
	escape(from ? from : "", to, size);
}

static void take_verdict(struct report *report, const struct event *event)
{
	const struct kes_judgement *judgement = event->judgement;
	struct report_verdict verdict = {
		.vm = event->vm ? event->vm->id : 0,
		.line = judgement->line,
		.would_line = judgement->would_line,
		.action = judgement->action,
		.would = judgement->would,
		.judged = event->judged,
		.first_ns = event->now_ns,
	};
	struct report_verdict *at = report->verdicts;

	copy_foreign(verdict.file, sizeof(verdict.file), event->policy_file);
	copy_foreign(verdict.would_file, sizeof(verdict.would_file), event->would_file);
	while (at < report->verdicts + report->n_verdicts &&
		(at->vm != verdict.vm || at->line != verdict.line ||
			at->would_line != verdict.would_line || at->action != verdict.action ||
			at->would != verdict.would || at->judged != verdict.judged ||
			strcmp(at->file, verdict.file) ||
			strcmp(at->would_file, verdict.would_file)))
		at++;
	if (at == report->verdicts + REPORT_VERDICTS) {
		report->verdicts_left++;
		return;
	}
	if (at == report->verdicts + report->n_verdicts) {
		FILE *text = fmemopen(verdict.what, sizeof(verdict.what), "w");

		if (text) {
			event_write_what(text, event);
			fclose(text);
		}
		verdict.what[strcspn(verdict.what, "\n")] = '\0';
		*at = verdict;
		report->n_verdicts++;
	}
	at->count++;
	at->last_ns = event->now_ns;
}

/* ---- the second time ---- */

void report_watch(struct report *report, const struct model *model, const struct style *style)
{
	(void)style;
	report->model = model;
}

int report_event(struct report *report, const struct event *event)
{
	struct report_vm *seen;

	report->kinds[event->kind]++;
	if (event->kind == EVENT_VERDICT)
		take_verdict(report, event);
	if (event->has_latency && (event->kind == EVENT_CONVERTED || event->kind == EVENT_DENIED))
		spread_add(&report->spread, event->latency_ns);
	seen = event->vm && event->kind != EVENT_FORGOTTEN ? find(report, event->vm->id) : NULL;
	if (!seen)
		return 0;
	if (!seen->begun) {
		seen->begun = seen->ripe = true;
		seen->due_ns = event->now_ns + seen->every_ns;
		report->next_ns = 0;
	}
	seen->last_ns = MAX(seen->last_ns, event->now_ns);
	take_numbers(report, seen, event);
	take_change(report, seen, event);
	return 0;
}

int report_end(struct report *report)
{
	int r = 0;

	for (size_t i = 0; i < report->n_vms && !r; i++) {
		struct report_vm *seen = &report->vms[i];

		series_end(&seen->series);
		if (seen->begun)
			r = take_shots(report, seen);
	}
	return r;
}
