/* SPDX-License-Identifier: GPL-2.0-only */
/* Pieces of text, and the part of a name that is kept. */
#include <string.h>

#include "capture/identity_private.h"

bool span_starts(struct span span, const char *prefix)
{
	size_t n = strlen(prefix);

	return span.size >= n && !memcmp(span.at, prefix, n);
}

bool span_ends(struct span span, const char *suffix)
{
	size_t n = strlen(suffix);

	return span.size >= n && !memcmp(span.at + span.size - n, suffix, n);
}

bool span_equals(struct span span, const char *text)
{
	return span.size == strlen(text) && span_starts(span, text);
}

struct span span_skip(struct span span, size_t n)
{
	return (struct span){span.at + n, span.size - n};
}

struct span span_without(struct span span, const char *suffix)
{
	if (span_ends(span, suffix))
		span.size -= strlen(suffix);
	return span;
}

struct span span_before(struct span span, char byte)
{
	const char *end = span.size ? memchr(span.at, byte, span.size) : NULL;

	if (end)
		span.size = (size_t)(end - span.at);
	return span;
}

bool span_next(struct span *rest, char end, struct span *ret)
{
	struct span piece = span_before(*rest, end);

	if (!rest->size)
		return false;
	*rest = span_skip(*rest, piece.size < rest->size ? piece.size + 1 : piece.size);
	*ret = piece;
	return true;
}

struct span span_base_name(struct span path)
{
	const char *slash = path.size ? memrchr(path.at, '/', path.size) : NULL;

	return slash ? span_skip(path, (size_t)(slash - path.at) + 1) : path;
}

/* ---- what is kept ---- */

static void put(struct text *text, char byte)
{
	if (text->size < sizeof(text->bytes))
		text->bytes[text->size] = (unsigned char)byte;
	text->size++;
}

/* Length of the character of several bytes at the beginning, 0 if there is none. */
static size_t utf8_length(const unsigned char *bytes, size_t size)
{
	unsigned char lead = bytes[0];
	unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;

	if (!length || length > size || bytes[1] < low || bytes[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

/* Where to cut a text that is longer than at: before the character that at would split. */
static size_t cut_before(const struct text *text, size_t at)
{
	size_t have = text->size < sizeof(text->bytes) ? text->size : sizeof(text->bytes);

	for (size_t back = 1; back < 4; back++)
		if (utf8_length(text->bytes + at - back, have - (at - back)) > back)
			return at - back;
	return at;
}

bool name_keep(const struct text *text, char out[IDENTITY_NAME_MAX])
{
	bool cut = text->size > IDENTITY_NAME_MAX - 1;
	size_t n = cut ? cut_before(text, IDENTITY_NAME_MAX - 1) : text->size;

	memcpy(out, text->bytes, n);
	out[n] = '\0';
	return cut;
}

/* The ways to write a name. */

void name_plain(struct text *text, struct span span)
{
	for (size_t i = 0; i < span.size; i++)
		put(text, span.at[i]);
}

void name_doubled(struct text *text, struct span span)
{
	for (size_t i = 0; i < span.size; i++) {
		put(text, span.at[i]);
		if (span.at[i] == ',' && i + 1 < span.size && span.at[i + 1] == ',')
			i++;
	}
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

char span_escaped_byte(struct span span)
{
	int high, low;

	if (span.size < 4 || !span_starts(span, "\\x"))
		return '\0';
	high = hex_digit(span.at[2]);
	low = hex_digit(span.at[3]);
	return high < 0 || low < 0 ? '\0' : (char)(high << 4 | low);
}

void name_escaped(struct text *text, struct span span)
{
	while (span.size) {
		char byte = span_escaped_byte(span);

		put(text, byte ? byte : *span.at);
		span = span_skip(span, byte ? 4 : 1);
	}
}

void identity_set_name(struct identity *ret, struct span name, enum identity_source source,
	void (*write)(struct text *, struct span))
{
	struct text text = {0};

	write(&text, name);
	if (!text.size)
		return;
	ret->name_cut = name_keep(&text, ret->name);
	ret->source = source;
}

bool identity_set_uuid(struct identity *ret, struct span uuid)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	_Static_assert(sizeof(form) == sizeof(ret->uuid), "room for a UUID");
	if (uuid.size != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < uuid.size; i++)
		if (form[i] == '-' ? uuid.at[i] != '-' : hex_digit(uuid.at[i]) < 0)
			return false;
	for (size_t i = 0; i < uuid.size; i++)
		ret->uuid[i] =
			(char)(form[i] == '-' ? '-' : "0123456789abcdef"[hex_digit(uuid.at[i])]);
	return true;
}
