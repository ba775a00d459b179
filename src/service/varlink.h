/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire format of varlink.org: JSON objects, each with a NUL behind it, over a stream socket.
 * Only the format: nothing here knows of sockets, or of what is called. Bytes come from others, so
 * each message is bounded in size and depth, and must be UTF-8.
 */
#ifndef SERVICE_VARLINK_H
#define SERVICE_VARLINK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#define VARLINK_CALL_MAX  (64u << 10) /* bytes of a call, its NUL included */
#define VARLINK_REPLY_MAX (16u << 20) /* of a reply: what systemd's client takes */
#define VARLINK_DEPTH     16

#define VARLINK_SERVICE "org.varlink.service"

static inline void cleanup_json_object(struct json_object **object)
{
	json_object_put(*object);
}
#define _cleanup_json_object_ __attribute__((cleanup(cleanup_json_object)))

/* ---- messages out of bytes ---- */

/* Bytes that came and are not taken yet. Zeroes and `max`, the largest message, begin one. */
struct varlink_input {
	size_t max;
	char *bytes;
	size_t start, end, capacity;
	size_t scanned; /* from start on: no NUL is among them */
};

void varlink_input_free(struct varlink_input *input);

/* Where the next bytes go, and how many there is room for (never 0). -ENOMEM. */
int varlink_input_room(struct varlink_input *input, char **ret, size_t *ret_size);
/* So many were put there. */
void varlink_input_add(struct varlink_input *input, size_t n);
/* Whether bytes are there; whether a whole message is, or what next() fails at. */
bool varlink_input_is_partial(const struct varlink_input *input);
bool varlink_input_has(struct varlink_input *input);

/* 1: *ret is the next message, an object, the caller's. 0: there is no whole one. -EMSGSIZE: it is
 * larger than max; -EBADMSG: it is none. After an error nothing more can be read. */
int varlink_input_next(struct varlink_input *input, struct json_object **ret);

/* ---- calls ---- */

struct varlink_call {
	const char *method;             /* the message's, as is what follows */
	struct json_object *parameters; /* NULL: none */
	bool more, oneway, upgrade;
};

/* -EBADMSG: the message is no call. */
int varlink_call_read(struct varlink_call *ret, struct json_object *message);

/* The name of the interface that a method is of: what is before its last dot. Its length; 0 if
 * there is none. */
size_t varlink_interface_length(const char *method);

/* ---- replies ---- */

struct varlink_reply {
	const char *error; /* the message's; NULL: it went well */
	struct json_object *parameters;
	bool continues;
};

/* -EBADMSG: the message is no reply. */
int varlink_reply_read(struct varlink_reply *ret, struct json_object *message);

/* ---- parameters ---- */

/* Absent, or null: *ret stays as it is. -EINVAL: of another type. */
int varlink_get_bool(struct json_object *parameters, const char *key, bool *ret);
int varlink_get_string(struct json_object *parameters, const char *key, const char **ret);

#endif
