/* SPDX-License-Identifier: GPL-2.0-only */
/* HTTP, as little as it takes: GET and HEAD of /metrics. */
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/exporter.h"
#include "metrics/exchange.h"

#define THREADS     2
#define CONNECTIONS 32
#define IDLE_S      15
#define REQUEST_MAX (32u << 10) /* bytes that a connection may hold */

/* What a response is made of, for as long as it is on its way. */
struct body {
	struct text own;
	struct page *page;
};

static void body_free(void *context)
{
	struct body *body = context;

	text_free(&body->own);
	page_unref(&body->page);
	free(body);
}

/* Sent from where it is. The body is taken. */
static struct MHD_Response *response_of(struct body *body)
{
	const struct page *page = body->page;
	const struct MHD_IoVec pieces[] = {
		{body->own.bytes, body->own.n}, {page ? page->bytes : NULL, page ? page->size : 0}};
	struct MHD_Response *response = NULL;

	if (!body->own.failed)
		response = MHD_create_response_from_iovec(pieces, page ? 2 : 1, body_free, body);
	if (!response)
		body_free(body);
	return response;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned int status,
	const char *type, const char *allow, struct body *body)
{
	struct MHD_Response *response = response_of(body);
	enum MHD_Result r;

	if (!response)
		return MHD_NO;
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
	struct body *body = calloc(1, sizeof(*body));

	if (!body)
		return MHD_NO;
	text_string(&body->own, why);
	return respond(connection, status, "text/plain; charset=utf-8", allow, body);
}

static enum MHD_Result serve(struct exporter *exporter, struct MHD_Connection *connection)
{
	enum metrics_format format = metrics_negotiate(
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	struct body *body = calloc(1, sizeof(*body));

	if (!body)
		return MHD_NO;
	scrape(exporter, format, &body->own, &body->page);
	return respond(connection, MHD_HTTP_OK, metrics_content_type(format), NULL, body);
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
