/* SPDX-License-Identifier: GPL-2.0-only */
#include "service/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define CAPACITY_MIN 8
#define PARTS_A_CALL 32 /* of sendmsg() */

/* ---- chunks ---- */

struct chunk *chunk_new(void *bytes, size_t size, size_t *account)
{
	struct chunk *chunk = malloc(sizeof(*chunk));

	if (!chunk) {
		free(bytes);
		return NULL;
	}
	*chunk = (struct chunk){.refs = 1, .size = size, .bytes = bytes, .account = account};
	if (account)
		*account += size;
	return chunk;
}

struct chunk *chunk_ref(struct chunk *chunk)
{
	chunk->refs++;
	return chunk;
}

void chunk_unref(struct chunk **ref)
{
	struct chunk *chunk = *ref;

	*ref = NULL;
	if (!chunk || --chunk->refs)
		return;
	if (chunk->account)
		*chunk->account -= chunk->size;
	free(chunk->bytes);
	free(chunk);
}

/* ---- the ring of parts ---- */

static struct outbox_part *part(const struct outbox *outbox, size_t i)
{
	return &outbox->parts[(outbox->first + i) % outbox->capacity];
}

static size_t part_size(const struct outbox_part *p)
{
	return p->head_size + p->chunk->size;
}

void outbox_free(struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->n; i++)
		chunk_unref(&part(outbox, i)->chunk);
	free(outbox->parts);
	*outbox = (struct outbox){};
}

static int grow(struct outbox *outbox)
{
	size_t capacity = outbox->capacity ? outbox->capacity * 2 : CAPACITY_MIN;
	struct outbox_part *parts = calloc(capacity, sizeof(*parts));

	if (!parts)
		return -ENOMEM;
	for (size_t i = 0; i < outbox->n; i++)
		parts[i] = *part(outbox, i);
	free(outbox->parts);
	outbox->parts = parts;
	outbox->capacity = capacity;
	outbox->first = 0;
	return 0;
}

int outbox_add(struct outbox *outbox, const void *head, size_t head_size, struct chunk *chunk,
	size_t limit)
{
	struct outbox_part *p;

	if (outbox->n >= OUTBOX_PARTS || outbox->bytes + head_size + chunk->size > limit)
		return -ENOBUFS;
	if (outbox->n == outbox->capacity && grow(outbox))
		return -ENOMEM;
	p = part(outbox, outbox->n++);
	*p = (struct outbox_part){.head_size = head_size, .chunk = chunk_ref(chunk)};
	if (head_size)
		memcpy(p->head, head, head_size);
	outbox->bytes += part_size(p);
	return 0;
}

/* The first part goes. */
static void shift(struct outbox *outbox)
{
	struct outbox_part *p = part(outbox, 0);

	outbox->bytes -= part_size(p);
	chunk_unref(&p->chunk);
	outbox->first = (outbox->first + 1) % outbox->capacity;
	outbox->n--;
	outbox->sent = 0;
	outbox->moved++;
}

/* ---- sending ---- */

/* Leaves out what was sent of it; returns how many it filled. */
static size_t fill(const struct outbox_part *p, size_t sent, struct iovec *iov)
{
	size_t n = 0;

	if (sent < p->head_size)
		iov[n++] = (struct iovec){(void *)(p->head + sent), p->head_size - sent};
	sent = sent > p->head_size ? sent - p->head_size : 0;
	if (sent < p->chunk->size)
		iov[n++] = (struct iovec){(char *)p->chunk->bytes + sent, p->chunk->size - sent};
	return n;
}

static void account(struct outbox *outbox, size_t n)
{
	outbox->bytes_sent += n;
	outbox->sent += n;
	while (outbox->n && outbox->sent >= part_size(part(outbox, 0))) {
		size_t more = outbox->sent - part_size(part(outbox, 0));

		shift(outbox);
		outbox->sent = more;
	}
}

int outbox_send(struct outbox *outbox, int fd)
{
	while (outbox->n) {
		struct iovec iov[2 * PARTS_A_CALL];
		struct msghdr message = {.msg_iov = iov};
		ssize_t n;

		for (size_t i = 0; i < outbox->n && i < PARTS_A_CALL; i++)
			message.msg_iovlen += fill(
				part(outbox, i), i ? 0 : outbox->sent, iov + message.msg_iovlen);
		n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		account(outbox, (size_t)n);
	}
	return 0;
}

size_t outbox_cut(struct outbox *outbox)
{
	size_t kept = outbox->n && outbox->sent ? 1 : 0, cut = outbox->n - kept;

	while (outbox->n > kept) {
		struct outbox_part *p = part(outbox, --outbox->n);

		outbox->bytes -= part_size(p);
		chunk_unref(&p->chunk);
	}
	return cut;
}
