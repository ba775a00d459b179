/* SPDX-License-Identifier: GPL-2.0-only */
/* Between calls.c, which takes calls and sends replies, and methods.c, which has what can be
 * called. */
#ifndef SERVICE_CALLS_H
#define SERVICE_CALLS_H

#include "base/cleanup.h"
#include "service/server_private.h"

#define PARAMETERS_MAX 3

/* A call that is being answered. */
struct exchange {
	struct client *client;
	const struct varlink_call *call;
	FILE *out;         /* members of the reply's parameters go here */
	const char *error; /* what it failed with, of our interface; NULL: "Failed" */
	struct error err;
	const char *no_interface; /* that was asked for, and is none of ours; NULL: it is not so */
};

struct parameter {
	const char *name; /* NULL behind the last */
	bool is_flag;     /* else it is a string */
};

struct method {
	const char *name;
	enum access access;
	bool more, upgrade; /* it takes only this */
	struct parameter parameters[PARAMETERS_MAX + 1];
	/* 0, or a negative errno: request->err says why. */
	int (*run)(struct exchange *request);
};

/* Behind the last one is one without a name. */
extern const struct method methods[];

/* ---- parameters: their types were looked at before; NULL and false: not given ---- */

const char *exchange_string(const struct exchange *request, const char *key);
bool exchange_bool(const struct exchange *request, const char *key);

/* ---- members of a reply's parameters ---- */

void exchange_put_string(struct exchange *request, const char *key, const char *value);
/* Lines, each one JSON object, as the array or (single) the object that they are. */
void exchange_put_lines(
	struct exchange *request, const char *key, const char *lines, size_t size, bool single);

/* Text that others write into a FILE. */
struct written {
	FILE *out;
	char *bytes;
	size_t size;
};

/* 0, or a negative errno with request->err filled. */
int written_open(struct written *text, struct exchange *request);
int written_close(struct written *text, struct exchange *request);
void written_free(struct written *text);

#define _cleanup_written_ _cleanup_(written_free)

#endif
