/* SPDX-License-Identifier: GPL-2.0-only */
/* Findings as people and programs read them. */
#include "output/findings.h"

#include <json-c/json.h>
#include <string.h>

#include "base/escape.h"
#include "output/manual.h"

#define SENTENCE 1024

static const char *describe(const struct finding *f, char text[SENTENCE])
{
	*text = '\0';
	detectors[f->kind]->describe(f, text, SENTENCE);
	return text;
}

/* "3 db1", or "host". */
static void write_who(FILE *out, const struct finding *f)
{
	char label[VM_SHORT_SIZE];

	if (f->vm)
		fprintf(out, "%u %s", f->vm, name_short(f->name, label));
	else
		fputs("host", out);
}

static void write_range(FILE *out, const struct finding_range *range)
{
	char size[24];

	fprintf(out, "0x%llx+%s", (unsigned long long)range->gfn << 12,
		bytes_exact(range->npages << 12, size));
}

/* ---- JSON ---- */

static json_object *vm_of(const struct finding *f)
{
	json_object *vm = json_object_new_object();
	char label[VM_LABEL_SIZE], type[16];

	json_add_u64(vm, "id", f->vm);
	json_add_u64(vm, "pid", f->pid);
	json_add_string(vm, "name", escape(f->name, label, sizeof(label)));
	json_add_string(vm, "type", vm_type_name(f->type, type));
	if (*f->uuid)
		json_add_string(vm, "uuid", escape(f->uuid, label, sizeof(label)));
	return vm;
}

static json_object *ranges_of(const struct finding *f)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < f->n_ranges; i++) {
		json_object *range = json_object_new_object();

		json_add_u64(range, "gfn", f->ranges[i].gfn);
		json_add_u64(range, "npages", f->ranges[i].npages);
		json_add_u64(range, "count", f->ranges[i].count);
		json_object_array_add(list, range);
	}
	return list;
}

static json_object *finding_json(const struct finding *f)
{
	json_object *object = json_object_new_object();
	char id[FINDING_FULL_ID_SIZE], kind[FINDING_ID_SIZE], text[SENTENCE];

	json_add_string(object, "schema", "kvm-encstat.finding/1");
	json_add_string(object, "id", finding_id(f, id));
	json_add_string(object, "kind", finding_kind_id(f->kind, kind));
	json_add_string(object, "name", detectors[f->kind]->name);
	json_add_string(object, "severity", severity_name(f->severity));
	json_add_string(object, "certainty", certainty_name(f->certainty));
	if (f->vm)
		json_object_object_add(object, "vm", vm_of(f));
	json_add_string(object, "state", f->state == FINDING_ENDED ? "ended" : "open");
	if (f->state == FINDING_ENDED)
		json_add_string(object, "ended", finding_end_name(f->ended));
	json_add_u64(object, "begin_ns", f->begin_ns);
	json_add_u64(object, "found_ns", f->found_ns);
	json_add_u64(object, "last_ns", f->last_ns);
	if (f->state == FINDING_ENDED)
		json_add_u64(object, "end_ns", f->end_ns);
	json_add_u64(object, "count", f->count);
	json_add_u64(object, "pages", f->pages);
	json_object_object_add(object, "ranges", ranges_of(f));
	json_object_object_add(object, "more_ranges", json_object_new_boolean(f->more_ranges));
	json_add_string(object, "title", detectors[f->kind]->title);
	json_add_string(object, "text", describe(f, text));
	return object;
}

void finding_write_json(FILE *out, const struct finding *f)
{
	json_line(out, finding_json(f));
}

void finding_event_json(FILE *out, const struct finding *f, enum finding_phase phase)
{
	json_object *object = finding_json(f);

	json_add_string(object, "phase", phase_name(phase));
	json_add_u64(object, "ts_ns", f->told_ns);
	json_line(out, object);
}

void finding_explain_json(FILE *out, const struct finding *f)
{
	json_object *object = finding_json(f), *seen = json_object_new_array();
	const struct detector *detector = detectors[f->kind];
	const struct event *event;

	for (uint64_t i = 0; (event = finding_evidence(f, i)); i++)
		json_object_array_add(seen, event_json(event));
	json_object_object_add(object, "evidence", seen);
	json_add_string(object, "what", detector->what);
	json_add_string(object, "why", detector->why);
	json_add_string(object, "harmless", detector->harmless);
	json_add_string(object, "todo", detector->todo);
	json_line(out, object);
}

/* ---- text ---- */

void finding_event_text(
	FILE *out, const struct style *style, const struct finding *f, enum finding_phase phase)
{
	char id[FINDING_FULL_ID_SIZE], time[24], text[SENTENCE];

	fprintf(out, "%s  ", time_text(style, f->told_ns, time));
	write_who(out, f);
	fprintf(out, "  finding %s %s, %s: %s: %s", finding_id(f, id), phase_name(phase),
		severity_name(f->severity), detectors[f->kind]->title, describe(f, text));
	for (size_t i = 0; i < f->n_ranges && phase == PHASE_BEGIN; i++) {
		fputs(i ? ", " : "; at ", out);
		write_range(out, &f->ranges[i]);
	}
	if (phase == PHASE_END)
		fprintf(out, "; ended: %s", finding_end_name(f->ended));
	fputc('\n', out);
}

/* When it was, and whether it is still so. */
static void write_when(FILE *out, const struct style *style, const struct finding *f)
{
	static const char *const ends[] = {
		[ENDED_NOT] = "it goes on",
		[ENDED_QUIET] = "quiet since",
		[ENDED_RESOLVED] = "resolved",
		[ENDED_VM] = "until the VM ended",
		[ENDED_DISABLED] = "until it was no longer looked for",
	};
	_Static_assert(sizeof(ends) / sizeof(*ends) == FINDING_ENDS, "words for each end");
	char begin[24], last[24];

	fprintf(out, "    %s to %s, %s; %s\n", time_text(style, f->begin_ns, begin),
		time_text(style, f->last_ns, last), ends[f->ended], certainty_name(f->certainty));
}

static void write_where(FILE *out, const struct finding *f)
{
	char text[FINDING_RANGES * 48 + 32] = "at";

	if (!f->n_ranges)
		return;
	for (size_t i = 0; i < f->n_ranges; i++) {
		char size[24];

		say(text, sizeof(text), "%s 0x%llx+%s", i ? "," : "",
			(unsigned long long)f->ranges[i].gfn << 12,
			bytes_exact(f->ranges[i].npages << 12, size));
	}
	say(text, sizeof(text), "%s", f->more_ranges ? ", and more" : "");
	manual_wrap(out, 4, text);
}

void finding_write_text(FILE *out, const struct style *style, const struct finding *f)
{
	char id[FINDING_FULL_ID_SIZE], text[SENTENCE];

	fprintf(out, "%-8s  %s  ", severity_name(f->severity), finding_id(f, id));
	write_who(out, f);
	fprintf(out, "  %s\n", detectors[f->kind]->title);
	manual_wrap(out, 4, describe(f, text));
	write_where(out, f);
	write_when(out, style, f);
}

/* What was seen: the first cases, and the last ones. */
static void write_evidence(FILE *out, const struct style *style, const struct finding *f)
{
	const struct event *event;

	fputs("\nWhat was seen\n", out);
	if (!f->evidence)
		fputs("    No single record: it was worked out from counts, or from the maps.\n",
			out);
	for (uint64_t i = 0; (event = finding_evidence(f, i)); i++) {
		char time[24];

		if (i == FINDING_EVIDENCE && f->evidence > 2 * FINDING_EVIDENCE)
			fprintf(out, "    ... %llu cases in all ...\n",
				(unsigned long long)f->count);
		fprintf(out, "    %s", time_text(style, event->ts_ns, time));
		event_write_what(out, event);
	}
}

void finding_explain_text(FILE *out, const struct style *style, const struct finding *f)
{
	finding_write_text(out, style, f);
	write_evidence(out, style, f);
	fputc('\n', out);
	manual_explain(out, detectors[f->kind], f->type);
}
