/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MAX */

#define BUFFER_LEAST 1024u

uint8_t *buffer_reserve(struct buffer *buffer, size_t n)
{
	if (n > SIZE_MAX / 4 - buffer->size)
		return NULL;
	if (buffer->room - buffer->size < n) {
		size_t room = MAX(MAX(buffer->size + n, 2 * buffer->room), BUFFER_LEAST);
		uint8_t *grown = realloc(buffer->bytes, room);

		if (!grown)
			return NULL;
		buffer->bytes = grown;
		buffer->room = room;
	}
	return buffer->bytes + buffer->size;
}

int buffer_put(struct buffer *buffer, const void *bytes, size_t n)
{
	uint8_t *at = buffer_reserve(buffer, n);

	if (!at)
		return -ENOMEM;
	if (n)
		memcpy(at, bytes, n);
	buffer->size += n;
	return 0;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){};
}
