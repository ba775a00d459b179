/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's socket: what it answers, what subscribers come to know, who may ask, and what those
 * cost who do not behave. */
#include "server_bench.h"

#include <grp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "capture/file_format.h"
#include "capture/file_reader.h"
#include "detect/state.h"
#include "model/state.h"
#include "output/findings.h"
#include "service/client.h"
#include "service/interface.h"
#include "service/server_private.h"

#define NOBODY 65534
#define GROUP  54321 /* nobody's, but for those who are put into it */

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

/* ---- subscribers ---- */

static void subscribe_to(struct world *w, struct end *e)
{
	struct json_object *message;

	end_open(e, w);
	send_call(e, "{\"method\":\"io.kvmencstat.Stream\",\"upgrade\":true}");
	message = reply(w, e);
	assert_non_null(message);
	assert_false(json_object_object_get_ex(message, "error", NULL));
	json_object_put(message);
}

/* What came behind the reply, as a file. */
static int raw_file(struct end *e)
{
	size_t n = e->input.end - e->input.start;
	int fd = memfd_create("stream", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, e->input.bytes + e->input.start, n), n);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

struct known {
	struct model *model;
	struct detect *detect;
	struct settings *settings;
	uint64_t records; /* behind the state */
	char notice[256]; /* the last one */
};

static int known_event(void *context, const struct event *event)
{
	struct known *known = context;

	return detect_event(known->detect, event);
}

static void know_state(struct known *known, const void *bytes, size_t size)
{
	struct model_options model = {.on_event = known_event, .context = known};
	struct detect_options detect = {.keep = true};
	struct state_view view;
	struct error err = {};

	assert_int_equal(settings_new(&known->settings), 0);
	detect.settings = known->settings;
	if (state_open(&view, bytes, size, &err) ||
		model_load(&known->model, &model, view.model, view.model_size, &err))
		fail_msg("%s", err.text);
	assert_int_equal(detect_new(&known->detect, &detect), 0);
	detect_watch(known->detect, known->model);
	if (detect_load(known->detect, view.detect, view.detect_size, DETECT_LOAD_SAME, &err))
		fail_msg("%s", err.text);
}

/* Reads all that came: it is a whole capture but for its end. */
static void know(struct known *known, struct end *e)
{
	_cleanup_(capture_reader_free) struct capture_reader *reader = NULL;
	const struct kes_record *records;
	struct error err = {};
	size_t n;
	int r;

	*known = (struct known){};
	if (capture_reader_open_fd(&reader, raw_file(e), "stream", &err))
		fail_msg("%s", err.text);
	while ((r = capture_reader_next(reader, &records, &n, &err)) > 0) {
		if (r == CAPTURE_STATE) {
			const void *bytes = capture_reader_state(reader, &n);

			know_state(known, bytes, n);
		} else if (r == CAPTURE_NOTICE) {
			snprintf(known->notice, sizeof(known->notice), "%s",
				capture_reader_notice(reader));
		} else {
			known->records += n;
			assert_int_equal(model_apply(known->model, records, n), 0);
		}
	}
	assert_int_equal(r, 0);
	assert_int_equal(capture_reader_info(reader)->state, CAPTURE_INCOMPLETE);
	assert_int_equal(capture_reader_info(reader)->blocks_skipped, 0);
}

static void known_free(struct known *known)
{
	detect_free(&known->detect);
	model_free(&known->model);
	settings_free(&known->settings);
}

#define SUBSCRIBERS 40

/* At random moments of a random stream they come; what they know at its end is what the server
 * knows, byte by byte: nothing was missed, nothing came twice. */
static void test_no_gap_no_repeat(void **state)
{
	struct end ends[SUBSCRIBERS];
	struct server_counts counts;
	size_t n = 0;
	char *want;
	struct world w;

	(void)state;
	world_open(&w, (gid_t)-1);
	while (n < SUBSCRIBERS) {
		feed_records(&w, 1 + next_random() % 400);
		if (next_random() % 3 == 0)
			w.waiting[w.n_waiting++] = next_record(&w); /* comes with refresh() */
		if (next_random() % 3 == 0)
			subscribe_to(&w, &ends[n++]);
		world_refresh(&w);
		if (next_random() % 4 == 0)
			turn_for(&w, 25); /* a batch goes out before it is full */
		for (size_t i = 0; i < n; i++)
			hear(&ends[i]);
	}
	feed_records(&w, 20000); /* more than a batch, and more than a snapshot lives */
	for (int i = 0; i < 4; i++) {
		turn_for(&w, 25);
		for (size_t k = 0; k < n; k++)
			hear(&ends[k]);
	}
	server_counts(w.server, &counts);
	assert_int_equal(counts.subscribers, SUBSCRIBERS);
	assert_int_equal(counts.dropped, 0);
	assert_true(counts.snapshots >= 1 && counts.snapshots < SUBSCRIBERS);
	want = print_known(w.model, w.detect);
	for (size_t i = 0; i < n; i++) {
		struct known known;
		char *got;

		know(&known, &ends[i]);
		assert_string_equal(known.notice, "{\"notice\":\"current\"}");
		got = print_known(known.model, known.detect);
		assert_string_equal(got, want);
		free(got);
		known_free(&known);
		end_close(&ends[i]);
	}
	free(want);
	turn(&w);
	server_counts(w.server, &counts);
	assert_int_equal(counts.clients, 0);
	world_close(&w);
}

/* What compresses badly, so that little of it is much. */
static void flood(struct world *w, size_t n)
{
	static struct kes_record records[512];

	for (; n; n--) {
		for (size_t i = 0; i < sizeof(records) / 4; i++)
			((uint32_t *)records)[i] = (uint32_t)next_random();
		server_records(w->server, records, ARRAY_SIZE(records));
	}
}

static uint64_t count_records(struct end *e, char notice[256])
{
	_cleanup_(capture_reader_free) struct capture_reader *reader = NULL;
	const struct kes_record *records;
	struct error err = {};
	uint64_t sum = 0;
	size_t n;
	int r;

	assert_int_equal(capture_reader_open_fd(&reader, raw_file(e), "stream", &err), 0);
	while ((r = capture_reader_next(reader, &records, &n, &err)) > 0)
		if (r == CAPTURE_NOTICE)
			snprintf(notice, 256, "%s", capture_reader_notice(reader));
		else
			sum += n;
	assert_int_equal(capture_reader_info(reader)->blocks_skipped, 0);
	return sum;
}

/* Takes all that the server has for it. */
static void keep_up(struct world *w, struct end *e)
{
	size_t before;

	do {
		before = e->input.end;
		turn(w);
		hear(e);
	} while (e->input.end > before);
}

/* One reads, one does not: the first gets all, the other is dropped, keeps what it has, and is told
 * why. */
static void test_slow_is_dropped(void **state)
{
	char notice[256] = "", slow_notice[256] = "";
	struct server_counts counts;
	struct end quick, slow;
	uint64_t sent = 0, got;
	struct world w;

	(void)state;
	world_open(&w, (gid_t)-1);
	subscribe_to(&w, &quick);
	subscribe_to(&w, &slow);
	do {
		flood(&w, 32);
		sent += 32 * 512;
		keep_up(&w, &quick);
		server_counts(w.server, &counts);
		assert_true(sent * sizeof(struct kes_record) < 4u * STREAM_BYTES);
	} while (!counts.dropped);
	assert_int_equal(counts.subscribers, 1);
	flood(&w, 32);
	sent += 32 * 512;
	for (int i = 0; i < 200 && !slow.closed; i++) {
		keep_up(&w, &quick);
		hear(&slow);
	}
	assert_true(slow.closed);
	assert_false(quick.closed);
	got = count_records(&slow, slow_notice);
	assert_true(got > 0 && got < sent);
	assert_non_null(strstr(slow_notice, "\"notice\":\"slow\""));
	assert_non_null(strstr(slow_notice, "as fast as it came"));
	assert_int_equal(count_records(&quick, notice), sent);
	assert_string_equal(notice, "{\"notice\":\"current\"}");
	end_close(&slow);
	end_close(&quick);
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

/* ---- who may ask ---- */

/* The error that a user gets of a call, by its last word; "-" none. As another process, which the
 * kernel tells us of. */
static void check_user(
	struct world *w, uid_t uid, gid_t gid, gid_t more, const char *call, const char *want)
{
	struct end e;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		int r = setgroups(more ? 1 : 0, &more) || setgid(gid) || setuid(uid);

		if (!r)
			end_open(&e, w);
		r = r || write(fds[1], "", 1) != 1;
		if (!r)
			send_call(&e, call);
		/* what is said here is read by the parent, whose end this is, too */
		fcntl(e.fd, F_SETFL, 0);
		for (char c = 1; !r && read(e.fd, &c, 1) == 1;)
			if (write(fds[1], &c, 1) != 1 || !c)
				break;
		_exit(r);
	}
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	e = (struct end){.fd = fds[0], .input.max = VARLINK_REPLY_MAX};
	for (char c; read(fds[0], &c, 1) != 1;)
		turn_for(w, 1);
	for (int i = 0; i < 5000 && !varlink_input_has(&e.input); i++) {
		char *at;
		size_t room;
		ssize_t n;

		turn_for(w, 1);
		assert_int_equal(varlink_input_room(&e.input, &at, &room), 0);
		n = read(fds[0], at, room);
		if (n > 0)
			varlink_input_add(&e.input, (size_t)n);
	}
	e.closed = true;
	assert_string_equal(reply_string(w, &e, "error"), want);
	waitpid(pid, NULL, 0);
	end_close(&e);
}

#define LIST   "{\"method\":\"io.kvmencstat.List\"}"
#define RELOAD "{\"method\":\"io.kvmencstat.Reload\"}"
#define INFO   "{\"method\":\"org.varlink.service.GetInfo\"}"
#define DENIED "io.kvmencstat.NotPermitted"

static int reload(void *context, enum server_change what, const char *vm,
	const struct server_peer *who, FILE *said, struct error *err)
{
	(void)context;
	(void)vm;
	(void)err;
	assert_int_equal(what, CHANGE_RELOAD);
	assert_int_equal(who->uid, 0);
	fputs("done\n", said);
	return 0;
}

static void test_who_may(void **state)
{
	struct stat st;
	struct world w;

	(void)state;
	if (geteuid())
		skip();
	world_open(&w, GROUP);
	w.view.change = reload;
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, GROUP);
	/* for the kernel everybody may connect: what is tried is what the server makes of it */
	assert_int_equal(chmod(w.folder, 0755), 0);
	assert_int_equal(chmod(w.path, 0666), 0);
	check_user(&w, NOBODY, NOBODY, 0, LIST, DENIED);
	check_user(&w, NOBODY, NOBODY, 0, RELOAD, DENIED);
	check_user(&w, NOBODY, NOBODY, 0, INFO, "");
	check_user(&w, NOBODY, NOBODY, NOBODY - 1, LIST, DENIED);
	check_user(&w, NOBODY, GROUP, 0, LIST, "");
	check_user(&w, NOBODY, NOBODY, GROUP, LIST, "");
	check_user(&w, NOBODY, GROUP, 0, RELOAD, DENIED);
	check_user(&w, 0, 0, 0, LIST, "");
	check_user(&w, 0, 0, 0, RELOAD, "");
	world_close(&w);

	world_open(&w, (gid_t)-1);
	assert_int_equal(stat(w.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(chmod(w.folder, 0755), 0);
	assert_int_equal(chmod(w.path, 0666), 0);
	check_user(&w, NOBODY, NOBODY, GROUP, LIST, DENIED);
	world_close(&w);
}

/* ---- who does not behave ---- */

static void test_garbage(void **state)
{
	static const char *const garbage[] = {
		"GET / HTTP/1.1\r\n\r\n", "{}", "[]", "{\"method\":1}", "{\"method\":"};
	char large[4096];
	struct server_counts counts;
	struct world w;
	struct end e;

	(void)state;
	world_open(&w, (gid_t)-1);
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		end_open(&e, &w);
		send_call(&e, garbage[i]);
		assert_null(reply(&w, &e));
		end_close(&e);
	}
	/* a call without an end */
	end_open(&e, &w);
	memset(large, ' ', sizeof(large));
	for (int i = 0; i < 40 && hear(&e); i++) {
		(void)!send(e.fd, large, sizeof(large), MSG_NOSIGNAL);
		turn(&w);
	}
	assert_true(e.closed);
	end_close(&e);
	/* who has subscribed has nothing to say any more */
	subscribe_to(&w, &e);
	send_call(&e, INFO);
	for (int i = 0; i < 100 && hear(&e); i++)
		turn(&w);
	assert_true(e.closed);
	end_close(&e);
	server_counts(w.server, &counts);
	assert_int_equal(counts.malformed, ARRAY_SIZE(garbage) + 2);
	assert_int_equal(counts.clients, 0);
	world_close(&w);
}

/* Asks and asks, and never reads: one reply waits, not all of them. */
static void test_never_reads(void **state)
{
	struct server_counts counts;
	struct world w;
	struct end e;
	ssize_t n = 0;

	(void)state;
	world_open(&w, (gid_t)-1);
	feed_records(&w, 3000);
	end_open(&e, &w);
	for (int i = 0; i < 20000 && n >= 0; i++) {
		n = send(e.fd, LIST, sizeof(LIST), MSG_NOSIGNAL);
		turn(&w);
	}
	assert_int_equal(n, -1); /* the server reads no more of it */
	server_counts(w.server, &counts);
	assert_true(counts.bytes_sent < 1u << 20);
	assert_int_equal(counts.clients, 1);
	end_close(&e);
	turn(&w);
	server_counts(w.server, &counts);
	assert_int_equal(counts.clients, 0);
	world_close(&w);
}

/* One more than there may be is told so, and the others go on. */
static void test_full(void **state)
{
	struct rlimit limit = {2 * CLIENTS_MAX + 200, 2 * CLIENTS_MAX + 200};
	static struct end ends[CLIENTS_MAX];
	struct server_counts counts;
	struct end more;
	struct world w;

	(void)state;
	if (geteuid() || setrlimit(RLIMIT_NOFILE, &limit))
		skip();
	world_open(&w, (gid_t)-1);
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		end_open(&ends[i], &w);
		if (i % 64 == 0)
			turn(&w);
	}
	turn(&w);
	end_open(&more, &w);
	assert_string_equal(reply_string(&w, &more, "error"), "io.kvmencstat.Busy");
	assert_null(reply(&w, &more));
	end_close(&more);
	send_call(&ends[500], INFO);
	assert_string_equal(reply_string(&w, &ends[500], "product"), "kvm-encstat");
	server_counts(w.server, &counts);
	assert_int_equal(counts.clients, CLIENTS_MAX);
	assert_int_equal(counts.refused, 1);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		end_close(&ends[i]);
	turn(&w);
	end_open(&more, &w);
	send_call(&more, INFO);
	assert_string_equal(reply_string(&w, &more, "product"), "kvm-encstat");
	end_close(&more);
	world_close(&w);
}

/* ---- the other end ---- */

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
	int status;

	(void)state;
	world_open(&w, (gid_t)-1);
	feed_records(&w, 100);
	pid = fork();
	if (!pid)
		_exit(ask(w.path));
	while (!waitpid(pid, &status, WNOHANG))
		turn_for(&w, 1);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	world_close(&w);
	assert_int_equal(daemon_client_new(&client, w.path, &err), -ENOENT);
	assert_non_null(strstr(err.text, w.path));
	assert_non_null(strstr(err.advice, "systemctl start"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describes_itself),
		cmocka_unit_test(test_answers_as_commands_print),
		cmocka_unit_test(test_wrong_calls),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_no_gap_no_repeat),
		cmocka_unit_test(test_slow_is_dropped),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_who_may),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_never_reads),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
