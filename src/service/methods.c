/* SPDX-License-Identifier: GPL-2.0-only */
/* What can be called: one row a method. Replies are written as text, from the same lines that the
 * commands print with --json. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "output/findings.h"
#include "output/select.h"
#include "service/interface.h"
#include "service/server_private.h"

#define PARAMETERS_MAX 3

/* A call that is being answered. */
struct exchange {
	struct client *client;
	const struct varlink_call *call;
	FILE *out;         /* members of the reply's parameters go here */
	const char *error; /* what it failed with, of our interface; NULL: "Failed" */
	struct error err;
};

struct parameter {
	const char *name; /* NULL behind the last */
	bool is_flag;     /* else it is a string */
};

struct method {
	const char *name;
	enum access access;
	bool more, upgrade; /* it takes only this */
	struct parameter parameters[PARAMETERS_MAX + 1];
	/* 0, or a negative errno: request->err says why. */
	int (*run)(struct exchange *request);
};

/* ---- replies ---- */

char *methods_error_text(const char *error, const struct error *err)
{
	json_object *reply = json_object_new_object(), *parameters = json_object_new_object();
	char name[64], *text;

	snprintf(name, sizeof(name), INTERFACE_NAME ".%s", error);
	json_object_object_add(reply, "error", json_object_new_string(name));
	json_object_object_add(parameters, "text", json_object_new_string(err->text));
	if (*err->advice)
		json_object_object_add(parameters, "advice", json_object_new_string(err->advice));
	json_object_object_add(reply, "parameters", parameters);
	text = strdup(json_object_to_json_string_ext(
		reply, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(reply);
	return text;
}

static int reply_error(const struct exchange *request)
{
	char *text;

	if (request->call->oneway)
		return 0;
	text = methods_error_text(request->error ?: "Failed", &request->err);
	return text ? client_send_text(request->client, text, SIZE_MAX) : -ENOMEM;
}

/* One of varlink's own errors, with one parameter or none. */
static int reply_service_error(
	const struct exchange *request, const char *error, const char *key, const char *value)
{
	json_object *reply, *parameters;
	char name[64], *text;

	if (request->call->oneway)
		return 0;
	reply = json_object_new_object();
	parameters = json_object_new_object();
	snprintf(name, sizeof(name), VARLINK_SERVICE ".%s", error);
	json_object_object_add(reply, "error", json_object_new_string(name));
	if (key)
		json_object_object_add(parameters, key, json_object_new_string(value));
	json_object_object_add(reply, "parameters", parameters);
	text = strdup(json_object_to_json_string_ext(
		reply, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(reply);
	return text ? client_send_text(request->client, text, SIZE_MAX) : -ENOMEM;
}

static void put_string(struct exchange *request, const char *key, const char *value)
{
	json_object *string = json_object_new_string(value);

	fprintf(request->out, "\"%s\":%s", key,
		json_object_to_json_string_ext(
			string, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(string);
}

/* Lines, each one JSON object, as the array or (single) the object that they are. */
static void put_lines(
	struct exchange *request, const char *key, const char *lines, size_t size, bool single)
{
	fprintf(request->out, "\"%s\":%s", key, single ? "" : "[");
	for (const char *end; size; size -= (size_t)(end - lines) + 1, lines = end + 1) {
		end = memchr(lines, '\n', size);
		if (!end)
			break;
		fwrite(lines, 1, (size_t)(end - lines), request->out);
		if (size > (size_t)(end - lines) + 1)
			fputc(',', request->out);
	}
	if (!single)
		fputc(']', request->out);
}

/* Text that others write into a FILE. */
struct text {
	FILE *out;
	char *bytes;
	size_t size;
};

static void text_free(struct text *text)
{
	if (text->out)
		fclose(text->out);
	free(text->bytes);
}

static int text_open(struct text *text, struct exchange *request)
{
	text->out = open_memstream(&text->bytes, &text->size);
	return text->out ? 0 : error_set(&request->err, -ENOMEM, "out of memory");
}

static int text_close(struct text *text, struct exchange *request)
{
	FILE *out = TAKE_PTR(text->out);

	return fclose(out) ? error_set(&request->err, -ENOMEM, "out of memory") : 0;
}

#define _cleanup_text_ _cleanup_(text_free)

/* ---- parameters ---- */

/* The types were looked at before: what is not there stays as it is. */
static const char *string_of(const struct exchange *request, const char *key)
{
	const char *value = NULL;

	(void)varlink_get_string(request->call->parameters, key, &value);
	return value;
}

static bool bool_of(const struct exchange *request, const char *key)
{
	bool value = false;

	(void)varlink_get_bool(request->call->parameters, key, &value);
	return value;
}

static bool is_known(const struct method *method, const char *key)
{
	for (const struct parameter *p = method->parameters; p->name; p++)
		if (!strcmp(p->name, key))
			return true;
	return false;
}

/* The parameter that is not as the interface says; NULL: there is none. */
static const char *wrong_parameter(const struct method *method, struct json_object *parameters)
{
	for (const struct parameter *p = method->parameters; p->name; p++) {
		const char *text;
		bool flag;

		if (p->is_flag ? varlink_get_bool(parameters, p->name, &flag)
			       : varlink_get_string(parameters, p->name, &text))
			return p->name;
	}
	if (!parameters)
		return NULL;
	json_object_object_foreach(parameters, key, value)
	{
		(void)value;
		if (!is_known(method, key))
			return key;
	}
	return NULL;
}

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
	const char *name = string_of(request, "interface") ?: "";

	if (!strcmp(name, INTERFACE_NAME))
		put_string(request, "description", interface_description);
	else if (!strcmp(name, VARLINK_SERVICE))
		put_string(request, "description", interface_service);
	else
		return -ENOENT;
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
		.all = bool_of(request, "all"),
		.json = true,
	};
	const struct server_view *view = refreshed(request);
	const char *word = string_of(request, "vm");
	_cleanup_text_ struct text text = {};
	int r = 0;

	if (word)
		r = find_vm(request, word, &options.only);
	if (!r)
		r = text_open(&text, request);
	if (r)
		return r;
	r = list_write(text.out, view->model, &options);
	if (r)
		return error_set(&request->err, r, "writing the list failed: %s", strerror(-r));
	r = text_close(&text, request);
	if (!r)
		put_lines(request, "vms", text.bytes, text.size, false);
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
	_cleanup_text_ struct text text = {};
	const struct vm *vm;
	int r;

	refreshed(request);
	r = find_vm(request, string_of(request, "vm"), &vm);
	if (!r)
		r = text_open(&text, request);
	if (!r)
		r = write_map(request, text.out, vm, string_of(request, "plane"));
	if (!r)
		r = text_close(&text, request);
	if (!r)
		put_lines(request, "map", text.bytes, text.size, true);
	return r;
}

static int write_findings(struct exchange *request, FILE *out, struct detect *detect)
{
	const char *word = string_of(request, "vm"), *least = string_of(request, "severity");
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
	_cleanup_text_ struct text text = {};
	int r;

	if (!view->detect)
		return not_available(request, "this daemon does not look for findings");
	r = text_open(&text, request);
	if (!r)
		r = write_findings(request, text.out, view->detect);
	if (!r)
		r = text_close(&text, request);
	if (!r)
		put_lines(request, "findings", text.bytes, text.size, false);
	return r;
}

static int get_events(struct exchange *request)
{
	int r = watch_events(request->client, string_of(request, "vm"),
		bool_of(request, "findings"), &request->err);

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

static int get_metrics(struct exchange *request)
{
	const struct server_view *view = request->client->server->view;
	const char *format = string_of(request, "format");
	_cleanup_text_ struct text text = {};
	int r;

	if (!view->metrics)
		return not_available(request, "this daemon has no metrics");
	if (format && strcmp(format, "text") && strcmp(format, "openmetrics"))
		return bad_parameter(
			request, "there is no such format", "it is openmetrics or text");
	r = text_open(&text, request);
	if (r)
		return r;
	r = view->metrics(view->context, format && !strcmp(format, "text"), text.out);
	if (r)
		return error_set(&request->err, r, "writing metrics failed: %s", strerror(-r));
	r = text_close(&text, request);
	if (!r)
		put_string(request, "text", text.bytes);
	return r;
}

static int get_loaded(struct exchange *request)
{
	const struct server_view *view = request->client->server->view;
	_cleanup_text_ struct text json = {}, text = {};
	int r;

	if (!view->loaded)
		return not_available(request, "this daemon enforces nothing");
	r = text_open(&json, request);
	if (!r)
		r = text_open(&text, request);
	if (!r)
		r = view->loaded(view->context, json.out, text.out, &request->err);
	if (!r)
		r = text_close(&json, request);
	if (!r)
		r = text_close(&text, request);
	if (r)
		return r;
	put_lines(request, "enforced", json.bytes, json.size, true);
	fputc(',', request->out);
	put_string(request, "text", text.bytes);
	return 0;
}

/* ---- changing ---- */

static int change(struct exchange *request, enum server_change what)
{
	const struct server_view *view = request->client->server->view;
	const struct peer *peer = &request->client->peer;
	struct server_peer who = {.pid = peer->pid, .uid = peer->uid};
	const char *vm = string_of(request, "vm");
	_cleanup_text_ struct text said = {};
	int r;

	if (!view->change)
		return not_available(request, "this daemon cannot do that");
	if (!vm && what != CHANGE_RELOAD && what != CHANGE_RELEASE)
		return bad_parameter(request, "no VM is given", "name one");
	r = text_open(&said, request);
	if (r)
		return r;
	r = view->change(view->context, what, vm, &who, said.out, &request->err);
	if (r == -ENOTSUP)
		request->error = "NotAvailable";
	if (!r)
		r = text_close(&said, request);
	if (!r)
		put_string(request, "said", said.bytes);
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
	const char *mode = string_of(request, "mode") ?: "";
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
static const struct method methods[] = {
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
	{INTERFACE_NAME ".PolicyLoaded", ACCESS_READ, false, false, {}, get_loaded},
	{INTERFACE_NAME ".Reload", ACCESS_CHANGE, false, false, {}, do_reload},
	{INTERFACE_NAME ".Freeze", ACCESS_CHANGE, false, false, {VM}, do_freeze},
	{INTERFACE_NAME ".Release", ACCESS_CHANGE, false, false, {VM}, do_release},
	{INTERFACE_NAME ".Baseline", ACCESS_CHANGE, false, false, {VM}, do_baseline},
	{INTERFACE_NAME ".Mode", ACCESS_CHANGE, false, false, {VM, {"mode", false}}, do_mode},
};

const char *methods_name(size_t i)
{
	return i < ARRAY_SIZE(methods) ? methods[i].name : NULL;
}

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

/* ---- calls ---- */

static int no_method(const struct exchange *request)
{
	const char *name = request->call->method;
	size_t n = varlink_interface_length(name);
	_cleanup_free_ char *interface = strndup(name, n);

	if ((n == strlen(INTERFACE_NAME) && !strncmp(name, INTERFACE_NAME, n)) ||
		(n == strlen(VARLINK_SERVICE) && !strncmp(name, VARLINK_SERVICE, n)))
		return reply_service_error(request, "MethodNotFound", "method", name);
	return interface ? reply_service_error(request, "InterfaceNotFound", "interface", interface)
			 : -ENOMEM;
}

static int not_permitted(struct exchange *request, const struct method *method)
{
	bool change = method->access == ACCESS_CHANGE && request->client->peer.access;

	request->error = "NotPermitted";
	error_set(&request->err, -EPERM, "%s",
		change ? "changing what the daemon does is for root"
		       : "reading from the daemon is for root and the group of its socket");
	error_advise(&request->err, "%s",
		change ? "run it as root"
		       : "run it as root, or as a member of the group " SERVER_GROUP);
	return reply_error(request);
}

/* The parameters of a reply are written: it goes, or is too large. */
static int finish(struct exchange *request, char **text, size_t size)
{
	if (request->call->oneway)
		return 0;
	if (size > VARLINK_REPLY_MAX) {
		request->error = "TooLarge";
		error_set(&request->err, -E2BIG, "the reply would be larger than %u MiB",
			VARLINK_REPLY_MAX >> 20);
		error_advise(&request->err, "the commands of kvm-encstat read the stream");
		return reply_error(request);
	}
	return client_send_text(request->client, TAKE_PTR(*text), SIZE_MAX);
}

static int run(struct exchange *request, const struct method *method)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	request->out = open_memstream(&text, &size);
	if (!request->out)
		return -ENOMEM;
	fputs("{\"parameters\":{", request->out);
	r = method->run(request);
	fputs("}}", request->out);
	if (fclose(request->out))
		return -ENOMEM;
	if (r == -ENOENT && method->run == get_description)
		return reply_service_error(request, "InterfaceNotFound", "interface",
			string_of(request, "interface") ?: "");
	if (r)
		return reply_error(request);
	if (method->more || method->upgrade)
		return 0; /* its replies come when there is something to say, or are on their way */
	return finish(request, &text, size);
}

int methods_dispatch(struct client *client, struct json_object *message)
{
	struct varlink_call call;
	struct exchange request = {.client = client, .call = &call};
	const struct method *method;
	const char *wrong;

	if (varlink_call_read(&call, message))
		return -EBADMSG;
	method = find_method(call.method);
	if (!method)
		return no_method(&request);
	if (client->peer.access < method->access)
		return not_permitted(&request, method);
	wrong = wrong_parameter(method, call.parameters);
	if (wrong)
		return reply_service_error(&request, "InvalidParameter", "parameter", wrong);
	if (method->more && !call.more)
		return reply_service_error(&request, "ExpectedMore", NULL, NULL);
	if (method->upgrade != call.upgrade)
		return reply_service_error(&request, "InvalidParameter", "parameter", "upgrade");
	return run(&request, method);
}
