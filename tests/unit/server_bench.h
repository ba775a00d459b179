/* SPDX-License-Identifier: GPL-2.0-only */
/* A server over a model that records are fed to, and clients of it, all in one thread: the loop is
 * turned until what a test waits for is there. */
#ifndef SERVER_BENCH_H
#define SERVER_BENCH_H

#include "detect_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "output/findings.h"
#include "service/server.h"
#include "service/varlink.h"

#define VMS   3
#define TURNS 100000 /* more than any test needs: then it hangs */

struct world {
	char folder[32], path[64];
	sd_event *event;
	struct settings *settings;
	struct model *model;
	struct detect *detect;
	struct style style;
	struct server_view view;
	struct server *server;
	struct kes_record waiting[64]; /* the "ring": refresh() takes them in */
	size_t n_waiting;
	uint64_t ts_ns, seq[VMS + 1], asked_ns[VMS + 1];
	struct kes_conversion open[VMS + 1];
};

static inline int world_event(void *context, const struct event *event)
{
	struct world *w = context;

	server_event(w->server, event);
	return detect_event(w->detect, event);
}

static inline int world_finding(
	void *context, const struct finding *finding, enum finding_phase phase)
{
	struct world *w = context;

	server_finding(w->server, finding, phase);
	return 0;
}

static inline void world_apply(struct world *w, const struct kes_record *records, size_t n)
{
	assert_int_equal(model_apply(w->model, records, n), 0);
	server_records(w->server, records, n);
}

static inline int world_refresh(void *context)
{
	struct world *w = context;
	size_t n = w->n_waiting;

	w->n_waiting = 0;
	if (n)
		world_apply(w, w->waiting, n);
	return 0;
}

static inline char *world_describe(void *context)
{
	(void)context;
	return strdup("{\"kernel\":\"none\"}");
}

static inline void world_open(struct world *w, gid_t group)
{
	struct model_options model = {.on_event = world_event, .context = w};
	struct detect_options detect = {.on_finding = world_finding, .context = w, .keep = true};
	struct server_options options = {.listen_fd = -1, .group = group};
	struct error err = {};

	memset(w, 0, sizeof(*w));
	snprintf(w->folder, sizeof(w->folder), "/tmp/test_server.XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	snprintf(w->path, sizeof(w->path), "%s/socket", w->folder);
	assert_true(sd_event_new(&w->event) >= 0);
	assert_int_equal(settings_new(&w->settings), 0);
	detect.settings = w->settings;
	assert_int_equal(model_new(&w->model, &model), 0);
	assert_int_equal(detect_new(&w->detect, &detect), 0);
	detect_watch(w->detect, w->model);
	w->view = (struct server_view){
		.model = w->model,
		.detect = w->detect,
		.style = &w->style,
		.describe = world_describe,
		.refresh = world_refresh,
		.context = w,
	};
	options.path = w->path;
	options.event = w->event;
	if (server_new(&w->server, &options, &w->view, &err))
		fail_msg("%s", err.text);
}

static inline void world_close(struct world *w)
{
	server_free(&w->server);
	assert_int_equal(access(w->path, F_OK), -1);
	detect_free(&w->detect);
	model_free(&w->model);
	settings_free(&w->settings);
	sd_event_unref(w->event);
	rmdir(w->folder);
}

/* What can be done now. */
static inline void turn(struct world *w)
{
	for (int i = 0; i < TURNS; i++)
		if (sd_event_run(w->event, 0) <= 0)
			return;
	fail_msg("the server does not come to rest");
}

/* And what its timers bring within so long. */
static inline void turn_for(struct world *w, unsigned int ms)
{
	uint64_t end = clock_now_ns() + ms * 1000000ull;

	while (clock_now_ns() < end)
		sd_event_run(w->event, 1000);
}

/* ---- records ---- */

/* The next of a random stream: VMs come, ask and are answered. */
static inline struct kes_record next_record(struct world *w)
{
	uint32_t vm = 1 + (uint32_t)(next_random() % VMS);
	struct kes_record r = {.ts_ns = w->ts_ns += 1000000, .vm = vm};

	if (!w->seq[vm]) {
		r.kind = KES_VM_NEW;
		r.vm_new.pid = 100 + vm;
		r.vm_new.type = KES_VM_SW_PROTECTED;
		memcpy(r.vm_new.comm, "qemu", 4);
	} else if (!w->asked_ns[vm]) {
		r.kind = KES_REQUEST;
		r.conversion.gpa = (next_random() % 4096) << 12;
		r.conversion.npages = 1 + next_random() % 8;
		r.conversion.attrs = next_random() % 2 ? PRIVATE : SHARED;
		w->open[vm] = r.conversion;
		w->asked_ns[vm] = r.ts_ns;
	} else {
		r.kind = KES_ANSWER;
		r.conversion = w->open[vm];
		r.conversion.answer.ret = next_random() % 8 ? 0 : -22;
		r.conversion.answer.request_ns = w->asked_ns[vm];
		w->asked_ns[vm] = 0;
	}
	r.seq = w->seq[vm]++;
	return r;
}

static inline void feed_records(struct world *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct kes_record r = next_record(w);

		world_apply(w, &r, 1);
	}
}

/* All that is known, as it is printed. */
static inline char *print_known(const struct model *model, struct detect *detect)
{
	const struct list_options list = {.all = true, .json = true};
	const struct finding *const *findings;
	char *text;
	size_t size, n;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	list_write(out, model, &list);
	for (size_t i = 0; i < model_vm_count(model); i++)
		map_write_json(out, model_vm(model, i), PLANE_GUEST);
	findings = detect_findings(detect, &n);
	for (size_t i = 0; i < n; i++)
		finding_explain_json(out, findings[i]);
	assert_int_equal(fclose(out), 0);
	return text;
}

/* ---- clients ---- */

struct end {
	int fd;
	struct varlink_input input;
	struct buffer raw; /* after an upgrade */
	bool closed;
};

static inline void end_open(struct end *e, const struct world *w)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*e = (struct end){.input.max = VARLINK_REPLY_MAX};
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", w->path);
	e->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(e->fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static inline void end_close(struct end *e)
{
	close(e->fd);
	varlink_input_free(&e->input);
	buffer_free(&e->raw);
}

static inline void send_bytes(const struct end *e, const void *bytes, size_t n)
{
	assert_int_equal(send(e->fd, bytes, n, MSG_NOSIGNAL), n);
}

/* With its NUL. */
static inline void send_call(const struct end *e, const char *text)
{
	send_bytes(e, text, strlen(text) + 1);
}

/* Takes in what is there; false: the other end is closed. */
static inline bool hear(struct end *e)
{
	char *at;
	size_t room;
	ssize_t n;

	for (;;) {
		assert_int_equal(varlink_input_room(&e->input, &at, &room), 0);
		n = recv(e->fd, at, room, 0);
		if (n <= 0)
			break;
		varlink_input_add(&e->input, (size_t)n);
	}
	e->closed |= !n || errno == ECONNRESET;
	return !e->closed;
}

/* The next reply, the caller's; NULL: the connection ended instead. */
static inline struct json_object *reply(struct world *w, struct end *e)
{
	for (int i = 0; i < TURNS; i++) {
		struct json_object *message = NULL;
		int r = varlink_input_next(&e->input, &message);

		assert_true(r >= 0);
		if (r)
			return message;
		if (e->closed)
			return NULL;
		hear(e);
		sd_event_run(w->event, 1000);
	}
	fail_msg("no reply");
	return NULL;
}

/* A string in the next reply: "error", or a parameter; "" if it has none. Valid until the next
 * call. */
static inline const char *reply_string(struct world *w, struct end *e, const char *key)
{
	static char text[4096];
	struct json_object *message = reply(w, e), *parameters, *value = NULL;

	text[0] = '\0';
	assert_non_null(message);
	if (!json_object_object_get_ex(message, key, &value) &&
		json_object_object_get_ex(message, "parameters", &parameters))
		json_object_object_get_ex(parameters, key, &value);
	if (value)
		snprintf(text, sizeof(text), "%s", json_object_get_string(value));
	json_object_put(message);
	return text;
}

/* A client whose stream begins. */
static inline void subscribe_to(struct world *w, struct end *e)
{
	struct json_object *message;

	end_open(e, w);
	send_call(e, "{\"method\":\"io.kvmencstat.Stream\",\"upgrade\":true}");
	message = reply(w, e);
	assert_non_null(message);
	assert_false(json_object_object_get_ex(message, "error", NULL));
	json_object_put(message);
}

#endif
