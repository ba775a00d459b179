/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes that grow. Zero-initialized; buffer_free() fits _cleanup_(). */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
	uint8_t *bytes;
	size_t size, room;
};

/* Makes room for n more bytes and returns where they belong; size does not change. NULL: no memory.
 */
uint8_t *buffer_reserve(struct buffer *buffer, size_t n);

/* Appends. -ENOMEM, and the buffer is as it was. */
int buffer_put(struct buffer *buffer, const void *bytes, size_t n);

void buffer_free(struct buffer *buffer);

#define _cleanup_buffer_ __attribute__((cleanup(buffer_free)))

#endif
