/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration of the service: each key can be set, drop-ins go over the file, what is wrong
 * is said where it is and changes nothing, and what is shown means the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/yaml.h"
#include "output/config.h"

static struct config *good(const char *text)
{
	struct config *config = NULL;
	struct error err = {};

	if (config_parse(&config, "f", text, strlen(text), &err))
		fail_msg("%s (%s): %s", err.text, err.advice, text);
	return config;
}

static void bad(const char *text, const char *expected, const char *advice)
{
	struct config *config = NULL;
	struct error err = {};

	assert_int_equal(config_parse(&config, "f", text, strlen(text), &err), -EINVAL);
	assert_null(config);
	assert_string_equal(err.text, expected);
	assert_string_equal(err.advice, advice);
}

static const struct config_key *key_of(const char *section, const char *name)
{
	for (size_t i = 0; i < config_n_keys; i++)
		if (!strcmp(config_keys[i].section, section) && !strcmp(config_keys[i].name, name))
			return &config_keys[i];
	fail_msg("no key %s.%s", section, name);
	return NULL;
}

/* ---- the table ---- */

/* Another value than the default, as it is written. */
static const char *other_value(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_TEXT:
		return "\"b: #c\"";
	case CONFIG_FILE:
		return "/a/b";
	case CONFIG_SWITCH:
		return strcmp(key->usual, "no") ? "no" : "yes";
	case CONFIG_COUNT:
		return "17";
	case CONFIG_BYTES:
		return "32M";
	case CONFIG_TIME:
		return "7s";
	default:
		return key->words[strcmp(key->usual, key->words[0]) ? 0 : 1];
	}
}

static void test_each_key(void **state)
{
	_cleanup_(config_free) struct config *defaults = good("");

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		_cleanup_(config_free) struct config *config = NULL;
		char text[256], value[CONFIG_VALUE_SIZE], place[64];

		snprintf(text, sizeof(text), "#\n%s:\n  %s: %s\n", key->section, key->name,
			other_value(key));
		config = good(text);
		for (size_t other = 0; other < config_n_keys; other++)
			assert_int_equal(
				config_equal(config, defaults, &config_keys[other]), other != i);
		config_value(config, key, value, sizeof(value));
		assert_string_equal(value, other_value(key));
		assert_string_equal(
			config_place(config, &config->places[i], place, sizeof(place)), "f:3");
		assert_string_equal(
			config_place(defaults, &defaults->places[i], place, sizeof(place)),
			"default");
	}
}

static void test_values(void **state)
{
	_cleanup_(config_free) struct config *config =
		good("daemon: {socket: , ring_size: 64K, enforce: yes}\naudit: {to: file}\n"
		     "metrics: {textfile: \"\"}\n");

	(void)state;
	assert_string_equal(config->socket, "");
	assert_string_equal(config->textfile, "");
	assert_string_equal(config->state_dir, "/var/lib/kvm-encstat");
	assert_int_equal(config->ring_size, 65536);
	assert_int_equal(config->enforce, 1);
	assert_int_equal(config->keep, 1);
	assert_int_equal(config->audit_to, CONFIG_AUDIT_FILE);
	assert_int_equal(config->save_interval, 60 * SECOND_NS);
}

static void test_bad(void **state)
{
	(void)state;
	bad("daemon:\n  enfroce: yes\n", "f:2:3: there is no key 'enfroce'",
		"did you mean 'enforce'?");
	bad("deamon: {}\n", "f:1:1: there is no key 'deamon'", "did you mean 'daemon'?");
	bad("daemon: [1]\n", "f:1:9: 'daemon' wants a mapping (lines of 'key: value'), not a list",
		"");
	bad("daemon: {state_dir: var}\n",
		"f:1:21: 'state_dir' wants a path that begins with /, not 'var'", "");
	bad("daemon: {state_dir: }\n",
		"f:1:10: 'state_dir' wants a text of 1 to 3000 bytes, not nothing", "");
	bad("audit: {to: disk}\n", "f:1:13: there is no to 'disk'",
		"there is: nowhere, journal, file, both");
	/* The detectors' part counts as much. */
	bad("daemon: {enforce: yes}\nfindings: {storm: {rate: x}}\n",
		"f:2:26: 'rate' wants a whole number from 1 to 1000000000, not 'x'", "");
}

/* ---- files ---- */

static char directory[] = "/tmp/test_config-XXXXXX";

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(remove(path), 0);
}

static int make_directory(void **state)
{
	char path[128];

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/conf.d", directory);
	return mkdir(path, 0700);
}

static int remove_directory(void **state)
{
	(void)state;
	remove_file("conf.d");
	return rmdir(directory);
}

static const char *place_of(const struct config *config, const struct config_key *key)
{
	static char place[256];
	const char *text =
		config_place(config, &config->places[key - config_keys], place, sizeof(place));

	return strncmp(text, directory, strlen(directory)) ? text : text + strlen(directory) + 1;
}

/* Drop-ins in order of their names, whatever the locale; others are not read. */
static void test_dropins(void **state)
{
	_cleanup_(config_free) struct config *config = NULL;
	struct error err = {};
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/main.yaml", directory);
	assert_int_equal(config_load(&config, path, &err), -ENOENT);
	write_file("main.yaml", "daemon: {ended_vms: 1, save_interval: 1s}\n"
				"findings: {storm: {rate: 1, types: {tdx: {rate: 2}}}}\n");
	write_file("conf.d/10-b.yaml", "daemon:\n  ended_vms: 2\n");
	write_file("conf.d/9-a.yaml", "daemon:\n  ended_vms: 3\nfindings: {storm: {rate: 9}}\n");
	write_file("conf.d/.hidden.yaml", "daemon: {ended_vms: 4}\n");
	write_file("conf.d/other.conf", "daemon: {ended_vms: 5}\n");
	assert_int_equal(config_load(&config, path, &err), 0);
	assert_int_equal(config->ended_vms, 3);
	assert_int_equal(config->save_interval, SECOND_NS);
	assert_string_equal(place_of(config, key_of("daemon", "ended_vms")), "conf.d/9-a.yaml:2");
	assert_string_equal(place_of(config, key_of("daemon", "save_interval")), "main.yaml:1");
	assert_string_equal(place_of(config, key_of("daemon", "keep")), "default");
	/* What is said of all types later goes over what was said of one before. */
	assert_int_equal(config->settings->values[KES_VM_TDX][FINDING_STORM][SETTING_OWN], 9);
	assert_int_equal(config->settings->n_files, 3);
	remove_file("conf.d/9-a.yaml");
	remove_file("conf.d/.hidden.yaml");
	remove_file("conf.d/other.conf");
	remove_file("conf.d/10-b.yaml");
	remove_file("main.yaml");
}

struct told {
	size_t n;
	char texts[16][512];
};

static void tell(void *context, const struct error *err)
{
	struct told *told = context;

	assert_true(told->n < 16);
	snprintf(told->texts[told->n++], sizeof(told->texts[0]), "%s",
		err->text + strlen(directory) + 1);
}

/* All that is wrong, in all files, each once. */
static void test_check(void **state)
{
	static const char *const expected[] = {
		"main.yaml:2:11: 'rate' wants a whole number from 1 to 1000000000, not 'x'",
		"main.yaml:4:1: there is no key 'more'",
		"main.yaml:7:3: 'range' is missing here",
		"main.yaml:3:19: 'enforce' wants yes or no, not 'perhaps'",
		"main.yaml:3:28: there is no key 'a'",
		"main.yaml:5:8: 'audit' wants a mapping (lines of 'key: value'), not '3'",
		"conf.d/1.yaml:2:1: missing comma in flow mapping",
		"conf.d/2.yaml:1:20: 'keep' wants yes or no, not '4'",
	};
	struct told told = {};
	struct yaml_errors errors = {.tell = tell, .context = &told};
	struct config *config = NULL;
	struct error err = {};
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/main.yaml", directory);
	write_file("main.yaml", "findings: {storm: {\n    rate: x}}\n"
				"daemon: {enforce: perhaps, a: 1, keep: no}\nmore: 1\naudit: 3\n"
				"sacred: [\n  {vm: a}]\n");
	write_file("conf.d/1.yaml", "daemon: {keep: no\n");
	write_file("conf.d/2.yaml", "daemon: {    keep: 4}\n");
	assert_int_equal(config_check(&config, path, &errors, &err), -EINVAL);
	assert_null(config);
	for (size_t i = 0; i < told.n && i < ARRAY_SIZE(expected); i++)
		assert_string_equal(told.texts[i], expected[i]);
	assert_int_equal(told.n, ARRAY_SIZE(expected));
	assert_int_equal(errors.n, told.n);
	remove_file("conf.d/1.yaml");
	remove_file("conf.d/2.yaml");
	write_file("main.yaml", "daemon: {keep: no}\n");
	errors.n = 0;
	assert_int_equal(config_check(&config, path, &errors, &err), 0);
	assert_int_equal(errors.n, 0);
	assert_int_equal(config->keep, 0);
	config_free(&config);
	remove_file("main.yaml");
}

/* ---- what is shown ---- */

static char *shown(const struct config *config)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	config_write_text(out, config);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void without_places(char *text)
{
	char *out = text;

	for (char *line = text; *line;) {
		size_t n = strcspn(line, "\n"), kept = n;
		char *mark = memmem(line, n, " # ", 3), *next;

		while (mark && (next = memmem(mark + 1, (size_t)(line + n - mark) - 1, " # ", 3)))
			mark = next;
		if (mark)
			kept = (size_t)(mark - line);
		while (kept && line[kept - 1] == ' ')
			kept--;
		memmove(out, line, kept);
		out += kept;
		*out++ = '\n';
		line += n + (line[n] == '\n');
	}
	*out = '\0';
}

/* What is shown is a configuration that is shown as the same. */
static void test_show(void **state)
{
	static const char *const texts[] = {
		"",
		"daemon: {group: \"a \\\" # b\", socket: \"/a b\", ring_size: 4M}\n",
		"findings: {storm: {rate: 3, enabled: no, types: {tdx: {rate: 4}, snp: {enabled: "
		"yes}}}}\n",
		"sacred_defaults: no\nsacred: [{range: 0x1000+4K, vm: \"*\\\"#\", name: \"ö: "
		"x\"}]\n",
		"findings: {budget: {percent: 7%, most: 12K}, twice: {enabled: no}}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(config_free) struct config *config = good(texts[i]), *again = NULL;
		_cleanup_free_ char *first = shown(config), *second = NULL;

		again = good(first);
		second = shown(again);
		without_places(first);
		without_places(second);
		assert_string_equal(first, second);
		for (size_t k = 0; k < config_n_keys; k++)
			assert_true(config_equal(config, again, &config_keys[k]));
		assert_memory_equal(config->settings->values, again->settings->values,
			sizeof(again->settings->values));
		assert_memory_equal(config->settings->enabled, again->settings->enabled,
			sizeof(again->settings->enabled));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_key),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_dropins),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_show),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
