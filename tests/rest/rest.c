/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a record that comes while the reader sleeps wakes it: the tool's own reader, on records
 * that BPF test runs put on its ring. Where one gets lost on the way to the other, both wait for
 * ever, which the alarm ends.
 *
 *   rest ROUNDS    1 if something is wrong, 77 where no programs can be loaded
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bpf/observe.skel.h"
#include "capture/live.h"
#include "capture/live_private.h"
#include "tests/rest.skel.h"

#define SLOT    (KES_MAX_VMS - 1) /* which no VM of this host has */
#define SENDERS 2
#define HUNG_S  600

static struct live *live;
static struct rest_bpf *skeleton;
static uint64_t taken; /* records of ours */
static uint64_t rounds;
static bool wrong;

static void check(bool ok, const char *what)
{
	printf("%s %s\n", ok ? "ok" : "not ok", what);
	wrong |= !ok;
}

static int take(void *context, const struct kes_record *records, size_t n)
{
	(void)context;
	for (size_t i = 0; i < n; i++)
		if (records[i].kind == KES_REFUSED && !records[i].vm)
			__atomic_add_fetch(&taken, 1, __ATOMIC_RELEASE);
	return 0;
}

static void put_one(void)
{
	uint64_t arguments[1] = {SLOT};
	LIBBPF_OPTS(
		bpf_test_run_opts, options, .ctx_in = arguments, .ctx_size_in = sizeof(arguments));

	if (bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.put_one), &options) ||
		options.retval) {
		fprintf(stderr, "a test run failed: %s\n", strerror(errno));
		exit(EXIT_FAILURE);
	}
}

static bool is_readable(int timeout_ms)
{
	struct epoll_event event;

	return epoll_wait(live_fd(live), &event, 1, timeout_ms) > 0;
}

static bool kernel_thinks_we_sleep(void)
{
	struct kes_control control = {};
	uint32_t zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(live->observe->maps.control), &zero, &control);
	return control.reader_sleeps;
}

/* As after a long time in which nothing came. */
static int rest(void)
{
	live->came_ns = 0;
	return live_rest(live, take, NULL);
}

static void poll_all(void)
{
	while (is_readable(0))
		live_poll(live, 0, take, NULL);
	live_poll(live, 0, take, NULL);
}

static void one_by_one(void)
{
	poll_all();
	put_one();
	check(!is_readable(0), "who is awake is not woken for one record");
	check(rest() == 0 && taken == 1, "what waits already is taken, in place of a rest");
	check(live_rest(live, take, NULL) == 0, "no rest soon after a record");
	check(!kernel_thinks_we_sleep(), "and the kernel half is not told of one");
	check(rest() == 1 && kernel_thinks_we_sleep(), "where nothing comes there is rest");
	check(!is_readable(0), "and nothing wakes us");
	put_one();
	check(is_readable(-1), "a record wakes who sleeps");
	check(!kernel_thinks_we_sleep(), "and only the first one does");
	put_one();
	live_poll(live, 0, take, NULL);
	check(taken == 3, "it comes, with what followed, and nothing else does");
	check(rest() == 1, "rest again");
	live_poll(live, 0, take, NULL);
	check(!kernel_thinks_we_sleep(), "who looks by himself is awake");
}

/* Each sends one record when the one before was taken: just when the reader goes to rest. */
static void *send_all(void *context)
{
	(void)context;
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t before = __atomic_load_n(&taken, __ATOMIC_ACQUIRE);

		put_one();
		while (__atomic_load_n(&taken, __ATOMIC_ACQUIRE) == before)
			;
	}
	return NULL;
}

static void in_turn(unsigned senders)
{
	pthread_t threads[SENDERS];
	uint64_t slept = 0, total = senders * rounds;
	char what[96];

	taken = 0;
	for (unsigned i = 0; i < senders; i++)
		if (pthread_create(&threads[i], NULL, send_all, NULL))
			exit(EXIT_FAILURE);
	while (taken < total) {
		int r = rest();

		if (r < 0)
			break;
		if (!r)
			continue;
		slept++;
		is_readable(-1);
		live_poll(live, 0, take, NULL);
	}
	for (unsigned i = 0; i < senders; i++)
		pthread_join(threads[i], NULL);
	snprintf(what, sizeof(what), "%u senders: each of %llu records came; slept %llu times",
		senders, (unsigned long long)total, (unsigned long long)slept);
	check(taken == total && slept, what);
}

int main(int argc, char **argv)
{
	struct live_options options = {};
	struct error err = {};

	rounds = argc == 2 ? strtoull(argv[1], NULL, 0) : 0;
	if (!rounds) {
		fputs("usage: rest ROUNDS\n", stderr);
		return 2;
	}
	if (live_new(&live, &options, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 77;
	}
	skeleton = rest_bpf__open();
	if (!skeleton)
		return EXIT_FAILURE;
	live_share_tables(live, skeleton->obj);
	if (rest_bpf__load(skeleton))
		return EXIT_FAILURE;
	alarm(HUNG_S);
	one_by_one();
	for (unsigned senders = 1; senders <= SENDERS; senders++)
		in_turn(senders);
	rest_bpf__destroy(skeleton);
	live_free(&live);
	return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
