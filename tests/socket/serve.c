/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A daemon without a kernel: the real server over records of a capture, or made up.
 *
 *   serve SOCKET CAPTURE FIRST       has taken in FIRST records of it when it says "ready"; after
 *                                    SIGUSR1 come the others
 *   serve SOCKET flood RATE SECONDS  after SIGUSR1, RATE conversions a second by way of a ring as
 *                                    large as a real one's; what finds it full is lost
 *
 * Says how many subscribers it has when that changes, and what it came to when it ends, by SIGTERM.
 */
#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/file_reader.h"
#include "kvm_abi.h"
#include "service/server.h"

#define RING_RECORDS 32768u /* 2 MiB, as the real one */
#define BATCH        256u   /* taken from it at a time */
#define LOOP_NS      10000000ull
#define POLL_US      50000

struct ring {
	struct kes_record records[RING_RECORDS];
	atomic_size_t head, tail;
	atomic_ulong lost;
	unsigned long rate;
	double seconds;
	pthread_t thread;
};

static struct ring ring;
static struct model *model;
static struct detect *detect;
static struct settings *settings;
static struct server *server;
static struct style style;
static char *metadata;
static unsigned long events;
static atomic_bool made; /* all that shall be made */
static bool is_over;

static int fail(const char *what)
{
	fprintf(stderr, "serve: %s\n", what);
	return 1;
}

/* ---- records ---- */

static int on_event(void *context, const struct event *event)
{
	(void)context;
	events += event->kind < EVENT_TOLD;
	if (server)
		server_event(server, event);
	return detect_event(detect, event);
}

static int on_finding(void *context, const struct finding *finding, enum finding_phase phase)
{
	(void)context;
	if (server)
		server_finding(server, finding, phase);
	return 0;
}

static int take(const struct kes_record *records, size_t n)
{
	int r = model_apply(model, records, n);

	if (!r && server)
		server_records(server, records, n);
	return r;
}

/* ---- a capture ---- */

static struct kes_record *kept;
static size_t n_kept, n_taken;

static int read_capture(const char *path)
{
	_cleanup_(capture_reader_free) struct capture_reader *reader = NULL;
	struct json_object *about, *clock, *offset;
	const struct kes_record *records;
	struct error err = {};
	size_t n;

	if (capture_reader_open(&reader, path, &err))
		return fail(err.text);
	about = json_tokener_parse(capture_reader_metadata(reader));
	if (json_object_object_get_ex(about, "clock", &clock) &&
		json_object_object_get_ex(clock, "realtime_offset_ns", &offset))
		style.realtime_offset_ns = json_object_get_int64(offset);
	json_object_object_del(about, "format");
	metadata = strdup(json_object_to_json_string(about));
	json_object_put(about);
	while (capture_reader_next(reader, &records, &n, &err) == 1) {
		kept = realloc(kept, (n_kept + n) * sizeof(*kept));
		memcpy(kept + n_kept, records, n * sizeof(*kept));
		n_kept += n;
	}
	return 0;
}

/* ---- made up ---- */

static void put(struct kes_record r, uint32_t vm)
{
	static uint64_t seq[8];
	size_t head = atomic_load(&ring.head);

	r.vm = vm;
	r.seq = seq[vm]++;
	if (head - atomic_load(&ring.tail) == RING_RECORDS) {
		atomic_fetch_add(&ring.lost, 1);
		return;
	}
	ring.records[head % RING_RECORDS] = r;
	atomic_store(&ring.head, head + 1);
}

static void convert(uint64_t i)
{
	struct kes_record r = {.ts_ns = clock_now_ns(), .kind = KES_REQUEST};

	r.conversion.gpa = (i * 7919 % 65536) << 12;
	r.conversion.npages = 1;
	r.conversion.attrs = i / 65536 % 2 ? 0 : KES_MAP_GPA_ENCRYPTED;
	put(r, 1 + i % 4);
	r.conversion.answer.request_ns = r.ts_ns;
	r.ts_ns += 1000;
	r.kind = KES_ANSWER;
	put(r, 1 + i % 4);
}

static void *make(void *context)
{
	uint64_t start = clock_now_ns(), i = 0, due;

	(void)context;
	for (uint32_t vm = 1; vm <= 4; vm++) {
		struct kes_record r = {.ts_ns = start, .kind = KES_VM_NEW};

		r.vm_new.pid = 1000 + vm;
		r.vm_new.type = KES_VM_SW_PROTECTED;
		put(r, vm);
	}
	while ((double)(clock_now_ns() - start) < ring.seconds * 1e9) {
		due = (uint64_t)((double)(clock_now_ns() - start) / 1e9 * (double)ring.rate);
		for (; i < due; i++)
			convert(i);
		usleep(500);
	}
	atomic_store(&made, true);
	return NULL;
}

static int pump(void *context)
{
	size_t tail = atomic_load(&ring.tail);
	int r = 0;

	(void)context;
	while (!r && tail != atomic_load(&ring.head)) {
		size_t n = atomic_load(&ring.head) - tail, at = tail % RING_RECORDS;

		n = n < BATCH ? n : BATCH;
		n = n < RING_RECORDS - at ? n : RING_RECORDS - at;
		r = take(ring.records + at, n);
		tail += n;
		atomic_store(&ring.tail, tail);
	}
	return r;
}

/* ---- the run ---- */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	(void)source;
	(void)context;
	if (info->ssi_signo == SIGTERM)
		is_over = true;
	else if (ring.rate)
		return -pthread_create(&ring.thread, NULL, make, NULL);
	else
		while (n_taken < n_kept) /* one by one, as they come from a guest */
			if (take(&kept[n_taken++], 1))
				return -ENOMEM;
	return 0;
}

static char *describe(void *context)
{
	(void)context;
	return strdup(metadata ?: "{}");
}

static void tell_subscribers(void)
{
	static size_t told;
	struct server_counts counts;

	server_counts(server, &counts);
	if (counts.subscribers != told) {
		told = counts.subscribers;
		printf("subscribers %zu\n", told);
		fflush(stdout);
	}
}

static int run(sd_event *loop)
{
	bool told = false;

	while (!is_over) {
		uint64_t start;

		if (sd_event_run(loop, POLL_US) < 0 || pump(NULL))
			return fail("the loop failed");
		start = clock_now_ns();
		while (sd_event_run(loop, 0) > 0 && clock_now_ns() - start < LOOP_NS)
			;
		tell_subscribers();
		if (!told && atomic_load(&made)) {
			puts("made");
			fflush(stdout);
			told = true;
		}
	}
	return 0;
}

static void report(void)
{
	struct server_counts counts;
	struct model_totals totals;

	model_totals(model, &totals);
	server_counts(server, &counts);
	printf("{\"records\":%llu,\"lost\":%lu,\"missing\":%llu,\"accepted\":%llu,\"malformed\":%"
	       "llu,"
	       "\"dropped\":%llu,\"calls\":%llu,\"snapshots\":%llu,\"clients\":%zu}\n",
		(unsigned long long)totals.records, atomic_load(&ring.lost),
		(unsigned long long)totals.lost, (unsigned long long)counts.accepted,
		(unsigned long long)counts.malformed, (unsigned long long)counts.dropped,
		(unsigned long long)counts.calls, (unsigned long long)counts.snapshots,
		counts.clients);
}

static int open_model(void)
{
	struct model_options with = {.on_event = on_event};
	struct detect_options look = {.on_finding = on_finding, .keep = true};

	if (settings_new(&settings) || model_new(&model, &with))
		return 1;
	look.settings = settings;
	if (detect_new(&detect, &look))
		return 1;
	detect_watch(detect, model);
	return 0;
}

int main(int argc, char **argv)
{
	struct server_options options = {.listen_fd = -1, .group = (gid_t)-1};
	struct server_view view = {.style = &style, .describe = describe, .refresh = pump};
	bool flood = argc == 5 && !strcmp(argv[2], "flood");
	struct error err = {};
	sigset_t set;
	int r;

	if (!flood && argc != 4)
		return fail("SOCKET CAPTURE FIRST | SOCKET flood RATE SECONDS");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (open_model() || sd_event_new(&options.event) < 0)
		return fail("no memory");
	if (flood) {
		ring.rate = strtoul(argv[3], NULL, 10);
		ring.seconds = strtod(argv[4], NULL);
	} else {
		if (read_capture(argv[2]))
			return 1;
		for (; n_taken < n_kept && n_taken < strtoul(argv[3], NULL, 10); n_taken++)
			if (take(&kept[n_taken], 1))
				return fail("a record was not taken");
	}
	sd_event_add_signal(options.event, NULL, SIGUSR1, on_signal, NULL);
	sd_event_add_signal(options.event, NULL, SIGTERM, on_signal, NULL);
	options.path = argv[1];
	view.model = model;
	view.detect = detect;
	if (server_new(&server, &options, &view, &err))
		return fail(err.text);
	printf("ready %lu\n", events);
	fflush(stdout);
	r = run(options.event);
	if (ring.rate && atomic_load(&made))
		pthread_join(ring.thread, NULL);
	report();
	server_free(&server);
	detect_free(&detect);
	model_free(&model);
	settings_free(&settings);
	sd_event_unref(options.event);
	free(kept);
	free(metadata);
	return r;
}
