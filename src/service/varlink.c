/* SPDX-License-Identifier: GPL-2.0-only */
#include "service/varlink.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define ROOM_MIN 4096u

/* ---- messages out of bytes ---- */

void varlink_input_free(struct varlink_input *input)
{
	free(input->bytes);
	*input = (struct varlink_input){.max = input->max};
}

int varlink_input_room(struct varlink_input *input, char **ret, size_t *ret_size)
{
	size_t capacity = input->capacity ?: ROOM_MIN;
	char *bytes;

	if (input->start == input->end)
		input->start = input->end = 0;
	if (input->end == input->capacity && input->start) {
		memmove(input->bytes, input->bytes + input->start, input->end - input->start);
		input->end -= input->start;
		input->start = 0;
	}
	if (input->end == input->capacity) {
		capacity = input->capacity ? capacity * 2 : capacity;
		bytes = realloc(input->bytes, capacity);
		if (!bytes)
			return -ENOMEM;
		input->bytes = bytes;
		input->capacity = capacity;
	}
	*ret = input->bytes + input->end;
	*ret_size = input->capacity - input->end;
	return 0;
}

void varlink_input_add(struct varlink_input *input, size_t n)
{
	input->end += n;
}

bool varlink_input_is_partial(const struct varlink_input *input)
{
	return input->end > input->start;
}

static void cleanup_tokener(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

/* One JSON object, whole, and nothing beside it. */
static struct json_object *parse(const char *text, size_t size)
{
	_cleanup_(cleanup_tokener) struct json_tokener *tokener =
		json_tokener_new_ex(VARLINK_DEPTH);
	_cleanup_json_object_ struct json_object *object = NULL;

	if (!tokener || !size)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
		json_tokener_get_parse_end(tokener) != size ||
		!json_object_is_type(object, json_type_object))
		return NULL;
	return TAKE_PTR(object);
}

/* Bytes of the next message, without its NUL; what is there of it, if that is not there yet. */
static size_t next_size(struct varlink_input *input, bool *ret_is_whole)
{
	size_t have = input->end - input->start;
	const char *at, *nul = NULL;

	*ret_is_whole = false;
	if (!have)
		return 0;
	at = input->bytes + input->start;
	if (have > input->scanned)
		nul = memchr(at + input->scanned, '\0', have - input->scanned);
	*ret_is_whole = nul;
	input->scanned = nul ? (size_t)(nul - at) : have;
	return input->scanned;
}

bool varlink_input_has(struct varlink_input *input)
{
	bool is_whole;

	return next_size(input, &is_whole) >= input->max || is_whole;
}

int varlink_input_next(struct varlink_input *input, struct json_object **ret)
{
	struct json_object *object;
	bool is_whole;
	size_t size = next_size(input, &is_whole);

	if (size >= input->max)
		return -EMSGSIZE;
	if (!is_whole)
		return 0;
	object = parse(input->bytes + input->start, size);
	if (!object)
		return -EBADMSG;
	input->start += size + 1;
	input->scanned = 0;
	*ret = object;
	return 1;
}

/* ---- calls and replies ---- */

/* What is under key, if it is of that type. Absent: *ret stays. -EBADMSG: of another. */
static int take(
	struct json_object *message, const char *key, enum json_type type, struct json_object **ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(message, key, &value))
		return 0;
	if (!json_object_is_type(value, type))
		return -EBADMSG;
	*ret = value;
	return 0;
}

static int take_flag(struct json_object *message, const char *key, bool *ret)
{
	struct json_object *value = NULL;
	int r = take(message, key, json_type_boolean, &value);

	*ret = value && json_object_get_boolean(value);
	return r;
}

/* A name as methods, interfaces and errors have them: no NUL or other surprise is in it. */
static bool is_name(struct json_object *value)
{
	const char *text = json_object_get_string(value);
	size_t n = (size_t)json_object_get_string_len(value);

	return n &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
		       n;
}

int varlink_call_read(struct varlink_call *ret, struct json_object *message)
{
	struct json_object *method = NULL, *parameters = NULL;
	struct varlink_call call = {};

	if (take(message, "method", json_type_string, &method) || !method || !is_name(method) ||
		take(message, "parameters", json_type_object, &parameters) ||
		take_flag(message, "more", &call.more) ||
		take_flag(message, "oneway", &call.oneway) ||
		take_flag(message, "upgrade", &call.upgrade))
		return -EBADMSG;
	if (call.more + call.oneway + call.upgrade > 1)
		return -EBADMSG; /* each says otherwise how many replies there are */
	call.method = json_object_get_string(method);
	call.parameters = parameters;
	*ret = call;
	return 0;
}

size_t varlink_interface_length(const char *method)
{
	const char *dot = strrchr(method, '.');

	return dot ? (size_t)(dot - method) : 0;
}

int varlink_reply_read(struct varlink_reply *ret, struct json_object *message)
{
	struct json_object *error = NULL, *parameters = NULL;
	struct varlink_reply reply = {};

	if (take(message, "error", json_type_string, &error) || (error && !is_name(error)) ||
		take(message, "parameters", json_type_object, &parameters) ||
		take_flag(message, "continues", &reply.continues))
		return -EBADMSG;
	if (error)
		reply.error = json_object_get_string(error);
	reply.parameters = parameters;
	*ret = reply;
	return 0;
}

/* ---- parameters ---- */

int varlink_get_bool(struct json_object *parameters, const char *key, bool *ret)
{
	struct json_object *value;

	if (!parameters || !json_object_object_get_ex(parameters, key, &value) || !value)
		return 0;
	if (!json_object_is_type(value, json_type_boolean))
		return -EINVAL;
	*ret = json_object_get_boolean(value);
	return 0;
}

int varlink_get_string(struct json_object *parameters, const char *key, const char **ret)
{
	struct json_object *value;
	const char *text;

	if (!parameters || !json_object_object_get_ex(parameters, key, &value) || !value)
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return -EINVAL;
	text = json_object_get_string(value);
	if (strlen(text) != (size_t)json_object_get_string_len(value))
		return -EINVAL; /* \u0000 is in it */
	*ret = text;
	return 0;
}
