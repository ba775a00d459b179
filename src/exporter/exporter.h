/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kvm-encstat-exporter: serves the daemon's metrics over HTTP. A process of its own without any
 * privilege but to read from the daemon's socket, so that what the network sends meets nothing that
 * may do more.
 */
#ifndef EXPORTER_EXPORTER_H
#define EXPORTER_EXPORTER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "metrics/metrics.h"
#include "metrics/text.h"

#define EXPORTER_LISTEN "127.0.0.1:19751"

/* Those who scrape more often get the same text again: the daemon has better things to do. */
#define EXPORTER_FRESH_NS 500000000ull

/* A text of the daemon's. Responses that are on their way share it. */
struct page {
	unsigned int refs;
	char *bytes;
	size_t size;
};

/* The latest answer in one format. */
struct answer {
	struct page *page; /* NULL: the daemon did not answer */
	uint64_t fetched_ns, took_ns;
};

struct exporter {
	const char *socket; /* the daemon's */
	int timeout_ms;     /* for it to answer */

	/* Behind the lock. */
	pthread_mutex_t lock;
	struct answer answers[METRICS_FORMATS];
	bool is_away; /* which was said */
	uint64_t failures;
};

/* fetch.c: what the daemon says, the caller's. 0 or a negative errno with err filled. */
int fetch_metrics(const char *socket, int timeout_ms, enum metrics_format format, char **ret,
	size_t *ret_size, struct error *err);

/* scrape.c: the whole text is what the exporter says of itself, appended to own (which may have
 * failed), and then *ret, a reference; NULL: that is all. */
void scrape(
	struct exporter *exporter, enum metrics_format format, struct text *own, struct page **ret);
void page_unref(struct page **page);
void scrape_free(struct exporter *exporter);

/* http.c: serves it, from threads of its own, until http_stop(). */
struct MHD_Daemon;
int http_start(
	struct MHD_Daemon **ret, struct exporter *exporter, int listen_fd, struct error *err);
void http_stop(struct MHD_Daemon **http);

/* listen.c: ADDRESS:PORT, [ADDRESS]:PORT, or unix:PATH. A socket that listens, the caller's. */
int listen_on(int *ret, const char *where, struct error *err);

/* Where it listens, in the same form: port 0 has become a free one. */
#define LISTEN_NAME_SIZE 144
void listen_name(int fd, char name[LISTEN_NAME_SIZE]);

#endif
