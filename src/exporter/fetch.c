/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "base/cleanup.h"
#include "exporter/exporter.h"
#include "service/client.h"

static void put_json(json_object **object)
{
	json_object_put(*object);
}

int fetch_metrics(const char *path, int timeout_ms, struct text *ret, struct error *err)
{
	_cleanup_(daemon_client_free) struct daemon_client *client = NULL;
	_cleanup_(put_json) json_object *reply = NULL;
	json_object *text;
	int r = daemon_client_new(&client, path, err);

	if (!r)
		r = daemon_client_call(client, "Metrics", NULL, timeout_ms, &reply, err);
	if (r)
		return r;
	if (!json_object_object_get_ex(reply, "text", &text) ||
		!json_object_is_type(text, json_type_string))
		return error_set(err, -EBADMSG, "the daemon's answer has no text");
	text_put(ret, json_object_get_string(text), (size_t)json_object_get_string_len(text));
	return ret->failed ? error_set(err, -ENOMEM, "out of memory") : 0;
}
