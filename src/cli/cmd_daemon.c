/* SPDX-License-Identifier: GPL-2.0-only */
/* The service, in the foreground, as systemd wants it. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/daemon.h"

#define STATE_DIR "/var/lib/kvm-encstat"

static void on_watch(void *context, const struct model *model, const struct style *style)
{
	struct daemon *daemon = context;

	daemon->model = model;
	daemon->style = style;
}

static void on_detectors(void *context, struct detect *detect)
{
	struct daemon *daemon = context;

	daemon->detect = detect;
}

static int on_event(void *context, const struct style *style, const struct event *event)
{
	(void)style;
	return daemon_event(context, event);
}

static int on_finding(void *context, const struct style *style, const struct finding *finding,
	enum finding_phase phase)
{
	(void)style;
	return daemon_finding(context, finding, phase);
}

static void on_records(void *context, const struct kes_record *records, size_t n)
{
	daemon_records(context, records, n);
}

static int on_start(
	void *context, struct live *live, int (*pump)(void *), void *session, struct error *err)
{
	struct daemon *daemon = context;

	daemon->live = live;
	return daemon_start(daemon, pump, session, err);
}

static int on_turn(void *context, const struct model *model, struct error *err)
{
	(void)model;
	return daemon_turn(context, err);
}

static void on_reload(void *context)
{
	daemon_reload(context);
}

static void on_stop(void *context)
{
	daemon_stop(context);
}

/* Findings are kept, for those who ask. */
static int on_findings(void *context, const struct style *style, const struct model *model,
	struct detect *detect, struct error *err)
{
	(void)context;
	(void)style;
	(void)model;
	(void)detect;
	(void)err;
	return 0;
}

static void release(struct daemon *daemon)
{
	sd_event_unref(daemon->loop);
	if (daemon->lock >= 0)
		close(daemon->lock);
}

static int run(const struct options *options, struct error *err)
{
	_cleanup_(release) struct daemon daemon = {.options = options, .lock = -1};
	struct reader reader = {
		.watch = on_watch,
		.detectors = on_detectors,
		.event = on_event,
		.finding = on_finding,
		.findings = on_findings,
		.records = on_records,
		.start = on_start,
		.turn = on_turn,
		.reload = on_reload,
		.stop = on_stop,
		.context = &daemon,
		.endless = true,
		.quiet = true,
	};
	int r = daemon_lock(&daemon.lock, STATE_DIR, err);

	if (r)
		return EXIT_FAILED;
	notify_init(&daemon.notify);
	r = sd_event_new(&daemon.loop);
	if (r < 0) {
		error_set(err, r, "making an event loop failed: %s", strerror(-r));
		return EXIT_FAILED;
	}
	reader.input_fd = sd_event_get_fd(daemon.loop);
	return session_run(options, &reader, false, err);
}

const struct command command_daemon = {
	.name = "daemon",
	.arguments = "[--config FILE] [--policy PATH] [--socket PATH]",
	.summary = "the service: watches this host all the time",
	.text = "Watches all VMs of this host until it is told to end. systemd starts it, by the "
		"unit\n"
		"kvm-encstat.service. SIGTERM ends it, SIGHUP makes it read its configuration "
		"and the\n"
		"policies anew; what is wrong with them then is said, and the old ones go on.",
	.options = OPT_LIVE | OPT_ABI | OPT_CONFIG | OPT_POLICY | OPT_SOCKET,
	.run = run,
};
