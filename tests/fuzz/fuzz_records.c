/* SPDX-License-Identifier: GPL-2.0-only */
/* Records are bytes from outside: whatever they say, the model keeps its invariants, and what is
 * printed of it has no control characters. Build: make fuzz. */
#include <stdlib.h>
#include <string.h>

#include "output/output.h"

static FILE *sink;

static int print(void *context, const struct event *event)
{
	const struct style style = {.ascii = true};

	(void)context;
	event_write_json(sink, event);
	event_write_text(sink, &style, event);
	return 0;
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
	size_t n = size / sizeof(struct kes_record), length;
	struct kes_record *records;
	struct model *model;
	char *text;

	if (n > 256)
		return 0;
	records = malloc(n * sizeof(*records) + 1);
	sink = open_memstream(&text, &length);
	if (!records || !sink || model_new(&model, &options))
		abort();
	memcpy(records, data, n * sizeof(*records));
	model_apply(model, records, n);
	model_finish(model);
	print_all(model);
	model_free(&model);
	fclose(sink);
	check(text, length);
	free(text);
	free(records);
	return 0;
}
