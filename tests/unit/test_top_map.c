// SPDX-License-Identifier: GPL-2.0-only
/* The page map of a VM as it is drawn, and what keys and mouse do there. test_top_map_random.c
 * looks at each page. */
#include "hostile_names.h"
#include "model/vm.h"
#include "top_bench.h"

static const struct top_options plain = {
	.interval_ns = 100000000, .file = "x", .speed = 1, .ended = true};
static const struct top_options ascii = {
	.interval_ns = 100000000, .file = "x", .speed = 1, .ended = true, .ascii = true};

static const struct {
	const char *name;
	int width, height;
} sizes[] = {{"80x24", 80, 24}, {"132x43", 132, 43}, {"40x10", 40, 10}};

static void all_sizes(struct top_bench *b, const char *what, bool roles)
{
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "map-%s-%s", what, sizes[i].name);
		bench_same(b, name, sizes[i].width, sizes[i].height, roles);
	}
}

static void open_map(struct top_bench *b, const struct top_options *options, const char *capture)
{
	bench_start(b, options);
	bench_capture(b, capture);
	free(bench_draw(b, 80, 24, false));
	bench_press(b, "\n");
	free(bench_draw(b, 80, 24, false));
}

/* ---- pictures ---- */

static void test_pictures(void **state)
{
	static const char *const captures[] = {"two-vms", "protected", "late", "denied"};
	struct top_bench b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(captures); i++) {
		open_map(&b, &plain, captures[i]);
		all_sizes(&b, captures[i], false);
		bench_stop(&b);
	}
}

static void test_colours(void **state)
{
	struct top_bench b;

	(void)state;
	open_map(&b, &plain, "protected");
	top_set_colours(b.top, 256);
	all_sizes(&b, "halves", true);
	bench_press(&b, "H");
	bench_same(&b, "map-halves-curve-80x24", 80, 24, true);
	top_set_colours(b.top, 16); /* a sign for each cell again */
	bench_press(&b, "H");
	bench_same(&b, "map-roles-80x24", 80, 24, true);
	bench_stop(&b);
}

static void test_ascii(void **state)
{
	struct top_bench b;

	(void)state;
	open_map(&b, &ascii, "protected");
	top_set_colours(b.top, 256);
	all_sizes(&b, "ascii", false);
	bench_press(&b, "H");
	all_sizes(&b, "ascii-curve", false);
	bench_press(&b, "pp");
	all_sizes(&b, "ascii-curve-diff", false);
	bench_press(&b, "H++++n");
	all_sizes(&b, "ascii-near-diff", false);
	for (int i = 0; i < b.cells.width * b.cells.height; i++)
		assert_in_range(b.cells.cells[i].code, 0x20, 0x7e);
	bench_stop(&b);
}

static void test_no_map(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_vm(&b, 1, KES_VM_DEFAULT, 4096);
	bench_time(&b, 1000000000);
	free(bench_draw(&b, 80, 24, false));
	bench_press(&b, "\n+-npNgff\nH");
	bench_same(&b, "map-none-80x24", 80, 24, false);
	bench_stop(&b);
}

/* ---- what is under the cursor ---- */

static void test_last_change(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_vm(&b, 1, KES_VM_SNP, 65536);
	bench_convert(&b, 1, 0x100, 16, false, 0, 5000);
	bench_time(&b, 2000000000);
	free(bench_draw(&b, 132, 43, false));
	bench_press(&b, "\n");
	assert_true(bench_shows(&b, "no change was seen since "));
	bench_press(&b, "g100000\n");
	assert_true(bench_shows(&b, "to shared 2.0s ago"));
	assert_true(bench_shows(&b, "by a request of vCPU 0"));
	for (int i = 0; i < 20; i++) {
		bench_press(&b, "+");
		free(bench_draw(&b, 132, 43, false));
	}
	assert_true(bench_shows(&b, "[0x100000, 0x101000) 4K  shared  memslot 0"));
	bench_press(&b, "ggfn 271\n");
	assert_true(bench_shows(&b, "[0x10f000, 0x110000) 4K  shared"));
	bench_press(&b, "l");
	assert_true(bench_shows(&b, "[0x110000, 0x111000) 4K  private"));
	assert_true(bench_shows(&b, "no change was seen since "));
	bench_press(&b, "g9f000\n");
	assert_true(bench_shows(&b, "sacred: the first 640 KiB"));
	bench_press(&b, "0");
	assert_true(bench_shows(&b, ", all memory  cell "));
	bench_stop(&b);
}

/* After a jump within a capture what was before was not seen, and is not said to have been. */
static void test_last_change_after_a_state(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_vm(&b, 1, KES_VM_SNP, 65536);
	bench_convert(&b, 1, 0x100, 16, false, 0, 5000);
	bench_time(&b, 7000000000);
	top_watch(b.top, b.model, &(struct style){});
	assert_int_equal(top_restored(b.top, b.detect, 1000), 0);
	free(bench_draw(&b, 132, 43, false));
	bench_press(&b, "\n");
	free(bench_draw(&b, 132, 43, false));
	bench_press(&b, "g100000\n");
	assert_true(bench_shows(&b, "no change was seen since 00:00:07"));
	bench_stop(&b);
}

static void test_jump(void **state)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{"x", "'x' is no address"},
		{"gfn", "'gfn' is no address"},
		{"gfn -1", "'gfn -1' is no address"},
		{"0x", "'0x' is no address"},
		{"12 34", "'12 34' is no address"},
		{"11111111111111111", "is no address"},
		{"gfn 1099511627776", "is no address"},
		{"10000000", "no memory is at 0x10000000"},
		{"ffffffffffffffff", "no memory is at 0xfffffffffffff000"},
	};
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_vm(&b, 1, KES_VM_SNP, 1024);
	bench_convert(&b, 1, 100, 16, false, 0, 5000);
	free(bench_draw(&b, 132, 43, false));
	bench_press(&b, "\n");
	free(bench_draw(&b, 132, 43, false));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		bench_press(&b, "g");
		bench_press(&b, wrong[i].text);
		bench_press(&b, "\n");
		assert_true(bench_shows(&b, wrong[i].says));
	}
	bench_stop(&b);
}

/* ---- zoom, mouse, names ---- */

static void test_zoom_ends_at_pages(void **state)
{
	struct top_bench b;

	(void)state;
	open_map(&b, &plain, "protected");
	for (int i = 0; i < 40; i++) {
		bench_press(&b, "+");
		free(bench_draw(&b, 80, 24, false));
	}
	assert_true(bench_shows(&b, "cell 4K"));
	for (int i = 0; i < 40; i++) {
		bench_press(&b, "-");
		free(bench_draw(&b, 80, 24, false));
	}
	assert_true(bench_shows(&b, ", all memory  cell "));
	bench_stop(&b);
}

static void test_mouse(void **state)
{
	struct top_bench b;

	(void)state;
	open_map(&b, &ascii, "protected");
	free(bench_draw(&b, 80, 24, false));
	/* the third row, its sixth cell of 128K */
	top_press(b.top, &(struct key_press){.key = TK_CLICK, .x = 9 + 5, .y = 5 + 2});
	assert_true(bench_shows(&b, "[0x10a0000, "));
	for (int y = -1; y < 60; y++)
		top_press(b.top, &(struct key_press){.key = TK_CLICK, .x = 3 * y, .y = y});
	bench_stop(&b);
}

static void test_hostile_names(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_vm(&b, 1, KES_VM_SNP, 4096);
	bench_convert(&b, 1, 0, 16, false, 0, 5000);
	bench_time(&b, 1000000000);
	free(bench_draw(&b, 80, 24, false));
	bench_press(&b, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(hostile_names); i++) {
		bench_text(&b, 1, KES_TEXT_NAME, hostile_names[i].bytes);
		for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
			_cleanup_free_ char *text =
				bench_draw(&b, sizes[s].width, sizes[s].height, false);
			int lines = 0;

			for (char *line = strtok(text, "\n"); line;
				line = strtok(NULL, "\n"), lines++)
				if (hostile_complaint(line))
					fail_msg("%s: %s", hostile_complaint(line), line);
			assert_true(lines <= sizes[s].height);
		}
	}
	bench_stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pictures),
		cmocka_unit_test(test_colours),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_no_map),
		cmocka_unit_test(test_last_change),
		cmocka_unit_test(test_last_change_after_a_state),
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_zoom_ends_at_pages),
		cmocka_unit_test(test_mouse),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests_name("top_map", tests, NULL, NULL);
}
