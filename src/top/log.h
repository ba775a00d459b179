/* SPDX-License-Identifier: GPL-2.0-only */
/* The latest events and findings, for the views that list them. Bounded: the oldest go first. */
#ifndef TOP_LOG_H
#define TOP_LOG_H

#include "detect/detect.h"
#include "model/model.h"

#define LOG_EVENTS   4096
#define LOG_FINDINGS 1024

struct logged_event {
	struct event event; /* its pointers are NULL, or into this */
	struct kes_judgement judgement;
	uint32_t vm, type; /* 0: the host */
	bool born;
};

struct log;

int log_new(struct log **ret);
void log_free(struct log **log);
void log_clear(struct log *log);

void log_event(struct log *log, const struct event *event);
/* Events so far; those from log_oldest() on are there. */
uint64_t log_events(const struct log *log);
uint64_t log_oldest(const struct log *log);
const struct logged_event *log_event_at(const struct log *log, uint64_t number);

/* -ENOMEM. */
int log_finding(struct log *log, const struct finding *finding);
/* The open ones first, the gravest of them first; then those that ended, the latest first. */
size_t log_findings(const struct log *log);
const struct finding *log_finding_at(const struct log *log, size_t index);

#endif
