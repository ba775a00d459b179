/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "audit/manual.h"
#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "metrics/metrics.h"
#include "output/findings.h"
#include "output/manual.h"

static int unknown(const char *word, const struct finding *const *list, size_t n, struct error *err)
{
	char shown[ESCAPED_SIZE(64)], id[FINDING_FULL_ID_SIZE];

	error_set(err, -ENOENT, "there is no finding '%s'", escape(word, shown, sizeof(shown)));
	if (n)
		error_advise(err, "there are %zu here, such as %s; kvm-encstat findings lists them",
			n, finding_id(list[0], id));
	else
		error_advise(err,
			"nothing was found here; kvm-encstat replay FILE explain ID looks into "
			"a capture");
	return -ENOENT;
}

static int finish(void *context, const struct style *style, const struct model *model,
	struct detect *detect, struct error *err)
{
	const struct options *options = context;
	const struct finding *const *list;
	size_t n;

	(void)model;
	list = detect_findings(detect, &n);
	if (!list)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		char id[FINDING_FULL_ID_SIZE];

		if (strcasecmp(finding_id(list[i], id), options->id))
			continue;
		if (options->format == FORMAT_JSON)
			finding_explain_json(stdout, list[i]);
		else
			finding_explain_text(stdout, style, list[i]);
		return 0;
	}
	return unknown(options->id, list, n, err);
}

/* Whether it can be the id of a finding: KES-004.3.1. */
static bool is_full_id(const char *word)
{
	unsigned int kind, vm, number;
	char more;

	return sscanf(word, "%*3[KESkes]-%3u.%u.%u%c", &kind, &vm, &number, &more) == 3 && kind &&
	       kind <= FINDING_KINDS;
}

/* PAGE is one of those that the option takes. */
static void write_manual(const char *page)
{
	static const struct {
		const char *name;
		void (*write)(FILE *);
	} pages[] = {
		{"findings", manual_findings},
		{"settings", settings_manual},
		{"metrics", metrics_manual},
		{"journal-fields", audit_manual},
		{"catalog", audit_catalog},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (!strcmp(page, pages[i].name))
			pages[i].write(stdout);
}

static int run(const struct options *options, struct error *err)
{
	struct reader reader = {
		.findings = finish, .context = (void *)options, .wants_resident = true};
	char shown[ESCAPED_SIZE(64)];
	const struct detector *detector;

	if (options->manual) {
		write_manual(options->manual);
		return EXIT_DONE;
	}
	if (!options->id) {
		manual_list(stdout);
		return EXIT_DONE;
	}
	detector = detector_find(options->id);
	if (detector) {
		manual_explain(stdout, detector, KES_VM_DEFAULT);
		return EXIT_DONE;
	}
	if (is_full_id(options->id) && !options->file && !options->command &&
		options->duration_s < 0 && !session_asks_daemon(options)) {
		error_set(err, -EINVAL,
			"explain: a single finding is known while its records are read");
		error_advise(err,
			"kvm-encstat replay FILE explain %s explains it from a capture; "
			"--duration or a command make one live",
			options->id);
		return EXIT_USAGE;
	}
	if (is_full_id(options->id))
		return session_run(options, &reader, false, err);
	error_set(err, -EINVAL, "explain: '%s' is no finding",
		escape(options->id, shown, sizeof(shown)));
	error_advise(err, "it is a kind such as KES-004 or flapping, or one finding such as "
			  "KES-004.3.1; without any it lists the kinds");
	return EXIT_USAGE;
}

const struct command command_explain = {
	.name = "explain",
	.arguments = "[ID] [--json] [-- COMMAND ...]",
	.summary = "what is behind a finding, why it matters, what to do",
	.text = "ID is a kind of finding (KES-004, or its name: flapping), or one finding as "
		"`findings` "
		"lists\n"
		"it (KES-004.3.1). Of a kind it prints the page of the manual. Of one finding also "
		"what "
		"was seen:\n"
		"the records behind it. Findings of a capture are explained by `replay FILE "
		"explain ID`: "
		"there\n"
		"they have the ids that they had live. Without ID it lists all kinds.",
	.options = OPT_READ | OPT_JSON | OPT_CONFIG | OPT_MANUAL,
	.takes_id = true,
	.takes_command = true,
	.replays = true,
	.run = run,
};
