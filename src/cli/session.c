/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/remote.h"
#include "cli/session_private.h"
#include "config/config.h"
#include "service/client.h"

static bool terminal_is_utf8(void)
{
	setlocale(LC_CTYPE, "");
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static int on_event(void *context, const struct event *event)
{
	struct session *session = context;
	int r = 0;

	if (session->reader->event && !session->catching_up)
		r = session->reader->event(session->reader->context, &session->style, event);
	if (r == READER_NOBODYS) {
		model_disown(session->model, event->vm->id);
		return 0;
	}
	return !r && session->detect ? detect_event(session->detect, event) : r;
}

static int on_finding(void *context, const struct finding *finding, enum finding_phase phase)
{
	struct session *session = context;

	if (!session->reader->finding || session->catching_up)
		return 0;
	return session->reader->finding(session->reader->context, &session->style, finding, phase);
}

int session_settings(const struct options *options, struct settings **ret, struct error *err)
{
	_cleanup_(config_free) struct config *config = NULL;
	int r = config_load(&config, options->config, err);

	if (!r)
		*ret = TAKE_PTR(config->settings);
	return r;
}

/* For itself, or for those who will begin from the states in its capture. */
static bool wants_detectors(const struct session *session)
{
	const struct reader *reader = session->reader;

	return reader->finding || reader->findings || session->options->save;
}

int session_new_detect(
	struct session *session, const struct model *model, struct detect **ret, struct error *err)
{
	const struct reader *reader = session->reader;
	struct detect_options options = {
		.on_finding = on_finding,
		.context = session,
		.keep = reader->findings || reader->restored || session->options->save,
		.settings = reader->settings,
	};
	int r = 0;

	if (!options.settings && !session->settings)
		r = session_settings(session->options, &session->settings, err);
	if (r)
		return r;
	if (!options.settings)
		options.settings = session->settings;
	r = detect_new(ret, &options);
	if (r)
		return error_set(err, r, "out of memory");
	detect_watch(*ret, model);
	return 0;
}

static int start_detectors(struct session *session, struct error *err)
{
	int r;

	if (!wants_detectors(session))
		return 0;
	r = session_new_detect(session, session->model, &session->detect, err);
	if (!r && session->reader->detectors)
		session->reader->detectors(session->reader->context, session->detect);
	return r;
}

struct model_options session_model_options(struct session *session)
{
	return (struct model_options){
		.abi = session->abi,
		.max_ended = session->reader->max_ended,
		.on_event = on_event,
		.context = session,
	};
}

int session_start(struct session *session, enum abi abi, struct error *err)
{
	struct model_options options;
	int r;

	session->abi = session->options->abi_given ? session->options->abi : abi;
	session->style.ascii = session->options->ascii || !terminal_is_utf8();
	options = session_model_options(session);
	r = model_new(&session->model, &options);
	if (r)
		return error_set(err, r, "out of memory");
	if (session->reader->watch)
		session->reader->watch(session->reader->context, session->model, &session->style);
	return start_detectors(session, err);
}

int session_take(void *context, const struct kes_record *records, size_t n)
{
	struct session *session = context;
	int r;

	/* The records are worth more than the file: when it cannot grow (disk full), go on and say
	 * so. */
	if (session->writer && !session->writer_failed) {
		struct error err = {};

		if (capture_writer_add(session->writer, records, n, &err)) {
			session->writer_failed = true;
			fprintf(stderr, "kvm-encstat: %s\n", err.text);
		}
	}
	r = model_apply(session->model, records, n);
	if (r)
		return r;
	if (session->reader->records)
		session->reader->records(session->reader->context, records, n);
	session_write_state(session);
	return 0;
}

static void print_plural(uint64_t n, const char *what)
{
	fprintf(stderr, "%llu %s%s", (unsigned long long)n, what, n == 1 ? "" : "s");
}

/* To stderr: what was seen, and what was not. */
static void summarize(const struct session *session)
{
	struct model_totals totals;

	model_totals(session->model, &totals);
	fputs("kvm-encstat: ", stderr);
	print_plural(model_vm_count(session->model) + totals.forgotten, "VM");
	fputs(", ", stderr);
	print_plural(totals.ledger.converted, "conversion");
	fprintf(stderr, ", %llu denied, %llu refused, %llu unanswered; ",
		(unsigned long long)totals.ledger.denied, (unsigned long long)totals.ledger.refused,
		(unsigned long long)totals.ledger.unanswered);
	print_plural(totals.records, "record");
	fprintf(stderr, ", %llu lost\n", (unsigned long long)totals.lost);
	for (int i = 0; i < KES_CAUSE_MAX; i++)
		if (totals.host_lost[i])
			fprintf(stderr, "kvm-encstat: host: %llu times: %s\n",
				(unsigned long long)totals.host_lost[i], cause_name((uint32_t)i));
	if (totals.ledger.vetoed)
		fprintf(stderr, "kvm-encstat: refused by a policy: %llu\n",
			(unsigned long long)totals.ledger.vetoed);
	if (totals.ledger.no_answer)
		fprintf(stderr,
			"kvm-encstat: %llu answers were not seen: their pages are unknown\n",
			(unsigned long long)totals.ledger.no_answer);
	if (session->incomplete)
		fputs("kvm-encstat: the capture was not closed: it holds what was written until "
		      "then\n",
			stderr);
	if (session->damaged)
		fprintf(stderr, "kvm-encstat: the capture is damaged: %s\n", session->problem);
}

static int session_status(const struct session *session, bool keep_status)
{
	struct model_totals totals;

	if (keep_status && session->child_status)
		return session->child_status;
	model_totals(session->model, &totals);
	return totals.lost || totals.ledger.no_answer || totals.host_lost[KES_CAUSE_COUNTS_FULL] ||
			       session->incomplete || session->damaged || session->writer_failed ||
			       *session->gone
		       ? EXIT_PARTIAL
		       : EXIT_DONE;
}

/* Whether stdout is a pipe that nobody reads any more, as after `| head`: no reason to complain. */
static bool reader_is_gone(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

/* The records ended: *ret_status is what the reader makes of it, 0 nothing. */
static int finish(struct session *session, int *ret_status, struct error *err)
{
	const struct reader *reader = session->reader;
	int r = 0;

	model_finish(session->model);
	if (session->detect)
		r = detect_finish(session->detect);
	if (r == -EPIPE)
		return 0; /* nobody reads any more */
	if (r)
		return error_set(err, r, "looking for findings failed: %s", strerror(-r));
	if (reader->finish)
		r = reader->finish(reader->context, &session->style, session->model, err);
	if (!r && reader->findings)
		r = reader->findings(
			reader->context, &session->style, session->model, session->detect, err);
	if (r > 0)
		*ret_status = r;
	return r < 0 ? r : 0;
}

/* What only own programs can do. COMMAND shall be seen from its start, by programs that are there
 * before it. */
static bool needs_own(const struct options *options)
{
	return options->command || options->ring_bytes || options->no_trampolines ||
	       options->verbose || options->resync || options->abi_given;
}

bool session_asks_daemon(const struct options *options)
{
	struct daemon_client *client = NULL;
	struct error err = {};

	if (options->file || needs_own(options) || remote_open(&client, options, &err) <= 0)
		return false;
	daemon_client_free(&client);
	return true;
}

/* From a file, from the daemon where one runs, else from own programs. */
static int run_source(struct session *session, struct error *err)
{
	_cleanup_(daemon_client_free) struct daemon_client *client = NULL;
	const struct options *options = session->options;
	int r;

	if (options->file)
		return session_run_file(session, err);
	if (session->reader->start || needs_own(options))
		return session_run_live(session, err);
	r = remote_open(&client, options, err);
	if (r < 0)
		return r;
	return r ? session_run_socket(session, client, err) : session_run_live(session, err);
}

int session_run(const struct options *options, const struct reader *reader, bool keep_status,
	struct error *err)
{
	struct session session = {.options = options, .reader = reader};
	int r, status = 0;

	signal(SIGPIPE,
		SIG_IGN); /* a reader that closes its end ends us through the write's error */
	signal(SIGXFSZ, SIG_IGN);
	r = run_source(&session, err);
	if (!r)
		r = finish(&session, &status, err);
	if (!r && (fflush(stdout) || ferror(stdout)) && !reader_is_gone()) {
		r = error_set(err, -EIO, "writing the output failed");
		error_advise(err, "is the disk full?");
	}
	if (!r && !reader->quiet)
		summarize(&session);
	if (!r && *session.gone)
		fprintf(stderr, "kvm-encstat: %s\n", session.gone);
	r = r ? EXIT_FAILED : status ? status : session_status(&session, keep_status);
	capture_writer_free(&session.writer);
	detect_free(&session.detect);
	settings_free(&session.settings);
	model_free(&session.model);
	return r;
}
