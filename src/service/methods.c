/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be called: one row a method. Replies are made of the same lines that the commands print
 * with
 * --json. */
#include <errno.h>
#include <string.h>

#include "output/findings.h"
#include "output/select.h"
#include "service/calls.h"
#include "service/interface.h"

static int find_vm(struct exchange *request, const char *word, const struct vm **ret)
{
	int r = select_vm(request->client->server->view->model, word, ret, &request->err);

	if (r == -ENOENT || r == -ENOTUNIQ)
		request->error = "NoSuchVM";
	return r;
}

static int bad_parameter(struct exchange *request, const char *what, const char *advice)
{
	request->error = "Failed";
	error_set(&request->err, -EINVAL, "%s", what);
	error_advise(&request->err, "%s", advice);
	return -EINVAL;
}

static int not_available(struct exchange *request, const char *what)
{
	request->error = "NotAvailable";
	return error_set(&request->err, -ENOTSUP, "%s", what);
}

/* What came until now is in the model. */
static const struct server_view *refreshed(const struct exchange *request)
{
	const struct server_view *view = request->client->server->view;

	if (view->refresh)
		(void)view->refresh(view->context);
	return view;
}

/* ---- org.varlink.service ---- */

static int get_info(struct exchange *request)
{
	fputs("\"vendor\":\"kvm-encstat\",\"product\":\"kvm-encstat\",\"version\":\"" KES_VERSION
	      "\",\"url\":\"file:///usr/share/doc/kvm-encstat\",\"interfaces\":[\"" VARLINK_SERVICE
	      "\",\"" INTERFACE_NAME "\"]",
		request->out);
	return 0;
}

static int get_description(struct exchange *request)
{
	const char *name = exchange_string(request, "interface") ?: "";

	if (!strcmp(name, INTERFACE_NAME))
		exchange_put_string(request, "description", interface_description);
	else if (!strcmp(name, VARLINK_SERVICE))
		exchange_put_string(request, "description", interface_service);
	else
		request->no_interface = name;
	return 0;
}

/* ---- reading ---- */

static int get_status(struct exchange *request)
{
	struct server *server = request->client->server;
	const struct server_view *view = server->view;
	const struct server_counts *counts = &server->counts;
	json_object *status = json_object_new_object(), *clients = json_object_new_object();
	struct model_totals totals;

	model_totals(view->model, &totals);
	json_add_string(status, "schema", "kvm-encstat.status/1");
	json_add_string(status, "version", KES_VERSION);
	json_add_u64(status, "pid", (uint64_t)getpid());
	json_add_u64(status, "vms", model_vm_count(view->model));
	json_add_u64(status, "records", totals.records);
	json_add_u64(status, "lost", totals.lost);
	json_add_u64(clients, "now", counts->clients);
	json_add_u64(clients, "subscribers", counts->subscribers);
	json_add_u64(clients, "accepted", counts->accepted);
	json_add_u64(clients, "refused", counts->refused);
	json_add_u64(clients, "calls", counts->calls);
	json_add_u64(clients, "malformed", counts->malformed);
	json_add_u64(clients, "dropped", counts->dropped);
	json_add_u64(clients, "snapshots", counts->snapshots);
	json_add_u64(clients, "bytes_sent", counts->bytes_sent);
	json_object_object_add(status, "clients", clients);
	if (view->status)
		view->status(view->context, status);
	fprintf(request->out, "\"status\":%s",
		json_object_to_json_string_ext(
			status, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(status);
	return 0;
}

static int get_list(struct exchange *request)
{
	struct list_options options = {
		.all = exchange_bool(request, "all"),
		.json = true,
	};
	const struct server_view *view = refreshed(request);
	const char *word = exchange_string(request, "vm");
	_cleanup_written_ struct written text = {};
	int r = 0;

	if (word)
		r = find_vm(request, word, &options.only);
	if (!r)
		r = written_open(&text, request);
	if (r)
		return r;
	r = list_write(text.out, view->model, &options);
	if (r)
		return error_set(&request->err, r, "writing the list failed: %s", strerror(-r));
	r = written_close(&text, request);
	if (!r)
		exchange_put_lines(request, "vms", text.bytes, text.size, false);
	return r;
}

static int count_range(void *context, uint64_t gfn, uint64_t npages, enum page_state state)
{
	size_t *n = context;

	(void)gfn;
	(void)npages;
	(void)state;
	return ++*n > MAP_RANGES ? -E2BIG : 0;
}

/* Whether its JSON is made in reasonable time. */
static int check_size(struct exchange *request, const struct vm *vm, enum plane plane)
{
	bool has = plane == PLANE_HOST ? vm_has_host_plane(vm) : vm_has_map(vm);
	size_t n = 0;

	if (!has || vm_ranges(vm, plane, count_range, &n) != -E2BIG)
		return 0;
	request->error = "TooLarge";
	error_set(&request->err, -E2BIG, "the map has more than %u ranges", MAP_RANGES);
	error_advise(&request->err, "`kvm-encstat map` reads it from the stream");
	return -E2BIG;
}

static int write_map(struct exchange *request, FILE *out, const struct vm *vm, const char *plane)
{
	enum plane which = plane && !strcmp(plane, "host") ? PLANE_HOST : PLANE_GUEST;
	bool diff = plane && !strcmp(plane, "diff");
	int r;

	if (plane && !diff && which == PLANE_GUEST && strcmp(plane, "guest"))
		return bad_parameter(
			request, "there is no such plane", "it is guest, host or diff");
	r = check_size(request, vm, which);
	if (!r && diff)
		r = check_size(request, vm, PLANE_HOST);
	if (r)
		return r;
	r = diff ? diff_write_json(out, vm) : map_write_json(out, vm, which);
	return r ? error_set(&request->err, r, "writing the map failed: %s", strerror(-r)) : 0;
}

static int get_map(struct exchange *request)
{
	_cleanup_written_ struct written text = {};
	const struct vm *vm;
	int r;

	refreshed(request);
	r = find_vm(request, exchange_string(request, "vm"), &vm);
	if (!r)
		r = written_open(&text, request);
	if (!r)
		r = write_map(request, text.out, vm, exchange_string(request, "plane"));
	if (!r)
		r = written_close(&text, request);
	if (!r)
		exchange_put_lines(request, "map", text.bytes, text.size, true);
	return r;
}

static int write_findings(struct exchange *request, FILE *out, struct detect *detect)
{
	const char *word = exchange_string(request, "vm"),
		   *least = exchange_string(request, "severity");
	enum severity severity = SEVERITY_INFO;
	const struct finding *const *list;
	size_t n;

	if (least && severity_from_name(least, &severity))
		return bad_parameter(request, "there is no such severity",
			"it is info, notice, warning or critical");
	list = detect_findings(detect, &n);
	if (!list)
		return error_set(&request->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (list[i]->severity >= severity && (!word || select_names_finding(list[i], word)))
			finding_write_json(out, list[i]);
	return 0;
}

static int get_findings(struct exchange *request)
{
	const struct server_view *view = refreshed(request);
	_cleanup_written_ struct written text = {};
	int r;

	if (!view->detect)
		return not_available(request, "this daemon does not look for findings");
	r = written_open(&text, request);
	if (!r)
		r = write_findings(request, text.out, view->detect);
	if (!r)
		r = written_close(&text, request);
	if (!r)
		exchange_put_lines(request, "findings", text.bytes, text.size, false);
	return r;
}

static int get_events(struct exchange *request)
{
	int r = watch_events(request->client, exchange_string(request, "vm"),
		exchange_bool(request, "findings"), &request->err);

	if (r == -EBUSY)
		request->error = "Busy";
	return r;
}

static int get_stream(struct exchange *request)
{
	int r = subscribe(request->client, &request->err);

	if (r == -EBUSY)
		request->error = "Busy";
	return r;
}

/* *ret is the caller's. */
static int write_metrics(struct exchange *request, char **ret, size_t *ret_size)
{
	const struct server_view *view = request->client->server->view;
	const char *format = exchange_string(request, "format");
	int r;

	if (!view->metrics)
		return not_available(request, "this daemon has no metrics");
	if (format && strcmp(format, "text") && strcmp(format, "openmetrics"))
		return bad_parameter(
			request, "there is no such format", "it is openmetrics or text");
	r = view->metrics(view->context, format && !strcmp(format, "text"), ret, ret_size);
	return r ? error_set(&request->err, r, "writing metrics failed: %s", strerror(-r)) : 0;
}

static int get_metrics(struct exchange *request)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = write_metrics(request, &text, &size);

	if (!r)
		exchange_put_string(request, "text", text);
	return r;
}

/* As JSON it would be escaped here and read there byte by byte, for longer than it takes to make.
 */
static int get_metrics_text(struct exchange *request)
{
	struct client *client = request->client;
	_cleanup_free_ char *text = NULL;
	char reply[64], *head;
	size_t size;
	int r = write_metrics(request, &text, &size);

	if (r)
		return r;
	snprintf(reply, sizeof(reply), "{\"parameters\":{\"size\":%zu}}", size);
	head = strdup(reply);
	r = head ? client_send_text(client, head, SIZE_MAX) : -ENOMEM;
	if (!r)
		r = client_send_bytes(client, TAKE_PTR(text), size, SIZE_MAX);
	if (r) {
		(void)outbox_cut(&client->outbox);
		return error_set(&request->err, r, "out of memory");
	}
	client_mode(client, CLIENT_CLOSING);
	return 0;
}

static int get_loaded(struct exchange *request)
{
	const struct server_view *view = request->client->server->view;
	_cleanup_written_ struct written json = {}, text = {};
	int r;

	if (!view->loaded)
		return not_available(request, "this daemon enforces nothing");
	r = written_open(&json, request);
	if (!r)
		r = written_open(&text, request);
	if (!r)
		r = view->loaded(view->context, json.out, text.out, &request->err);
	if (!r)
		r = written_close(&json, request);
	if (!r)
		r = written_close(&text, request);
	if (r)
		return r;
	exchange_put_lines(request, "enforced", json.bytes, json.size, true);
	fputc(',', request->out);
	exchange_put_string(request, "text", text.bytes);
	return 0;
}

/* ---- changing ---- */

static int change(struct exchange *request, enum server_change what)
{
	const struct server_view *view = request->client->server->view;
	const struct peer *peer = &request->client->peer;
	struct server_peer who = {.pid = peer->pid, .uid = peer->uid};
	const char *vm = exchange_string(request, "vm");
	_cleanup_written_ struct written said = {};
	int r;

	if (!view->change)
		return not_available(request, "this daemon cannot do that");
	if (!vm && what != CHANGE_RELOAD && what != CHANGE_RELEASE)
		return bad_parameter(request, "no VM is given", "name one");
	r = written_open(&said, request);
	if (r)
		return r;
	r = view->change(view->context, what, vm, &who, said.out, &request->err);
	if (r == -ENOTSUP)
		request->error = "NotAvailable";
	if (!r)
		r = written_close(&said, request);
	if (!r)
		exchange_put_string(request, "said", said.bytes);
	return r;
}

static int do_reload(struct exchange *request)
{
	return change(request, CHANGE_RELOAD);
}

static int do_freeze(struct exchange *request)
{
	return change(request, CHANGE_FREEZE);
}

static int do_release(struct exchange *request)
{
	return change(request, CHANGE_RELEASE);
}

static int do_baseline(struct exchange *request)
{
	return change(request, CHANGE_BASELINE);
}

static int do_mode(struct exchange *request)
{
	const char *mode = exchange_string(request, "mode") ?: "";
	bool monitor = !strcmp(mode, "monitor");

	if (!monitor && strcmp(mode, "enforce") != 0)
		return bad_parameter(request, "there is no such mode", "it is monitor or enforce");
	return change(request, monitor ? CHANGE_MONITOR : CHANGE_ENFORCE);
}

/* ---- the table ---- */

#define VM                  \
	{                   \
		"vm", false \
	}
const struct method methods[] = {
	{VARLINK_SERVICE ".GetInfo", ACCESS_NONE, false, false, {}, get_info},
	{VARLINK_SERVICE ".GetInterfaceDescription", ACCESS_NONE, false, false,
		{{"interface", false}}, get_description},
	{INTERFACE_NAME ".Status", ACCESS_READ, false, false, {}, get_status},
	{INTERFACE_NAME ".List", ACCESS_READ, false, false, {{"all", true}, VM}, get_list},
	{INTERFACE_NAME ".Map", ACCESS_READ, false, false, {VM, {"plane", false}}, get_map},
	{INTERFACE_NAME ".Findings", ACCESS_READ, false, false, {VM, {"severity", false}},
		get_findings},
	{INTERFACE_NAME ".Events", ACCESS_READ, true, false, {VM, {"findings", true}}, get_events},
	{INTERFACE_NAME ".Stream", ACCESS_READ, false, true, {}, get_stream},
	{INTERFACE_NAME ".Metrics", ACCESS_READ, false, false, {{"format", false}}, get_metrics},
	{INTERFACE_NAME ".MetricsText", ACCESS_READ, false, true, {{"format", false}},
		get_metrics_text},
	{INTERFACE_NAME ".PolicyLoaded", ACCESS_READ, false, false, {}, get_loaded},
	{INTERFACE_NAME ".Reload", ACCESS_CHANGE, false, false, {}, do_reload},
	{INTERFACE_NAME ".Freeze", ACCESS_CHANGE, false, false, {VM}, do_freeze},
	{INTERFACE_NAME ".Release", ACCESS_CHANGE, false, false, {VM}, do_release},
	{INTERFACE_NAME ".Baseline", ACCESS_CHANGE, false, false, {VM}, do_baseline},
	{INTERFACE_NAME ".Mode", ACCESS_CHANGE, false, false, {VM, {"mode", false}}, do_mode},
	{},
};
