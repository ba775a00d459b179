/* SPDX-License-Identifier: GPL-2.0-only */
/* A state may come from a file or a socket: whatever its bytes are, it is refused, or it is one
 * that works, takes in records and is saved as the same again. */
#include <stdlib.h>
#include <string.h>

#include "detect/state.h"
#include "model/state.h"
#include "output/findings.h"

static FILE *sink;

static int print(void *context, const struct event *event)
{
	event_write_json(sink, event);
	return detect_event(context, event);
}

static void print_findings(struct detect *detect)
{
	const struct style style = {.ascii = true};
	const struct finding *const *list;
	size_t n;

	list = detect_findings(detect, &n);
	for (size_t i = 0; i < n; i++) {
		finding_explain_json(sink, list[i]);
		finding_explain_text(sink, &style, list[i]);
	}
}

static void print_model(const struct model *model)
{
	const struct list_options json = {.all = true, .json = true};

	list_write(sink, model, &json);
	for (size_t i = 0; i < model_vm_count(model); i++)
		for (int plane = 0; plane < PLANES; plane++) {
			const struct vm *vm = model_vm(model, i);

			map_write_json(sink, vm, (enum plane)plane);
			diff_write_json(sink, vm);
			if (vm->planes[plane] && pagemap_validate(vm->planes[plane]))
				abort();
		}
}

/* What was loaded is saved as it was: there is one way to say it. */
static void save_again(const struct model *model, const void *bytes, size_t size)
{
	_cleanup_buffer_ struct buffer buffer = {};

	if (model_save(model, &buffer) || buffer.size != size || memcmp(buffer.bytes, bytes, size))
		abort();
}

static void use(struct model *model, struct detect *detect, const unsigned char *data, size_t size)
{
	size_t n = size / sizeof(struct kes_record);
	struct kes_record record;

	for (size_t i = 0; i < n && i < 64; i++) {
		memcpy(&record, data + i * sizeof(record), sizeof(record));
		if (model_apply(model, &record, 1))
			abort();
	}
	print_model(model);
	model_finish(model);
	if (detect_finish(detect))
		abort();
	print_findings(detect);
}

/* The first bytes say how long the two states are; records follow. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct detect_options detect_options = {.keep = true};
	struct model_options options = {.on_event = print, .max_ended = 2};
	struct settings *settings;
	struct detect *detect;
	struct model *model;
	uint32_t sizes[2];
	char *text;
	size_t length;

	if (size < sizeof(sizes))
		return 0;
	memcpy(sizes, data, sizeof(sizes));
	data += sizeof(sizes);
	size -= sizeof(sizes);
	if (sizes[0] > size || sizes[1] > size - sizes[0])
		return 0;
	sink = open_memstream(&text, &length);
	if (!sink || settings_new(&settings))
		abort();
	detect_options.settings = settings;
	if (detect_new(&detect, &detect_options))
		abort();
	options.context = detect;
	if (!model_load(&model, &options, data, sizes[0], NULL)) {
		save_again(model, data, sizes[0]);
		detect_watch(detect, model);
		if (!detect_load(detect, data + sizes[0], sizes[1], DETECT_LOAD_ANY, NULL))
			use(model, detect, data + sizes[0] + sizes[1], size - sizes[0] - sizes[1]);
		detect_free(&detect);
		model_free(&model);
	}
	detect_free(&detect);
	settings_free(&settings);
	fclose(sink);
	free(text);
	return 0;
}
