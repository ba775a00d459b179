/* SPDX-License-Identifier: GPL-2.0-only */
/* HTTP, as little as it takes: GET and HEAD of /metrics. */
#include <errno.h>
#include <microhttpd.h>
#include <string.h>

#include "base/cleanup.h"
#include "exporter/exporter.h"
#include "metrics/exchange.h"

#define THREADS     2
#define CONNECTIONS 32
#define IDLE_S      15
#define REQUEST_MAX (32u << 10) /* bytes that a connection may hold */

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned int status,
	const char *type, const char *allow, struct text *body)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(body->n, body->bytes, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
	*body = (struct text){}; /* the response's */
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result refuse(
	struct MHD_Connection *connection, unsigned int status, const char *allow, const char *why)
{
	_cleanup_(text_free) struct text body = {};

	text_string(&body, why);
	return respond(connection, status, "text/plain; charset=utf-8", allow, &body);
}

static enum MHD_Result serve(struct exporter *exporter, struct MHD_Connection *connection)
{
	enum metrics_format format = metrics_negotiate(
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	_cleanup_(text_free) struct text body = {};

	scrape(exporter, format, &body);
	if (body.failed)
		return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NULL, "out of memory\n");
	return respond(connection, MHD_HTTP_OK, metrics_content_type(format), NULL, &body);
}

/* Called when the headers are there, for each piece of a body, and at the end of it. What is
 * refused at once ends the connection; nothing of a body is kept. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
	const char *path, const char *method, const char *version, const char *upload,
	size_t *upload_size, void **state)
{
	(void)version;
	(void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD",
			"only GET and HEAD\n");
	if (!*state || *upload_size) {
		*state = connection; /* it was called before */
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(path, "/metrics"))
		return refuse(connection, MHD_HTTP_NOT_FOUND, NULL, "there is /metrics\n");
	return serve(context, connection);
}

int http_start(struct MHD_Daemon **ret, struct exporter *exporter, int listen_fd, struct error *err)
{
	struct MHD_Daemon *http = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
		on_request, exporter, MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)REQUEST_MAX, MHD_OPTION_END);

	if (!http)
		return error_set(err, -EIO, "starting the HTTP server failed");
	*ret = http;
	return 0;
}

void http_stop(struct MHD_Daemon **http)
{
	if (*http)
		MHD_stop_daemon(*http);
	*http = NULL;
}
