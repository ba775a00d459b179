/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's socket: what it answers. Subscribers are in test_server_stream.c, who may ask and
 * what those cost who do not behave in test_server_peers.c. */
#include "server_bench.h"

#include <sys/wait.h>

#include "service/client.h"
#include "service/interface.h"
#include "service/server_private.h"

/* ---- answers ---- */

static void test_describes_itself(void **state)
{
	const char *at = interface_description;
	size_t described = 0, served = 0;
	struct world w;
	struct end e;

	(void)state;
	world_open(&w, (gid_t)-1);
	end_open(&e, &w);
	send_call(&e, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		      "\"parameters\":{\"interface\":\"io.kvmencstat\"}}");
	assert_string_equal(reply_string(&w, &e, "description"), interface_description);
	send_call(&e, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		      "\"parameters\":{\"interface\":\"io.nothing\"}}");
	assert_string_equal(reply_string(&w, &e, "error"), "org.varlink.service.InterfaceNotFound");
	for (size_t i = 0; methods_name(i); i++) {
		char line[80];

		if (strncmp(methods_name(i), INTERFACE_NAME ".", sizeof(INTERFACE_NAME)) != 0)
			continue;
		snprintf(line, sizeof(line), "\nmethod %s(",
			methods_name(i) + sizeof(INTERFACE_NAME));
		assert_non_null(strstr(interface_description, line));
		served++;
	}
	while ((at = strstr(at, "\nmethod "))) {
		described++;
		at++;
	}
	assert_int_equal(described, served);
	end_close(&e);
	world_close(&w);
}

/* Parameters of a reply, an array, as lines. */
static char *lines_of(struct world *w, struct end *e, const char *key)
{
	struct json_object *message = reply(w, e), *parameters, *array;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_true(json_object_object_get_ex(message, "parameters", &parameters));
	assert_true(json_object_object_get_ex(parameters, key, &array));
	for (size_t i = 0; i < json_object_array_length(array); i++)
		json_line(out, json_object_get(json_object_array_get_idx(array, i)));
	fclose(out);
	json_object_put(message);
	return text;
}

static void test_answers_as_commands_print(void **state)
{
	const struct list_options list = {.all = true, .json = true};
	_cleanup_free_ char *got = NULL, *want = NULL, *map = NULL;
	struct json_object *message, *parameters, *value;
	struct world w;
	struct end e;
	size_t size;
	FILE *out;

	(void)state;
	world_open(&w, (gid_t)-1);
	feed_records(&w, 2000);
	end_open(&e, &w);
	send_call(&e, "{\"method\":\"io.kvmencstat.List\",\"parameters\":{\"all\":true}}");
	got = lines_of(&w, &e, "vms");
	out = open_memstream(&want, &size);
	list_write(out, w.model, &list);
	fclose(out);
	assert_true(size > 100);
	assert_string_equal(got, want);

	send_call(&e, "{\"method\":\"io.kvmencstat.Map\",\"parameters\":{\"vm\":\"2\"}}");
	message = reply(&w, &e);
	assert_true(json_object_object_get_ex(message, "parameters", &parameters));
	assert_true(json_object_object_get_ex(parameters, "map", &value));
	out = open_memstream(&map, &size);
	map_write_json(out, model_vm(w.model, 1), PLANE_GUEST);
	fclose(out);
	map[strlen(map) - 1] = '\0';
	assert_string_equal(json_object_to_json_string_ext(
				    value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
		map);
	json_object_put(message);
	end_close(&e);
	world_close(&w);
}

static void test_wrong_calls(void **state)
{
	static const char *const calls[][2] = {
		{"{\"method\":\"io.kvmencstat.Nope\"}", "org.varlink.service.MethodNotFound"},
		{"{\"method\":\"io.other.List\"}", "org.varlink.service.InterfaceNotFound"},
		{"{\"method\":\"List\"}", "org.varlink.service.InterfaceNotFound"},
		{"{\"method\":\"io.kvmencstat.List\",\"parameters\":{\"all\":1}}",
			"org.varlink.service.InvalidParameter"},
		{"{\"method\":\"io.kvmencstat.List\",\"parameters\":{\"al\":true}}",
			"org.varlink.service.InvalidParameter"},
		{"{\"method\":\"io.kvmencstat.Events\"}", "org.varlink.service.ExpectedMore"},
		{"{\"method\":\"io.kvmencstat.Stream\"}", "org.varlink.service.InvalidParameter"},
		{"{\"method\":\"io.kvmencstat.List\",\"upgrade\":true}",
			"org.varlink.service.InvalidParameter"},
		{"{\"method\":\"io.kvmencstat.Map\",\"parameters\":{\"vm\":\"none\"}}",
			"io.kvmencstat.NoSuchVM"},
		{"{\"method\":\"io.kvmencstat.Map\",\"parameters\":{\"vm\":\"1\",\"plane\":\"x\"}}",
			"io.kvmencstat.Failed"},
		{"{\"method\":\"io.kvmencstat.Findings\",\"parameters\":{\"severity\":\"x\"}}",
			"io.kvmencstat.Failed"},
		{"{\"method\":\"io.kvmencstat.Metrics\"}", "io.kvmencstat.NotAvailable"},
		{"{\"method\":\"io.kvmencstat.Freeze\",\"parameters\":{\"vm\":\"1\"}}",
			"io.kvmencstat.NotAvailable"},
	};
	struct server_counts counts;
	struct world w;
	struct end e;

	(void)state;
	world_open(&w, (gid_t)-1);
	feed_records(&w, 100);
	end_open(&e, &w);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		send_call(&e, calls[i][0]);
		assert_string_equal(reply_string(&w, &e, "error"), calls[i][1]);
	}
	/* who wants no reply gets none: the next one is of the next call */
	send_call(&e, "{\"method\":\"io.kvmencstat.List\",\"oneway\":true}");
	send_call(&e, "{\"method\":\"io.kvmencstat.Nope\",\"oneway\":true}");
	send_call(&e, "{\"method\":\"org.varlink.service.GetInfo\"}");
	assert_string_equal(reply_string(&w, &e, "product"), "kvm-encstat");
	server_counts(w.server, &counts);
	assert_int_equal(counts.calls, ARRAY_SIZE(calls) + 3);
	assert_int_equal(counts.malformed, 0);
	end_close(&e);
	world_close(&w);
}

/* Calls that came in one piece are answered one after the other. */
static void test_pipelined(void **state)
{
	static const char call[] = "{\"method\":\"org.varlink.service.GetInfo\"}";
	char many[100 * sizeof(call)];
	struct world w;
	struct end e;

	(void)state;
	for (int i = 0; i < 100; i++)
		memcpy(many + (size_t)i * sizeof(call), call, sizeof(call));
	world_open(&w, (gid_t)-1);
	end_open(&e, &w);
	send_bytes(&e, many, sizeof(many));
	for (int i = 0; i < 100; i++)
		assert_string_equal(reply_string(&w, &e, "product"), "kvm-encstat");
	end_close(&e);
	world_close(&w);
}

/* ---- events ---- */

static void test_events(void **state)
{
	struct json_object *message, *parameters, *value;
	struct end all, one;
	struct world w;
	size_t missed = 0, told = 0;

	(void)state;
	world_open(&w, (gid_t)-1);
	feed_records(&w, 200);
	end_open(&all, &w);
	end_open(&one, &w);
	send_call(&all, "{\"method\":\"io.kvmencstat.Events\",\"more\":true}");
	send_call(&one, "{\"method\":\"io.kvmencstat.Events\",\"more\":true,"
			"\"parameters\":{\"vm\":\"2\"}}");
	for (int i = 0; i < 10; i++)
		turn_for(&w, 2);
	feed_records(
		&w, 30000); /* about half of them are events: more than become JSON in a second */
	turn_for(&w, 1200);
	while ((hear(&all), varlink_input_has(&all.input))) {
		assert_int_equal(varlink_input_next(&all.input, &message), 1);
		assert_true(json_object_object_get_ex(message, "continues", NULL));
		assert_true(json_object_object_get_ex(message, "parameters", &parameters));
		told += json_object_object_get_ex(parameters, "event", NULL);
		if (json_object_object_get_ex(parameters, "missed", &value))
			missed += json_object_get_uint64(value);
		json_object_put(message);
		turn(&w);
	}
	assert_true(told > 0 && told <= 2 * EVENTS_A_SECOND);
	assert_true(missed > 0);
	/* conversions of each pair of records but the odd ones */
	assert_in_range(told + missed, 14990, 15010);
	hear(&one);
	message = reply(&w, &one);
	assert_true(json_object_object_get_ex(message, "parameters", &parameters));
	assert_true(json_object_object_get_ex(parameters, "event", &value));
	assert_true(json_object_object_get_ex(value, "vm", &value));
	assert_int_equal(json_object_get_int(value), 2);
	json_object_put(message);
	end_close(&all);
	end_close(&one);
	world_close(&w);
}

/* There is no room at the moment even for how many were left out: that is told later. */
static void test_missed_is_kept(void **state)
{
	static const char head[] = "{\"parameters\":{\"event\":\"", tail[] = "\"}}";
	static char fill[WATCH_BYTES - 16];
	struct json_object *message, *parameters, *value;
	struct client *client;
	struct world w;
	struct end e;

	(void)state;
	world_open(&w, (gid_t)-1);
	end_open(&e, &w);
	send_call(&e, "{\"method\":\"io.kvmencstat.Events\",\"more\":true}");
	turn(&w);
	client = w.server->watching[0];
	assert_non_null(client);
	memset(fill, 'x', sizeof(fill));
	memcpy(fill, head, sizeof(head) - 1);
	memcpy(fill + sizeof(fill) - sizeof(tail), tail, sizeof(tail));
	assert_int_equal(buffer_put(&client->lines, fill, sizeof(fill)), 0);
	client->missed = 7;
	watchers_sweep(w.server);
	json_object_put(reply(&w, &e));
	watchers_sweep(w.server);
	message = reply(&w, &e);
	assert_true(json_object_object_get_ex(message, "parameters", &parameters));
	assert_true(json_object_object_get_ex(parameters, "missed", &value));
	assert_int_equal(json_object_get_uint64(value), 7);
	json_object_put(message);
	end_close(&e);
	world_close(&w);
}

/* ---- the other end ---- */

/* Lets the server work until a process ends; its status. */
static int serve_until_end(struct world *w, pid_t pid)
{
	int status;

	while (!waitpid(pid, &status, WNOHANG))
		turn_for(w, 1);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int ask(const char *path)
{
	_cleanup_(daemon_client_free) struct daemon_client *client = NULL;
	_cleanup_json_object_ struct json_object *got = NULL, *parameters = NULL;
	struct error err = {};
	char byte;
	int fd = -1;

	if (daemon_client_new(&client, path, &err) ||
		daemon_client_call(client, "List", NULL, 5000, &got, &err) ||
		!json_object_object_get_ex(got, "vms", NULL))
		return 1;
	parameters = json_object_new_object();
	json_object_object_add(parameters, "vm", json_object_new_string("none"));
	if (daemon_client_call(client, "Map", json_object_get(parameters), 5000, &got, &err) !=
			-ENXIO ||
		!strstr(err.text, "no VM 'none'") || !*err.advice)
		return 2;
	if (daemon_client_call(client, "Nope", NULL, 5000, &got, &err) != -ENOSYS)
		return 3;
	if (daemon_client_upgrade(client, "Stream", 5000, &fd, &err))
		return 4;
	fcntl(fd, F_SETFL, 0);
	/* the first byte behind the reply is the capture's first */
	return read(fd, &byte, 1) == 1 && byte == 'K' ? 0 : 5;
}

static void test_client(void **state)
{
	struct daemon_client *client = NULL;
	struct error err = {};
	struct world w;
	pid_t pid;

	(void)state;
	world_open(&w, (gid_t)-1);
	feed_records(&w, 100);
	pid = fork();
	if (!pid)
		_exit(ask(w.path));
	assert_int_equal(serve_until_end(&w, pid), 0);
	world_close(&w);
	assert_int_equal(daemon_client_new(&client, w.path, &err), -ENOENT);
	assert_non_null(strstr(err.text, w.path));
	assert_non_null(strstr(err.advice, "systemctl start"));
}

/* ---- long texts ---- */

#define TEXT_SIZE (9u << 20) /* more than a socket takes at once */

static char text_byte(size_t i)
{
	return (char)('!' + i * 7919 % 90);
}

static int long_text(void *context, bool plain, char **ret, size_t *ret_size)
{
	(void)context;
	*ret_size = plain ? 0 : TEXT_SIZE;
	*ret = calloc(1, *ret_size + 1);
	for (size_t i = 0; i < *ret_size; i++)
		(*ret)[i] = text_byte(i);
	return 0;
}

static json_object *format_of(const char *format)
{
	json_object *parameters = json_object_new_object();

	json_object_object_add(parameters, "format", json_object_new_string(format));
	return parameters;
}

static int ask_text(const char *path)
{
	_cleanup_(daemon_client_free) struct daemon_client *client = NULL, *other = NULL,
							   *wrong = NULL;
	_cleanup_free_ char *text = NULL, *empty = NULL;
	struct error err = {};
	size_t size;

	if (daemon_client_new(&client, path, &err) ||
		daemon_client_text(client, "MetricsText", NULL, 20000, &text, &size, &err) ||
		size != TEXT_SIZE || text[size])
		return 1;
	for (size_t i = 0; i < size; i++)
		if (text[i] != text_byte(i))
			return 2;
	/* then the connection ends */
	if (daemon_client_text(client, "MetricsText", NULL, 20000, &empty, &size, &err) !=
		-ECONNRESET)
		return 3;
	if (daemon_client_new(&other, path, &err) ||
		daemon_client_text(
			other, "MetricsText", format_of("text"), 20000, &empty, &size, &err) ||
		size || *empty)
		return 4;
	if (daemon_client_new(&wrong, path, &err) ||
		daemon_client_text(wrong, "MetricsText", format_of("csv"), 20000, &empty, &size,
			&err) != -EREMOTEIO ||
		!strstr(err.text, "no such format"))
		return 5;
	return 0;
}

static void test_text(void **state)
{
	struct world w;
	pid_t pid;

	(void)state;
	world_open(&w, (gid_t)-1);
	w.view.metrics = long_text;
	pid = fork();
	if (!pid)
		_exit(ask_text(w.path));
	assert_int_equal(serve_until_end(&w, pid), 0);
	world_close(&w);
}

/* Those who ask for much and do not read take so much memory and no more; others have to wait until
 * they are gone. */
static void test_unread(void **state)
{
	struct end ends[16], other;
	struct world w;

	(void)state;
	world_open(&w, (gid_t)-1);
	w.view.metrics = long_text;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		end_open(&ends[i], &w);
		send_call(&ends[i], i % 2 ? "{\"method\":\"io.kvmencstat.Metrics\"}"
					  : "{\"method\":\"io.kvmencstat.MetricsText\","
					    "\"upgrade\":true}");
		turn(&w);
	}
	end_open(&other, &w);
	send_call(&other, "{\"method\":\"io.kvmencstat.List\"}");
	assert_string_equal(reply_string(&w, &other, "error"), "io.kvmencstat.Busy");
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		end_close(&ends[i]);
	turn(&w);
	send_call(&other, "{\"method\":\"org.varlink.service.GetInfo\"}");
	assert_string_equal(reply_string(&w, &other, "product"), "kvm-encstat");
	end_close(&other);
	world_close(&w);
}

/* ---- a socket of systemd's ---- */

/* It hands over one that blocks, and serves nobody's clients in our stead. */
static int listen_as_systemd(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void test_inherited(void **state)
{
	struct server_options options = {.group = (gid_t)-1};
	struct error err = {};
	struct world w;
	struct end e;

	(void)state;
	world_open(&w, (gid_t)-1);
	server_free(&w.server);
	options.listen_fd = listen_as_systemd(w.path);
	options.event = w.event;
	assert_int_equal(server_new(&w.server, &options, &w.view, &err), 0);
	alarm(30); /* a server that waits for its next client would do so for ever */
	for (int i = 0; i < 2; i++) {
		end_open(&e, &w);
		send_call(&e, "{\"method\":\"org.varlink.service.GetInfo\"}");
		assert_string_equal(reply_string(&w, &e, "vendor"), "kvm-encstat");
		end_close(&e);
	}
	alarm(0);
	server_free(&w.server);
	assert_int_equal(unlink(w.path), 0); /* it is systemd's: it was still there */
	world_close(&w);
}

/* ---- a daemon that is starting ---- */

static int waiting_fd = -1, answering_fd = -1;
static unsigned int waited;

static void count_waiting(const char *path)
{
	(void)path;
	waited++;
}

/* It has come so far. */
static void start_answering(const char *path)
{
	static const char reply[] = "{\"parameters\":{\"vms\":[]}}";
	char call[256];

	count_waiting(path);
	answering_fd = accept(waiting_fd, NULL, NULL);
	assert_true(answering_fd >= 0);
	assert_true(recv(answering_fd, call, sizeof(call), 0) > 0);
	assert_int_equal(send(answering_fd, reply, sizeof(reply), 0), sizeof(reply));
}

static void test_starting(void **state)
{
	_cleanup_json_object_ struct json_object *got = NULL;
	struct daemon_client *client = NULL;
	struct error err = {};
	struct world w;

	(void)state;
	world_open(&w, (gid_t)-1);
	server_free(&w.server);
	waiting_fd = listen_as_systemd(w.path);
	waited = 0;

	assert_int_equal(daemon_client_new(&client, w.path, &err), 0);
	daemon_client_set_patience(client, 20, count_waiting);
	assert_int_equal(daemon_client_call(client, "List", NULL, 20, &got, &err), -EINPROGRESS);
	assert_int_equal(waited, 1);
	assert_non_null(strstr(err.text, "it is still starting, or hangs"));
	assert_non_null(strstr(err.advice, "systemctl status"));
	daemon_client_free(&client);
	close(accept(waiting_fd, NULL, NULL));

	assert_int_equal(daemon_client_new(&client, w.path, &err), 0);
	daemon_client_set_patience(client, 60000, start_answering);
	assert_int_equal(daemon_client_call(client, "List", NULL, 20, &got, &err), 0);
	assert_int_equal(waited, 2);
	daemon_client_free(&client);
	close(answering_fd);
	close(waiting_fd);
	unlink(w.path);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describes_itself),
		cmocka_unit_test(test_answers_as_commands_print),
		cmocka_unit_test(test_wrong_calls),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_missed_is_kept),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_inherited),
		cmocka_unit_test(test_starting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
