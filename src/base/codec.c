/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES 10 /* of a 64-bit number, at the most */

void codec_fail(struct codec *codec, int error, const char *wrong)
{
	if (codec->error || !error)
		return;
	codec->error = error;
	codec->wrong = wrong;
	codec->at = codec->end; /* nothing more is loaded */
}

void codec_check(struct codec *codec, bool good, const char *wrong)
{
	if (codec_loads(codec) && !good)
		codec_fail(codec, -EBADMSG, wrong);
}

static void save_value(struct codec *codec, uint64_t value)
{
	uint8_t *at = codec->error ? NULL : buffer_reserve(codec->out, VALUE_BYTES);
	size_t n = 0;

	if (!at) {
		codec_fail(codec, -ENOMEM, "out of memory");
		return;
	}
	for (; value >= 0x80; value >>= 7)
		at[n++] = (uint8_t)value | 0x80;
	at[n++] = (uint8_t)value;
	codec->out->size += n;
}

static uint64_t load_value(struct codec *codec)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; codec->at < codec->end; shift += 7) {
		uint8_t byte = *codec->at++;

		if (shift == 63 && byte > 1)
			break; /* more than 64 bits */
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (!byte && shift)
			break; /* it can be written shorter */
		return value;
	}
	codec_fail(codec, -EBADMSG, "a number is cut or too long");
	return 0;
}

uint64_t codec_value(struct codec *codec, uint64_t value, uint64_t most)
{
	if (!codec_loads(codec)) {
		save_value(codec, value);
		return value;
	}
	if (codec->error)
		return 0;
	value = load_value(codec);
	if (value <= most)
		return value;
	codec_fail(codec, -EBADMSG, "a number is out of its range");
	return 0;
}

void codec_bytes(struct codec *codec, void *bytes, size_t n)
{
	if (!codec_loads(codec)) {
		if (!codec->error)
			codec_fail(codec, buffer_put(codec->out, bytes, n), "out of memory");
	} else if ((size_t)(codec->end - codec->at) < n) {
		codec_fail(codec, -EBADMSG, "it ends too early");
		memset(bytes, 0, n);
	} else if (n) {
		memcpy(bytes, codec->at, n);
		codec->at += n;
	}
}

void codec_list(struct codec *codec, void **list, size_t *n, size_t most, size_t entry_size)
{
	size_t count = codec_value(codec, *n, most);

	if (!codec_loads(codec))
		return;
	if (count > (size_t)(codec->end - codec->at)) {
		codec_fail(codec, -EBADMSG, "a list is longer than all that is left");
		count = 0;
	}
	*n = 0;
	if (!count)
		return;
	*list = calloc(count, entry_size);
	if (*list)
		*n = count;
	else
		codec_fail(codec, -ENOMEM, "out of memory");
}
