/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/policy_request.h"

#include <json-c/json.h>

#include "base/cleanup.h"
#include "cli/remote.h"
#include "service/client.h"

int policy_request(const struct options *options, const char *method,
	struct json_object *parameters, struct json_object **ret, struct error *err)
{
	_cleanup_(daemon_client_free) struct daemon_client *client = NULL;
	int r = remote_open(&client, options, err);

	if (r <= 0) {
		json_object_put(parameters);
		return r;
	}
	r = daemon_client_call(client, method, parameters, POLICY_TIMEOUT_MS, ret, err);
	return r ? r : 1;
}

static const struct {
	const char *method, *mode;
} methods[SERVER_CHANGES] = {
	[CHANGE_FREEZE] = {"Freeze", NULL},
	[CHANGE_RELEASE] = {"Release", NULL},
	[CHANGE_BASELINE] = {"Baseline", NULL},
	[CHANGE_MONITOR] = {"Mode", "monitor"},
	[CHANGE_ENFORCE] = {"Mode", "enforce"},
};

int policy_request_change(const struct options *options, enum server_change what, const char *vm,
	FILE *said, struct error *err)
{
	struct json_object *parameters = json_object_new_object(), *reply = NULL;
	int r;

	if (vm)
		json_object_object_add(parameters, "vm", json_object_new_string(vm));
	if (methods[what].mode)
		json_object_object_add(
			parameters, "mode", json_object_new_string(methods[what].mode));
	r = policy_request(options, methods[what].method, parameters, &reply, err);
	if (r > 0 && said)
		fputs(policy_reply_text(reply, "said"), said);
	json_object_put(reply);
	return r;
}

const char *policy_reply_text(struct json_object *reply, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(reply, key, &value) ? json_object_get_string(value) : "";
}
