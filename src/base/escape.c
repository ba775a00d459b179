/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Length of the UTF-8 character at text, and its code; 0 if it is none (Unicode 15, table 3-7). */
static size_t decode(const unsigned char *text, uint32_t *ret_code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = text[0] < 0x80       ? 1
			: text[0] >> 5 == 6  ? 2
			: text[0] >> 4 == 14 ? 3
			: text[0] >> 3 == 30 ? 4
					     : 0;
	uint32_t code = length == 1 ? text[0] : text[0] & (0x7fu >> length);

	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (!length || code < least[length] || code > 0x10ffff ||
		(code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return length;
}

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
		size_t length = decode(at, &code);

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
