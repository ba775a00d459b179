/* SPDX-License-Identifier: GPL-2.0-only */
/* The audit log in the foreground: written without the daemon, also from a capture; and whether one
 * is whole. */
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/verify_output.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "cli/commands.h"
#include "cli/session.h"

#define PATIENCE_NS (15 * SECOND_NS) /* without anything being delivered, at the end */
#define FOREGROUND_RATE \
	300 /* a second: what journald takes of anybody, without the unit's settings */

struct auditing {
	const struct options *options;
	struct audit *audit;
	struct audit_settings settings;
	char temporary[32]; /* a capture's state; "" none */
	char told[256];     /* the trouble that was said last */
};

/* ---- how ---- */

static int read_settings(struct auditing *auditing, struct error *err)
{
	const struct options *options = auditing->options;
	_cleanup_(config_free) struct config *config = NULL;
	struct audit_settings *settings = &auditing->settings;
	int r = config_load(&config, options->config, err);

	if (r)
		return r;
	audit_settings_take(settings, config);
	settings->full |= options->full;
	settings->rate = FOREGROUND_RATE;
	if (options->n_to || options->file) { /* a capture goes where it is told to only */
		settings->journal = !options->n_to;
		*settings->file = '\0';
	}
	for (size_t i = 0; i < options->n_to; i++) {
		const char *to = options->to[i];

		if (!strcmp(to, "journal"))
			settings->journal = true;
		else
			snprintf(
				settings->file, sizeof(settings->file), "%s", to + strlen("file:"));
	}
	if (settings->journal || *settings->file)
		return 0;
	error_set(err, -EINVAL, "audit: the configuration has no place for the audit log");
	error_advise(err, "give one: --to journal, or --to file:PATH");
	return -EINVAL;
}

static int open_audit(struct auditing *auditing, struct error *err)
{
	const struct options *options = auditing->options;
	struct audit_options how = {
		.settings = &auditing->settings,
		.state_dir = options->state ?: AUDIT_STATE_DIR,
		.replay = options->file != NULL,
		.mode = "audit",
	};

	if (options->file && !options->state) {
		snprintf(auditing->temporary, sizeof(auditing->temporary),
			"/tmp/kvm-encstat-XXXXXX");
		if (!mkdtemp(auditing->temporary))
			return error_set(err, -errno, "a temporary directory: %s", strerror(errno));
		how.state_dir = auditing->temporary;
	}
	return audit_new(&auditing->audit, &how, err);
}

static int forget(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

/* ---- the run ---- */

static void on_watch(void *context, const struct model *model, const struct style *style)
{
	struct auditing *auditing = context;

	(void)model;
	audit_set_clock(auditing->audit, style->realtime_offset_ns);
}

static int on_event(void *context, const struct style *style, const struct event *event)
{
	struct auditing *auditing = context;

	(void)style;
	return audit_event(auditing->audit, event);
}

static int on_finding(void *context, const struct style *style, const struct finding *finding,
	enum finding_phase phase)
{
	struct auditing *auditing = context;

	(void)style;
	return audit_finding(auditing->audit, finding, phase);
}

static void tell_trouble(struct auditing *auditing, const struct audit_status *status)
{
	if (*status->trouble && strcmp(status->trouble, auditing->told))
		fprintf(stderr, "kvm-encstat: %s\n", status->trouble);
	snprintf(auditing->told, sizeof(auditing->told), "%s", status->trouble);
}

static int on_turn(void *context, const struct model *model, struct error *err)
{
	struct auditing *auditing = context;
	struct audit_status status;

	(void)model;
	(void)err;
	audit_turn(auditing->audit);
	audit_status(auditing->audit, &status);
	tell_trouble(auditing, &status);
	return 0;
}

static uint64_t due(void *context)
{
	const struct auditing *auditing = context;
	int ms = audit_timeout(auditing->audit);

	return ms < 0 ? UINT64_MAX : clock_now_ns() + (uint64_t)ms * 1000000;
}

/* Waits for what is on its way, as long as something arrives. */
static void drain(struct auditing *auditing, struct audit_status *status)
{
	uint64_t delivered = 0, since_ns = clock_now_ns();

	for (;;) {
		audit_turn(auditing->audit);
		audit_status(auditing->audit, status);
		tell_trouble(auditing, status);
		if (status->delivered != delivered)
			since_ns = clock_now_ns();
		delivered = status->delivered;
		if (!status->waiting || clock_now_ns() - since_ns > PATIENCE_NS)
			return;
		poll(NULL, 0, audit_timeout(auditing->audit));
	}
}

static int finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	struct auditing *auditing = context;
	struct audit_status status;

	(void)style;
	(void)model;
	(void)err;
	audit_stop(auditing->audit, NULL);
	drain(auditing, &status);
	fprintf(stderr, "kvm-encstat: %llu records told, %llu counted instead\n",
		(unsigned long long)status.told, (unsigned long long)status.merged);
	if (status.unconfirmed)
		fputs("kvm-encstat: the journal could not be read back: what arrived there is not "
		      "known\n",
			stderr);
	if (!status.waiting)
		return 0;
	fprintf(stderr, "kvm-encstat: NOT DELIVERED: %llu bytes of records wait in %s\n",
		(unsigned long long)status.waiting,
		*auditing->temporary ? auditing->temporary
				     : auditing->options->state ?: AUDIT_STATE_DIR);
	*auditing->temporary = '\0'; /* it is to stay */
	return EXIT_PARTIAL;
}

static int run_audit(const struct options *options, struct error *err)
{
	struct auditing auditing = {.options = options};
	struct reader reader = {
		.watch = on_watch,
		.event = on_event,
		.finding = on_finding,
		.turn = on_turn,
		.due = due,
		.finish = finish,
		.context = &auditing,
		.endless = true,
		.wants_resident = true,
		.max_ended = 16,
	};
	int r = EXIT_FAILED;

	if (!read_settings(&auditing, err) && !open_audit(&auditing, err))
		r = session_run(options, &reader, false, err);
	audit_free(&auditing.audit);
	if (*auditing.temporary)
		nftw(auditing.temporary, forget, 8, FTW_DEPTH | FTW_PHYS);
	return r;
}

/* ---- verify ---- */

static int read_log(const struct options *options, struct verifier *verifier, struct error *err)
{
	struct verify_journal from = {
		.directory = options->directory,
		.machine = options->machine,
	};

	if (options->log_file)
		return verify_file(verifier, options->log_file, err);
	/* before the journal: the log goes on meanwhile */
	if (!options->directory)
		verify_state(verifier, options->state ?: AUDIT_STATE_DIR);
	return verify_journal(verifier, &from, err);
}

static bool is_wanted(const struct options *options, const struct verified *verified)
{
	return (!options->machine || !strcmp(verified->machine, options->machine)) &&
	       (!options->boot || !strcmp(verified->boot, options->boot));
}

static int run_verify(const struct options *options, struct error *err)
{
	_cleanup_(verifier_free) struct verifier *verifier = NULL;
	size_t shown = 0;
	bool bad = false;
	int r = verifier_new(&verifier);

	if (r) {
		error_set(err, r, "out of memory");
		return EXIT_FAILED;
	}
	if (read_log(options, verifier, err))
		return EXIT_FAILED;
	verifier_finish(verifier);
	for (size_t i = 0; i < verifier_count(verifier); i++) {
		const struct verified *verified = verifier_log(verifier, i);

		if (!is_wanted(options, verified))
			continue;
		if (options->format == FORMAT_JSON)
			verified_write_json(stdout, verified);
		else
			verified_write_text(stdout, verified);
		bad |= verified->n_problems > 0;
		shown++;
	}
	if (shown)
		return bad ? EXIT_FOUND : EXIT_DONE;
	error_set(err, -ENOENT, "there is no audit log there");
	error_advise(err, "the daemon writes one, or kvm-encstat audit");
	return EXIT_FAILED;
}

static const struct command command_verify = {
	.name = "audit verify",
	.arguments = "[--file FILE | --directory DIR] [--machine ID] [--boot ID] [--json]",
	.summary = "whether an audit log is whole",
	.text = "Reads the audit logs of this host's journal, of a directory of journal files such "
		"as\n"
		"systemd-journal-remote makes, or of a file that was written with --to file:, and "
		"says of\n"
		"each whether all its records are there, unchanged, in order, and of kvm-encstat. "
		"Exit\n"
		"status: 0 they are, 4 not.",
	.options = OPT_JSON | OPT_VERIFY,
	.run = run_verify,
};

/* ---- the command ---- */

static const struct command *const subcommands[] = {&command_verify, NULL};

/* Its first word is a command, or there is none: then it is about writing. */
static int run(const struct options *options, struct error *err)
{
	struct command writing = command_audit;
	char **words = options->words;
	int n = 0;

	while (words[n])
		n++;
	if (n > 1 && !strcmp(words[1], "verify"))
		return command_run(&command_verify, n - 1, words + 1, NULL, err);
	writing.takes_words = false;
	writing.run = run_audit;
	return command_run(&writing, n, words, options->file, err);
}

const struct command command_audit = {
	.name = "audit",
	.arguments = "[verify ...] [--to WHERE] [--full] [-- COMMAND ...]",
	.summary = "write the audit log, without the daemon; whether one is whole",
	.text = "Watches, and writes what happens to the audit log, until Ctrl-C, --duration, or "
		"the "
		"end of\n"
		"COMMAND. Over a capture it tells what the capture holds. WHERE is journal, or "
		"file:PATH.\n"
		"`audit verify` says whether a log is whole: see its own --help.",
	.options = OPT_READ | OPT_CONFIG | OPT_AUDIT,
	.takes_words = true,
	.commands = subcommands,
	.takes_command = true,
	.replays = true,
	.run = run,
};
