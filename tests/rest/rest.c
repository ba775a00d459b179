/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether a record that comes while the reader waits wakes it: any if it sleeps, an urgent one if
 * it naps, and of many the first one only. The tool's own reader, on records that BPF test runs put
 * on its ring. Where one gets lost on the way to the other, both wait for ever, which the alarm
 * ends.
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

#define SLOT       (KES_MAX_VMS - 1) /* which no VM of this host has */
#define SENDERS    2
#define HUNG_S     600
#define FLOOD      1009
#define ITEM_BYTES 8 /* what the ring adds to each record */
#define WAKE_BYTES (ITEM_BYTES + 8)

static struct live *live;
static struct rest_bpf *skeleton;
static uint64_t taken; /* records of ours */
static uint64_t rounds;
static bool wrong;
static bool one_more; /* urgent, while the next one is taken */
static bool late;     /* who stood still wakes us, while the next look begins */

static void put_one(bool urgent);

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
	if (one_more) {
		one_more = false;
		put_one(true);
	}
	return 0;
}

static uint32_t run_program(struct bpf_program *program, uint64_t urgent)
{
	uint64_t arguments[2] = {SLOT, urgent};
	LIBBPF_OPTS(
		bpf_test_run_opts, options, .ctx_in = arguments, .ctx_size_in = sizeof(arguments));

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &options)) {
		fprintf(stderr, "a test run failed: %s\n", strerror(errno));
		exit(EXIT_FAILURE);
	}
	return options.retval;
}

static void put_one(bool urgent)
{
	if (run_program(skeleton->progs.put_one, urgent))
		exit(EXIT_FAILURE);
}

int __real_ring_buffer__consume(struct ring_buffer *ring);
int __wrap_ring_buffer__consume(struct ring_buffer *ring);

int __wrap_ring_buffer__consume(struct ring_buffer *ring)
{
	if (late)
		run_program(skeleton->progs.wake_late, 0);
	late = false;
	return __real_ring_buffer__consume(ring);
}

static bool is_readable(int timeout_ms)
{
	struct epoll_event event;

	return epoll_wait(live_fd(live), &event, 1, timeout_ms) > 0;
}

static bool kernel_thinks(uint32_t we)
{
	struct kes_control control = {};
	uint32_t zero = 0;

	bpf_map_lookup_elem(bpf_map__fd(live->observe->maps.control), &zero, &control);
	return control.reader == we;
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

static void asleep(void)
{
	poll_all();
	put_one(false);
	check(!is_readable(0), "who is awake is not woken for one record");
	check(rest() == 0 && taken == 1, "what waits already is taken, in place of a rest");
	check(live_rest(live, take, NULL) == 0, "no rest soon after a record");
	check(kernel_thinks(KES_READER_LOOKS), "and the kernel half is not told of one");
	check(rest() == 1 && kernel_thinks(KES_READER_SLEEPS), "where nothing comes there is rest");
	check(!is_readable(0), "and nothing wakes us");
	put_one(false);
	check(is_readable(-1), "a record wakes who sleeps");
	check(kernel_thinks(KES_READER_LOOKS), "and only the first one does");
	put_one(false);
	live_poll(live, 0, take, NULL);
	check(taken == 3, "it comes, with what followed, and nothing else does");
	late = true;
	check(rest() == 0, "no rest when what would have ended it is off the ring already");
	check(rest() == 1, "rest again");
	live_poll(live, 0, take, NULL);
	check(kernel_thinks(KES_READER_LOOKS), "who looks by himself is awake");
}

/* How many wake-ups that many urgent records, one after the other, make. */
static uint32_t wake_ups(unsigned n)
{
	uint32_t before = run_program(skeleton->progs.put_so_far, 0);

	for (unsigned i = 0; i < n; i++)
		put_one(true);
	return (run_program(skeleton->progs.put_so_far, 0) - before -
		       n * (ITEM_BYTES + (uint32_t)sizeof(struct kes_record))) /
	       WAKE_BYTES;
}

static void napping(void)
{
	poll_all();
	taken = 0;
	check(!wake_ups(FLOOD), "who is awake is woken for nothing, however urgent");
	check(!live_nap(live), "but does not wait, either");
	live_poll(live, -1, take, NULL);
	check(taken == FLOOD, "not even if it wanted to: all are taken");
	check(live_nap(live), "then there is time for a nap");
	put_one(false);
	check(!is_readable(0), "which one record that can wait does not end");
	check(wake_ups(FLOOD) == 1 && is_readable(-1), "and one of many that cannot does");
	live_poll(live, 0, take, NULL);
	check(taken == 2 * FLOOD + 1, "all of them come");
	check(live_nap(live) && wake_ups(1) == 1, "and the next nap ends with the next one");
	poll_all();
	check(rest() == 1 && wake_ups(FLOOD) == 1 && is_readable(-1), "as does a rest");
	poll_all();
	put_one(false);
	one_more = true;
	live_poll(live, 0, take, NULL);
	check(!live_nap(live), "what is urgent and comes during a look makes another one");
}

/* Each sends one record when the one before was taken: just when the reader begins to wait. */
static void *send_all(void *urgent)
{
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t before = __atomic_load_n(&taken, __ATOMIC_ACQUIRE);

		put_one(urgent);
		while (__atomic_load_n(&taken, __ATOMIC_ACQUIRE) == before)
			;
	}
	return NULL;
}

/* 1: the reader waits until it is woken; 0: it looks once more. */
static int nap(void)
{
	if (live_nap(live))
		return 1;
	live_poll(live, 0, take, NULL);
	return 0;
}

static void in_turn(unsigned senders, int (*begin)(void), bool urgent)
{
	pthread_t threads[SENDERS];
	uint64_t slept = 0, total = senders * rounds;
	char what[96];

	poll_all();
	taken = 0;
	for (unsigned i = 0; i < senders; i++)
		if (pthread_create(&threads[i], NULL, send_all, urgent ? live : NULL))
			exit(EXIT_FAILURE);
	while (taken < total) {
		int r = begin();

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
	snprintf(what, sizeof(what), "%u senders: each of %llu%s records came; %s %llu times",
		senders, (unsigned long long)total, urgent ? " urgent" : "",
		begin == nap ? "napped" : "slept", (unsigned long long)slept);
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
	asleep();
	napping();
	for (unsigned senders = 1; senders <= SENDERS; senders++) {
		in_turn(senders, rest, false);
		in_turn(senders, rest, true);
		in_turn(senders, nap, true);
	}
	rest_bpf__destroy(skeleton);
	live_free(&live);
	return wrong ? EXIT_FAILURE : EXIT_SUCCESS;
}
