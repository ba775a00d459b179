/* SPDX-License-Identifier: GPL-2.0-only */
/* The live view without a terminal: records and keys in, cells out, which are compared with what
 * was seen to be right. KES_UPDATE=1 writes that anew. */
#ifndef TOP_BENCH_H
#define TOP_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#include "base/cleanup.h"
#include "capture/file_reader.h"
#include "detect/detect.h"
#include "kvm_abi.h"
#include "top/top.h"

struct top_bench {
	struct model *model;
	struct settings *settings;
	struct detect *detect;
	struct top *top;
	struct cells cells;
	uint64_t ts_ns, seq[2048];
};

static inline int bench_event(void *context, const struct event *event)
{
	struct top_bench *b = context;
	int r = top_event(b->top, event);

	return r ? r : detect_event(b->detect, event);
}

static inline int bench_finding(void *context, const struct finding *f, enum finding_phase phase)
{
	struct top_bench *b = context;

	return top_finding(b->top, f, phase);
}

static inline void bench_start(struct top_bench *b, const struct top_options *top_options)
{
	struct model_options options = {.on_event = bench_event, .context = b};
	struct detect_options detecting = {.on_finding = bench_finding, .context = b};
	struct style style = {.ascii = top_options->ascii};
	struct top_options with_settings = *top_options;
	struct error err = {};

	setenv("TZ", "UTC", 1);
	memset(b, 0, sizeof(*b));
	assert_int_equal(settings_new(&b->settings), 0);
	with_settings.settings = b->settings;
	assert_int_equal(top_new(&b->top, &with_settings, &err), 0);
	assert_int_equal(model_new(&b->model, &options), 0);
	detecting.settings = b->settings;
	assert_int_equal(detect_new(&b->detect, &detecting), 0);
	detect_watch(b->detect, b->model);
	top_watch(b->top, b->model, &style);
}

static inline void bench_stop(struct top_bench *b)
{
	top_free(&b->top);
	detect_free(&b->detect);
	settings_free(&b->settings);
	model_free(&b->model);
	cells_free(&b->cells);
}

/* ---- records ---- */

static inline void bench_capture(struct top_bench *b, const char *name)
{
	_cleanup_(capture_reader_free) struct capture_reader *reader = NULL;
	const struct kes_record *records;
	struct error err = {};
	char path[128];
	size_t n;

	snprintf(path, sizeof(path), "tests/golden/%s.ke", name);
	if (capture_reader_open(&reader, path, &err))
		fail_msg("%s", err.text);
	while (capture_reader_next(reader, &records, &n, &err) > 0)
		assert_int_equal(model_apply(b->model, records, n), 0);
	top_close_interval(b->top, false);
}

static inline struct kes_record bench_record(struct top_bench *b, uint32_t vm, enum kes_kind kind)
{
	return (struct kes_record){
		.ts_ns = b->ts_ns += 1000,
		.seq = kind < KES_LOSS ? b->seq[vm]++ : 0,
		.vm = vm,
		.kind = (uint8_t)kind,
	};
}

static inline void bench_apply(struct top_bench *b, struct kes_record r)
{
	assert_int_equal(model_apply(b->model, &r, 1), 0);
}

/* A VM of so many pages from 0 on. */
static inline void bench_vm(struct top_bench *b, uint32_t vm, uint32_t type, uint64_t npages)
{
	struct kes_record r = bench_record(b, vm, KES_VM_NEW);

	r.flags = KES_F_BORN;
	r.vm_new.pid = 1000 + vm;
	r.vm_new.uid = 100 + vm % 3;
	r.vm_new.type = type;
	memcpy(r.vm_new.comm, "qemu", 4);
	bench_apply(b, r);
	r = bench_record(b, vm, KES_MEMSLOT);
	r.memslot = (struct kes_memslot){.npages = npages, .total = 1};
	bench_apply(b, r);
}

static inline void bench_text(
	struct top_bench *b, uint32_t vm, enum kes_text_about about, const char *text)
{
	size_t total = strlen(text);

	for (size_t at = 0; at < total || !at; at += KES_TEXT_PIECE) {
		struct kes_record r = bench_record(b, vm, KES_TEXT);
		size_t size = total - at < KES_TEXT_PIECE ? total - at : KES_TEXT_PIECE;

		r.seq = at;
		r.text.about = (uint8_t)about;
		r.text.size = (uint8_t)size;
		r.text.total = total & 0x7fff;
		memcpy(r.text.bytes, text + at, size);
		bench_apply(b, r);
		if (!total)
			break;
	}
}

/* A request and its answer, so much later. */
static inline void bench_convert(struct top_bench *b, uint32_t vm, uint64_t gfn, uint64_t npages,
	bool to_private, int64_t ret, uint64_t latency_ns)
{
	struct kes_record r = bench_record(b, vm, KES_REQUEST);
	uint64_t asked = r.ts_ns;

	r.conversion.gpa = gfn << 12;
	r.conversion.npages = npages;
	r.conversion.attrs = to_private ? KES_MAP_GPA_ENCRYPTED : 0;
	bench_apply(b, r);
	b->ts_ns += latency_ns - 1000;
	r = bench_record(b, vm, KES_ANSWER);
	r.conversion.gpa = gfn << 12;
	r.conversion.npages = npages;
	r.conversion.attrs = to_private ? KES_MAP_GPA_ENCRYPTED : 0;
	r.conversion.answer.ret = ret;
	r.conversion.answer.request_ns = asked;
	bench_apply(b, r);
}

static inline void bench_time(struct top_bench *b, uint64_t passes_ns)
{
	b->ts_ns += passes_ns - 1000;
	bench_apply(b, bench_record(b, 0, KES_TIME));
}

/* ---- keys and cells ---- */

static inline void bench_press(struct top_bench *b, const char *keys)
{
	for (; *keys; keys++)
		top_press(b->top, &(struct key_press){.key = (unsigned char)*keys});
}

static inline void bench_key(struct top_bench *b, uint32_t key)
{
	top_press(b->top, &(struct key_press){.key = key});
}

static inline char *bench_draw(struct top_bench *b, int width, int height, bool roles)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out;

	assert_int_equal(cells_resize(&b->cells, width, height), 0);
	top_draw(b->top, &b->cells);
	out = open_memstream(&text, &size);
	assert_non_null(out);
	cells_dump(out, &b->cells, roles);
	fclose(out);
	return text;
}

static inline char *bench_read(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(text);
	if (file) {
		text[fread(text, 1, (1 << 20) - 1, file)] = '\0';
		fclose(file);
	}
	return text;
}

/* What is drawn is what tests/golden/top/NAME.out has. */
static inline void bench_same(
	struct top_bench *b, const char *name, int width, int height, bool roles)
{
	_cleanup_free_ char *got = bench_draw(b, width, height, roles), *want = NULL;
	char path[128];

	snprintf(path, sizeof(path), "tests/golden/top/%s.out", name);
	if (getenv("KES_UPDATE")) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(got, file);
		fclose(file);
		return;
	}
	want = bench_read(path);
	if (strcmp(want, got))
		fail_msg("%s: want\n%s\ngot\n%s", name, want, got);
}

static inline bool bench_shows(struct top_bench *b, const char *text)
{
	_cleanup_free_ char *got = bench_draw(b, 132, 43, false);

	return strstr(got, text) != NULL;
}

#endif
