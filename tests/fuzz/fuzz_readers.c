/* SPDX-License-Identifier: GPL-2.0-only */
/* Records are bytes from outside, and a key is whatever is pressed: top's views, pictures in all
 * formats and the audit log take them all. What does not make a record presses keys. */
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/cleanup.h"
#include "base/utf8.h"
#include "picture/picture.h"
#include "top/batch.h"
#include "top/top.h"

static char folder[] = "/tmp/fuzz_readers.XXXXXX";

struct readers {
	struct audit *audit;
	struct top *top;
	struct detect *detect;
};

static int on_event(void *context, const struct event *event)
{
	struct readers *r = context;

	return audit_event(r->audit, event) ?: top_event(r->top, event)
						       ?: detect_event(r->detect, event);
}

static int on_finding(void *context, const struct finding *finding, enum finding_phase phase)
{
	struct readers *r = context;

	return audit_finding(r->audit, finding, phase) ?: top_finding(r->top, finding, phase);
}

static int forget(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static void leave(void)
{
	nftw(folder, forget, 8, FTW_DEPTH | FTW_PHYS);
}

/* It tells all, to nobody. */
static struct audit *new_audit(int64_t clock_ns)
{
	static struct audit_settings settings = {.full = true, .interval_ns = 1000000000};
	struct audit_options options = {
		.settings = &settings, .state_dir = folder, .replay = true, .mode = "fuzz"};
	struct audit *audit = NULL;
	struct error err = {};

	settings.full = !settings.full; /* what is summed up, too */
	settings.burst = 3;
	settings.vm_rate = 1;
	if (audit_new(&audit, &options, &err))
		abort();
	audit_set_clock(audit, clock_ns);
	return audit;
}

/* Text for a terminal, or XML: nothing in it but lines of UTF-8. */
static void check(const char *text, size_t size)
{
	while (size) {
		uint32_t code;
		size_t n = utf8_decode((const unsigned char *)text, size, &code);

		if (!n || (code < 0x20 && code != '\n') || code == 0x7f)
			abort();
		text += n;
		size -= n;
	}
}

/* One of all formats, layouts and planes. */
static void draw_picture(const struct vm *vm, size_t which)
{
	size_t plane = which / (PICTURE_FORMATS * LAYOUT_KINDS) % 3, size;
	char name[VM_LABEL_SIZE], *text = NULL;
	struct picture picture = {
		.format = (enum picture_format)(which % PICTURE_FORMATS),
		.layout = (enum layout_kind)(which / PICTURE_FORMATS % LAYOUT_KINDS),
		.diff = plane == 2,
		.plane = plane == 1 ? PLANE_HOST : PLANE_GUEST,
		.vm = vm,
		.width = which % PICTURE_FORMATS == PICTURE_TEXT ? 0 : PICTURE_WIDTH_MIN,
		.title = vm_label(vm, name, sizeof(name)),
		.about = "about",
		.trust = "trust",
		.time = "time",
	};
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	(void)picture_write(out, &picture);
	fclose(out);
	if (picture.format != PICTURE_PNG)
		check(text, size);
	free(text);
}

static void write_batches(struct top *top)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	batch_write_text(out, top);
	batch_write_json(out, top);
	fclose(out);
	check(text, size);
	free(text);
}

static void press(struct readers *r, const struct cells *cells, uint32_t key)
{
	struct key_press press = {.key = key};
	uint32_t vm;

	if (key == TK_CLICK) {
		press.x = cells->width / 2;
		press.y = cells->height / 2;
	}
	top_press(r->top, &press);
	(void)top_take_wish(r->top, &vm);
}

/* All views, at one of some sizes; then whatever comes. */
static void look(struct readers *r, size_t which, const unsigned char *keys, size_t n)
{
	static const struct {
		int width, height, colours;
	} sizes[] = {{80, 24, 0}, {120, 30, 256}, {1, 1, 8}, {24, 9, 256}};
	static const uint32_t views[] = {'1', TK_ENTER, 'H', 'p', '+', 'n', 'G', TK_TAB,
		TK_PAGE_DOWN, '2', TK_ENTER, '3', TK_ENTER, '?', '1', 'C', TK_ESCAPE, 't', 'x'};
	struct cells cells = {};

	which %= ARRAY_SIZE(sizes);
	if (cells_resize(&cells, sizes[which].width, sizes[which].height))
		abort();
	top_set_colours(r->top, sizes[which].colours);
	top_close_interval(r->top, which % 2);
	for (size_t i = 0; i < ARRAY_SIZE(views); i++) {
		press(r, &cells, views[i]);
		top_draw(r->top, &cells);
	}
	for (size_t i = 0; i < n && i < 24; i++) {
		press(r, &cells, keys[i] < 0x80 ? keys[i] : TK_UP + keys[i] - 0x80u);
		top_draw(r->top, &cells);
	}
	cells_free(&cells);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct model_options options = {.on_event = on_event, .max_ended = 2};
	struct detect_options detecting = {.on_finding = on_finding, .keep = true};
	struct top_options top_options = {
		.interval_ns = 1000000000, .ended = true, .actions = true};
	const struct style style = {.ascii = size % 2};
	size_t n = size / sizeof(struct kes_record);
	struct kes_record *records = malloc(n * sizeof(*records) + 1);
	struct settings *settings;
	struct readers readers = {};
	struct error err = {};
	struct model *model;

	if (n > 128) {
		free(records);
		return 0;
	}
	if (strstr(folder, "XXXXXX")) {
		if (!mkdtemp(folder))
			abort();
		atexit(leave);
	}
	memcpy(records, data, n * sizeof(*records));
	if (settings_new(&settings))
		abort();
	top_options.settings = detecting.settings = settings;
	options.context = detecting.context = &readers;
	readers.audit = new_audit(n % 3 == 0 ? 0 : n % 3 == 1 ? INT64_MIN : INT64_MAX);
	if (top_new(&readers.top, &top_options, &err) || model_new(&model, &options) ||
		detect_new(&readers.detect, &detecting))
		abort();
	detect_watch(readers.detect, model);
	top_watch(readers.top, model, &style);
	if (model_apply(model, records, n))
		abort();
	for (size_t i = 0; i < model_vm_count(model); i++)
		draw_picture(model_vm(model, i), size + i);
	write_batches(readers.top);
	look(&readers, size, data + n * sizeof(*records), size % sizeof(*records));
	audit_stop(readers.audit, NULL);
	audit_free(&readers.audit);
	top_free(&readers.top);
	detect_free(&readers.detect);
	model_free(&model);
	settings_free(&settings);
	free(records);
	return 0;
}
