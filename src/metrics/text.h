/* SPDX-License-Identifier: GPL-2.0-only */
/* Text that grows: a scrape of many VMs is megabytes, which printf() would take too long for. */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
	char *bytes;
	size_t n, size;
	bool failed; /* out of memory: the text is not whole */
};

/* Fits _cleanup_(). */
void text_free(struct text *text);

/* Room for so many bytes, if that can be had. */
void text_reserve(struct text *text, size_t n);

/* Makes room for so many more; false: out of memory. */
bool text_grow(struct text *text, size_t n);

static inline void text_put(struct text *text, const char *bytes, size_t n)
{
	if (!n || text->failed || (text->size - text->n < n && !text_grow(text, n)))
		return;
	memcpy(text->bytes + text->n, bytes, n);
	text->n += n;
}

static inline void text_string(struct text *text, const char *string)
{
	text_put(text, string, strlen(string));
}

void text_number(struct text *text, uint64_t number);

/* Nanoseconds as seconds, exact: "1.5", "0.000001024". */
void text_seconds(struct text *text, uint64_t ns);

/* Other people's bytes as the value of a label, without its quotes: as escape() shows them, cut to
 * METRICS_LABEL_MAX bytes, then escaped once more as the format wants it. Returns out. */
#define METRICS_LABEL_MAX  128
#define METRICS_LABEL_SIZE (2 * METRICS_LABEL_MAX + 1)
char *metrics_label(const char *bytes, char out[METRICS_LABEL_SIZE]);

#endif
