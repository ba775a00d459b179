/* SPDX-License-Identifier: GPL-2.0-only */
/* What was found out about logs, for people and for programs. */
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "audit/verify_output.h"
#include "base/cleanup.h"
#include "output/output.h"

static const char *time_of(uint64_t us, char text[32])
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;

	strftime(text, 32, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&seconds, &tm));
	return text;
}

/* ---- text ---- */

static void write_problem(FILE *out, const struct problem *p)
{
	unsigned long long first = p->first, last = p->last;
	char after[32], before[32];

	switch (p->kind) {
	case PROBLEM_GAP:
		if (first == last)
			fprintf(out, "record %llu is missing", first);
		else
			fprintf(out, "records %llu to %llu are missing", first, last);
		fprintf(out, ", between %s and %s\n", time_of(p->after_us, after),
			time_of(p->before_us, before));
		break;
	case PROBLEM_ALTERED:
		fprintf(out, "record %llu was altered: its digest is not that of its fields\n",
			first);
		break;
	case PROBLEM_BROKEN:
		fprintf(out,
			"record %llu does not follow the one before: one of them was replaced\n",
			first);
		break;
	case PROBLEM_DOUBLE:
		fprintf(out, "two different records have number %llu\n", first);
		break;
	case PROBLEM_REPEATED:
		fprintf(out, "record %llu is there again, and was not sent again\n", first);
		break;
	case PROBLEM_REORDERED:
		fprintf(out, "record %llu came after later ones\n", first);
		break;
	case PROBLEM_FORGED:
		fprintf(out, "a record that claims number %llu was sent by somebody else: %s\n",
			first, p->who);
		break;
	case PROBLEM_DAMAGED:
		fprintf(out, "this is no record: %s\n", *p->who ? p->who : "one without a log");
		break;
	case PROBLEM_CUT:
		fprintf(out,
			"records %llu to %llu are missing at the end: this host knows that they "
			"were "
			"delivered\n",
			first, last);
		break;
	case PROBLEM_REPLACED:
		fprintf(out, "the log before (%s) did not end with record %llu as this one says\n",
			p->who, first);
		break;
	default:
		break;
	}
}

static void write_head(FILE *out, const struct verified *v)
{
	char first[32], last[32];

	fprintf(out, "log %.8s of host %.8s, boot %.8s%s: ", v->log, v->machine, v->boot,
		v->from_capture ? ", from a capture" : "");
	if (!v->records) {
		fputs("no records\n", out);
		return;
	}
	fprintf(out, "records %llu to %llu, %s to %s", (unsigned long long)v->first,
		(unsigned long long)v->last, time_of(v->first_us, first),
		time_of(v->last_us, last));
	fprintf(out, v->n_problems ? ": NOT WHOLE\n" : ": whole\n");
}

void verified_write_text(FILE *out, const struct verified *v)
{
	if (*v->log)
		write_head(out, v);
	else
		fputs("what belongs to no log:\n", out);
	for (size_t i = 0; i < v->n_problems; i++) {
		fputs("  ", out);
		write_problem(out, &v->problems[i]);
	}
	if (v->more_problems)
		fprintf(out, "  and %llu more\n", (unsigned long long)v->more_problems);
	if (v->first > 1)
		fprintf(out,
			"  what came before record %llu is not there: too old to be kept, or taken "
			"away\n",
			(unsigned long long)v->first);
	if (v->merged)
		fprintf(out, "  %llu records were counted instead of told, as the log says\n",
			(unsigned long long)v->merged);
	if (v->again)
		fprintf(out,
			"  %llu records are there twice, as they were sent or uploaded again\n",
			(unsigned long long)v->again);
	if (v->records && !v->stopped)
		fputs("  the last record is not that of an end: kvm-encstat runs, was killed, or "
		      "what followed was taken away\n",
			out);
}

/* ---- JSON ---- */

static json_object *problem_json(const struct problem *p)
{
	json_object *object = json_object_new_object();

	json_add_string(object, "problem", problem_name(p->kind));
	json_add_u64(object, "first", p->first);
	json_add_u64(object, "last", p->last);
	if (p->after_us)
		json_add_u64(object, "after_us", p->after_us);
	if (p->before_us)
		json_add_u64(object, "before_us", p->before_us);
	if (*p->who)
		json_add_string(object, "who", p->who);
	return object;
}

void verified_write_json(FILE *out, const struct verified *v)
{
	json_object *object = json_object_new_object(), *list = json_object_new_array();

	json_add_string(object, "schema", "kvm-encstat.audit/1");
	json_add_string(object, "log", v->log);
	json_add_string(object, "machine", v->machine);
	json_add_string(object, "boot", v->boot);
	json_object_object_add(object, "whole", json_object_new_boolean(!v->n_problems));
	json_add_u64(object, "records", v->records);
	json_add_u64(object, "first", v->first);
	json_add_u64(object, "last", v->last);
	json_add_u64(object, "first_us", v->first_us);
	json_add_u64(object, "last_us", v->last_us);
	json_add_u64(object, "merged", v->merged);
	json_add_u64(object, "resent", v->again);
	json_object_object_add(object, "stopped", json_object_new_boolean(v->stopped));
	json_object_object_add(object, "capture", json_object_new_boolean(v->from_capture));
	for (size_t i = 0; i < v->n_problems; i++)
		json_object_array_add(list, problem_json(&v->problems[i]));
	json_object_object_add(object, "problems", list);
	json_add_u64(object, "more_problems", v->more_problems);
	json_line(out, object);
}
