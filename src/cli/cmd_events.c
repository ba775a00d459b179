/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "output/findings.h"
#include "output/select.h"

#define EVENTS_MAX_ENDED 16 /* nobody looks at them again */

static int on_event(void *context, const struct style *style, const struct event *event)
{
	const struct options *options = context;

	if (event->kind >= EVENT_TOLD)
		return 0;
	if (options->vm && event->vm && !select_matches(event->vm, options->vm))
		return 0; /* losses of the host concern every VM */
	if (options->format == FORMAT_JSON)
		event_write_json(stdout, event);
	else
		event_write_text(stdout, style, event);
	return ferror(stdout) ? -EPIPE : 0;
}

static int on_finding(
	void *context, const struct style *style, const struct finding *f, enum finding_phase phase)
{
	const struct options *options = context;

	if (options->vm && f->vm && !select_names_finding(f, options->vm))
		return 0;
	if (options->format == FORMAT_JSON)
		finding_event_json(stdout, f, phase);
	else
		finding_event_text(stdout, style, f, phase);
	return ferror(stdout) ? -EPIPE : 0;
}

static int run(const struct options *options, struct error *err)
{
	struct reader reader = {
		.event = on_event,
		.context = (void *)options,
		.max_ended = EVENTS_MAX_ENDED,
		.endless = true,
	};

	if (options->findings) {
		reader.finding = on_finding;
		reader.wants_resident = true;
	}
	return session_run(options, &reader, false, err);
}

const struct command command_events = {
	.name = "events",
	.arguments = "[VM] [--findings] [--json] [-- COMMAND ...]",
	.summary = "conversions, refusals and losses as they happen",
	.text = "Prints one line per event: a conversion once the VMM has answered it, with the "
		"time the\n"
		"answer took; a hypercall that KVM itself refused, with the reason; memory faults; "
		"VMs that\n"
		"come and go; losses. --findings adds what is suspicious in them: a line as it "
		"begins, "
		"now and\n"
		"then while it lasts, and as it ends. Goes on until Ctrl-C, --duration, or the end "
		"of "
		"COMMAND,\n"
		"which it starts once it watches.",
	.options = OPT_READ | OPT_JSON | OPT_FINDINGS | OPT_CONFIG,
	.takes_vm = true,
	.takes_command = true,
	.replays = true,
	.run = run,
};
