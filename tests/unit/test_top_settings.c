/* SPDX-License-Identifier: GPL-2.0-only */
/* The live view's settings as a file: what it says, what is wrong with it, and that what is written
 * is read as the same. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/top_config.h"
#include "top_bench.h"

static int parse(struct top_settings *ret, const char *text, struct error *err)
{
	return top_settings_parse(ret, "top.yaml", text, strlen(text), err);
}

static void test_all_of_it(void **state)
{
	struct top_settings s;
	struct error err = {};

	(void)state;
	if (parse(&s,
		    "interval: 2500ms\ntheme: light\nsort: shared\norder: falling\n"
		    "columns: [name, shared, policy]\nfilter: 'type=snp \"it''s\"'\ntree: user\n"
		    "ended: yes\n",
		    &err))
		fail_msg("%s", err.text);
	assert_int_equal(s.interval_ns, 2500000000);
	assert_int_equal(s.theme, THEME_LIGHT);
	assert_ptr_equal(s.sort, column_find("shared"));
	assert_true(s.falling);
	assert_int_equal(s.columns.n, 3);
	assert_true(s.columns.chosen);
	assert_ptr_equal(s.columns.columns[2], column_find("policy"));
	assert_string_equal(s.filter, "type=snp \"it's\"");
	assert_int_equal(s.tree, TREE_USER);
	assert_true(s.ended);
}

static void test_nothing(void **state)
{
	struct top_settings s, none;
	struct error err = {};

	(void)state;
	top_settings_init(&none);
	assert_int_equal(parse(&s, "", &err), 0);
	assert_memory_equal(&s, &none, sizeof(s));
	assert_int_equal(parse(&s, "# nothing\n", &err), 0);
	assert_memory_equal(&s, &none, sizeof(s));
	assert_int_equal(top_settings_open(&s, "/nonexistent/top.yaml", &err), -ENOENT);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"sorts: name\n", "top.yaml:1:1: "},
		{"sort: nam\n", "top.yaml:1:7: there is no column 'nam'"},
		{"tree: by-user\n", "top.yaml:1:7: there is no tree 'by-user'"},
		{"theme: blue\n", "top.yaml:1:8: there is no theme 'blue'"},
		{"interval: 0s\n", "top.yaml:1:11: "},
		{"interval: 2\n", "top.yaml:1:11: "},
		{"interval: 2h\n", "top.yaml:1:11: "},
		{"filter: 'shared>'\n", "top.yaml:1:9: filter: nothing to compare with at the end"},
		{"columns: name\n", "top.yaml:1:10: "},
		{"columns: [name, bogus]\n", "top.yaml:1:17: there is no column 'bogus'"},
		{"ended: perhaps\n", "top.yaml:1:8: "},
		{"ended: yes\nended: no\n", "top.yaml:2:1: "},
		{"[", "top.yaml:"},
		{"\xff", "top.yaml:"},
	};
	struct top_settings s = {.interval_ns = 77};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = {};

		assert_true(parse(&s, cases[i].text, &err) < 0);
		if (strncmp(err.text, cases[i].error, strlen(cases[i].error)))
			fail_msg("%s: want %s, got %s", cases[i].text, cases[i].error, err.text);
		assert_int_equal(s.interval_ns, 77);
	}
}

static char *written(const struct top_settings *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	top_settings_write(out, s);
	fclose(out);
	return text;
}

/* What is written is read as the same, whatever was set. */
static void test_round_trip(void **state)
{
	static const char *const filters[] = {"", "db", "\"it's\" 'so'", "a: b # c", "- x", "{",
		"type=snp shared>10%", "n\xc3\xa4me~\xe6\x97\xa5", "' ", "!x"};
	uint64_t seed = 11;

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct top_settings s, again;
		_cleanup_free_ char *text = NULL;
		struct filter filter;
		struct error err = {};

		top_settings_init(&s);
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		s.interval_ns = seed >> 60 ? 100000000 + (seed >> 40 & 0xffff) * 1000000 : 0;
		s.theme = (enum theme)(seed >> 20 & 3);
		s.sort = seed >> 22 & 1 ? &columns[(seed >> 33) % n_columns] : NULL;
		s.falling = s.sort && seed >> 23 & 1;
		for (size_t c = 0; c < (seed >> 50) % 9; c++)
			s.columns.columns[s.columns.n++] = &columns[(seed >> c) % n_columns];
		s.columns.chosen = s.columns.n;
		s.tree = (enum tree)((seed >> 24) % TREES);
		s.map = (enum layout_kind)((seed >> 29) % LAYOUT_KINDS);
		s.ended = seed >> 28 & 1;
		snprintf(s.filter, sizeof(s.filter), "%s", filters[i % ARRAY_SIZE(filters)]);
		if (filter_parse(&filter, s.filter, &err))
			memset(s.filter, 0, sizeof(s.filter)); /* none that there could be */
		text = written(&s);
		if (parse(&again, text, &err))
			fail_msg("%s\n%s", err.text, text);
		assert_memory_equal(&again, &s, sizeof(s));
	}
}

/* Bytes that are no text never make a file that cannot be read. */
static void test_no_text(void **state)
{
	struct top_settings s, again;
	_cleanup_free_ char *text = NULL;
	struct error err = {};

	(void)state;
	top_settings_init(&s);
	snprintf(s.filter, sizeof(s.filter), "a\nb\xff");
	text = written(&s);
	assert_int_equal(parse(&again, text, &err), 0);
	assert_string_equal(again.filter, "");
}

/* ---- the view ---- */

static void test_view(void **state)
{
	struct top_options options = {.interval_ns = 1000000000};
	struct top_settings s, again;
	struct top_bench b;
	uint32_t vm;

	(void)state;
	top_settings_init(&s);
	s.sort = column_find("shared");
	s.falling = true;
	s.tree = TREE_USER;
	snprintf(s.filter, sizeof(s.filter), "type=snp");
	options.saved = &s;
	bench_start(&b, &options);
	top_settings_init(&again);
	again.theme = THEME_LIGHT;
	top_get_settings(b.top, &again);
	assert_int_equal(again.theme, THEME_LIGHT); /* not top's */
	assert_ptr_equal(again.sort, s.sort);
	assert_true(again.falling);
	assert_int_equal(again.tree, TREE_USER);
	assert_string_equal(again.filter, "type=snp");
	assert_int_equal(again.columns.n, 0);
	bench_press(&b, "W");
	assert_int_equal(top_take_wish(b.top, &vm), WISH_SAVE);
	bench_stop(&b);

	options.saved = &(struct top_settings){.theme = THEMES, .map = LAYOUT_HILBERT};
	bench_start(&b, &options);
	top_get_settings(b.top, &again);
	assert_int_equal(again.map, LAYOUT_HILBERT);
	bench_stop(&b);
	options.saved = &s;

	options.sort = "id"; /* an option is stronger */
	options.filter = "db";
	bench_start(&b, &options);
	top_get_settings(b.top, &again);
	assert_ptr_equal(again.sort, column_find("id"));
	assert_string_equal(again.filter, "db");
	bench_stop(&b);

	options.saved_bad = true; /* it is asked before a file goes */
	bench_start(&b, &options);
	bench_press(&b, "Wn");
	assert_int_equal(top_take_wish(b.top, &vm), WISH_NONE);
	bench_press(&b, "Wy");
	assert_int_equal(top_take_wish(b.top, &vm), WISH_SAVE);
	top_settings_saved(b.top);
	bench_press(&b, "W");
	assert_int_equal(top_take_wish(b.top, &vm), WISH_SAVE);
	bench_stop(&b);
}

/* ---- where it is ---- */

static char home[64];

static int setup(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/kes-settings-XXXXXX");
	return mkdtemp(home) ? setenv("HOME", home, 1) || unsetenv("XDG_CONFIG_HOME") : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", home);
	return system(command);
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_places(void **state)
{
	struct top_config config = {};
	struct top_settings s;
	struct error err = {};
	char path[128], xdg[128];

	(void)state;
	top_config_read(&config);
	assert_false(config.bad);
	snprintf(path, sizeof(path), "%s/.config/kvm-encstat/top.yaml", home);
	assert_string_equal(config.path, path);
	top_settings_init(&s);
	s.sort = column_find("name");
	assert_int_equal(top_config_write(&config, &s, &err), 0); /* makes the folders */
	top_config_read(&config);
	assert_ptr_equal(config.settings.sort, s.sort);
	assert_int_equal(access(path, R_OK), 0);

	snprintf(xdg, sizeof(xdg), "%s/xdg", home);
	setenv("XDG_CONFIG_HOME", xdg, 1);
	top_config_read(&config);
	assert_null(config.settings.sort);
	setenv("XDG_CONFIG_HOME", "relative", 1); /* does not count */
	top_config_read(&config);
	assert_string_equal(config.path, path);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("HOME");
	top_config_read(&config);
	assert_false(config.bad);
	assert_int_equal(top_config_write(&config, &s, &err), -ENOENT);
	setenv("HOME", home, 1);
}

/* What is not understood counts as nothing, and is there afterwards. */
static void test_bad_file(void **state)
{
	struct top_config config = {};
	struct top_settings s;
	struct error err = {};
	_cleanup_free_ char *kept = NULL;
	char bad[sizeof(config.path) + 8];

	(void)state;
	top_config_read(&config);
	top_settings_init(&s);
	assert_int_equal(top_config_write(&config, &s, &err), 0);
	put(config.path, "sort: [\n");
	top_config_read(&config);
	assert_true(config.bad);
	assert_non_null(strstr(config.why.text, "top.yaml:"));
	assert_null(config.settings.sort);
	assert_int_equal(top_config_write(&config, &s, &err), 0);
	assert_false(config.bad);
	snprintf(bad, sizeof(bad), "%s.bad", config.path);
	kept = bench_read(bad);
	assert_string_equal(kept, "sort: [\n");
	top_config_read(&config);
	assert_false(config.bad);
}

/* Where it cannot be written, what was there stays. */
static void test_not_written(void **state)
{
	struct top_config config = {};
	struct top_settings s;
	struct error err = {};
	_cleanup_free_ char *kept = NULL;
	char new[sizeof(config.path) + 8];

	(void)state;
	top_config_read(&config);
	top_settings_init(&s);
	assert_int_equal(top_config_write(&config, &s, &err), 0);
	put(config.path, "tree: user\n");
	snprintf(new, sizeof(new), "%s.new", config.path);
	assert_int_equal(mkdir(new, 0700), 0);
	assert_int_equal(top_config_write(&config, &s, &err), -EISDIR);
	assert_non_null(strstr(err.text, "the settings were not saved"));
	kept = bench_read(config.path);
	assert_string_equal(kept, "tree: user\n");
	rmdir(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_view),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_written, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
