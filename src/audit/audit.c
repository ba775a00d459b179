/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_private.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"

#define TURN_NS   10000000ull
#define UNTOLD_NS 50000000ull /* how often to look whether a VM has its name by now */

enum { SINK_JOURNAL, SINK_FILE, SINKS };

/* ---- records ---- */

const char *audit_time(const struct audit *audit, uint64_t ts_ns, char text[TIME_SIZE])
{
	int64_t offset = audit->replay ? audit->offset_ns : clock_realtime_offset_ns();
	uint64_t ns = ts_ns + (uint64_t)offset; /* a capture may say anything: it goes round */
	time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	char day[24];
	struct tm tm;

	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
	snprintf(text, TIME_SIZE, "%s.%06uZ", day, (unsigned int)(ns % NSEC_PER_SEC / 1000));
	return text;
}

struct audit_record *audit_begin(struct audit *audit, enum audit_kind kind, uint64_t ts_ns)
{
	struct audit_record *record = &audit->record;
	char time[TIME_SIZE];

	record_begin(record, kind);
	record_set(record, FIELD_TIME, "%s", audit_time(audit, ts_ns, time));
	record_set_u64(record, FIELD_TS_NS, ts_ns);
	record_set(record, FIELD_BOOT, "%s", audit->boot);
	record_set(record, FIELD_MACHINE, "%s", audit->machine);
	if (audit->replay)
		record_set(record, FIELD_SOURCE, "capture");
	return record;
}

void audit_end(struct audit *audit, int priority)
{
	char line[AUDIT_LINE_BYTES];
	size_t size;

	record_add(&audit->record, "PRIORITY", "%d", priority);
	size = record_json(&audit->record, line);
	for (int i = 0; i < SINKS; i++)
		if (audit->sinks[i])
			sink_add(audit->sinks[i], &audit->record, line, size);
	audit->told++;
}

void audit_tell_start(struct audit *audit)
{
	const struct audit_value values[] = {
		{FIELD_VERSION, KES_VERSION},
		{FIELD_MODE, audit->settings.full ? "full" : "summary"},
		{FIELD_FORM, audit->mode},
	};
	bool cut = false;

	audit->started = true;
	for (int i = 0; i < SINKS; i++)
		cut |= audit->sinks[i] && sink_was_cut(audit->sinks[i]);
	if (cut) {
		const struct audit_value no = {FIELD_CLEAN, "no"};

		audit_note(audit, AUDIT_RESUMED, NULL, &no, 1,
			"the log goes on; the process before ended without a word: what it had "
			"only counted since its last summary is not told");
	}
	audit_note(audit, AUDIT_START, NULL, values, ARRAY_SIZE(values),
		"kvm-encstat %s (%s) begins to tell what it sees", KES_VERSION, audit->mode);
}

/* ---- what is due ---- */

/* Names of VMs come some records after their births. */
static void introduce(struct audit *audit)
{
	for (size_t i = 0; i < audit->n_accounts; i++) {
		struct account *account = audit->accounts[i];

		if (!account->told && (*account->who->text[KES_TEXT_NAME] ||
					      audit->now_ns - account->seen_ns > NSEC_PER_SEC))
			tell_new(audit, account);
	}
}

void audit_turn(struct audit *audit)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns - audit->turned_ns < TURN_NS)
		return; /* callers may turn as often as records come */
	audit->turned_ns = now_ns;
	if (!audit->replay) {
		audit->now_ns = now_ns;
		introduce(audit);
		if (audit->next_ns && now_ns >= audit->next_ns)
			accounts_flush(audit);
	}
	for (int i = 0; i < SINKS; i++)
		if (audit->sinks[i])
			sink_turn(audit->sinks[i], now_ns);
}

int audit_timeout(const struct audit *audit)
{
	uint64_t now_ns = clock_now_ns(), wait = UINT64_MAX;

	for (int i = 0; i < SINKS; i++)
		if (audit->sinks[i] && sink_wait(audit->sinks[i], now_ns) < wait)
			wait = sink_wait(audit->sinks[i], now_ns);
	for (size_t i = 0; i < audit->n_accounts && !audit->replay; i++)
		if (!audit->accounts[i]->told)
			wait = UNTOLD_NS < wait ? UNTOLD_NS : wait;
	if (!audit->replay && audit->next_ns && audit->next_ns > now_ns &&
		audit->next_ns - now_ns < wait)
		wait = audit->next_ns - now_ns;
	return wait == UINT64_MAX ? -1 : (int)(wait / 1000000) + 1;
}

void audit_status(const struct audit *audit, struct audit_status *ret)
{
	*ret = (struct audit_status){
		.told = audit->told, .delivered = UINT64_MAX, .merged = audit->flooded};
	for (int i = 0; i < SINKS; i++) {
		struct sink_status status;

		if (!audit->sinks[i])
			continue;
		status = sink_status(audit->sinks[i]);
		if (status.delivered < ret->delivered)
			ret->delivered = status.delivered;
		ret->waiting += status.waiting;
		ret->merged += status.merged;
		ret->resent += status.resent;
		ret->failures += status.failures;
		ret->unconfirmed |= status.unconfirmed;
		if (*status.trouble)
			snprintf(ret->trouble, sizeof(ret->trouble), "%s", status.trouble);
	}
}

bool audit_deliver(struct audit *audit, int patience_ms)
{
	uint64_t end_ns = clock_now_ns() + (uint64_t)patience_ms * 1000000;
	struct audit_status status;

	do {
		poll(NULL, 0, 10);
		audit_turn(audit);
		audit_status(audit, &status);
	} while (status.waiting && clock_now_ns() < end_ns);
	return status.waiting;
}

/* ---- life ---- */

/* A file with 32 digits in its first line, with or without dashes; -errno. */
static int read_id(const char *path, char id[ID_SIZE])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char text[64] = {};
	size_t used = 0;

	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) < 0)
		return -errno;
	for (const char *at = text; *at && *at != '\n' && used < ID_SIZE - 1; at++)
		if (*at != '-')
			id[used++] = *at;
	id[used] = '\0';
	return strspn(id, "0123456789abcdef") == ID_SIZE - 1 ? 0 : -EBADMSG;
}

static int read_ids(struct audit *audit, struct error *err)
{
	int r = read_id("/proc/sys/kernel/random/boot_id", audit->boot);

	if (r)
		return error_set(err, r, "the boot id cannot be read: %s", strerror(-r));
	if (read_id("/etc/machine-id", audit->machine))
		memset(audit->machine, '0', ID_SIZE - 1); /* a host without one */
	return 0;
}

static int make_directory(const char *path)
{
	char parent[256];
	const char *slash = strrchr(path, '/');

	if (!mkdir(path, 0700) || errno == EEXIST)
		return 0;
	if (errno != ENOENT || !slash || slash == path || (size_t)(slash - path) >= sizeof(parent))
		return -errno;
	snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
	return mkdir(parent, 0755) || mkdir(path, 0700) ? -errno : 0;
}

/* A command that tells what it has done has it for a moment, the daemon for its life. */
static bool lock(int fd, int patience_ms)
{
	uint64_t end_ns = clock_now_ns() + (uint64_t)patience_ms * 1000000;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (clock_now_ns() >= end_ns)
			return false;
		poll(NULL, 0, 20);
	}
	return true;
}

static int open_directory(struct audit *audit, const char *path, int patience_ms, struct error *err)
{
	char shown[ESCAPED_SIZE(AUDIT_PATH_MAX)];
	int r = make_directory(path);

	if (!r) {
		audit->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = audit->dir_fd < 0 ? -errno : 0;
	}
	if (r)
		return error_set(err, r, "the audit log's directory %s: %s",
			escape(path, shown, sizeof(shown)), strerror(-r));
	if (lock(audit->dir_fd, patience_ms))
		return 0;
	error_set(err, -EBUSY, "another process writes the audit log of %s",
		escape(path, shown, sizeof(shown)));
	error_advise(err, "the daemon, as a rule; --state names another directory for another log");
	return -EBUSY;
}

static struct sink_options options_of(const struct audit *audit, int which)
{
	const struct audit_settings *settings = &audit->settings;
	struct sink_options options = {
		.name = which == SINK_FILE ? "file" : "journal",
		.dir_fd = audit->dir_fd,
		.machine = audit->machine,
		.boot = audit->boot,
		.source = audit->replay ? "capture" : NULL,
		.spool_bytes = settings->spool_bytes,
	};

	if (which == SINK_FILE) {
		options.file = (struct audit_file_options){settings->file, settings->file_bytes,
			settings->file_count, settings->sync_ns};
		return options;
	}
	options.rate = settings->rate;
	options.socket = *audit->socket ? audit->socket : NULL;
	options.directory = *audit->directory ? audit->directory : NULL;
	options.confirm = settings->confirm;
	return options;
}

static int open_sinks(struct audit *audit, struct error *err)
{
	const bool wanted[SINKS] = {audit->settings.journal, *audit->settings.file != '\0'};
	int r = 0;

	for (int i = 0; i < SINKS && !r; i++) {
		struct sink_options options = options_of(audit, i);

		if (wanted[i])
			r = sink_open(&audit->sinks[i], &options, err);
	}
	return r;
}

int audit_new(struct audit **ret, const struct audit_options *options, struct error *err)
{
	_cleanup_(audit_free) struct audit *audit = calloc(1, sizeof(*audit));
	int r;

	if (!audit)
		return error_set(err, -ENOMEM, "out of memory");
	audit->dir_fd = -1;
	audit->settings = *options->settings;
	audit->replay = options->replay;
	snprintf(audit->mode, sizeof(audit->mode), "%s", options->mode);
	snprintf(audit->socket, sizeof(audit->socket), "%s", options->journal_socket ?: "");
	snprintf(audit->directory, sizeof(audit->directory), "%s", options->directory ?: "");
	r = read_ids(audit, err);
	if (!r)
		r = open_directory(audit, options->state_dir, options->patience_ms, err);
	if (!r)
		r = open_sinks(audit, err);
	if (r)
		return r;
	if (!audit->replay) { /* else it begins with the capture */
		audit->now_ns = clock_now_ns();
		audit_tell_start(audit);
		audit_turn(audit);
	}
	*ret = TAKE_PTR(audit);
	return 0;
}

void audit_set_clock(struct audit *audit, int64_t realtime_offset_ns)
{
	audit->offset_ns = realtime_offset_ns;
}

int audit_reload(struct audit *audit, const struct audit_settings *settings, struct error *err)
{
	if (settings->journal != audit->settings.journal ||
		strcmp(settings->file, audit->settings.file)) {
		error_set(err, -EOPNOTSUPP, "audit: the sinks cannot change while it runs");
		error_advise(err, "restart the service");
		return -EOPNOTSUPP;
	}
	accounts_flush(audit);
	audit->settings = *settings;
	audit->next_ns = audit->now_ns + settings->interval_ns;
	for (int i = 0; i < SINKS; i++) {
		struct sink_options options = options_of(audit, i);

		if (audit->sinks[i])
			sink_change(audit->sinks[i], &options);
	}
	return 0;
}

void audit_stop(struct audit *audit, const char *why)
{
	const struct audit_value value = {FIELD_WHY, why ?: "stopped"};

	if (audit->stopped)
		return;
	audit->stopped = true;
	if (!audit->started)
		audit_tell_start(audit);
	accounts_flush(audit);
	audit_note(audit, AUDIT_STOP, NULL, &value, 1, "kvm-encstat ends: %s", value.text);
	audit->turned_ns = 0;
	audit_turn(audit);
}

void audit_free(struct audit **pointer)
{
	struct audit *audit = *pointer;

	if (!audit)
		return;
	for (int i = 0; i < SINKS; i++)
		sink_close(&audit->sinks[i], audit->stopped);
	accounts_free(audit);
	cleanup_close(&audit->dir_fd);
	free(audit);
	*pointer = NULL;
}
