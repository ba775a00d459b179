/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is in memory to bytes and back, by one description: a function names its fields in order,
 * and a codec that saves appends them to a buffer, one that loads fills them from bytes. So the two
 * directions cannot differ.
 *
 * Loading trusts nothing: each number has an upper limit, no list has more entries than there are
 * bytes left. The first thing that is wrong stays; all that is loaded after it is 0, so that a
 * function needs to look only before it uses what it got.
 *
 * Numbers are LEB128: seven bits to a byte, the lowest first, in as few bytes as will do.
 */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct codec {
	struct buffer *out;      /* NULL: this one loads */
	const uint8_t *at, *end; /* what is left to load */
	int error;               /* 0; else the first one: -ENOMEM, -EBADMSG */
	const char *wrong;       /* what was: in words, for -EBADMSG */
};

static inline struct codec codec_saving(struct buffer *out)
{
	return (struct codec){.out = out};
}

static inline struct codec codec_loading(const void *bytes, size_t n)
{
	return (struct codec){.at = bytes, .end = (const uint8_t *)bytes + n};
}

static inline bool codec_loads(const struct codec *codec)
{
	return !codec->out;
}

/* Saves value and returns it; or returns one that was loaded, which is not above most. */
uint64_t codec_value(struct codec *codec, uint64_t value, uint64_t most);

/* A field of any type that holds numbers, with its upper limit: of an enum, its last value. */
#define CODE_UPTO(codec, field, most)                                              \
	do {                                                                       \
		uint64_t value_ = codec_value((codec), (uint64_t)(field), (most)); \
		if (codec_loads(codec))                                            \
			(field) = (typeof(field))value_;                           \
	} while (0)

/* A field of an integer type, bool included, that may have any value of it. */
#define CODE(codec, field) CODE_UPTO(codec, field, (uint64_t)(typeof(field))-1)

/* An array of them. */
#define CODE_ARRAY(codec, array)                                                 \
	do {                                                                     \
		for (size_t i_ = 0; i_ < sizeof(array) / sizeof(*(array)); i_++) \
			CODE(codec, (array)[i_]);                                \
	} while (0)

/* n bytes as they are. */
void codec_bytes(struct codec *codec, void *bytes, size_t n);

/* A list's length. Loading: allocates it, *list was NULL, zeroed, with room for at least one. */
void codec_list(struct codec *codec, void **list, size_t *n, size_t most, size_t entry_size);
#define CODE_LIST(codec, list, n, most)                                     \
	do {                                                                \
		void *list_ = (list);                                       \
		codec_list((codec), &list_, &(n), (most), sizeof(*(list))); \
		if (codec_loads(codec))                                     \
			(list) = list_;                                     \
	} while (0)

/* Loading: what was loaded is wrong unless good. Saving: nothing. */
void codec_check(struct codec *codec, bool good, const char *wrong);

/* An error of a function that helped. */
void codec_fail(struct codec *codec, int error, const char *wrong);

#endif
