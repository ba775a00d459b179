/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is on its way to a client. Bytes that many clients get are there once: each client's outbox
 * has its own head for them (a block's place in its stream) and a reference.
 */
#ifndef SERVICE_OUTBOX_H
#define SERVICE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTBOX_HEAD  56   /* bytes of a part that are one client's own, at most */
#define OUTBOX_PARTS 1024 /* wait at most */

struct chunk {
	size_t refs, size;
	void *bytes;
	size_t *account; /* holds size for as long as the chunk is there; NULL: nobody counts */
};

/* bytes are malloc()ed, and taken, also on failure. NULL: no memory. One reference, the caller's.
 */
struct chunk *chunk_new(void *bytes, size_t size, size_t *account);
struct chunk *chunk_ref(struct chunk *chunk);
void chunk_unref(struct chunk **chunk);

struct outbox_part {
	uint8_t head[OUTBOX_HEAD];
	size_t head_size;
	struct chunk *chunk;
};

/* Zeroes begin one. */
struct outbox {
	struct outbox_part *parts; /* a ring */
	size_t first, n, capacity;
	size_t sent;    /* of the first part */
	size_t bytes;   /* of all parts */
	uint64_t moved; /* parts that went, in all */
	uint64_t bytes_sent;
};

void outbox_free(struct outbox *outbox);

/* Adds a part; chunk gets a reference. limit: bytes that may wait with it. -ENOBUFS: more would;
 * -ENOMEM. */
int outbox_add(struct outbox *outbox, const void *head, size_t head_size, struct chunk *chunk,
	size_t limit);

/* Sends what the socket takes. 0: all of it; -EAGAIN: not all; -errno. */
int outbox_send(struct outbox *outbox, int fd);

/* Forgets all parts but one that was sent in part; returns how many. */
size_t outbox_cut(struct outbox *outbox);

static inline bool outbox_is_empty(const struct outbox *outbox)
{
	return !outbox->n;
}

#endif
