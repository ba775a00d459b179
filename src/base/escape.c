/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static bool is_harmless(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} harmful[] = {
		{0x00, 0x1f},
		{0x7f, 0x9f}, /* C0, DEL, C1 */
		{0xad, 0xad},
		{0x61c, 0x61c}, /* soft hyphen, Arabic letter mark */
		{0x115f, 0x1160},
		{0x180b, 0x180f}, /* invisible letters */
		{0x200b, 0x200f},
		{0x2028, 0x202e}, /* zero width, line ends, direction */
		{0x2060, 0x206f},
		{0x3164, 0x3164},
		{0xd800, 0xf8ff}, /* private use */
		{0xfe00, 0xfe0f},
		{0xfeff, 0xfeff},
		{0xffa0, 0xffa0},
		{0xfff0, 0xffff},
		{0x1d173, 0x1d17a},
		{0xe0000, 0x10ffff},
	};

	for (size_t i = 0; i < sizeof(harmful) / sizeof(*harmful); i++)
		if (code >= harmful[i].first && code <= harmful[i].last)
			return false;
	return true;
}

char *escape(const char *text, char *out, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t used = 0;

	while (*at) {
		uint32_t code;
		size_t length = utf8_decode(at, 4, &code);

		if (length && is_harmless(code) && code != '\\') {
			if (used + length >= size)
				break;
			memcpy(out + used, at, length);
			used += length;
			at += length;
			continue;
		}
		if (used + 4 >= size)
			break;
		if (*at == '\\')
			used += (size_t)snprintf(out + used, 3, "\\\\");
		else
			used += (size_t)snprintf(out + used, 5, "\\x%02x", *at);
		at++;
	}
	if (size)
		out[used] = '\0';
	return out;
}

void escape_xml(FILE *out, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			fputc(*text, out);
		}
}
