/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

void text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){};
}

static bool resize(struct text *text, size_t size)
{
	char *grown = realloc(text->bytes, size);

	if (!grown)
		return false;
	text->bytes = grown;
	text->size = size;
	return true;
}

bool text_grow(struct text *text, size_t n)
{
	size_t size = text->size ? text->size : 4096;

	while (size - text->n < n)
		size *= 2;
	text->failed = !resize(text, size);
	return !text->failed;
}

void text_reserve(struct text *text, size_t n)
{
	if (n > text->size)
		resize(text, n);
}

void text_number(struct text *text, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	text_put(text, digits + at, sizeof(digits) - at);
}

void text_seconds(struct text *text, uint64_t ns)
{
	char digits[10] = ".";
	uint64_t rest = ns % 1000000000;
	size_t n = sizeof(digits);

	text_number(text, ns / 1000000000);
	if (!rest)
		return;
	for (size_t i = n; i-- > 1; rest /= 10)
		digits[i] = (char)('0' + rest % 10);
	while (digits[n - 1] == '0')
		n--;
	text_put(text, digits, n);
}

char *metrics_label(const char *bytes, char out[METRICS_LABEL_SIZE])
{
	char shown[METRICS_LABEL_MAX + 1], *to = out;

	escape(bytes, shown, sizeof(shown)); /* without line ends */
	for (const char *at = shown; *at; at++) {
		if (*at == '\\' || *at == '"')
			*to++ = '\\';
		*to++ = *at;
	}
	*to = '\0';
	return out;
}
