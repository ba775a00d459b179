/* SPDX-License-Identifier: GPL-2.0-only */
/* Names that nobody should give a VM, but may; and what must not come out of them. */
#ifndef HOSTILE_NAMES_H
#define HOSTILE_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* The one of 64 KiB, which any list of these lacks, is made at run time. */
#define HOSTILE_LONG 65536

/* Of no more than 255 bytes each, so that they are kept whole. */
static const struct {
	const char *what;
	const char *bytes;
} hostile_names[] = {
	{"clears the screen", "\x1b[2J\x1b[H"},
	{"sets the window's title", "\x1b]0;owned\x07"},
	{"moves up and writes over", "vm\x1b[1A\x1b[2Kfake"},
	{"device control string", "\x1bP$q\"p\x1b\\"},
	{"escape at the end", "vm\x1b"},
	{"new line", "vm\nVM 2  fake[1]  exact"},
	{"carriage return", "vm\rfake"},
	{"tab, vertical tab, form feed", "a\tb\vc\f"},
	{"backspaces", "vm\b\bfake"},
	{"all of C0", "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"
		      "\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f"},
	{"delete", "vm\x7f\x7f"},
	{"C1 as UTF-8", "\xc2\x9b"
			"31m\xc2\x85"},
	{"C1 as bytes", "\x9b"
			"31m\x90\x9d"},
	{"right to left override", "vm\xe2\x80\xae"
				   "drowssap"},
	{"all embeddings", "\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae"},
	{"all isolates", "\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9"},
	{"marks of direction", "\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c"},
	{"zero width", "v\xe2\x80\x8bm\xe2\x80\x8c\xe2\x80\x8d\xe2\x81\xa0\xef\xbb\xbf"},
	{"line and paragraph separator", "a\xe2\x80\xa8"
					 "b\xe2\x80\xa9"},
	{"tags", "vm\xf3\xa0\x81\xa1\xf3\xa0\x81\xbf"},
	{"not UTF-8", "\xff\xfe\x80\xbf"},
	{"Latin-1", "J\xfcrgen"},
	{"overlong slash", "\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf"},
	{"overlong escape", "\xc0\x9b[2J"},
	{"surrogates", "\xed\xa0\xbd\xed\xb8\x80"},
	{"above U+10FFFF", "\xf4\x90\x80\x80\xf8\x88\x80\x80\x80"},
	{"noncharacters", "\xef\xbf\xbe\xef\xbf\xbf"},
	{"character cut short", "vm\xe2\x80"},
	{"character cut by another", "\xe2\x80\xe2\x80\xae\xf0\x9f\xc2\x9b"},
	{"four bytes that are fine", "\xf0\x9f\x98\x80"},
	{"backslashes", "\\x1b[2J\\\\\\"},
	{"quotes", "\"'`"},
	{"JSON", "\",\"state\":\"exact\"}\n{\"a\":\""},
	{"format", "%s%n%99999999d"},
	{"shell", "$(reboot);`reboot`|reboot&"},
	{"path", "../../../../etc/passwd"},
	{"option", "-name"},
	{"long option", "--id=x"},
	{"end of options", "--"},
	{"key and value", "guest=x,debug-threads=on"},
	{"commas", ",,,"},
	{"comma at the end", "a,"},
	{"equals sign", "="},
	{"scope", "machine-qemu\\x2d1\\x2dfake.scope"},
	{"only a space", " "},
	{"spaces around", "  vm  "},
	{"HTML", "<script>alert(1)</script>"},
};

/* What is wrong with a text that is to be shown, NULL if nothing. */
static inline const char *hostile_complaint(const char *shown)
{
	static const struct {
		uint32_t first, last;
		const char *what;
	} bad[] = {
		{0x00, 0x1f, "control character"},
		{0x7f, 0x9f, "delete, or control character"},
		{0x200b, 0x200f, "zero width, or mark of direction"},
		{0x202a, 0x202e, "embedding or override"},
		{0x2066, 0x2069, "isolate"},
		{0xd800, 0xdfff, "surrogate"},
		{0x110000, UINT32_MAX, "above U+10FFFF"},
	};
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

	for (const unsigned char *at = (const unsigned char *)shown; *at;) {
		int more = *at < 0x80 ? 0 : *at < 0xc0 ? 4 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
		uint32_t code = more ? *at & (0x3fu >> more) : *at;

		if (more > 3 || *at > 0xf7)
			return "no character";
		at++;
		for (int i = 0; i < more; i++, at++) {
			if ((*at & 0xc0) != 0x80)
				return "character cut short";
			code = code << 6 | (*at & 0x3f);
		}
		if (code < least[more])
			return "overlong character";
		for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
			if (code >= bad[i].first && code <= bad[i].last)
				return bad[i].what;
	}
	return NULL;
}

#endif
