// SPDX-License-Identifier: GPL-2.0-only
/* Each view as it is drawn: from captures, at the sizes people have, and smaller ones. */
#include "hostile_names.h"
#include "top/theme.h"
#include "top_bench.h"
#include "verdict.h"

static const struct top_options plain = {
	.interval_ns = 100000000, .file = "x", .speed = 1, .ended = true};

static const struct {
	const char *name;
	int width, height;
} sizes[] = {{"80x24", 80, 24}, {"132x43", 132, 43}, {"40x10", 40, 10}};

/* Of each size, as VIEW-CAPTURE-SIZE. */
static void all_sizes(struct top_bench *b, const char *what)
{
	char name[64];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "%s-%s", what, sizes[i].name);
		bench_same(b, name, sizes[i].width, sizes[i].height, false);
	}
}

static void test_table(void **state)
{
	static const char *const captures[] = {"two-vms", "names", "protected", "spill", "liar"};
	struct top_bench b;
	char name[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(captures); i++) {
		bench_start(&b, &plain);
		bench_capture(&b, captures[i]);
		snprintf(name, sizeof(name), "vms-%s", captures[i]);
		all_sizes(&b, name);
		bench_stop(&b);
	}
}

static void test_vm(void **state)
{
	static const char *const captures[] = {"two-vms", "protected", "late"};
	struct top_bench b;
	char name[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(captures); i++) {
		bench_start(&b, &plain);
		bench_capture(&b, captures[i]);
		free(bench_draw(&b, 80, 24, false));
		bench_press(&b, "\n\t");
		snprintf(name, sizeof(name), "vm-%s", captures[i]);
		all_sizes(&b, name);
		bench_press(&b, " ");
		snprintf(name, sizeof(name), "vm-%s-page2", captures[i]);
		bench_same(&b, name, 80, 24, false);
		bench_stop(&b);
	}
}

static void test_findings(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_capture(&b, "liar");
	bench_press(&b, "2");
	all_sizes(&b, "findings-liar");
	bench_press(&b, "\n");
	all_sizes(&b, "explain-liar");
	bench_stop(&b);
}

static void test_events(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_capture(&b, "denied");
	bench_press(&b, "3");
	all_sizes(&b, "events-denied");
	bench_press(&b, "g\n");
	all_sizes(&b, "event-denied");
	bench_stop(&b);
}

static void test_help_and_columns(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_capture(&b, "two-vms");
	bench_press(&b, "?");
	all_sizes(&b, "help");
	bench_key(&b, TK_ESCAPE);
	bench_press(&b, "C");
	all_sizes(&b, "columns");
	bench_stop(&b);
}

static void test_looks(void **state)
{
	struct top_options ascii = plain;
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_capture(&b, "two-vms");
	bench_press(&b, "j");
	bench_same(&b, "roles-80x24", 80, 24, true);
	bench_stop(&b);
	ascii.ascii = true;
	bench_start(&b, &ascii);
	bench_capture(&b, "two-vms");
	bench_same(&b, "ascii-two-vms-80x24", 80, 24, false);
	bench_stop(&b);
	bench_start(&b, &ascii);
	bench_capture(&b, "names");
	bench_same(&b, "ascii-80x24", 80, 24, false);
	bench_press(&b, "\n\t");
	bench_same(&b, "ascii-vm-132x43", 132, 43, false);
	for (int i = 0; i < b.cells.width * b.cells.height; i++)
		assert_in_range(b.cells.cells[i].code, 0x20, 0x7e);
	bench_stop(&b);
}

/* ---- what keys do ---- */

static void test_sorting(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_capture(&b, "two-vms");
	bench_press(&b, "I"); /* by id, falling */
	free(bench_draw(&b, 80, 24, false));
	assert_int_equal(top_rows(b.top)->rows[0].id, 3);
	bench_press(&b, ">>>>>"); /* pid, name, type, memory, shared */
	free(bench_draw(&b, 80, 24, false));
	assert_int_equal(top_rows(b.top)->rows[0].id, 1);
	bench_press(&b, "I");
	free(bench_draw(&b, 80, 24, false));
	assert_int_equal(top_rows(b.top)->rows[0].id, 3);
	bench_press(&b, "sg\n"); /* the list of columns: by the first one */
	free(bench_draw(&b, 80, 24, false));
	assert_int_equal(top_rows(b.top)->rows[0].id, 1);
	bench_stop(&b);
}

static void test_filter(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_capture(&b, "two-vms");
	bench_press(&b, "\\shared>40%");
	assert_true(bench_shows(&b, "Filter: shared>40%"));
	assert_int_equal(top_rows(b.top)->n, 1);
	bench_press(&b, "\n");
	assert_true(bench_shows(&b, "filter: shared>40%  1 shown"));
	bench_press(&b, "\\x"); /* 40%x is nothing: the last one that was holds */
	assert_true(bench_shows(&b, "cannot be compared"));
	assert_int_equal(top_rows(b.top)->n, 1);
	bench_key(&b, TK_ESCAPE);
	free(bench_draw(&b, 80, 24, false));
	assert_int_equal(top_rows(b.top)->n, 3);
	bench_stop(&b);
}

static void test_search_and_follow(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	for (uint32_t vm = 1; vm <= 5; vm++) {
		bench_vm(&b, vm, KES_VM_SNP, 1024);
		bench_convert(&b, vm, 0, vm, false, 0, 5000);
	}
	bench_text(&b, 3, KES_TEXT_NAME, "database");
	bench_time(&b, 1000000000);
	free(bench_draw(&b, 80, 24, false));
	bench_press(&b, "/datab\nF"); /* found, and followed wherever it goes */
	bench_press(&b, ">>>>>");     /* most shared first */
	free(bench_draw(&b, 80, 24, false));
	bench_press(&b, "\n");
	assert_true(bench_shows(&b, "VM 3  database"));
	bench_stop(&b);
}

static void test_tree_and_marks(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	for (uint32_t vm = 1; vm <= 7; vm++) {
		bench_vm(&b, vm, KES_VM_SEV_ES, 4096);
		bench_text(&b, vm, KES_TEXT_CGROUP,
			vm % 2 ? "/machine.slice/odd" : "/machine.slice/even");
		bench_convert(&b, vm, 0, 100 * vm, false, 0, 30000);
	}
	bench_time(&b, 1000000000);
	free(bench_draw(&b, 80, 24, false));
	bench_press(&b, "  t");
	bench_same(&b, "tree-cgroup-80x24", 80, 24, true);
	bench_press(&b, "t");
	bench_same(&b, "tree-user-80x24", 80, 24, false);
	bench_press(&b, "tU");
	free(bench_draw(&b, 80, 24, false));
	assert_int_equal(top_rows(b.top)->n, 7);
	bench_stop(&b);
}

static void test_mouse(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	bench_capture(&b, "two-vms");
	free(bench_draw(&b, 80, 24, false));
	top_press(b.top, &(struct key_press){.key = TK_CLICK, .x = 2, .y = 4}); /* ID, again */
	free(bench_draw(&b, 80, 24, false));
	assert_int_equal(top_rows(b.top)->rows[0].id, 3);
	top_press(b.top, &(struct key_press){.key = TK_CLICK, .x = 20, .y = 7});
	assert_true(bench_shows(&b, "ID")); /* chosen, not opened */
	top_press(b.top, &(struct key_press){.key = TK_CLICK, .x = 20, .y = 7});
	assert_true(bench_shows(&b, "VM 1  guest[207]"));
	for (int y = -1; y < 60; y++)
		top_press(b.top, &(struct key_press){.key = TK_CLICK, .x = y, .y = y});
	bench_stop(&b);
}

/* What changes something is asked first, and is nothing where it was not allowed. */
static void test_actions(void **state)
{
	struct top_options options = {.interval_ns = 1000000000};
	struct top_bench b;
	uint32_t vm;

	(void)state;
	for (int allowed = 0; allowed < 2; allowed++) {
		options.actions = allowed;
		bench_start(&b, &options);
		bench_vm(&b, 1, KES_VM_SNP, 1024);
		bench_vm(&b, 2, KES_VM_SNP, 1024);
		bench_time(&b, 1000000000);
		free(bench_draw(&b, 80, 24, false));
		bench_press(&b, "jK");
		assert_true(bench_shows(&b, "Freeze VM 2 qemu[1002] (pid 1002)? [y/N]") == allowed);
		assert_int_equal(top_take_wish(b.top, &vm), WISH_NONE);
		bench_press(&b, "n");
		assert_int_equal(top_take_wish(b.top, &vm), WISH_NONE);
		bench_press(&b, "Ky");
		assert_int_equal(top_take_wish(b.top, &vm), allowed ? WISH_FREEZE : WISH_NONE);
		assert_true(!allowed || vm == 2);
		bench_press(&b, "Ly");
		assert_int_equal(top_take_wish(b.top, &vm), allowed ? WISH_RELEASE : WISH_NONE);
		assert_int_equal(top_take_wish(b.top, &vm), WISH_NONE);
		bench_stop(&b);
	}
}

/* The mode is changed to the other one, as it was read last. */
static void test_mode_action(void **state)
{
	struct top_options options = {.interval_ns = 1000000000, .actions = true};
	struct vm_policy policies[] = {{1, POLICY_ENFORCE, 3}, {2, POLICY_MONITOR, 0}};
	struct top_bench b;
	uint32_t vm;

	(void)state;
	bench_start(&b, &options);
	bench_vm(&b, 1, KES_VM_SNP, 1024);
	bench_vm(&b, 2, KES_VM_SNP, 1024);
	bench_time(&b, 1000000000);
	top_set_policy(b.top, POLICIES_LOADED, policies, 2, "");
	free(bench_draw(&b, 80, 24, false));
	bench_press(&b, "M");
	assert_true(
		bench_shows(&b, "Refuse nothing, only monitor VM 1 qemu[1001] (pid 1001)? [y/N]"));
	bench_press(&b, "n");
	assert_int_equal(top_take_wish(b.top, &vm), WISH_NONE);
	bench_press(&b, "My");
	assert_int_equal(top_take_wish(b.top, &vm), WISH_MONITOR);
	assert_int_equal(vm, 1);
	bench_press(&b, "jMy");
	assert_int_equal(top_take_wish(b.top, &vm), WISH_ENFORCE);
	assert_int_equal(vm, 2);
	bench_stop(&b);
}

/* The figures of one VM's row, as its columns have them. */
static void policy_is(struct top_bench *b, uint32_t vm, const char *mode, const char *denied)
{
	const struct rows *rows;
	char text[COLUMN_SIZE];

	bench_time(b, 1000000000);
	rows = top_rows(b->top);
	for (size_t i = 0; i < rows->n; i++) {
		if (rows->rows[i].id != vm)
			continue;
		assert_string_equal(column_text(column_find("policy"), &rows->rows[i], text), mode);
		assert_string_equal(
			column_text(column_find("denials"), &rows->rows[i], text), denied);
		return;
	}
	fail_msg("no VM %u", vm);
}

/* What was never loaded is another thing than what cannot be read; and a VM that no policy is about
 * another than a host without policies. */
static void test_policies_live(void **state)
{
	struct top_options options = {.interval_ns = 1000000000};
	struct vm_policy policies[] = {{1, POLICY_ENFORCE, 5000}, {3, POLICY_FROZEN, 1}};
	struct top_bench b;

	(void)state;
	bench_start(&b, &options);
	for (uint32_t vm = 1; vm <= 3; vm++)
		bench_vm(&b, vm, KES_VM_SNP, 1024);
	top_set_policy(b.top, POLICIES_NOT_LOADED, NULL, 0, "");
	policy_is(&b, 1, "-", "0");
	assert_true(bench_shows(&b, "policies none loaded"));
	top_set_policy(b.top, POLICIES_UNREADABLE, NULL, 0, "they are secret");
	policy_is(&b, 1, "?", "0");
	assert_true(bench_shows(&b, "policies they are secret"));
	top_set_policy(b.top, POLICIES_LOADED, policies, 2, "");
	policy_is(&b, 1, "enforce", "5.0K");
	policy_is(&b, 2, "none", "0");
	policy_is(&b, 3, "frozen", "1");
	assert_true(bench_shows(&b, "enforced 1 VMs  frozen 1"));
	/* what was refused before is no rate */
	assert_true(top_rows(b.top)->rows[0].rates[FLOW_VETOED] == 0);
	policies[0].refused += 10;
	top_set_policy(b.top, POLICIES_LOADED, policies, 2, "");
	policy_is(&b, 1, "enforce", "5.0K");
	assert_in_range((int)(10 * top_rows(b.top)->rows[0].rates[FLOW_VETOED]), 99, 101);
	top_set_policy(b.top, POLICIES_NOT_LOADED, NULL, 0, "");
	policy_is(&b, 1, "-", "5.0K");
	bench_stop(&b);
}

static void verdict(struct top_bench *b, uint32_t vm, uint8_t action, uint32_t line, uint8_t would,
	uint32_t would_line, uint32_t set)
{
	struct kes_record r = bench_record(b, vm, KES_VERDICT);

	r.judgement.npages = 1;
	r.judgement.set = set;
	r.judgement.action = action;
	r.judgement.line = line;
	r.judgement.would = would;
	r.judgement.would_line = would_line;
	bench_apply(b, r);
}

/* In a capture its verdicts tell. */
static void test_policies_recorded(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	for (uint32_t vm = 1; vm <= 3; vm++)
		bench_vm(&b, vm, KES_VM_SNP, 1024);
	policy_is(&b, 1, "-", "0");
	verdict(&b, 1, KES_DENY, 4, KES_ALLOW, 0, 0); /* a proof's */
	policy_is(&b, 1, "-", "0");
	verdict(&b, 1, KES_ALLOW, 0, KES_DENY, 4, 1);
	policy_is(&b, 1, "monitor", "0");
	verdict(&b, 1, KES_DENY, 5, KES_ALLOW, 0, 1);
	verdict(&b, 1, KES_ALLOW, 0, KES_DENY, 4, 1);
	policy_is(&b, 1, "enforce", "1");
	verdict(&b, 2, KES_LOG, 5, KES_ALLOW, 0, 1);
	policy_is(&b, 2, "enforce", "0");
	verdict(&b, 3, KES_FREEZE, 5, KES_ALLOW, 0, 1);
	policy_is(&b, 3, "frozen", "1");
	bench_press(&b, "s");
	bench_stop(&b);
}

/* The manual lists the keys as the table has them; KES_UPDATE=1 prints them. */
static void test_manual(void **state)
{
	_cleanup_free_ char *manual = bench_read("man/kvm-encstat-top.8"), *keys = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&keys, &size);

	(void)state;
	assert_non_null(out);
	keys_manual(out);
	fclose(out);
	if (getenv("KES_UPDATE"))
		fputs(keys, stdout);
	else if (!strstr(manual, keys))
		fail_msg("man/kvm-encstat-top.8 should have:\n%s", keys);
}

/* Every view, under every key, at every size: nothing but what cells can hold. */
static void test_any_key_anywhere(void **state)
{
	static uint64_t seed = 7;
	struct top_bench b;
	uint32_t vm;

	(void)state;
	bench_start(&b, &plain);
	bench_capture(&b, "names");
	for (int i = 0; i < 3000; i++) {
		uint32_t key;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		key = (uint32_t)(seed >> 40);
		key = key % 3 ? key % 128 : key % 5 ? TK_UP + key % 10 : TK_F1 + key % 10;
		bench_key(&b, key);
		top_take_wish(b.top, &vm);
		free(bench_draw(&b, 1 + (int)(seed >> 33) % 140, 1 + (int)(seed >> 50) % 50, true));
	}
	bench_stop(&b);
}

static void test_hostile_names(void **state)
{
	struct top_bench b;

	(void)state;
	bench_start(&b, &plain);
	for (uint32_t vm = 1; vm <= ARRAY_SIZE(hostile_names); vm++) {
		bench_vm(&b, vm, KES_VM_SNP, 1024);
		bench_text(&b, vm, KES_TEXT_NAME, hostile_names[vm - 1].bytes);
		bench_text(&b, vm, KES_TEXT_CGROUP, hostile_names[vm - 1].bytes);
	}
	bench_time(&b, 1000000000);
	bench_same(&b, "hostile-132x60", 132, 60, false);
	for (const char *views = "t3"; *views; views++) {
		_cleanup_free_ char *text = NULL;
		int lines = 0;

		bench_press(&b, (char[]){*views, '\0'});
		text = bench_draw(&b, 100, 60, false);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), lines++)
			if (hostile_complaint(line))
				fail_msg("%s: %s", hostile_complaint(line), line);
		assert_in_range(lines, 40, 60); /* a row each, no more */
	}
	bench_stop(&b);
}

/* Characters of two cells are drawn whole or not at all, wherever they are cut. */
static void test_wide_characters(void **state)
{
	struct cells cells = {};

	(void)state;
	assert_int_equal(cells_resize(&cells, 12, 2), 0);
	for (int x = -3; x < 14; x++)
		for (int width = 0; width < 8; width++) {
			cells_clear(&cells);
			cells_text(
				&cells, x, 0, width, PEN(ROLE_TEXT), "a\xe4\xb8\xad\xe6\x96\x87z");
			cells_text(&cells, x + 2, 0, 3, PEN(ROLE_TEXT), "\xe4\xb8\xad|");
			for (int i = 0; i < cells.width; i++) {
				struct cell *cell = &cells.cells[i];
				uint32_t code = cell->code;

				if (!code)
					assert_true(i > 0 && cell[-1].code > 0x7f);
				else if (code_width(&code) == 2)
					assert_true(i + 1 < cells.width && !cell[1].code);
				assert_int_equal(cells.cells[12 + i].code, ' ');
			}
		}
	cells_free(&cells);
}

static void test_marks_do_not_pile_up(void **state)
{
	struct cells cells = {};

	(void)state;
	assert_int_equal(cells_resize(&cells, 10, 1), 0);
	assert_int_equal(cells_text(&cells, 0, 0, 10, PEN(ROLE_TEXT),
				 "a\xcc\x81\xcc\x82\xcc\x83"
				 "b"),
		2);
	assert_int_equal(cells.cells[1].code, 'b');
	cells_free(&cells);
}

/* Of the first 16 colours: letters that the ground of the terminal swallows are of none of them. */
static void test_few_colours(void **state)
{
	(void)state;
	for (int role = 0; role < ROLES; role++) {
		int on_light = theme_look(THEME_LIGHT, 16, (enum role)role, ROLE_TEXT).fg;
		int on_dark = theme_look(THEME_DARK, 16, (enum role)role, ROLE_TEXT).fg;
		bool has_ground = theme_look(THEME_DARK, 16, ROLE_TEXT, (enum role)role).bg >= 0;

		if (on_light == 3 || on_light == 6)
			fail_msg("role %d is of colour %d on light", role, on_light);
		if (!on_dark && !has_ground)
			fail_msg("role %d is black on dark", role);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_colours),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_vm),
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_help_and_columns),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_sorting),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_search_and_follow),
		cmocka_unit_test(test_tree_and_marks),
		cmocka_unit_test(test_mouse),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_mode_action),
		cmocka_unit_test(test_policies_live),
		cmocka_unit_test(test_policies_recorded),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_any_key_anywhere),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_wide_characters),
		cmocka_unit_test(test_marks_do_not_pile_up),
	};

	return cmocka_run_group_tests_name("top_views", tests, NULL, NULL);
}
