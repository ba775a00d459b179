/* SPDX-License-Identifier: GPL-2.0-only */
/* Records are bytes from outside: whatever they say, the model keeps its invariants, detectors stay
 * within their memory, and what is printed of both has no control characters. */
#include <stdlib.h>
#include <string.h>

#include "output/findings.h"

static FILE *sink;

static int print(void *context, const struct event *event)
{
	const struct style style = {.ascii = true};

	event_write_json(sink, event);
	event_write_text(sink, &style, event);
	return detect_event(context, event);
}

static int print_finding(void *context, const struct finding *finding, enum finding_phase phase)
{
	const struct style style = {.ascii = true};

	(void)context;
	finding_event_json(sink, finding, phase);
	finding_event_text(sink, &style, finding, phase);
	return 0;
}

static void print_findings(struct detect *detect)
{
	const struct style style = {.ascii = true};
	const struct finding *const *list;
	size_t n;

	if (detect_finish(detect))
		abort();
	list = detect_findings(detect, &n);
	for (size_t i = 0; i < n; i++) {
		finding_explain_json(sink, list[i]);
		finding_explain_text(sink, &style, list[i]);
		for (size_t k = 1; k < list[i]->n_ranges; k++)
			if (list[i]->ranges[k - 1].gfn >= list[i]->ranges[k].gfn)
				abort();
	}
}

static void print_all(const struct model *model)
{
	const struct list_options json = {.all = true, .json = true}, text = {.all = true};
	const struct style style = {.ascii = true};

	list_write(sink, model, &json);
	list_write(sink, model, &text);
	for (size_t i = 0; i < model_vm_count(model); i++)
		for (int plane = 0; plane < PLANES; plane++) {
			const struct vm *vm = model_vm(model, i);

			map_write_json(sink, vm, (enum plane)plane);
			map_write_text(sink, &style, vm, (enum plane)plane);
			diff_write_text(sink, &style, vm);
			diff_write_json(sink, vm);
			if (vm->planes[plane] && pagemap_validate(vm->planes[plane]))
				abort();
		}
}

static void check(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20 && text[i] != '\n')
			abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct model_options options = {.on_event = print, .max_ended = 2};
	struct detect_options detect_options = {.on_finding = print_finding, .keep = true};
	struct settings *settings;
	struct detect *detect;
	size_t n = size / sizeof(struct kes_record), length;
	struct kes_record *records;
	struct model *model;
	char *text;

	if (n > 256)
		return 0;
	records = malloc(n * sizeof(*records) + 1);
	sink = open_memstream(&text, &length);
	if (!records || !sink || settings_new(&settings))
		abort();
	detect_options.settings = settings;
	if (detect_new(&detect, &detect_options))
		abort();
	options.context = detect;
	if (model_new(&model, &options))
		abort();
	detect_watch(detect, model);
	memcpy(records, data, n * sizeof(*records));
	model_apply(model, records, n);
	model_finish(model);
	print_findings(detect);
	print_all(model);
	detect_free(&detect);
	settings_free(&settings);
	model_free(&model);
	fclose(sink);
	check(text, length);
	free(text);
	free(records);
	return 0;
}
