/* SPDX-License-Identifier: GPL-2.0-only */
/* Records from the daemon: what it knows first, then what it sees, as one stream. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "capture/file_reader.h"
#include "cli/session_private.h"
#include "service/client.h"

#define POLL_MS  50            /* between two turns of the reader, at most */
#define FLUSH_NS 1000000000ull /* between two writes to a capture */

struct following {
	struct session *session;
	struct capture_reader *capture;
	int fd; /* the capture's */
	int signals;
	uint64_t flushed_ns;
	uint64_t end_ns; /* 0: what the daemon knows is enough */
	bool stop;
};

static void following_release(struct following *f)
{
	const struct reader *reader = f->session->reader;

	if (reader->stop)
		reader->stop(reader->context);
	capture_reader_free(&f->capture);
	cleanup_close(&f->signals);
}

/* ---- the beginning ---- */

/* A daemon that does not answer must not hold us for ever: reads wait so long, until all is there
 * that is known. */
static void wait_in_reads(int fd)
{
	struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_MS / 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

static void do_not_wait_in_reads(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* What the daemon says of itself, for a capture of ours. */
static json_object *description(const char *metadata)
{
	json_object *about = json_tokener_parse(metadata);

	json_object_object_del(about, "format"); /* that is the writer's */
	return about;
}

static int no_answer(struct error *err)
{
	error_set(err, -ETIMEDOUT, "the daemon does not answer");
	error_advise(err, "`systemctl status kvm-encstat` tells how it is; --direct does without");
	return -ETIMEDOUT;
}

static int open_stream(struct following *f, struct daemon_client *client, struct error *err)
{
	struct session *session = f->session;
	enum abi abi = ABI_MAP_GPA_RANGE;
	const char *metadata;
	int r = daemon_client_upgrade(client, "Stream", CLIENT_TIMEOUT_MS, &f->fd, err);

	if (r)
		return r;
	wait_in_reads(f->fd);
	r = capture_reader_open_fd(&f->capture, f->fd, "the daemon's stream", err);
	if (r)
		return r == -EAGAIN ? no_answer(err) : r;
	metadata = capture_reader_metadata(f->capture);
	session_read_metadata(metadata, &session->style.realtime_offset_ns, &abi);
	return session_start(session, abi, err);
}

/* A capture of ours begins where we are now. */
static int open_save(struct following *f, struct error *err)
{
	const char *metadata = capture_reader_metadata(f->capture);
	int r = session_open_save(f->session, description(metadata), err);

	return r ? r : session_save_state(f->session, err);
}

/* ---- blocks ---- */

/* The stream ended before we did. */
static void note_end(struct following *f, const char *text)
{
	char shown[ESCAPED_SIZE(128)];
	struct session *session = f->session;

	f->stop = true;
	if (text)
		snprintf(session->gone, sizeof(session->gone), "the daemon ended the stream: %s",
			escape(text, shown, sizeof(shown)));
	else
		snprintf(session->gone, sizeof(session->gone),
			"the daemon has gone, or did not wait for this program: what followed was "
			"not seen");
}

static void take_notice(struct following *f)
{
	json_object *notice = json_tokener_parse(capture_reader_notice(f->capture)), *value;

	if (json_object_object_get_ex(notice, "text", &value))
		note_end(f, json_object_get_string(value));
	else
		f->session->catching_up = false;
	json_object_put(notice);
}

/* One block, if one is there. 1: it was; 0: none is now, or it is over. */
static int take_block(struct following *f, struct error *err)
{
	const struct kes_record *records;
	struct error why = {};
	const void *state;
	size_t n;
	int r = capture_reader_next(f->capture, &records, &n, &why);

	switch (r) {
	case -EAGAIN:
		return f->session->catching_up ? no_answer(err) : 0;
	case 0:
	case -ECONNRESET: /* it was killed, and had not read all that we said */
		note_end(f, NULL);
		return 0;
	case CAPTURE_STATE:
		state = capture_reader_state(f->capture, &n);
		r = session_load_state(f->session, state, n, STATE_AS_IT_IS, err);
		return r ? r : 1;
	case CAPTURE_NOTICE:
		take_notice(f);
		return 1;
	case 1:
		r = session_take(f->session, records, n);
		return r ? r : 1;
	default:
		*err = why;
		return r;
	}
}

static int catch_up(struct following *f, struct error *err)
{
	int r = 1;

	f->session->catching_up = true;
	while (f->session->catching_up && r > 0)
		r = take_block(f, err);
	if (r < 0)
		return r;
	if (f->session->catching_up)
		return error_set(err, -ECONNRESET, "%s", f->session->gone);
	do_not_wait_in_reads(f->fd);
	return 0;
}

/* ---- the loop ---- */

static void take_signals(struct following *f)
{
	const struct reader *reader = f->session->reader;
	struct signalfd_siginfo info;

	while (read(f->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP && reader->reload)
			reader->reload(reader->context);
		else if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGUSR1)
			f->stop = true;
	}
}

static int timeout_ms(const struct following *f)
{
	uint64_t now = clock_now_ns();

	if (now >= f->end_ns)
		return 0;
	if (f->end_ns - now < POLL_MS * 1000000ull)
		return (int)((f->end_ns - now) / 1000000) + 1;
	return POLL_MS;
}

/* What has come, but not for longer than until the reader wants its turn. */
static int take_blocks(struct following *f, struct error *err)
{
	uint64_t start = clock_now_ns();
	int r = 1;

	while (r > 0 && !f->stop && clock_now_ns() - start < POLL_MS * 1000000ull)
		r = take_block(f, err);
	return r < 0 ? r : 0;
}

static int turn(struct following *f, struct error *err)
{
	const struct reader *reader = f->session->reader;
	struct pollfd fds[] = {
		{.fd = f->fd, .events = POLLIN},
		{.fd = f->signals, .events = POLLIN},
		{.fd = reader->input_fd ? reader->input_fd : -1, .events = POLLIN},
	};
	int r;

	if (poll(fds, ARRAY_SIZE(fds), timeout_ms(f)) < 0 && errno != EINTR)
		return error_set(err, -errno, "waiting for the daemon: %s", strerror(errno));
	take_signals(f);
	r = take_blocks(f, err);
	if (clock_now_ns() - f->flushed_ns >= FLUSH_NS) {
		f->flushed_ns = clock_now_ns();
		session_flush_save(f->session);
	}
	if (!r && fflush(stdout))
		r = -EPIPE;
	if (!r && reader->turn) {
		r = reader->turn(reader->context, f->session->model, err);
		f->stop |= r > 0;
		r = r < 0 ? r : 0;
	}
	f->stop |= clock_now_ns() >= f->end_ns;
	return r;
}

static void set_end(struct following *f)
{
	const struct reader *reader = f->session->reader;
	double seconds = f->session->options->duration_s;

	if (seconds > 0)
		f->end_ns = clock_now_ns() + (uint64_t)(seconds * 1e9);
	else
		f->end_ns = reader->endless && !reader->at_once ? UINT64_MAX : 0;
}

static int follow(struct following *f, struct error *err)
{
	const struct reader *reader = f->session->reader;
	int r = 0;

	set_end(f);
	if (f->end_ns == UINT64_MAX && !reader->quiet)
		fputs("kvm-encstat: watching with the daemon; Ctrl-C ends it\n", stderr);
	f->stop |= clock_now_ns() >= f->end_ns;
	while (!f->stop && !r)
		r = turn(f, err);
	return r;
}

int session_run_socket(struct session *session, struct daemon_client *client, struct error *err)
{
	_cleanup_(following_release) struct following f = {.session = session, .fd = -1};
	int r;

	f.signals = session_open_signals();
	if (f.signals < 0)
		return error_set(err, -errno, "waiting for signals: %s", strerror(errno));
	r = open_stream(&f, client, err);
	if (!r)
		r = catch_up(&f, err);
	if (!r)
		r = open_save(&f, err);
	if (!r) {
		r = follow(&f, err);
		r = r == -EPIPE ? 0 : r; /* nobody reads any more */
	}
	if (!r)
		return session_close_save(session, err);
	session_forget_save(session);
	if (err->code != r)
		error_set(err, r, "reading the daemon's records failed: %s", strerror(-r));
	return r;
}
