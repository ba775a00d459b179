/* SPDX-License-Identifier: GPL-2.0-only */
/* What a policy said, as a part of an event. */
#include <string.h>

#include "base/escape.h"
#include "output/verdict.h"
#include "policy/policy.h"

#define SHOWN 256 /* bytes of a path */

static const struct {
	uint8_t flag;
	const char *name, *text;
} notes[] = {
	{KES_F_UNREADABLE, "unreadable", "its arguments could not be read"},
	{KES_F_BEYOND, "beyond", "beyond what can be counted"},
	{KES_F_BUSY, "busy", "the VM's account was locked"},
	{KES_F_REPLACED, "replaced",
		"the VMM changed its arguments after they were judged: it came to be"},
};

/* kes_action; policy/ has the names of its own enum, and this is a number from outside. */
static const char *action_word(uint8_t action)
{
	return action < KES_ACTIONS ? action_name((enum kes_action)action)
				    : "do what is newer than this program";
}

static const char *level_name(uint8_t judged)
{
	return judged & KES_F_FOUND ? "finding" : judged & KES_F_CHANGE ? "ioctl" : "gate";
}

/* Who asked for a change is known from what it is about. */
static bool is_by_somebody(const struct event *event)
{
	return event->judged & KES_F_CHANGE && !(event->judged & KES_F_UNREADABLE);
}

static void add_place(json_object *object, const char *file_key, const char *file,
	const char *line_key, uint32_t line)
{
	char shown[SHOWN];

	if (!line)
		return;
	if (file)
		json_add_string(object, file_key, escape(file, shown, sizeof(shown)));
	json_add_u64(object, line_key, line);
}

void event_verdict_json(json_object *object, const struct event *event)
{
	const struct kes_judgement *judgement = event->judgement;

	json_add_string(object, "level", level_name(event->judged));
	if (is_by_somebody(event))
		json_add_string(object, "by", event->judged & KES_F_BY_VMM ? "vmm" : "guest");
	json_add_string(object, "action", action_word(judgement->action));
	add_place(object, "file", event->policy_file, "line", judgement->line);
	if (judgement->err)
		json_add_u64(object, "errno", judgement->err);
	if (judgement->would_line)
		json_add_string(object, "would", action_word(judgement->would));
	add_place(object, "would_file", event->would_file, "would_line", judgement->would_line);
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (event->judged & notes[i].flag)
			json_object_object_add(
				object, notes[i].name, json_object_new_boolean(true));
}

/* " (FILE:LINE)" */
static void write_place(FILE *out, const char *file, uint32_t line)
{
	char shown[SHOWN];

	if (!line)
		return;
	if (file)
		fprintf(out, " (%s:%u)", escape(file, shown, sizeof(shown)), line);
	else
		fprintf(out, " (line %u)", line);
}

void event_verdict_text(FILE *out, const struct event *event)
{
	const struct kes_judgement *judgement = event->judgement;

	if (is_by_somebody(event))
		fputs(event->judged & KES_F_BY_VMM ? ", by the VMM itself"
						   : ", by the VMM for its guest",
			out);
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if (event->judged & notes[i].flag)
			fprintf(out, ", %s", notes[i].text);
	if (judgement->line || judgement->action != KES_ALLOW)
		fprintf(out, ", policy: %s", action_word(judgement->action));
	write_place(out, event->policy_file, judgement->line);
	if (judgement->err)
		fprintf(out, ", its call fails: %s", strerror(judgement->err));
	if (judgement->would_line) {
		fprintf(out, ", monitored policy: would %s", action_word(judgement->would));
		write_place(out, event->would_file, judgement->would_line);
	}
}
