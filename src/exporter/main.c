/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "exporter/exporter.h"
#include "service/client.h"

#define TIMEOUT_S 5

static const char help[] =
	"usage: kvm-encstat-exporter [--listen WHERE] [--socket PATH] [--timeout SECONDS]\n"
	"\n"
	"Serves the metrics of kvm-encstat's daemon at http://WHERE/metrics, for Prometheus: as\n"
	"OpenMetrics where that is asked for, else as text 0.0.4.\n"
	"\n"
	"options:\n"
	"  -l, --listen WHERE        ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH "
	"(default " EXPORTER_LISTEN ")\n"
	"  -s, --socket PATH         the daemon's (default " CLIENT_PATH ")\n"
	"  -t, --timeout SECONDS     for the daemon to answer (default 5)\n"
	"  -h, --help                this text\n"
	"  -V, --version             which version this is\n";

struct arguments {
	const char *listen, *socket;
	int timeout_ms;
	bool done; /* what was asked for is printed */
};

static int parse_timeout(const char *text, int *ret_ms)
{
	char *end;
	long seconds;

	errno = 0;
	seconds = strtol(text, &end, 10);
	if (end == text || *end || errno || seconds < 1 || seconds > 60)
		return -EINVAL;
	*ret_ms = (int)seconds * 1000;
	return 0;
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
	static const struct option longs[] = {
		{"listen", required_argument, NULL, 'l'},
		{"socket", required_argument, NULL, 's'},
		{"timeout", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "l:s:t:hV", longs, NULL)) != -1) {
		if (option == 'l')
			arguments->listen = optarg;
		else if (option == 's')
			arguments->socket = optarg;
		else if (option == 't' && !parse_timeout(optarg, &arguments->timeout_ms))
			continue;
		else if (option == 'h' || option == 'V')
			arguments->done = true;
		else
			return -EINVAL;
		if (arguments->done) {
			fputs(option == 'h' ? help : "kvm-encstat-exporter " KES_VERSION "\n",
				stdout);
			return 0;
		}
	}
	return optind < argc ? -EINVAL : 0;
}

/* Until it is told to end: the threads do the work. */
static void wait_for_end(const sigset_t *signals)
{
	int which;

	while (sigwait(signals, &which))
		;
}

static int run(const struct arguments *arguments, struct error *err)
{
	struct exporter exporter = {
		.socket = arguments->socket,
		.timeout_ms = arguments->timeout_ms,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	_cleanup_(http_stop) struct MHD_Daemon *http = NULL;
	_cleanup_close_ int fd = -1;
	char name[LISTEN_NAME_SIZE], shown[ESCAPED_SIZE(LISTEN_NAME_SIZE)];
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL); /* the threads inherit it */
	signal(SIGPIPE, SIG_IGN);
	r = listen_on(&fd, arguments->listen, err);
	if (!r)
		r = http_start(&http, &exporter, fd, err);
	if (r)
		return r;
	listen_name(TAKE_FD(fd), name); /* the server's */
	fprintf(stderr, "kvm-encstat-exporter: listening on %s\n",
		escape(name, shown, sizeof(shown)));
	wait_for_end(&signals);
	http_stop(&http);
	scrape_free(&exporter);
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {EXPORTER_LISTEN, CLIENT_PATH, TIMEOUT_S * 1000, false};
	struct error err = {};

	setvbuf(stderr, NULL, _IOLBF, 0);
	if (parse(&arguments, argc, argv)) {
		fprintf(stderr, "kvm-encstat-exporter: --help lists what it takes\n");
		return 2;
	}
	if (arguments.done || !run(&arguments, &err))
		return 0;
	fprintf(stderr, "kvm-encstat-exporter: %s\n", err.text);
	if (err.advice[0])
		fprintf(stderr, "kvm-encstat-exporter: %s\n", err.advice);
	return 1;
}
