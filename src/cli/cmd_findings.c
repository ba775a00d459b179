/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "cli/since.h"
#include "output/findings.h"
#include "output/select.h"

/* Whether it was going on at that time, or later. */
static bool is_since(const struct finding *f, uint64_t since_ns)
{
	return f->state == FINDING_OPEN || f->last_ns >= since_ns;
}

static bool is_wanted(const struct options *options, const struct finding *f, uint64_t since_ns)
{
	return f->severity >= options->severity && is_since(f, since_ns) &&
	       (!options->vm || select_names_finding(f, options->vm));
}

static void write_one(
	const struct options *options, const struct style *style, const struct finding *f)
{
	if (options->format == FORMAT_JSON) {
		finding_write_json(stdout, f);
		return;
	}
	finding_write_text(stdout, style, f);
	putchar('\n');
}

static void write_end(const struct options *options, size_t shown, uint64_t dropped)
{
	if (options->format == FORMAT_JSON)
		return;
	if (!shown)
		puts("nothing found");
	else
		puts("kvm-encstat explain ID tells what is behind a finding, and what to do");
	if (dropped)
		printf("%llu older findings were not kept\n", (unsigned long long)dropped);
}

static int finish(void *context, const struct style *style, const struct model *model,
	struct detect *detect, struct error *err)
{
	const struct options *options = context;
	const struct finding *const *list;
	uint64_t since_ns = 0;
	size_t n, shown = 0;
	bool bad = false;
	int r = 0;

	if (options->since)
		r = since_parse(options->since, model_now(model), style->realtime_offset_ns,
			&since_ns, err);
	if (r)
		return r;
	list = detect_findings(detect, &n);
	if (!list)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		if (!is_wanted(options, list[i], since_ns))
			continue;
		write_one(options, style, list[i]);
		bad |= list[i]->severity > SEVERITY_INFO;
		shown++;
	}
	write_end(options, shown, detect_dropped(detect));
	return bad ? EXIT_FOUND : 0;
}

static int run(const struct options *options, struct error *err)
{
	struct reader reader = {
		.findings = finish,
		.context = (void *)options,
		.wants_resident = true,
		.endless = true,
		.at_once = true,
	};

	return session_run(options, &reader, false, err);
}

const struct command command_findings = {
	.name = "findings",
	.arguments = "[VM] [--since TIME] [--severity LEVEL] [--json] [-- COMMAND ...]",
	.summary = "what is suspicious in what VMs, VMMs and the host do",
	.text = "Watches until Ctrl-C, --duration, or the end of COMMAND, and lists what it found: "
		"each "
		"pattern\n"
		"once, with how often, where, when, and how certain. Where the daemon runs it "
		"lists "
		"at once\n"
		"what that has found. Over a capture it finds what it would have found live. "
		"`explain ID` tells the rest. Exit status: 4 if a finding above "
		"\"info\" is "
		"listed,\n"
		"else 0 or 3 as for all commands.",
	.options = OPT_READ | OPT_JSON | OPT_SINCE | OPT_SEVERITY | OPT_CONFIG,
	.takes_vm = true,
	.takes_command = true,
	.replays = true,
	.run = run,
};
