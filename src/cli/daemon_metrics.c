/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's part that counts for Prometheus: asked for over the socket, and as a textfile. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/daemon.h"
#include "cli/loaded.h"
#include "cli/tool_metrics.h"

struct daemon_metrics {
	struct metrics *metrics;
	uint64_t start_s, next_ns;
	bool failing; /* the textfile could not be written, which was said */
	int error;    /* out of memory, when VMs were taken in */
};

static struct metrics_options options_of(const struct config *config)
{
	return (struct metrics_options){
		.detail = (enum metrics_detail)config->metrics_detail,
		.max_vms = config->metrics_max_vms,
		.max_bytes = METRICS_REPLY_MAX,
	};
}

int daemon_metrics_new(struct daemon *daemon, struct error *err)
{
	const struct metrics_options options = options_of(daemon->config);
	_cleanup_(daemon_metrics_free) struct daemon_metrics *own = calloc(1, sizeof(*own));

	if (!own || metrics_new(&own->metrics, &options))
		return error_set(err, -ENOMEM, "out of memory");
	own->start_s = (uint64_t)time(NULL);
	daemon->metrics = TAKE_PTR(own);
	return 0;
}

void daemon_metrics_free(struct daemon_metrics **own)
{
	if (!*own)
		return;
	metrics_free(&(*own)->metrics);
	free(*own);
	*own = NULL;
}

void daemon_metrics_watch(struct daemon *daemon)
{
	daemon->metrics->error =
		metrics_watch(daemon->metrics->metrics, daemon->model, daemon->detect);
}

int daemon_metrics_event(struct daemon *daemon, const struct event *event)
{
	return daemon->metrics->error ?: metrics_event(daemon->metrics->metrics, event);
}

void daemon_metrics_finding(
	struct daemon *daemon, const struct finding *finding, enum finding_phase phase)
{
	metrics_finding(daemon->metrics->metrics, finding, phase);
}

void daemon_metrics_reload(struct daemon *daemon)
{
	const struct metrics_options options = options_of(daemon->config);

	metrics_set_options(daemon->metrics->metrics, &options);
	daemon->metrics->next_ns = 0;
}

/* ---- the text ---- */

static struct metrics_audit read_audit(const struct daemon *daemon)
{
	struct audit_status status;

	audit_status(daemon->audit, &status);
	return (struct metrics_audit){
		.told = status.told,
		.delivered = status.delivered,
		.waiting = status.waiting,
		.merged = status.merged,
		.failures = status.failures,
		.trouble = *status.trouble,
	};
}

static int make_text(
	struct daemon *daemon, enum metrics_format format, char **ret, size_t *ret_size)
{
	_cleanup_(loaded_free) struct enforced enforced = {};
	struct metrics_tool tool = {.start_s = daemon->metrics->start_s};
	struct metrics_socket socket;
	struct metrics_audit audit;
	struct metrics_view view = {.tool = &tool};
	struct error err = {};

	tool_metrics_read(&tool, daemon->live, daemon->model);
	tool.unarmed = daemon->unarmed.code;
	tool.memory = daemon->config->memory;
	if (daemon->armed && !loaded_read(&enforced, daemon->enforcer.tables, &err)) {
		loaded_add_missed(&enforced, daemon->enforcer.veto);
		view.enforced = &enforced;
	}
	if (daemon->socket) {
		daemon_socket_metrics(daemon->socket, &socket);
		view.socket = &socket;
	}
	if (daemon->audit) {
		audit = read_audit(daemon);
		view.audit = &audit;
	}
	return metrics_write(daemon->metrics->metrics, &view, format, ret, ret_size);
}

int daemon_metrics_write(struct daemon *daemon, bool plain, char **ret, size_t *ret_size)
{
	return make_text(daemon, plain ? METRICS_TEXT : METRICS_OPENMETRICS, ret, ret_size);
}

static int write_file(struct daemon *daemon, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = make_text(daemon, METRICS_TEXT, &text, &size);

	if (r)
		return error_set(err, r, "out of memory");
	return metrics_write_file(daemon->config->textfile, text, size, err);
}

uint64_t daemon_metrics_due(const struct daemon *daemon)
{
	return *daemon->config->textfile ? daemon->metrics->next_ns : UINT64_MAX;
}

/* A file that cannot be written is said once, and again when it can. */
void daemon_metrics_turn(struct daemon *daemon)
{
	struct daemon_metrics *own = daemon->metrics;
	uint64_t now = clock_now_ns();
	struct error err = {};
	bool failed;

	if (!*daemon->config->textfile || now < own->next_ns)
		return;
	own->next_ns = now + daemon->config->textfile_interval;
	failed = write_file(daemon, &err);
	if (failed && !own->failing)
		log_line(LOG_WARNING, "metrics: %s", err.text);
	if (!failed && own->failing)
		log_line(LOG_NOTICE, "metrics: the textfile is written again");
	own->failing = failed;
}
