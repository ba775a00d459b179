/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "capture/live.h"
#include "capture/uevent.h"
#include "cli/child.h"
#include "cli/session_private.h"

#define POLL_MS       50            /* how long a record may wait on the ring for company */
#define COLLECT_NS    1000000000ull /* how often the kernel's counts are read */
#define QUIET_NS      250000000ull  /* so long nothing was to be done, and we may sleep longer */
#define WAIT_MS       250 /* how long KVM may be there unnoticed, where the kernel does not say so */
#define READING_NS    20000000ull /* the least time between two readings of host planes */
#define READING_SHARE 10          /* and so many times what the last ones took */
#define READING_TRIES 100         /* at the end, POLL_MS apart */

/* The same for memory that is there twice. */
#define RESIDENT_NS    10000000000ull
#define RESIDENT_SHARE 100

struct loop {
	struct session *session;
	struct live *live;
	struct child child;
	int signals, epoll;
	uint64_t end_ns, collect_ns, reading_ns, resident_ns;
	uint64_t stirred_ns; /* when something came that wakes us, other than time */
	bool stop, resync;
};

/* ---- what the capture says of itself ---- */

static json_object *describe_hooks(struct live *live)
{
	json_object *list = json_object_new_array();
	size_t n = 0;
	const struct hook *hooks = live ? live_hooks(live, &n) : NULL;

	for (size_t i = 0; i < n; i++) {
		json_object *hook = json_object_new_object();

		json_object_object_add(hook, "name", json_object_new_string(hooks[i].name));
		json_object_object_add(
			hook, "state", json_object_new_string(hook_state_name(hooks[i].state)));
		json_object_array_add(list, hook);
	}
	return list;
}

json_object *session_describe(
	const struct options *given, const struct style *style, struct live *live)
{
	json_object *about = json_object_new_object(), *kernel = json_object_new_object();
	json_object *clock = json_object_new_object(), *options = json_object_new_object();
	struct utsname uts;

	uname(&uts);
	json_object_object_add(about, "tool", json_object_new_string("kvm-encstat " KES_VERSION));
	json_object_object_add(kernel, "release", json_object_new_string(uts.release));
	json_object_object_add(kernel, "machine", json_object_new_string(uts.machine));
	json_object_object_add(about, "kernel", kernel);
	json_object_object_add(about, "hooks", describe_hooks(live));
	json_object_object_add(options, "abi", json_object_new_string(abi_name(given->abi)));
	if (live)
		json_object_object_add(
			options, "ring_bytes", json_object_new_uint64(live_ring_bytes(live)));
	json_object_object_add(about, "options", options);
	json_object_object_add(clock, "base", json_object_new_string("CLOCK_MONOTONIC"));
	json_object_object_add(
		clock, "realtime_offset_ns", json_object_new_int64(style->realtime_offset_ns));
	json_object_object_add(about, "clock", clock);
	return about;
}

/* ---- the loop ---- */

int session_open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void take_signals(struct loop *loop)
{
	struct signalfd_siginfo info;

	while (read(loop->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			loop->resync = true;
		else if (info.ssi_signo == SIGHUP && loop->session->reader->reload)
			loop->session->reader->reload(loop->session->reader->context);
		else if (info.ssi_signo != SIGCHLD)
			loop->stop = true; /* the terminal's Ctrl-C reaches the command by itself */
		else if (child_reap(&loop->child))
			loop->stop = true;
	}
}

static int watch(struct loop *loop, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int collect(struct loop *loop)
{
	loop->collect_ns = clock_now_ns();
	session_flush_save(loop->session);
	return live_collect(loop->live, session_take, loop->session);
}

/* When to do again what began at START and is done: after SHARE times what it took, at least. */
static uint64_t next_time(uint64_t start, uint64_t share, uint64_t at_least)
{
	uint64_t now = clock_now_ns(), pause = (now - start) * share;

	return now + (pause > at_least ? pause : at_least);
}

/* Reads the host planes that are not known, or (all) every one, from the kernel. *ret_again: some
 * could not be read just now. */
static int read_planes(struct loop *loop, bool all, bool *ret_again)
{
	uint64_t start = clock_now_ns();
	struct session *session = loop->session;
	uint32_t vm = 0;
	int r = 0;

	*ret_again = false;
	while ((vm = model_next_reading(session->model, vm, all))) {
		r = live_read_attributes(loop->live, vm, session_take, session);
		if (r == -EAGAIN)
			*ret_again = true;
		else if (r && r != -ENOENT && r != -ENOTSUP)
			return r;
	}
	loop->reading_ns = next_time(start, READING_SHARE, READING_NS);
	return 0;
}

/* Looks at each VM that may have memory twice. */
static int read_resident(struct loop *loop)
{
	uint64_t start = clock_now_ns();
	struct session *session = loop->session;
	uint32_t vm = 0;
	int r;

	if (!session->reader->wants_resident)
		return 0;
	while ((vm = model_next_reading(session->model, vm, true))) {
		r = live_read_resident(loop->live, vm, session_take, session);
		if (r && r != -ENOENT && r != -EAGAIN && r != -ENOTSUP)
			return r;
	}
	loop->resident_ns = next_time(start, RESIDENT_SHARE, RESIDENT_NS);
	return 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Until when there is nothing to do but what wakes us: in the past while that is not so. */
static uint64_t idle_until(const struct loop *loop, uint64_t now)
{
	const struct reader *reader = loop->session->reader;
	uint64_t until = loop->collect_ns + COLLECT_NS;

	if (loop->resync || now - loop->stirred_ns < QUIET_NS)
		return 0;
	if (model_next_reading(loop->session->model, 0, false)) /* it could not be read yet */
		until = earlier(until, loop->reading_ns);
	if (reader->turn)
		until = earlier(until, reader->due ? reader->due(reader->context) : 0);
	return until;
}

/* How long to wait for events: until the next look at the ring or, where all is quiet, until
 * something is due; or the end. Negative: an errno. */
static int timeout_ms(struct loop *loop)
{
	uint64_t now = clock_now_ns(), until = now + POLL_MS * 1000000ull, idle;
	int rests = 0;

	if (now >= loop->end_ns)
		return 0;
	idle = idle_until(loop, now);
	if (idle > until)
		rests = live_rest(loop->live, session_take, loop->session);
	if (rests < 0)
		return rests;
	if (rests)
		until = idle;
	else if (!live_nap(loop->live))
		return 0;
	until = earlier(until, loop->end_ns);
	return until > now ? (int)((until - now) / 1000000) + 1 : 0;
}

static int wait_for_events(struct loop *loop)
{
	int ms = timeout_ms(loop), n;
	struct epoll_event event;

	if (ms < 0)
		return ms;
	n = epoll_wait(loop->epoll, &event, 1, ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	if (n)
		loop->stirred_ns = clock_now_ns();
	return 0;
}

static int turn(struct loop *loop)
{
	int r = wait_for_events(loop);
	bool again;

	if (r)
		return r;
	take_signals(loop);
	r = live_poll(loop->live, 0, session_take, loop->session);
	if (!r && clock_now_ns() - loop->collect_ns >= COLLECT_NS)
		r = collect(loop);
	if (!r && (loop->resync || clock_now_ns() >= loop->reading_ns)) {
		r = read_planes(loop, loop->resync, &again);
		loop->resync = false;
	}
	if (!r && clock_now_ns() >= loop->resident_ns)
		r = read_resident(loop);
	if (!r && fflush(stdout))
		r = -EPIPE;
	if (clock_now_ns() >= loop->end_ns)
		loop->stop = true;
	return r;
}

/* 0, or a negative errno with err filled. */
static int reader_turn(struct loop *loop, struct error *err)
{
	const struct reader *reader = loop->session->reader;
	int r = reader->turn ? reader->turn(reader->context, loop->session->model, err) : 0;

	loop->stop |= r > 0;
	return r < 0 ? r : 0;
}

/* What is on the ring, and the last counts. */
static int drain(struct loop *loop)
{
	int r = live_poll(loop->live, 0, session_take, loop->session);

	return r ? r : collect(loop);
}

/* Everything that is still on its way: where memory is now, what is on the ring, the last counts;
 * twice, since a VM whose end did not fit on the ring is closed by the second collection. Then the
 * host planes that are in doubt, which may be so only for as long as a change is under way, and
 * what is there twice. */
static int finish(struct loop *loop)
{
	int r = live_inventory(loop->live, session_take, loop->session);
	bool again = true;

	if (r == -ENOENT)
		r = 0; /* this kernel has no inventory, which was said */
	for (int i = 0; i < 2 && !r; i++)
		r = drain(loop);
	for (int i = 0; i < READING_TRIES && again && !r; i++) {
		if (i)
			live_poll(loop->live, POLL_MS, session_take, loop->session);
		r = read_planes(loop, loop->session->options->resync, &again);
		if (!r)
			r = drain(loop);
	}
	return r ? r : read_resident(loop);
}

/* A pump for reader->start(). */
static int pump(void *context)
{
	struct loop *loop = context;

	return live_poll(loop->live, 0, session_take, loop->session);
}

static int run_loop(struct loop *loop, struct error *err)
{
	const struct options *options = loop->session->options;
	const struct reader *reader = loop->session->reader;
	int r = 0, failed = 0;

	loop->collect_ns = clock_now_ns();
	if (reader->start)
		r = reader->start(reader->context, loop->live, pump, loop, err);
	if (r)
		return r;
	if (options->command)
		r = child_start(&loop->child, options->command, err);
	if (r)
		return r;
	if (loop->end_ns == UINT64_MAX && !options->command && !reader->quiet)
		fputs("kvm-encstat: watching; Ctrl-C ends it\n", stderr);
	while (!loop->stop && !r) {
		r = turn(loop);
		if (!r)
			failed = reader_turn(loop, err);
		if (failed)
			return failed;
	}
	if (!r)
		r = finish(loop);
	if (r == -EPIPE)
		return 0; /* nobody reads any more */
	return r ? error_set(err, r, "reading the kernel's records failed: %s", strerror(-r)) : 0;
}

static void loop_release(struct loop *loop)
{
	const struct reader *reader = loop->session->reader;

	if (reader->stop)
		reader->stop(reader->context);
	live_free(&loop->live);
	child_release(&loop->child);
	if (loop->signals >= 0)
		close(loop->signals);
	if (loop->epoll >= 0)
		close(loop->epoll);
}

/* ---- a host whose KVM is still to come ---- */

/* Whether it makes sense to wait for it: who starts a VM itself does not. */
static bool may_wait(const struct session *session)
{
	const struct options *options = session->options;

	return !options->command && (session->reader->endless || options->duration_s > 0);
}

/* Until KVM's device is there (1), or we shall end (0). The kernel says when devices come; where
 * that cannot be heard, a look four times a second has to do. */
static int wait_for_kvm(struct loop *loop, struct error *err)
{
	_cleanup_close_ int uevents = uevent_open();
	struct epoll_event event;
	struct uevent ignored;
	int r = 0;

	if (uevents >= 0 && watch(loop, uevents))
		return error_set(err, -errno, "waiting for KVM failed: %s", strerror(errno));
	while (!live_kvm_is_there() && !loop->stop && clock_now_ns() < loop->end_ns) {
		if (loop->session->reader->input_fd)
			r = reader_turn(loop, err);
		if (r < 0)
			return r;
		if (epoll_wait(loop->epoll, &event, 1, WAIT_MS) < 0 && errno != EINTR)
			return error_set(
				err, -errno, "waiting for KVM failed: %s", strerror(errno));
		while (uevents >= 0 && uevent_read(uevents, &ignored) != 0)
			;
		take_signals(loop);
	}
	return live_kvm_is_there() && !loop->stop;
}

/* For reader->resume(): what others' settings found is as good. */
static int load_state(void *session, const void *bytes, size_t size, struct error *err)
{
	return session_load_state(session, bytes, size, STATE_AS_IT_IS, err);
}

/* Loads the programs, when there is a KVM to load them for. 1; 0: the time was over first. */
static int start_live(struct loop *loop, struct error *err)
{
	const struct options *options = loop->session->options;
	struct live_options live_options = {
		.ring_bytes = options->ring_bytes,
		.no_trampolines = options->no_trampolines,
		.hook_now = options->command || loop->session->reader->hook_now,
		.count_runs = loop->session->reader->count_runs,
		.resident = loop->session->reader->wants_resident,
		.verbose = options->verbose,
	};
	const struct reader *reader = loop->session->reader;
	int r;

	if (reader->resume)
		reader->resume(reader->context, load_state, loop->session, &live_options);
	r = live_new(&loop->live, &live_options, err);
	if (r != -ENODEV || !may_wait(loop->session))
		return r ? r : 1;
	fputs("kvm-encstat: KVM is not there yet: waiting for its modules\n", stderr);
	r = wait_for_kvm(loop, err);
	if (r <= 0)
		return r;
	r = live_new(&loop->live, &live_options, err);
	if (!r)
		fputs("kvm-encstat: KVM has come\n", stderr);
	return r ? r : 1;
}

static void set_end(struct loop *loop)
{
	const struct options *options = loop->session->options;

	if (options->duration_s > 0)
		loop->end_ns = clock_now_ns() + (uint64_t)(options->duration_s * 1e9);
	else
		loop->end_ns = loop->session->reader->endless || options->command ? UINT64_MAX : 0;
}

int session_run_live(struct session *session, struct error *err)
{
	const struct options *options = session->options;
	_cleanup_(loop_release) struct loop loop = {.session = session, .child = CHILD_NONE};
	int r;

	loop.signals = session_open_signals();
	loop.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop.signals < 0 || loop.epoll < 0)
		return error_set(err, -errno, "making an event loop failed: %s", strerror(errno));
	session->style.realtime_offset_ns = clock_realtime_offset_ns();
	r = session_start(session, options->abi, err);
	if (!r && options->command)
		r = child_prepare(&loop.child, options->command, err);
	if (!r && (watch(&loop, loop.signals) ||
			  (session->reader->input_fd && watch(&loop, session->reader->input_fd))))
		r = error_set(err, -errno, "making an event loop failed: %s", strerror(errno));
	if (r)
		return r;
	set_end(&loop);
	r = start_live(&loop, err);
	if (r <= 0)
		return r;
	r = session_open_save(session, session_describe(options, &session->style, loop.live), err);
	if (r)
		return r;
	r = live_inventory(loop.live, session_take, session);
	if (r && r != -ENOENT) /* that is a shortcoming, which is said below */
		return error_set(err, r, "looking for VMs failed: %s", strerror(-r));
	if (session->reader->resume) /* what it did not see is said before anything else is */
		r = live_collect(loop.live, session_take, session);
	if (r && r != -ENOENT)
		return error_set(err, r, "reading the kernel's counts failed: %s", strerror(-r));
	if (options->ring_bytes && options->ring_bytes != live_ring_bytes(loop.live))
		fprintf(stderr,
			"kvm-encstat: the ring has %zu bytes: the kernel takes powers of two of "
			"pages\n",
			live_ring_bytes(loop.live));
	if (live_shortcoming(loop.live))
		fprintf(stderr, "kvm-encstat: %s\n", live_shortcoming(loop.live));
	if (watch(&loop, live_fd(loop.live)))
		return error_set(err, -errno, "making an event loop failed: %s", strerror(errno));
	r = run_loop(&loop, err);
	if (!r)
		r = session_close_save(session, err);
	else
		session_forget_save(session);
	session->child_status = loop.child.ended ? loop.child.status : 0;
	return r;
}
