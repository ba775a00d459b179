/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State that was saved and loaded again goes on as if nothing had happened: all that is printed
 * from then on is the same, byte for byte. On captures of real guests and on random records.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "capture/file_reader.h"
#include "model/state.h"
#include "output/output.h"

/* ---- one run over records ---- */

struct run {
	struct model *model;
	FILE *out; /* all that is printed */
	char *text;
	size_t size;
};

static int print_event(void *context, const struct event *event)
{
	struct run *run = context;

	event_write_json(run->out, event);
	return 0;
}

static struct model_options options_of(struct run *run)
{
	return (struct model_options){.on_event = print_event, .context = run, .max_ended = 3};
}

static void run_open(struct run *run)
{
	*run = (struct run){};
	run->out = open_memstream(&run->text, &run->size);
	assert_non_null(run->out);
}

static void run_start(struct run *run)
{
	struct model_options options = options_of(run);

	run_open(run);
	assert_int_equal(model_new(&run->model, &options), 0);
}

/* A run that goes on where another one is now. */
static void run_fork(struct run *run, const struct run *from)
{
	_cleanup_buffer_ struct buffer bytes = {}, again = {};
	struct model_options options = options_of(run);
	struct error err = {};

	run_open(run);
	assert_int_equal(model_save(from->model, &bytes), 0);
	if (model_load(&run->model, &options, bytes.bytes, bytes.size, &err))
		fail_msg("%s", err.text);
	assert_int_equal(model_save(run->model, &again), 0);
	assert_int_equal(again.size, bytes.size);
	assert_memory_equal(again.bytes, bytes.bytes, bytes.size);
}

static void print_all(struct run *run)
{
	const struct list_options json = {.all = true, .json = true}, text = {.all = true};
	const struct style style = {.ascii = true};
	struct model_totals totals;

	model_totals(run->model, &totals);
	fprintf(run->out, "%zu records, %zu lost, %zu forgotten, next reading %u\n",
		(size_t)totals.records, (size_t)totals.lost, (size_t)totals.forgotten,
		model_next_reading(run->model, 0, false));
	list_write(run->out, run->model, &json);
	list_write(run->out, run->model, &text);
	for (size_t i = 0; i < model_vm_count(run->model); i++) {
		const struct vm *vm = model_vm(run->model, i);

		for (int plane = 0; plane < PLANES; plane++) {
			map_write_json(run->out, vm, (enum plane)plane);
			map_write_text(run->out, &style, vm, (enum plane)plane);
			if (vm->planes[plane])
				assert_int_equal(pagemap_validate(vm->planes[plane]), 0);
		}
		diff_write_json(run->out, vm);
	}
}

static void run_end(struct run *run)
{
	model_free(&run->model);
	fclose(run->out);
	free(run->text);
}

/* What comes after `at` records, with and without saving and loading there. */
static void compare_at(struct run *straight, const struct kes_record *records, size_t n, size_t at,
	const char *what)
{
	struct run forked;
	size_t before;

	run_fork(&forked, straight);
	fflush(straight->out);
	before = straight->size;
	assert_int_equal(model_apply(straight->model, records, n), 0);
	assert_int_equal(model_apply(forked.model, records, n), 0);
	print_all(straight);
	print_all(&forked);
	fflush(straight->out);
	fflush(forked.out);
	if (straight->size - before != forked.size ||
		memcmp(straight->text + before, forked.text, forked.size) != 0)
		fail_msg("%s: saved after %zu of %zu records it goes on otherwise", what, at, n);
	run_end(&forked);
}

/* Saves and loads at `points` places, and reads to the end from each. */
static void compare(const struct kes_record *records, size_t n, size_t points, const char *what)
{
	for (size_t i = 0; i <= points; i++) {
		size_t at = n * i / points;
		struct run straight;

		run_start(&straight);
		assert_int_equal(model_apply(straight.model, records, at), 0);
		compare_at(&straight, records + at, n - at, at, what);
		run_end(&straight);
	}
}

/* ---- captures ---- */

#define CAPTURE_RECORDS 200000

static size_t read_capture(const char *path, struct kes_record *records)
{
	_cleanup_(capture_reader_free) struct capture_reader *reader = NULL;
	const struct kes_record *block;
	struct error err = {};
	size_t n, total = 0;

	if (capture_reader_open(&reader, path, &err))
		fail_msg("%s", err.text);
	while (capture_reader_next(reader, &block, &n, &err) > 0) {
		n = total + n > CAPTURE_RECORDS ? CAPTURE_RECORDS - total : n;
		memcpy(records + total, block, n * sizeof(*block));
		total += n;
	}
	return total;
}

static void test_captures(void **state)
{
	struct kes_record *records = calloc(CAPTURE_RECORDS, sizeof(*records));
	DIR *dir = opendir("tests/golden");
	struct dirent *entry;
	size_t captures = 0;

	(void)state;
	assert_non_null(records);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[512];

		if (!strstr(entry->d_name, ".ke"))
			continue;
		snprintf(path, sizeof(path), "tests/golden/%s", entry->d_name);
		compare(records, read_capture(path, records), 7, path);
		captures++;
	}
	assert_true(captures > 5);
	closedir(dir);
	free(records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
