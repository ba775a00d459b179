/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes from a client, cut anywhere: calls or an end, and the same whatever the cuts. The first
 * byte says how large the cuts are. Build: make fuzzers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "service/varlink.h"

#define MAX 512

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* What was read: a sum over calls, and how it ended. */
struct outcome {
	size_t calls, replies, sum;
	int end;
};

static void look(struct outcome *outcome, struct json_object *message)
{
	struct varlink_reply reply;
	struct varlink_call call;
	const char *text = "";
	bool flag = false;

	if (!varlink_call_read(&call, message)) {
		outcome->calls++;
		outcome->sum += strlen(call.method) + call.more + 2u * call.oneway;
		require(varlink_interface_length(call.method) < strlen(call.method));
		if (!varlink_get_string(call.parameters, "vm", &text))
			outcome->sum += strlen(text);
		if (!varlink_get_bool(call.parameters, "all", &flag))
			outcome->sum += flag;
	}
	if (!varlink_reply_read(&reply, message)) {
		outcome->replies++;
		outcome->sum += reply.error ? strlen(reply.error) : 0;
	}
}

static struct outcome run(const uint8_t *data, size_t size, size_t cut)
{
	struct varlink_input input = {.max = MAX};
	struct outcome outcome = {};

	while (!outcome.end) {
		struct json_object *message = NULL;
		bool has = varlink_input_has(&input);
		int r = varlink_input_next(&input, &message);
		size_t room, n = cut < size ? cut : size;
		char *at;

		require(has == (r != 0));
		if (r < 0) {
			require(!message && (r == -EBADMSG || r == -EMSGSIZE));
			outcome.end = r;
		} else if (r) {
			look(&outcome, message);
			json_object_put(message);
		} else if (!size) {
			outcome.end = 1;
		} else {
			require(!varlink_input_room(&input, &at, &room) && room);
			n = n < room ? n : room;
			memcpy(at, data, n);
			varlink_input_add(&input, n);
			data += n;
			size -= n;
			require(input.capacity <= 16384);
		}
	}
	varlink_input_free(&input);
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome a, b;

	if (!size)
		return 0;
	a = run(data + 1, size - 1, data[0] % 64 + 1u);
	b = run(data + 1, size - 1, size);
	require(a.calls == b.calls && a.replies == b.replies && a.sum == b.sum && a.end == b.end);
	return 0;
}
