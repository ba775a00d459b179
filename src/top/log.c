/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct log {
	struct logged_event *events; /* round and round */
	uint64_t n_events;
	struct finding *findings[LOG_FINDINGS];
	size_t n_findings;
};

int log_new(struct log **ret)
{
	struct log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->events = calloc(LOG_EVENTS, sizeof(*log->events));
	if (!log->events) {
		free(log);
		return -ENOMEM;
	}
	*ret = log;
	return 0;
}

void log_clear(struct log *log)
{
	for (size_t i = 0; i < log->n_findings; i++)
		free(log->findings[i]);
	log->n_findings = 0;
	log->n_events = 0;
}

void log_free(struct log **log)
{
	if (!*log)
		return;
	log_clear(*log);
	free((*log)->events);
	free(*log);
	*log = NULL;
}

void log_event(struct log *log, const struct event *event)
{
	struct logged_event *kept = &log->events[log->n_events++ % LOG_EVENTS];

	kept->event = *event;
	kept->vm = event->vm ? event->vm->id : 0;
	kept->type = event->vm ? event->vm->type : 0;
	kept->born = event->vm && event->vm->born;
	if (event->judgement)
		kept->judgement = *event->judgement;
	kept->event.judgement = event->judgement ? &kept->judgement : NULL;
	kept->event.vm = NULL; /* nobody knows how long these live */
	kept->event.host = NULL;
	kept->event.resident = NULL;
	kept->event.policy_file = kept->event.would_file = NULL;
}

uint64_t log_events(const struct log *log)
{
	return log->n_events;
}

uint64_t log_oldest(const struct log *log)
{
	return log->n_events > LOG_EVENTS ? log->n_events - LOG_EVENTS : 0;
}

const struct logged_event *log_event_at(const struct log *log, uint64_t number)
{
	return &log->events[number % LOG_EVENTS];
}

/* ---- findings ---- */

/* Negative: a comes first. */
static int order(const struct finding *a, const struct finding *b)
{
	bool open[2] = {a->state != FINDING_ENDED, b->state != FINDING_ENDED};

	if (open[0] != open[1])
		return open[0] ? -1 : 1;
	if (open[0] && a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	return a->last_ns > b->last_ns ? -1 : a->last_ns < b->last_ns;
}

static int compare(const void *a, const void *b)
{
	return order(*(struct finding *const *)a, *(struct finding *const *)b);
}

static struct finding *find(struct log *log, const struct finding *f)
{
	for (size_t i = 0; i < log->n_findings; i++) {
		struct finding *kept = log->findings[i];

		if (kept->kind == f->kind && kept->vm == f->vm && kept->number == f->number)
			return kept;
	}
	return NULL;
}

int log_finding(struct log *log, const struct finding *f)
{
	struct finding *kept = find(log, f);

	if (!kept && log->n_findings == LOG_FINDINGS)
		kept = log->findings[LOG_FINDINGS - 1]; /* what matters least */
	if (!kept) {
		kept = malloc(sizeof(*kept));
		if (!kept)
			return -ENOMEM;
		log->findings[log->n_findings++] = kept;
	}
	*kept = *f;
	qsort(log->findings, log->n_findings, sizeof(struct finding *), compare);
	return 0;
}

size_t log_findings(const struct log *log)
{
	return log->n_findings;
}

const struct finding *log_finding_at(const struct log *log, size_t index)
{
	return log->findings[index];
}
