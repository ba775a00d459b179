/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon is asked about what is enforced, so that its audit log knows who asked. */
#ifndef CLI_POLICY_REQUEST_H
#define CLI_POLICY_REQUEST_H

#include <stdio.h>

#include "cli/options.h"
#include "service/server.h"

struct json_object;

#define POLICY_TIMEOUT_MS 60000 /* a reload compiles policies, and proves the veto anew */

/* 1: it did, and *ret is its reply, the caller's. 0: it does not run, or is not to be asked. A
 * negative errno with err filled. parameters: NULL none; taken, also on failure. */
int policy_request(const struct options *options, const char *method,
	struct json_object *parameters, struct json_object **ret, struct error *err);

/* The same of a change, all but CHANGE_RELOAD. vm: as it was named, NULL none. What the daemon has
 * done is said, which may be NULL. */
int policy_request_change(const struct options *options, enum server_change what, const char *vm,
	FILE *said, struct error *err);

/* What is under key in a reply, "" if nothing is: the reply's. */
const char *policy_reply_text(struct json_object *reply, const char *key);

#endif
