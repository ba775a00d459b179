/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration file of the detectors: each setting of each of them can be set, and what is
 * wrong is said where it is, and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "detect/settings.h"

static struct settings *defaults(void)
{
	struct settings *settings = NULL;

	assert_int_equal(settings_new(&settings), 0);
	return settings;
}

static int parse(struct settings *settings, const char *text, struct error *err)
{
	memset(err, 0x5a, sizeof(*err));
	return settings_parse(settings, "f", text, strlen(text), err);
}

static struct settings *good(const char *text)
{
	struct settings *settings = defaults();
	struct error err;

	if (parse(settings, text, &err) < 0)
		fail_msg("%s: %s (%s)", text, err.text, err.advice);
	return settings;
}

static void bad(const char *text, const char *expected, const char *advice)
{
	_cleanup_(settings_free) struct settings *settings = defaults(), *before = defaults();
	struct error err;

	assert_int_equal(parse(settings, text, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, expected);
	assert_string_equal(err.advice, advice);
	assert_memory_equal(settings, before, sizeof(*before));
}

/* ---- every setting of every detector ---- */

/* A value that is nobody's default, as it is written, and as it is kept. */
static uint64_t other_value(enum unit unit, uint64_t usual, char text[32])
{
	switch (unit) {
	case UNIT_TIME:
		snprintf(text, 32, "1234567ms");
		return 1234567 * MILLISECOND_NS;
	case UNIT_PAGES:
		snprintf(text, 32, "49380K");
		return 12345;
	case UNIT_PERCENT:
		snprintf(text, 32, "43%%");
		return 43;
	case UNIT_SWITCH:
		snprintf(text, 32, "%s", usual ? "no" : "yes");
		return !usual;
	default:
		snprintf(text, 32, "98765");
		return 98765;
	}
}

/* But for where it is written. */
static void check_same(const struct settings *settings, const struct settings *wanted)
{
	assert_memory_equal(settings, wanted, offsetof(struct settings, from));
}

/* Only that one is another one than before, for that type or for all (SETTINGS_TYPES). */
static void check_only(const struct settings *settings, enum finding_kind kind, int which,
	size_t only, uint64_t expected)
{
	_cleanup_(settings_free) struct settings *wanted = defaults();

	for (size_t type = 0; type < SETTINGS_TYPES; type++)
		if (only == SETTINGS_TYPES || type == only)
			wanted->values[type][kind][which] = expected;
	check_same(settings, wanted);
}

static void check_setting(const struct detector *detector, int which)
{
	const struct setting *setting = &detector->settings[which];
	char value[32], file[256], buffer[16], id[FINDING_ID_SIZE];
	uint64_t expected = other_value(setting->unit, setting->value, value);

	for (uint32_t type = 0; type <= SETTINGS_TYPES; type++) {
		_cleanup_(settings_free) struct settings *settings = NULL;

		if (type == KES_VM_TYPE_MAX)
			continue; /* has no name */
		if (type < KES_VM_TYPE_MAX)
			snprintf(file, sizeof(file), "findings: {%s: {types: {%s: {%s: %s}}}}",
				finding_kind_id(detector->kind, id), vm_type_name(type, buffer),
				setting->name, value);
		else
			snprintf(file, sizeof(file), "findings:\n  %s:\n    %s: %s\n",
				detector->name, setting->name, value);
		settings = good(file);
		check_only(settings, detector->kind, which, type, expected);
	}
}

static void test_each_setting(void **state)
{
	int n = 0;

	(void)state;
	for (int kind = 0; kind < FINDING_KINDS; kind++)
		for (int i = 0; i < SETTINGS_MAX && detectors[kind]->settings[i].name; i++, n++)
			check_setting(detectors[kind], i);
	assert_true(n >= 3 * FINDING_KINDS);
}

static void test_zero(void **state)
{
	_cleanup_(settings_free) struct settings *settings = NULL;

	(void)state;
	settings = good("findings:\n"
			"  unsolicited: {launch: 0s, hotplug: 0s, grace: 0s}\n"
			"  outside: {grace: 0s}\n"
			"  left-shared: {grace: 0s, pages: 0}\n"
			"  budget: {percent: 0, least: 0, slack: 0%, growth: 0}\n"
			"  twice: {size: 0}\n"
			"  blind: {slack: 0}\n"
			"  redundant: {private: no}\n");
	for (size_t type = 0; type < SETTINGS_TYPES; type++) /* all that they have of their own */
		for (int i = SETTING_OWN; i < SETTINGS_MAX; i++) {
			assert_int_equal(settings->values[type][FINDING_UNSOLICITED][i], 0);
			assert_int_equal(settings->values[type][FINDING_TWICE][i], 0);
		}
}

static void check_no_zero(const struct detector *detector, const struct setting *setting)
{
	_cleanup_(settings_free) struct settings *settings = defaults();
	char file[128], expected[128];
	struct error err;

	snprintf(file, sizeof(file), "findings: {%s: {%s: 0%s}}", detector->name, setting->name,
		setting->unit == UNIT_TIME ? "s" : "");
	if (!parse(settings, file, &err))
		return;
	snprintf(expected, sizeof(expected), "f:1:%zu: '%s' cannot be 0: it wants a ",
		strcspn(file, "0") + 1, setting->name);
	if (setting->unit != UNIT_SWITCH && strncmp(err.text, expected, strlen(expected)))
		fail_msg("%s: %s", file, err.text);
}

/* It is set, or the error says that 0 is the matter. */
static void test_each_zero(void **state)
{
	(void)state;
	for (int kind = 0; kind < FINDING_KINDS; kind++)
		for (int i = 0; i < SETTINGS_MAX && detectors[kind]->settings[i].name; i++)
			check_no_zero(detectors[kind], &detectors[kind]->settings[i]);
	bad("findings: {storm: {count: 0}}",
		"f:1:27: 'count' cannot be 0: it wants a whole number from 1 to 1000000000", "");
	bad("findings: {storm: {rate: 0}}",
		"f:1:26: 'rate' cannot be 0: it wants a whole number from 1 to 1000000000", "");
	bad("findings: {storm: {window: 0s}}",
		"f:1:28: 'window' cannot be 0: it wants a time from 1ns to 8760h, with its unit, "
		"such as 500ms, 10s, 5m or 1h",
		"");
	bad("findings: {giant: {size: 0}}",
		"f:1:26: 'size' cannot be 0: it wants a size from 4K to 4P, such as 4096, 64K, 16M "
		"or 1G",
		"");
}

/* ---- types ---- */

#define BURST (SETTING_OWN + 1)

/* A value for all types goes over a type's own default, but never over what is said for it. */
static void test_types(void **state)
{
	static const char *const files[] = {
		"findings:\n  storm:\n    burst: 7\n    types:\n      snp: {burst: 8}\n",
		"findings:\n  storm:\n    types:\n      snp: {burst: 8}\n    burst: 7\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_(settings_free) struct settings *settings = good(files[i]);

		for (size_t type = 0; type < SETTINGS_TYPES; type++)
			assert_int_equal(settings->values[type][FINDING_STORM][BURST],
				type == KES_VM_SNP ? 8 : 7);
	}
}

static void test_enabled(void **state)
{
	static const struct {
		const char *text;
		uint32_t default_, tdx, newer;
	} rows[] = {
		{"enabled: yes", 1, 1, 1},
		{"enabled: no", 0, 0, 0},
		{"types: {tdx: {enabled: off}}", 1, 0, 1},
		{"enabled: false, types: {tdx: {enabled: on}}", 0, 1, 0},
		{"types: {tdx: {enabled: true, rate: 3}}, enabled: no", 0, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(settings_free) struct settings *settings = NULL;
		uint32_t all = (ON(FINDING_KINDS) - 1) & ~ON(FINDING_STORM);
		char file[128];

		snprintf(file, sizeof(file), "findings: {storm: {%s}}", rows[i].text);
		settings = good(file);
		assert_int_equal(
			settings->enabled[KES_VM_DEFAULT], all | rows[i].default_ << FINDING_STORM);
		assert_int_equal(settings->enabled[KES_VM_TDX], all | rows[i].tdx << FINDING_STORM);
		assert_int_equal(
			settings->enabled[KES_VM_TYPE_MAX], all | rows[i].newer << FINDING_STORM);
	}
}

/* ---- sacred ranges ---- */

static void check_sacred(const struct sacred *sacred, uint64_t gfn, uint64_t npages,
	const char *name, const char *vm)
{
	assert_int_equal(sacred->gfn, gfn);
	assert_int_equal(sacred->npages, npages);
	assert_string_equal(sacred->name, name);
	if (vm)
		assert_string_equal(sacred->vm, vm);
	else
		assert_null(sacred->vm);
}

static void test_sacred(void **state)
{
	_cleanup_(settings_free) struct settings *usual = defaults(), *some = NULL, *only = NULL;

	(void)state;
	some = good("sacred:\n- range: 0x100000+64K\n  vm: \"db*\"\n  name: secrets\n"
		    "- {range: 0x1000-0x1fff}\n");
	assert_int_equal(some->n_sacred, usual->n_sacred + 2);
	assert_memory_equal(some->sacred, usual->sacred, usual->n_sacred * sizeof(struct sacred));
	check_sacred(&some->sacred[usual->n_sacred], 0x100, 16, "secrets", "db*");
	check_sacred(&some->sacred[usual->n_sacred + 1], 1, 1, "0x1000-0x1fff", NULL);
	assert_int_equal(some->n_texts, 3);

	only = good("sacred:\n- range: 0xfffffffff000+4K\nsacred_defaults: no");
	assert_int_equal(only->n_sacred, 1);
	check_sacred(&only->sacred[0], 0xfffffffff, 1, "0xfffffffff000+4K", NULL);
	settings_free(&only);
	only = good("sacred_defaults: no");
	assert_int_equal(only->n_sacred, 0);
	settings_free(&only);
	only = good("sacred_defaults: yes\nsacred: []");
	check_same(only, usual);
}

static char *many_ranges(size_t n, const char *end)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fputs("sacred:\n", out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "- {range: 0x%zx000+4K, vm: v, name: n}\n", i);
	fputs(end, out);
	fclose(out);
	return text;
}

static void test_sacred_bound(void **state)
{
	_cleanup_(settings_free) struct settings *settings = defaults(), *full = NULL;
	_cleanup_free_ char *fits = many_ranges(SETTINGS_SACRED, "sacred_defaults: no");
	_cleanup_free_ char *most = many_ranges(SETTINGS_SACRED - settings->n_defaults, "");
	_cleanup_free_ char *more = many_ranges(SETTINGS_SACRED + 1 - settings->n_defaults, "");
	_cleanup_free_ char *over = many_ranges(SETTINGS_SACRED + 1, "sacred_defaults: no");

	(void)state;
	full = good(fits);
	assert_int_equal(full->n_sacred, SETTINGS_SACRED);
	assert_int_equal(full->n_texts, 2 * SETTINGS_SACRED);
	settings_free(&full);
	full = good(most);
	assert_int_equal(full->n_sacred, SETTINGS_SACRED);
	bad(more, "f:63:3: more than 64 sacred ranges, with the defaults", "");
	bad(over, "f:66:3: more than 64 sacred ranges, with the defaults", "");
}

/* ---- files ---- */

static void test_nothing(void **state)
{
	static const char *const texts[] = {"", "# a\n", "findings:\n", "findings: {}\nsacred: []",
		"findings:\n  storm:\n", "findings: {storm: {types: {tdx: }}}",
		"findings: {storm: {types: }}", "sacred:"};
	_cleanup_(settings_free) struct settings *usual = defaults();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(settings_free) struct settings *settings = good(texts[i]);

		check_same(settings, usual);
	}
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void test_load(void **state)
{
	_cleanup_(settings_free) struct settings *settings = defaults(), *before = defaults();
	char path[] = "/tmp/test_settings-XXXXXX", expected[128];
	struct error err = {.text = "as it was"};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(settings_load(settings, path, &err), -ENOENT);
	assert_string_equal(err.text, "as it was");
	assert_memory_equal(settings, before, sizeof(*before));

	write_file(path, "findings: {storm: {count: 3}}\nsacred: [{range: 0x1000+4K}]\n");
	assert_int_equal(settings_load(settings, path, &err), 0);
	assert_int_equal(settings->values[KES_VM_SEV][FINDING_STORM][SETTING_COUNT], 3);
	assert_int_equal(settings->n_texts, 1);
	*before = *settings;

	/* What was good of a file that is wrong at its end does not count, and nothing leaks. */
	write_file(path, "sacred: [{range: 0x2000+4K, vm: a, name: b}, {range: 0}]\n");
	assert_int_equal(settings_load(settings, path, &err), -EINVAL);
	snprintf(expected, sizeof(expected),
		"%s:1:54: 'range' wants a range of addresses, such as 0x1000+4K or 0x1000-0x1fff, "
		"not '0'",
		path);
	assert_string_equal(err.text, expected);
	assert_memory_equal(settings, before, sizeof(*before));

	/* A second file adds to the first one. */
	write_file(path, "sacred_defaults: no\nsacred: [{range: 0x2000+4K, vm: a}]\n");
	assert_int_equal(settings_load(settings, path, &err), 0);
	assert_int_equal(settings->n_sacred, 2);
	check_sacred(&settings->sacred[0], 1, 1, "0x1000+4K", NULL);
	check_sacred(&settings->sacred[1], 2, 1, "0x2000+4K", "a");
	assert_int_equal(settings->values[KES_VM_SEV][FINDING_STORM][SETTING_COUNT], 3);
	unlink(path);
	assert_int_equal(settings_load(settings, "/", &err), -EISDIR);
	before->n_texts = before->n_files = 0; /* they are the other one's */
}

/* ---- what is wrong, and where ---- */

static void test_unknown(void **state)
{
	(void)state;
	bad("finding:\n  storm:\n", "f:1:1: there is no key 'finding'", "did you mean 'findings'?");
	bad("policy:\n", "f:1:1: there is no key 'policy'",
		"there is: findings, sacred, sacred_defaults, daemon, audit, metrics");
	bad("findings:\n  strom: {rate: 1}", "f:2:3: there is no kind of finding 'strom'",
		"did you mean 'storm'?");
	bad("findings:\n  KES-099: {}", "f:2:3: there is no kind of finding 'KES-099'",
		"there is: uncommitted, unsolicited, storm, flapping, redundant, outside, "
		"malformed, "
		"privilege, sweep, fault-loop, again, slow, budget, left-shared, reused, sacred, "
		"giant, twice, kernel, blind, loss");
	bad("findings:\n  storm:\n    rat: 1", "f:3:5: there is no setting 'rat'",
		"did you mean 'rate'?");
	bad("findings:\n  storm:\n    numbers: 1", "f:3:5: there is no setting 'numbers'",
		"there is: count, window, quiet, rate, burst, enabled, types");
	bad("findings: {storm: {types: {tdk: {}}}}", "f:1:28: there is no VM type 'tdk'",
		"did you mean 'tdx'?");
	bad("findings: {storm: {types: {type-6: {}}}}", "f:1:28: there is no VM type 'type-6'",
		"there is: default, sw-protected, sev, sev-es, snp, tdx");
	bad("findings: {storm: {types: {tdx: {types: {}}}}}", "f:1:34: there is no setting 'types'",
		"there is: count, window, quiet, rate, burst, enabled");
	bad("sacred:\n- rang: 1", "f:2:3: there is no key 'rang'", "did you mean 'range'?");
}

static void test_twice(void **state)
{
	(void)state;
	bad("findings:\n  storm: {}\n  KES-003: {}",
		"f:3:3: 'KES-003' is there already, in line 2, as 'storm'", "");
	bad("findings:\n  kes-003: {}\n  KES-003: {}",
		"f:3:3: 'KES-003' is there already, in line 2, as 'kes-003'", "");
	bad("findings:\n  storm:\n    rate: 1\n    rate: 2",
		"f:4:5: 'rate' is there already, in line 3", "");
}

static void test_wrong_values(void **state)
{
	(void)state;
	bad("findings:\n  storm:\n    rate: -1",
		"f:3:11: 'rate' wants a whole number from 1 to 1000000000, not '-1'", "");
	bad("findings:\n  storm:\n    rate: 1000/s",
		"f:3:11: 'rate' wants a whole number from 1 to 1000000000, not '1000/s'", "");
	bad("findings:\n  storm:\n    rate: 1000000001",
		"f:3:11: 'rate' wants a whole number from 1 to 1000000000, not '1000000001'", "");
	bad("findings:\n  storm:\n    quiet: 30",
		"f:3:12: 'quiet' wants a time from 1ns to 8760h, with its unit, such as 500ms, "
		"10s, "
		"5m or 1h, not '30'",
		"");
	bad("findings:\n  storm:\n    enabled: maybe",
		"f:3:14: 'enabled' wants yes or no, not 'maybe'", "");
	bad("findings:\n  redundant:\n    private: 1", "f:3:14: 'private' wants yes or no, not '1'",
		"");
	bad("findings:\n  giant:\n    size: 5000",
		"f:3:11: 'size' wants whole pages, that is a multiple of 4K, not '5000'", "");
	bad("findings:\n  giant:\n    size: 5P",
		"f:3:11: 'size' wants a size from 4K to 4P, such as 4096, 64K, 16M or 1G, not '5P'",
		"");
	bad("findings:\n  budget:\n    percent: 200",
		"f:3:14: 'percent' wants a percentage from 0 to 100%, such as 6%, not '200'", "");
	bad("findings:\n  storm: no",
		"f:2:10: 'storm' wants a mapping (lines of 'key: value'), not 'no'", "");
	bad("findings: [storm]",
		"f:1:11: 'findings' wants a mapping (lines of 'key: value'), not a list", "");
	bad("findings: {storm: {types: [tdx]}}",
		"f:1:27: 'types' wants a mapping (lines of 'key: value'), not a list", "");
	bad("- findings", "f:1:1: a mapping (lines of 'key: value') is wanted here, not a list",
		"");
	bad("storm", "f:1:1: a mapping (lines of 'key: value') is wanted here, not 'storm'", "");
	/* said first what is wrong first */
	bad("findings: {storm: {types: {tdx: {rate: x}}, rate: y}}",
		"f:1:40: 'rate' wants a whole number from 1 to 1000000000, not 'x'", "");
	bad("a: [", "f:2:1: flow sequence without a closing bracket", "");
	bad("findings: &a\n  storm: {}", "f:1:11: anchors (&name) are not supported", "");
}

static void test_wrong_sacred(void **state)
{
	(void)state;
	bad("sacred:\n  range: 0x1000+4K",
		"f:2:3: 'sacred' wants a list (lines of '- item'), not a mapping", "");
	bad("sacred:\n- 0x1000+4K",
		"f:2:3: a mapping such as {range: 0x100000+64K} is wanted here, not '0x1000+4K'",
		"");
	bad("sacred:\n- ~",
		"f:2:3: a mapping such as {range: 0x100000+64K} is wanted here, not "
		"nothing",
		"");
	bad("sacred:\n- vm: x", "f:2:3: 'range' is missing here", "");
	bad("sacred:\n- range: 0x1000+100",
		"f:2:10: 'range' wants whole pages, that is multiples of 4K, not '0x1000+100'", "");
	bad("sacred:\n- range: 0x1001+4K",
		"f:2:10: 'range' wants whole pages, that is multiples of 4K, not '0x1001+4K'", "");
	bad("sacred:\n- range: 0x2000-0x1fff",
		"f:2:10: 'range' wants a range that is not empty, ends behind its start, and below "
		"2^64, not '0x2000-0x1fff'",
		"");
	bad("sacred:\n- range: 0x10000000000000+4K",
		"f:2:10: 'range' wants addresses below 2^52, not '0x10000000000000+4K'", "");
	bad("sacred:\n- range: 0xffffffffff000+8K",
		"f:2:10: 'range' wants addresses below 2^52, not '0xffffffffff000+8K'", "");
	bad("sacred:\n- {range: 0x1000+4K, vm: ''}",
		"f:2:26: 'vm' wants a text of 1 to 255 bytes, not ''", "");
	bad("sacred:\n- {range: 0x1000+4K, name: [a]}",
		"f:2:28: 'name' wants a text of 1 to 255 bytes, not a list", "");
	bad("sacred_defaults: never", "f:1:18: 'sacred_defaults' wants yes or no, not 'never'", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_setting),
		cmocka_unit_test(test_zero),
		cmocka_unit_test(test_each_zero),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_enabled),
		cmocka_unit_test(test_sacred),
		cmocka_unit_test(test_sacred_bound),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_wrong_values),
		cmocka_unit_test(test_wrong_sacred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
