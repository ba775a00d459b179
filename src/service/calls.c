/* SPDX-License-Identifier: GPL-2.0-only */
/* Takes calls apart, says who may make them, and makes their replies. */
#include "service/calls.h"

#include <errno.h>
#include <string.h>

#include "service/interface.h"

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

void exchange_put_string(struct exchange *request, const char *key, const char *value)
{
	json_object *string = json_object_new_string(value);

	fprintf(request->out, "\"%s\":%s", key,
		json_object_to_json_string_ext(
			string, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(string);
}

/* Lines, each one JSON object, as the array or (single) the object that they are. */
void exchange_put_lines(
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

void written_free(struct written *text)
{
	if (text->out)
		fclose(text->out);
	free(text->bytes);
}

int written_open(struct written *text, struct exchange *request)
{
	text->out = open_memstream(&text->bytes, &text->size);
	return text->out ? 0 : error_set(&request->err, -ENOMEM, "out of memory");
}

int written_close(struct written *text, struct exchange *request)
{
	FILE *out = TAKE_PTR(text->out);

	return fclose(out) ? error_set(&request->err, -ENOMEM, "out of memory") : 0;
}

/* ---- parameters ---- */

/* The types were looked at before: what is not there stays as it is. */
const char *exchange_string(const struct exchange *request, const char *key)
{
	const char *value = NULL;

	(void)varlink_get_string(request->call->parameters, key, &value);
	return value;
}

bool exchange_bool(const struct exchange *request, const char *key)
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

/* ---- calls ---- */

const char *methods_name(size_t i)
{
	return methods[i].name;
}

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; methods[i].name; i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

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

/* Those who ask and do not read may not take all memory; nor keep root from changing things. */
static bool is_crowded(const struct exchange *request, const struct method *method)
{
	const struct server *server = request->client->server;

	return method->access != ACCESS_CHANGE &&
	       server->replies_bytes > (server->is_short ? REPLIES_SHORT : REPLIES_BYTES);
}

static int busy(struct exchange *request)
{
	request->error = "Busy";
	error_set(&request->err, -EBUSY, "too many have asked, and not read their replies yet");
	error_advise(&request->err, "try again in some seconds");
	return reply_error(request);
}

static int run(struct exchange *request, const struct method *method)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	if (is_crowded(request, method))
		return busy(request);
	request->out = open_memstream(&text, &size);
	if (!request->out)
		return -ENOMEM;
	fputs("{\"parameters\":{", request->out);
	r = method->run(request);
	fputs("}}", request->out);
	if (fclose(request->out))
		return -ENOMEM;
	if (request->no_interface)
		return reply_service_error(
			request, "InterfaceNotFound", "interface", request->no_interface);
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
