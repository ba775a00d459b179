/* SPDX-License-Identifier: GPL-2.0-only */
/* The wire format: messages come out whole however they are cut, and nothing else comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "service/interface.h"
#include "service/outbox.h"
#include "service/varlink.h"

/* ---- messages ---- */

static void put(struct varlink_input *input, const char *bytes, size_t n)
{
	while (n) {
		size_t room, part;
		char *at;

		assert_int_equal(varlink_input_room(input, &at, &room), 0);
		assert_true(room > 0);
		part = n < room ? n : room;
		memcpy(at, bytes, part);
		varlink_input_add(input, part);
		bytes += part;
		n -= part;
	}
}

/* Takes one message, by its method. */
static void takes(struct varlink_input *input, const char *method)
{
	_cleanup_json_object_ struct json_object *message = NULL;
	struct varlink_call call;

	assert_true(varlink_input_has(input));
	assert_int_equal(varlink_input_next(input, &message), 1);
	assert_int_equal(varlink_call_read(&call, message), 0);
	assert_string_equal(call.method, method);
}

static const char two[] =
	"{\"method\":\"a.b.C\",\"parameters\":{\"x\":\"y\"}}\0{\"method\":\"d.E\"}";

static void test_cut_anywhere(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= sizeof(two); cut++) {
		struct varlink_input input = {.max = 1024};
		struct json_object *none = NULL;
		size_t first = strlen(two) + 1;

		put(&input, two, cut);
		assert_int_equal(varlink_input_has(&input), cut >= first);
		if (cut >= first)
			takes(&input, "a.b.C");
		if (cut < sizeof(two)) {
			assert_int_equal(varlink_input_next(&input, &none), 0);
			assert_int_equal(
				varlink_input_is_partial(&input), cut != 0 && cut != first);
		}
		put(&input, two + cut, sizeof(two) - cut);
		if (cut < first)
			takes(&input, "a.b.C");
		takes(&input, "d.E");
		assert_int_equal(varlink_input_next(&input, &none), 0);
		assert_false(varlink_input_is_partial(&input));
		varlink_input_free(&input);
	}
}

static void test_byte_by_byte(void **state)
{
	struct varlink_input input = {.max = 1024};
	int found = 0;

	(void)state;
	for (int round = 0; round < 200; round++)
		for (size_t i = 0; i < sizeof(two); i++) {
			put(&input, two + i, 1);
			if (varlink_input_has(&input)) {
				takes(&input, found % 2 ? "d.E" : "a.b.C");
				found++;
			}
		}
	assert_int_equal(found, 400);
	assert_true(input.capacity <= 8192); /* what was taken makes room */
	varlink_input_free(&input);
}

static int first_of(const char *bytes, size_t n, size_t max)
{
	struct varlink_input input = {.max = max};
	struct json_object *message = NULL;
	int r;

	put(&input, bytes, n);
	r = varlink_input_next(&input, &message);
	json_object_put(message);
	varlink_input_free(&input);
	return r;
}

#define FIRST(text) first_of(text, sizeof(text), 256)

static void test_not_a_message(void **state)
{
	char deep[2 * 200 + 16] = "{\"a\":", large[300];
	size_t n = strlen(deep);

	(void)state;
	assert_int_equal(FIRST("{}"), 1);
	assert_int_equal(FIRST(""), -EBADMSG);
	assert_int_equal(FIRST("{"), -EBADMSG);
	assert_int_equal(FIRST("[]"), -EBADMSG);
	assert_int_equal(FIRST("null"), -EBADMSG);
	assert_int_equal(FIRST("{} x"), -EBADMSG);
	assert_int_equal(FIRST("{}{}"), -EBADMSG);
	assert_int_equal(FIRST("{a:1}"), -EBADMSG);
	assert_int_equal(FIRST("{\"a\":\"\xff\"}"), -EBADMSG);
	for (int i = 0; i < 100; i++)
		deep[n++] = '[';
	for (int i = 0; i < 100; i++)
		deep[n++] = ']';
	deep[n++] = '}';
	assert_int_equal(first_of(deep, n + 1, 1024), -EBADMSG);

	/* the largest, and one byte more; the same before its NUL came */
	memset(large, ' ', sizeof(large));
	large[0] = '{';
	large[254] = '}';
	large[255] = '\0';
	assert_int_equal(first_of(large, 256, 256), 1);
	assert_int_equal(first_of(large, 255, 256), 0);
	assert_int_equal(first_of(large, 256, 255), -EMSGSIZE);
	memset(large, ' ', sizeof(large));
	assert_int_equal(first_of(large, 300, 256), -EMSGSIZE);
}

/* ---- calls and replies ---- */

static int reads(const char *text, struct varlink_call *ret)
{
	static struct json_object *message;
	int r;

	json_object_put(message);
	message = json_tokener_parse(text);
	r = varlink_call_read(ret, message);
	if (r) {
		json_object_put(message);
		message = NULL;
	}
	return r;
}

static void test_calls(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"method\":1}",
		"{\"method\":\"\"}",
		"{\"method\":\"a b\"}",
		"{\"method\":\"a.\\u0000b\"}",
		"{\"method\":\"a.B\",\"parameters\":[]}",
		"{\"method\":\"a.B\",\"parameters\":null}",
		"{\"method\":\"a.B\",\"more\":1}",
		"{\"method\":\"a.B\",\"oneway\":\"true\"}",
		"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
		"{\"method\":\"a.B\",\"more\":true,\"upgrade\":true}",
	};
	struct varlink_call call;

	(void)state;
	assert_int_equal(reads("{\"method\":\"a.b-c.D\",\"new\":[1],\"more\":true}", &call), 0);
	assert_string_equal(call.method, "a.b-c.D");
	assert_true(call.more && !call.oneway && !call.upgrade && !call.parameters);
	assert_int_equal(varlink_interface_length(call.method), 5);
	assert_int_equal(varlink_interface_length("nothing"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(reads(wrong[i], &call), -EBADMSG);
	assert_int_equal(reads("{}", &call), -EBADMSG); /* lets go of the last one */
}

static void test_parameters(void **state)
{
	_cleanup_json_object_ struct json_object *object = json_tokener_parse(
		"{\"t\":true,\"n\":null,\"s\":\"x\",\"z\":\"a\\u0000b\",\"i\":1}");
	const char *text = "kept";
	bool flag = false;

	(void)state;
	assert_int_equal(varlink_get_bool(object, "t", &flag), 0);
	assert_true(flag);
	assert_int_equal(varlink_get_bool(object, "n", &flag), 0);
	assert_int_equal(varlink_get_bool(object, "absent", &flag), 0);
	assert_int_equal(varlink_get_bool(NULL, "t", &flag), 0);
	assert_true(flag);
	assert_int_equal(varlink_get_bool(object, "i", &flag), -EINVAL);
	assert_int_equal(varlink_get_string(object, "i", &text), -EINVAL);
	assert_int_equal(varlink_get_string(object, "z", &text), -EINVAL);
	assert_int_equal(varlink_get_string(object, "n", &text), 0);
	assert_string_equal(text, "kept");
	assert_int_equal(varlink_get_string(object, "s", &text), 0);
	assert_string_equal(text, "x");
}

/* ---- the outbox ---- */

static struct chunk *chunk_of(const char *text, size_t *account)
{
	return chunk_new(strdup(text), strlen(text), account);
}

static void test_outbox_limits(void **state)
{
	size_t account = 0;
	struct chunk *chunk = chunk_of("0123456789", &account);
	struct outbox outbox = {};

	(void)state;
	assert_int_equal(account, 10);
	assert_int_equal(outbox_add(&outbox, "ab", 2, chunk, 11), -ENOBUFS);
	assert_true(outbox_is_empty(&outbox));
	assert_int_equal(outbox_add(&outbox, "ab", 2, chunk, 12), 0);
	for (size_t i = 1; i < OUTBOX_PARTS; i++)
		assert_int_equal(outbox_add(&outbox, NULL, 0, chunk, SIZE_MAX), 0);
	assert_int_equal(outbox_add(&outbox, NULL, 0, chunk, SIZE_MAX), -ENOBUFS);
	assert_int_equal(outbox.bytes, 2 + 10 * OUTBOX_PARTS);
	chunk_unref(&chunk);
	assert_int_equal(account, 10); /* the outbox has it yet */
	assert_int_equal(outbox_cut(&outbox), OUTBOX_PARTS);
	assert_int_equal(account, 0);
	assert_int_equal(outbox.bytes, 0);
	outbox_free(&outbox);
}

/* Random parts through a socket that takes little at a time: the bytes of all, in order. After a
 * cut, exactly the part that had begun still comes. */
static void test_outbox_order(void **state)
{
	char want[1 << 16], got[1 << 16], *text;
	size_t n_want = 0, n_got = 0, whole = 0;
	struct outbox outbox = {};
	int fds[2], small = 4096;

	(void)state;
	srand(7);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < 60; i++) {
		size_t head = (size_t)rand() % 57, size = (size_t)rand() % 900;
		struct chunk *chunk;

		text = malloc(size);
		for (size_t k = 0; k < head + size; k++)
			want[n_want + k] = (char)rand();
		memcpy(text, want + n_want + head, size);
		chunk = chunk_new(text, size, NULL);
		assert_int_equal(outbox_add(&outbox, want + n_want, head, chunk, SIZE_MAX), 0);
		chunk_unref(&chunk);
		n_want += head + size;
		if (i % 7 == 0)
			(void)outbox_send(&outbox, fds[0]);
		if (i % 5 == 0) {
			ssize_t n = recv(fds[1], got + n_got, 700, 0);

			n_got += n > 0 ? (size_t)n : 0;
		}
	}
	while (n_got < n_want / 2) {
		ssize_t n = recv(fds[1], got + n_got, 333, 0);

		n_got += n > 0 ? (size_t)n : 0;
		(void)outbox_send(&outbox, fds[0]);
	}
	whole = n_want - outbox.bytes; /* of parts that went, whole */
	if (outbox.sent)
		whole += outbox.parts[outbox.first].head_size +
			 outbox.parts[outbox.first].chunk->size;
	assert_true(outbox_cut(&outbox) > 0);
	while (outbox_send(&outbox, fds[0]) == -EAGAIN || n_got < whole) {
		ssize_t n = recv(fds[1], got + n_got, sizeof(got) - n_got, 0);

		n_got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(n_got, whole);
	assert_memory_equal(got, want, whole);
	assert_int_equal(recv(fds[1], got, 1, 0), -1);
	outbox_free(&outbox);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_not_a_message),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_outbox_limits),
		cmocka_unit_test(test_outbox_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
