/* SPDX-License-Identifier: GPL-2.0-only */
/* Hostile names, and what is shown of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "output/output.h"

static void test_table(void **state)
{
	static const struct {
		const char *name, *shown;
	} table[] = {
		{"", ""},
		{"qemu-system-x86", "qemu-system-x86"},
		{"J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80",
			"J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"},
		{"a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"},
		{"\x7f", "\\x7f"},
		{"\xc2\x9b"
		 "31m",
			"\\xc2\\x9b31m"}, /* C1 control */
		{"\xe2\x80\xae"
		 "drowssap",
			"\\xe2\\x80\\xaedrowssap"},           /* right to left */
		{"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},          /* zero width */
		{"\xff\xfe", "\\xff\\xfe"},                   /* not UTF-8 */
		{"\xc0\xaf", "\\xc0\\xaf"},                   /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
		{"\xe2\x82", "\\xe2\\x82"},                   /* cut short */
		{"back\\slash", "back\\\\slash"},
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_string_equal(escape(table[i].name, out, sizeof(out)), table[i].shown);
}

static void test_cut_is_whole(void **state)
{
	char out[16];

	(void)state;
	assert_string_equal(escape("\x01\x02\x03", out, 8), "\\x01");
	assert_string_equal(escape("ab\xe2\x82\xac", out, 5), "ab");
	assert_string_equal(escape("abc", out, 1), "");
}

/* Whatever goes in, what comes out has no control characters and fits. */
static void test_random(void **state)
{
	char name[64], out[ESCAPED_SIZE(64)];

	(void)state;
	srandom(7);
	for (int i = 0; i < 200000; i++) {
		size_t n = (size_t)random() % (sizeof(name) - 1);

		for (size_t j = 0; j < n; j++)
			name[j] = (char)(random() % 255 + 1);
		name[n] = '\0';
		escape(name, out, sizeof(out));
		assert_true(strlen(out) < sizeof(out));
		for (const char *at = out; *at; at++)
			assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
	}
}

static void test_sizes(void **state)
{
	char text[24];

	(void)state;
	assert_string_equal(bytes_exact(0, text), "0");
	assert_string_equal(bytes_exact(4096, text), "4K");
	assert_string_equal(bytes_exact(4097, text), "4097");
	assert_string_equal(bytes_exact(3ull << 30, text), "3G");
	assert_string_equal(bytes_short(1536, text), "1.5K");
	assert_string_equal(bytes_short(64ull << 20, text), "64M");
	assert_string_equal(duration_short(999, text), "999ns");
	assert_string_equal(duration_short(1500000, text), "1.5ms");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_cut_is_whole),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
