/* SPDX-License-Identifier: GPL-2.0-only */
/* The service, in the foreground, as systemd wants it. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/daemon.h"

static void on_watch(void *context, const struct model *model, const struct style *style)
{
	struct daemon *daemon = context;

	daemon->model = model;
	daemon->style = style;
	daemon->detect = NULL; /* of another model, if there was one */
}

static void on_detectors(void *context, struct detect *detect)
{
	struct daemon *daemon = context;

	daemon->detect = detect;
	daemon_metrics_watch(daemon);
}

static void on_resume(void *context,
	int (*load)(void *session, const void *bytes, size_t size, struct error *err),
	void *session, struct live_options *options)
{
	daemon_state_resume(context, load, session, options);
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

static uint64_t due(void *context)
{
	return daemon_due(context);
}

static void on_reload(void *context)
{
	daemon_reload(context, NULL, NULL);
}

static void on_stop(void *context)
{
	daemon_stop(context);
}

/* Findings are kept, for those who ask. */
static int on_findings(void *context, const struct style *style, const struct model *model,
	struct detect *detect, struct error *err)
{
	(void)style;
	(void)model;
	(void)detect;
	(void)err;
	daemon_audit_stop(context);
	return 0;
}

static void release(struct daemon *daemon)
{
	daemon_metrics_free(&daemon->metrics);
	audit_free(&daemon->audit);
	daemon_state_free(&daemon->state);
	enforcer_free(&daemon->enforcer);
	sd_event_unref(daemon->loop);
	config_free(&daemon->config);
	if (daemon->lock >= 0)
		close(daemon->lock);
}

/* One that comes before there is a loop waits for it: it would end us. */
static void hold_reloads(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* All that can be refused before anything is watched. */
static int prepare(struct daemon *daemon, struct error *err)
{
	int r = config_load(&daemon->config, daemon->options->config, err);

	if (!r)
		r = daemon_lock(&daemon->lock, daemon->config->state_dir, err);
	if (!r)
		r = daemon_state_new(daemon, err);
	if (!r)
		r = daemon_metrics_new(daemon, err);
	if (!r)
		r = daemon_enforce_prepare(daemon, err);
	if (!r)
		r = daemon_audit_new(daemon, err);
	if (r)
		return r;
	daemon_audit_config(daemon, "");
	notify_init(&daemon->notify);
	r = sd_event_new(&daemon->loop);
	return r < 0 ? error_set(err, r, "making an event loop failed: %s", strerror(-r)) : 0;
}

static int run(const struct options *given, struct error *err)
{
	struct options options = *given;
	_cleanup_(release) struct daemon daemon = {.options = &options, .lock = -1};
	struct reader reader = {
		.watch = on_watch,
		.detectors = on_detectors,
		.event = on_event,
		.finding = on_finding,
		.findings = on_findings,
		.records = on_records,
		.resume = on_resume,
		.start = on_start,
		.turn = on_turn,
		.due = due,
		.reload = on_reload,
		.stop = on_stop,
		.context = &daemon,
		.wants_resident = true,
		.endless = true,
		.quiet = true,
	};
	int status;

	hold_reloads();
	if (prepare(&daemon, err))
		return EXIT_FAILED;
	options.ring_bytes = options.ring_bytes ?: daemon.config->ring_size;
	reader.input_fd = sd_event_get_fd(daemon.loop);
	reader.settings = daemon.config->settings;
	reader.max_ended = daemon.config->ended_vms;
	reader.hook_now = daemon.config->enforce;
	status = session_run(&options, &reader, false, err);
	return status == EXIT_PARTIAL ? EXIT_DONE : status; /* what was lost is in the numbers */
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
