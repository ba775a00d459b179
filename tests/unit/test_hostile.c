/* SPDX-License-Identifier: GPL-2.0-only */
/* Hostile names through every output: what comes out is letters, and JSON is JSON. */
#include "model_bench.h"

#include <json-c/json.h>

#include "hostile_names.h"
#include "output/output.h"

static FILE *out;
static const struct style style = {.ascii = true};

static int print(void *context, const struct event *event)
{
	(void)context;
	event_write_text(out, &style, event);
	event_write_json(out, event);
	return 0;
}

static void make_vm(struct model **ret, const char *name)
{
	struct model_options options = {.on_event = print};
	struct bench b = {};

	assert_int_equal(model_new(&b.model, &options), 0);
	for (int about = 0; about < KES_TEXT_MAX; about++)
		text(&b, 1, (enum kes_text_about)about, name);
	{
		struct kes_record r = record(&b, 1, KES_VM_NEW);

		r.flags = KES_F_BORN;
		r.vm_new.type = KES_VM_SW_PROTECTED;
		strncpy(r.vm_new.comm, name, KES_COMM_LEN);
		apply(&b, r);
	}
	info(&b, 1, 1, KES_VM_HAS_ATTRIBUTES);
	memslot(&b, 1, 0, 64, 0, 1);
	read_back(&b, 1, 1, 0, 64, 0);
	convert(&b, 1, 16, 8, 0, 0);
	*ret = b.model;
}

static void print_all(const struct model *model)
{
	const struct list_options lists[] = {{.all = true}, {.all = true, .json = true}};
	const struct vm *vm = model_vm(model, 0);

	list_write(out, model, &lists[0]);
	list_write(out, model, &lists[1]);
	for (int plane = 0; plane < PLANES; plane++) {
		map_write_text(out, &style, vm, (enum plane)plane);
		map_write_json(out, vm, (enum plane)plane);
		map_write_ranges(out, vm, (enum plane)plane);
	}
	diff_write_text(out, &style, vm);
	diff_write_json(out, vm);
	diff_write_ranges(out, vm);
}

/* Each line by itself: none has more lines than were printed, and what looks like JSON is. */
static void check_lines(char *printed, size_t lines, const char *what)
{
	size_t n = 0;

	for (char *line = printed, *end; *line; line = end + 1) {
		const char *complaint;
		json_object *object;

		end = strchr(line, '\n');
		assert_non_null(end);
		*end = '\0';
		n++;
		complaint = hostile_complaint(line);
		if (complaint)
			fail_msg("%s: %s in: %s", what, complaint, line);
		if (*line != '{')
			continue;
		object = json_tokener_parse(line);
		if (!object)
			fail_msg("%s: not JSON: %s", what, line);
		json_object_put(object);
	}
	assert_int_equal(n, lines);
}

/* How many lines a harmless name makes. */
static size_t print_name(const char *name, char **ret_printed)
{
	struct model *model;
	size_t size, lines = 0;

	out = open_memstream(ret_printed, &size);
	assert_non_null(out);
	make_vm(&model, name);
	print_all(model);
	model_free(&model);
	fclose(out);
	for (size_t i = 0; i < size; i++)
		lines += (*ret_printed)[i] == '\n';
	return lines;
}

static void test_hostile_names_are_harmless(void **state)
{
	char *printed, *longest = malloc(HOSTILE_LONG + 1);
	size_t lines = print_name("harmless", &printed);

	(void)state;
	free(printed);
	assert_non_null(longest);
	memset(longest, 0x1b, HOSTILE_LONG);
	longest[HOSTILE_LONG] = '\0';
	for (size_t i = 0; i <= ARRAY_SIZE(hostile_names); i++) {
		bool last = i == ARRAY_SIZE(hostile_names);

		print_name(last ? longest : hostile_names[i].bytes, &printed);
		check_lines(printed, lines, last ? "64 KiB" : hostile_names[i].what);
		free(printed);
	}
	free(longest);
}

/* What goes into a line of a journal's field: no line ends in it, whatever the name. */
static void test_labels_fit_into_one_field(void **state)
{
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hostile_names); i++) {
		char label[VM_LABEL_SIZE];

		start(&b, ABI_MAP_GPA_RANGE);
		text(&b, 1, KES_TEXT_NAME, hostile_names[i].bytes);
		vm_new_record(&b, 1, 0, KES_VM_DEFAULT);
		vm_label(first_vm(&b), label, sizeof(label));
		assert_null(hostile_complaint(label));
		assert_null(strpbrk(label, "\r\n"));
		model_free(&b.model);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_names_are_harmless),
		cmocka_unit_test(test_labels_fit_into_one_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
