/* SPDX-License-Identifier: GPL-2.0-only */
/* What configuration files may say, and where exactly they are wrong. */
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
#include "base/yaml.h"

/* On the heap and exactly as large, so that the sanitizer sees each byte read beyond. */
static int parse(struct yaml **ret, const void *text, size_t size, struct error *err)
{
	_cleanup_free_ void *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	if (size)
		memcpy(copy, text, size);
	memset(err, 0x5a, sizeof(*err));
	return yaml_parse(ret, "f", copy, size, err);
}

static struct yaml *good(const char *text)
{
	struct yaml *yaml = NULL;
	struct error err;

	if (parse(&yaml, text, strlen(text), &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return yaml;
}

static void bad_bytes(const char *text, size_t size, const char *expected)
{
	struct yaml *yaml = NULL;
	struct error err;

	assert_int_equal(parse(&yaml, text, size, &err), -EINVAL);
	assert_null(yaml);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, expected);
}

#define BAD(text, expected) bad_bytes(text, sizeof(text) - 1, expected)

/* ---- the form ---- */

static void test_bytes(void **state)
{
	(void)state;
	BAD("a: b\n\xc3\xa9\xff", "f:2:2: a byte 0xff that is not UTF-8");
	BAD("\xc3", "f:1:1: a byte 0xc3 that is not UTF-8");
	BAD("\xed\xa0\x80", "f:1:1: a byte 0xed that is not UTF-8");
	BAD("a: \0", "f:1:4: a NUL byte; this is no text, or not in UTF-8");
	BAD("a\0:\0", "f:1:2: a NUL byte; this is no text, or not in UTF-8");
	BAD("\r\n\r\n\x1b", "f:3:1: a control character, 0x1b");
	BAD("a: \xc2\x85", "f:1:4: a control character, 0x85");
	BAD("\xef\xbb\xbf\x01", "f:1:1: a control character, 0x01");
	BAD("a: \"x\\0y\"", "f:1:4: a text with a NUL byte in it");
	BAD("a: \"\\x00\"", "f:1:4: a text with a NUL byte in it");
	BAD("a: 'x''''y'", "f:1:4: several '' in a row, or in several lines; write this text in "
			   "double quotes");
	BAD("a: 'x'''''", "f:1:4: several '' in a row, or in several lines; write this text in "
			  "double quotes");
	BAD("a: 'x\n  ''y'", "f:1:4: several '' in a row, or in several lines; write this text in "
			     "double quotes");
	BAD("''''''''''''", "f:1:1: several '' in a row, or in several lines; write this text in "
			    "double quotes");
	BAD("- {a: '''''x', b: c}", "f:1:7: several '' in a row, or in several lines; write this "
				    "text in double quotes");
	BAD("a: \"\\ud800\"", "f:1:5: double-quoted scalar has invalid UTF8 escape");
}

static void test_not_supported(void **state)
{
	(void)state;
	BAD("a: &x 1", "f:1:4: anchors (&name) are not supported");
	BAD("- &x [b]", "f:1:3: anchors (&name) are not supported");
	BAD("&x a: b", "f:1:1: anchors (&name) are not supported");
	BAD("a: b\nc: *x", "f:2:4: aliases (*name) are not supported");
	BAD("a: !!int 3", "f:1:4: tags (!name) are not supported");
	BAD("a: !", "f:1:4: tags (!name) are not supported");
	BAD("%YAML 1.2\n---\na: b", "f:1:1: directives (%YAML, %TAG) are not supported");
	BAD("a: b\n...\n%TAG ! x\n", "f:3:1: directives (%YAML, %TAG) are not supported");
	BAD("---\na: b\n---\na: b", "f:3:1: a second document; one file holds one");
	BAD("a: b\n...\n\nc: d", "f:2:1: a second document; one file holds one");
	BAD("? [a]\n: b", "f:1:3: a key has to be one word, not a mapping or a list");
	BAD("{{a: b}: c}", "f:1:2: a key has to be one word, not a mapping or a list");
	BAD("a: b\n: c", "f:1:4: an empty key, here or right behind it");
	BAD("~: c", "f:1:1: an empty key, here or right behind it");
	/* billion laughs */
	BAD("a: &a [x,x]\nb: &b [*a,*a]\n", "f:1:4: anchors (&name) are not supported");
}

static void test_duplicates(void **state)
{
	(void)state;
	BAD("a: 1\nb: 2\na: 3\nb: 4", "f:3:1: 'a' is there already, in line 1");
	BAD("z: 1\ny: 1\n'z': 3\ny: 4", "f:3:1: 'z' is there already, in line 1");
	BAD("x: {a: 1, b: 2, \"a\": 3}", "f:1:17: 'a' is there already, in line 1");
	BAD("x:\n  - a: 1\n    a: 1", "f:3:5: 'a' is there already, in line 2");
	BAD("\"\\e[m\": 1\n\"\\e[m\": 1", "f:2:1: '\\x1b[m' is there already, in line 1");
}

static void test_syntax(void **state)
{
	(void)state;
	BAD("a: [1, 2", "f:2:1: flow sequence without a closing bracket");
	BAD("a: \"x", "f:1:5: double-quoted scalar without closing quote");
	BAD("a: b: c", "f:1:5: invalid nested block mapping on the same line");
	BAD("a:\n - b\n- c", "f:3:1: did not find expected key");
	BAD("\xc3\xa9: @x", "f:1:4: plain scalar cannot start with '@'");
}

static char *repeat(const char *text, size_t n)
{
	size_t length = strlen(text);
	char *all = malloc(n * length + 1);

	assert_non_null(all);
	for (size_t i = 0; i < n; i++)
		memcpy(all + i * length, text, length);
	all[n * length] = '\0';
	return all;
}

static void bad_repeated(const char *text, size_t n, const char *expected)
{
	_cleanup_free_ char *all = repeat(text, n);

	bad_bytes(all, strlen(all), expected);
}

static void test_bounds(void **state)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL, *deep = NULL, *many = NULL;
	_cleanup_free_ char *large = repeat("#", YAML_MAX_BYTES + 1);
	_cleanup_free_ char *items = repeat("- a\n", YAML_MAX_NODES - 1);
	_cleanup_free_ char *lists = repeat("- ", YAML_MAX_DEPTH);
	struct error err;

	(void)state;
	assert_int_equal(parse(&yaml, large, YAML_MAX_BYTES + 1, &err), -EFBIG);
	assert_string_equal(err.text, "f: larger than 1048576 bytes");
	assert_null(yaml);
	assert_int_equal(parse(&yaml, large, YAML_MAX_BYTES, &err), 0);
	deep = good(lists);
	many = good(items);
	bad_repeated("- a\n", YAML_MAX_NODES, "f:65536:3: more than 65536 values and keys");
	bad_repeated("- ", YAML_MAX_DEPTH + 1,
		"f:1:65: more than 32 mappings and lists within each other");
	bad_repeated("[", 1 << 20, "f:1:33: more than 32 mappings and lists within each other");
	bad_repeated("{a: ", 100000, "f:1:129: more than 32 mappings and lists within each other");
	bad_repeated("%", 1 << 20, "f:1:1: directives (%YAML, %TAG) are not supported");
}

/* ---- files ---- */

static void test_files(void **state)
{
	char path[] = "/tmp/test_yaml-XXXXXX", expected[128];
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	struct error err = {.text = "as it was"};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a: [", 4), 4);
	close(fd);
	assert_int_equal(yaml_open(&yaml, path, &err), -EINVAL);
	snprintf(expected, sizeof(expected), "%s:2:1: flow sequence without a closing bracket",
		path);
	assert_string_equal(err.text, expected);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(yaml_open(&yaml, path, &err), 0);
	assert_true(yaml_is_null(yaml_root(yaml)));
	yaml_free(&yaml);
	assert_null(yaml);
	assert_int_equal(truncate(path, YAML_MAX_BYTES + 1), 0);
	assert_int_equal(yaml_open(&yaml, path, &err), -EFBIG);
	unlink(path);

	err = (struct error){.text = "as it was"};
	assert_int_equal(yaml_open(&yaml, path, &err), -ENOENT);
	assert_string_equal(err.text, "as it was");
	assert_int_equal(yaml_open(&yaml, "/", &err), -EISDIR);
	assert_string_equal(err.text, "reading /: Is a directory");
	assert_int_equal(yaml_open(&yaml, "/dev/null/x\n", &err), -ENOTDIR);
	assert_string_equal(err.text, "opening /dev/null/x\\x0a: Not a directory");
	assert_null(yaml);
}

static void test_empty(void **state)
{
	static const char *const texts[] = {
		"", "\n", "# nothing\n", "---\n", "---\n...\n", "\xef\xbb\xbf", "~", "null"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(yaml_free) struct yaml *yaml = good(texts[i]);
		const struct yaml_node *root = yaml_root(yaml);

		assert_true(yaml_is_null(root));
		assert_int_equal(root->line, 1);
		assert_int_equal(root->column, 1);
		assert_int_equal(yaml_each_pair(root, NULL, NULL, NULL), 0);
		assert_int_equal(yaml_each_item(root, NULL, NULL, NULL), 0);
		assert_null(yaml_find(root, "a"));
	}
}

/* ---- to walk ---- */

/* "a=1 b=(c=2 ) d=[1 2 ] " */
static int tell_item(void *context, const struct yaml_node *node, struct error *err);

static int tell_pair(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	assert_ptr_equal(value->key, key);
	fprintf(context, "%s=", key->text);
	return tell_item(context, value, err);
}

static int tell_item(void *context, const struct yaml_node *node, struct error *err)
{
	bool mapping = node->type == YAML_MAPPING;

	if (node->type == YAML_SCALAR) {
		fprintf(context, "%s@%u:%u ", node->text, node->line, node->column);
		return 0;
	}
	fprintf(context, mapping ? "(" : "[");
	if (mapping)
		assert_int_equal(yaml_each_pair(node, tell_pair, context, err), 0);
	else
		assert_int_equal(yaml_each_item(node, tell_item, context, err), 0);
	fprintf(context, "%s@%u:%u ", mapping ? ")" : "]", node->line, node->column);
	return 0;
}

static void check_walk(const char *text, const char *expected)
{
	_cleanup_(yaml_free) struct yaml *yaml = good(text);
	_cleanup_free_ char *told = NULL;
	size_t size;
	FILE *out = open_memstream(&told, &size);

	assert_non_null(out);
	assert_int_equal(tell_item(out, yaml_root(yaml), NULL), 0);
	fclose(out);
	assert_string_equal(told, expected);
}

static void test_walk(void **state)
{
	(void)state;
	check_walk("a: 1\nb:\n  c: 'x'\nd: [1, {e: }]\n",
		"(a=1@1:4 b=(c=x@3:6 )@3:3 d=[1@4:5 (e=@4:9 )@4:8 ]@4:4 )@1:1 ");
	check_walk("- x\n-\ty\n- - z", "[x@1:3 y@2:3 [z@3:5 ]@3:3 ]@1:1 ");
	check_walk("\xef\xbb\xbf\xc3\xa9: \xe2\x82\xac\r\n'\"': |\n  t\n  u\n",
		"(\xc3\xa9=\xe2\x82\xac@1:4 \"=t\nu\n@3:1 )@1:1 ");
	check_walk("- ''''\n- '''x''y'''\n- \"''''\"\n- x''''y\n- 'a\n  b'",
		"['@1:3 'x'y'@2:3 ''''@3:3 x''''y@4:3 a b@5:3 ]@1:1 ");
	check_walk("[a: b]", "[(a=b@1:5 )@1:2 ]@1:1 ");
	check_walk("---\na: b\n...\n", "(a=b@2:4 )@2:1 ");
}

static int stop_at_b(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	(void)value;
	++*(int *)context;
	return *key->text == 'b' ? yaml_error(key, err, "%s", "stop") : 0;
}

static int take_text(void *context, const struct yaml_node *value, struct error *err)
{
	(void)err;
	*(const char **)context = value->text;
	return 0;
}

static void check_error(int r, const struct error *err, const char *text, const char *advice)
{
	assert_int_equal(r, -EINVAL);
	assert_int_equal(err->code, -EINVAL);
	assert_string_equal(err->text, text);
	assert_string_equal(err->advice, advice);
}

static void test_walk_errors(void **state)
{
	_cleanup_(yaml_free) struct yaml *yaml = good("m:\n a: 1\n b: 2\n c: 3\nl: [x]\ns: text");
	const struct yaml_node *root = yaml_root(yaml), *l = yaml_find(root, "l");
	struct error err;
	int n = 0;

	(void)state;
	check_error(
		yaml_each_pair(yaml_find(root, "m"), stop_at_b, &n, &err), &err, "f:3:2: stop", "");
	assert_int_equal(n, 2);
	check_error(yaml_each_pair(l, stop_at_b, &n, &err), &err,
		"f:5:4: 'l' wants a mapping (lines of 'key: value'), not a list", "");
	check_error(yaml_each_item(yaml_find(root, "m"), NULL, NULL, &err), &err,
		"f:2:2: 'm' wants a list (lines of '- item'), not a mapping", "");
	check_error(yaml_each_item(yaml_find(root, "s"), NULL, NULL, &err), &err,
		"f:6:4: 's' wants a list (lines of '- item'), not 'text'", "");
	check_error(yaml_each_pair(l->first, NULL, NULL, &err), &err,
		"f:5:5: a mapping (lines of 'key: value') is wanted here, not 'x'", "");
	assert_null(yaml_find(root, "x"));
	assert_null(yaml_find(l, "x"));
}

static void check_fields(const char *text, const char *expected, const char *advice)
{
	static const struct yaml_field fields[] = {
		{"alpha", take_text, true}, {"beta", take_text, false}, {"vm", take_text, false}};
	_cleanup_(yaml_free) struct yaml *yaml = good(text);
	const char *last = NULL;
	struct error err;
	int r = yaml_each_field(yaml_root(yaml), fields, ARRAY_SIZE(fields), &last, &err);

	if (expected) {
		check_error(r, &err, expected, advice);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(last, "last");
}

static void test_fields(void **state)
{
	(void)state;
	check_fields("alpha: 1\nvm: last", NULL, NULL);
	check_fields("beta: 1\nalpha: last", NULL, NULL);
	check_fields("beta: 1", "f:1:1: 'alpha' is missing here", "");
	check_fields("", "f:1:1: 'alpha' is missing here", "");
	check_fields(
		"alpha: 1\nalhpa: 2", "f:2:1: there is no key 'alhpa'", "did you mean 'alpha'?");
	check_fields("alpha: 1\nbet: 2", "f:2:1: there is no key 'bet'", "did you mean 'beta'?");
	check_fields("bxtax: 2", "f:1:1: there is no key 'bxtax'", "did you mean 'beta'?");
	check_fields("Alpha: 1", "f:1:1: there is no key 'Alpha'", "did you mean 'alpha'?");
	check_fields("vn: 1", "f:1:1: there is no key 'vn'", "did you mean 'vm'?");
	check_fields("xx: 1", "f:1:1: there is no key 'xx'", "there is: alpha, beta, vm");
	check_fields("gamma: 1", "f:1:1: there is no key 'gamma'", "there is: alpha, beta, vm");
	check_fields("? aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n: 1",
		"f:1:3: there is no key 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
		"there is: alpha, beta, vm");
	check_fields("\"\\n\": 1", "f:1:1: there is no key '\\x0a'", "there is: alpha, beta, vm");
}

static void test_choose(void **state)
{
	static const char *const names[] = {"one", "two"};
	_cleanup_(yaml_free) struct yaml *yaml = good("a: two\nb: tow\nc: [two]\nd:");
	const struct yaml_node *root = yaml_root(yaml);
	struct error err;
	size_t which = 9;

	(void)state;
	assert_int_equal(yaml_choose(yaml_find(root, "a"), "number", names, 2, &which, &err), 0);
	assert_int_equal(which, 1);
	which = 9;
	check_error(yaml_choose(yaml_find(root, "b"), "number", names, 2, &which, &err), &err,
		"f:2:4: there is no number 'tow'", "did you mean 'two'?");
	check_error(yaml_choose(yaml_find(root, "c"), "number", names, 2, &which, &err), &err,
		"f:3:4: 'c' wants one of the words below, not a list", "there is: one, two");
	check_error(yaml_choose(yaml_find(root, "d"), "number", names, 2, &which, &err), &err,
		"f:4:1: 'd' wants one of the words below, not nothing", "there is: one, two");
	assert_int_equal(which, 9);
}

/* ---- values ---- */

enum getter { BOOL, UINT, BYTES, DURATION, PERCENT };

static int get(enum getter getter, const struct yaml_node *node, uint64_t min, uint64_t max,
	uint64_t *ret, struct error *err)
{
	bool on = *ret & 1;
	int r;

	switch (getter) {
	case UINT:
		return yaml_get_uint(node, min, max, ret, err);
	case BYTES:
		return yaml_get_bytes(node, min, max, ret, err);
	case DURATION:
		return yaml_get_duration(node, min, max, ret, err);
	case PERCENT:
		return yaml_get_percent(node, min, max, ret, err);
	default:
		r = yaml_get_bool(node, &on, err);
		if (!r)
			*ret = on;
		assert_true(!r || on == (*ret & 1));
		return r;
	}
}

static void takes(enum getter getter, const char *text, uint64_t expected)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	uint64_t value = ~expected;
	struct error err;
	char line[128];

	snprintf(line, sizeof(line), "k: %s", text);
	yaml = good(line);
	if (get(getter, yaml_find(yaml_root(yaml), "k"), 0, UINT64_MAX, &value, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	assert_true(value == expected);
}

static void refuses(
	enum getter getter, uint64_t min, uint64_t max, const char *text, const char *expected)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	uint64_t value = 0x5a5a5a5a;
	struct error err;
	char line[128];

	snprintf(line, sizeof(line), "k: %s", text);
	yaml = good(line);
	check_error(get(getter, yaml_find(yaml_root(yaml), "k"), min, max, &value, &err), &err,
		expected, "");
	assert_int_equal(value, 0x5a5a5a5a);
}

static void test_bool(void **state)
{
	static const char *const wrong[] = {"1", "y", "YES", "enabled", "yes no"};
	char expected[64];

	(void)state;
	takes(BOOL, "yes", 1);
	takes(BOOL, "true", 1);
	takes(BOOL, "on", 1);
	takes(BOOL, "no", 0);
	takes(BOOL, "false", 0);
	takes(BOOL, "'off'", 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(expected, sizeof(expected), "f:1:4: 'k' wants yes or no, not '%s'",
			wrong[i]);
		refuses(BOOL, 0, 0, wrong[i], expected);
	}
	refuses(BOOL, 0, 0, "", "f:1:1: 'k' wants yes or no, not nothing");
	refuses(BOOL, 0, 0, "~", "f:1:4: 'k' wants yes or no, not nothing");
	refuses(BOOL, 0, 0, "[yes]", "f:1:4: 'k' wants yes or no, not a list");
	refuses(BOOL, 0, 0, "{yes: no}", "f:1:4: 'k' wants yes or no, not a mapping");
}

static void test_numbers(void **state)
{
	static const char *const wrong[] = {"-5", "+5", "1.5", "1e3", "0x10", "010", "00", "1_000",
		"five", "5 6", "5s", "5K", "11", "18446744073709551616", "99999999999999999999999"};
	char expected[128];

	(void)state;
	takes(UINT, "0", 0);
	takes(UINT, "2000", 2000);
	takes(UINT, "\"7\"", 7);
	takes(UINT, "18446744073709551615", UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(expected, sizeof(expected),
			"f:1:4: 'k' wants a whole number from 0 to 10, not '%s'", wrong[i]);
		refuses(UINT, 0, 10, wrong[i], expected);
	}
	refuses(UINT, 0, UINT64_MAX, "18446744073709551616",
		"f:1:4: 'k' wants a whole number from 0 to 18446744073709551615, not "
		"'18446744073709551616'");
	refuses(UINT, 3, 10, "0", "f:1:4: 'k' cannot be 0: it wants a whole number from 3 to 10");
	refuses(UINT, 3, 10, "2", "f:1:4: 'k' wants a whole number from 3 to 10, not '2'");
	refuses(UINT, 3, 10, "", "f:1:1: 'k' wants a whole number from 3 to 10, not nothing");
}

static void test_bytes_values(void **state)
{
	static const char *const wrong[] = {
		"4KB", "4 K", "K", "-4K", "1.5G", "4kk", "2G", "0x1000", "16777216P", "4095"};
	char expected[128];

	(void)state;
	takes(BYTES, "0", 0);
	takes(BYTES, "4096", 4096);
	takes(BYTES, "4K", 4096);
	takes(BYTES, "64M", 64 << 20);
	takes(BYTES, "1G", 1 << 30);
	takes(BYTES, "2T", 2ull << 40);
	takes(BYTES, "3P", 3ull << 50);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(expected, sizeof(expected),
			"f:1:4: 'k' wants a size from 4K to 1G, such as 4096, 64K, 16M or 1G, not "
			"'%s'",
			wrong[i]);
		refuses(BYTES, 4096, 1 << 30, wrong[i], expected);
	}
	refuses(BYTES, 4096, 1 << 30, "0K",
		"f:1:4: 'k' cannot be 0: it wants a size from 4K to 1G, such as 4096, 64K, 16M or "
		"1G");
	refuses(BYTES, 0, UINT64_MAX, "16384P",
		"f:1:4: 'k' wants a size from 0 to 18446744073709551615, such as 4096, 64K, 16M or "
		"1G, not '16384P'");
}

static void test_duration(void **state)
{
	static const char *const wrong[] = {
		"5", "0", "5 s", "1h30m", "5min", "-5s", "1.5s", "10d", "25h", "5124096h", "s"};
	char expected[160];

	(void)state;
	takes(DURATION, "0s", 0);
	takes(DURATION, "100ns", 100);
	takes(DURATION, "20us", 20000);
	takes(DURATION, "500ms", 500000000);
	takes(DURATION, "10s", 10000000000);
	takes(DURATION, "5m", 300000000000);
	takes(DURATION, "1h", 3600000000000);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(expected, sizeof(expected),
			"f:1:4: 'k' wants a time from 1ms to 24h, with its unit, such as 500ms, "
			"10s, 5m or 1h, not '%s'",
			wrong[i]);
		refuses(DURATION, 1000000, 24 * 3600000000000, wrong[i], expected);
	}
	refuses(DURATION, 1, 60000000000, "0s",
		"f:1:4: 'k' cannot be 0: it wants a time from 1ns to 1m, with its unit, such as "
		"500ms, 10s, 5m or 1h");
	refuses(DURATION, 0, 60000000000, "2m",
		"f:1:4: 'k' wants a time from 0ns to 1m, with its unit, such as 500ms, 10s, 5m or "
		"1h, not '2m'");
}

static void test_percent(void **state)
{
	static const char *const wrong[] = {"101", "101%", "6%%", "-1%", "0.5%", "six"};
	char expected[128];

	(void)state;
	takes(PERCENT, "6%", 6);
	takes(PERCENT, "6", 6);
	takes(PERCENT, "0%", 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(expected, sizeof(expected),
			"f:1:4: 'k' wants a percentage from 0 to 100%%, such as 6%%, not '%s'",
			wrong[i]);
		refuses(PERCENT, 0, 100, wrong[i], expected);
	}
}

static void check_range(const char *text, uint64_t start, uint64_t size, const char *wanted)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	struct yaml_range range = {0x5a, 0x5a};
	struct error err;
	char line[256];
	int r;

	snprintf(line, sizeof(line), "- %s", text);
	yaml = good(line);
	r = yaml_get_range(yaml_root(yaml)->first, &range, &err);
	if (wanted) {
		snprintf(line, sizeof(line), "f:1:3: %s is wanted here, not '%s'", wanted, text);
		check_error(r, &err, line, "");
		start = size = 0x5a;
	} else if (r < 0) {
		fail_msg("%s: %s", text, err.text);
	}
	assert_true(range.start == start && range.size == size);
}

static void test_range(void **state)
{
	static const char *const wrong[] = {"0x1000", "0x1000+", "+4K", "0x1000 + 4K",
		"1000-0x1fffK", "0x+1", "4K+4K", "x", "0x1000..0x1fff", "0x1000-0x1fff-0x2fff"};
	static const char *const empty[] = {"0x1000+0", "0x2000-0x1fff", "0xffffffffffffffff+2",
		"0-0xffffffffffffffff", "0x10000000000000000+1", "0x1000+16384P",
		"0x1000+99999999999999999999"};

	(void)state;
	check_range("0x1000+4K", 0x1000, 0x1000, NULL);
	check_range("0x1000-0x1fff", 0x1000, 0x1000, NULL);
	check_range("4096+4096", 0x1000, 0x1000, NULL);
	check_range("0XaBc+0x10", 0xabc, 0x10, NULL);
	check_range("0+1", 0, 1, NULL);
	check_range("0-0", 0, 1, NULL);
	check_range("0xffffffffffffffff+1", UINT64_MAX, 1, NULL);
	check_range("1-0xffffffffffffffff", 1, UINT64_MAX, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		check_range(
			wrong[i], 0, 0, "a range of addresses, such as 0x1000+4K or 0x1000-0x1fff");
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++)
		check_range(empty[i], 0, 0,
			"a range that is not empty, ends behind its start, and below 2^64");
}

static void test_string(void **state)
{
	_cleanup_(yaml_free) struct yaml *yaml =
		good("a: db*\nb: ''\nc:\nd: 'null'\ne: twelve letters\nf: 12\ng: null");
	const struct yaml_node *root = yaml_root(yaml);
	const char *text = NULL;
	struct error err;

	(void)state;
	assert_int_equal(yaml_get_string(yaml_find(root, "a"), 3, &text, &err), 0);
	assert_string_equal(text, "db*");
	assert_int_equal(yaml_get_string(yaml_find(root, "d"), 8, &text, &err), 0);
	assert_string_equal(text, "null");
	assert_int_equal(yaml_get_string(yaml_find(root, "f"), 8, &text, &err), 0);
	assert_string_equal(text, "12");
	check_error(yaml_get_string(yaml_find(root, "b"), 8, &text, &err), &err,
		"f:2:4: 'b' wants a text of 1 to 8 bytes, not ''", "");
	check_error(yaml_get_string(yaml_find(root, "c"), 8, &text, &err), &err,
		"f:3:1: 'c' wants a text of 1 to 8 bytes, not nothing", "");
	check_error(yaml_get_string(yaml_find(root, "e"), 8, &text, &err), &err,
		"f:5:4: 'e' wants a text of 1 to 8 bytes, not 'twelve letters'", "");
	check_error(yaml_get_string(yaml_find(root, "g"), 8, &text, &err), &err,
		"f:7:4: 'g' wants a text of 1 to 8 bytes, not nothing", "");
	assert_string_equal(text, "12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_not_supported),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_walk_errors),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_bytes_values),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
