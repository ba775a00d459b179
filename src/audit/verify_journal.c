/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "audit/verify.h"
#include "base/cleanup.h"
#include "base/escape.h"

#define UNIT "kvm-encstat.service"

static void close_journal(sd_journal **journal)
{
	sd_journal_close(*journal);
}

/* What the journal itself knows of who sent it; escaped, "" not known. */
static void get(sd_journal *journal, const char *field, char *out, size_t size)
{
	char value[128];
	size_t n, name_size = strlen(field) + 1;
	const void *data;

	*out = '\0';
	if (sd_journal_get_data(journal, field, &data, &n) < 0 || n < name_size)
		return;
	snprintf(
		value, sizeof(value), "%.*s", (int)(n - name_size), (const char *)data + name_size);
	escape(value, out, size);
}

/* Records are of root, or of the unit: nobody else can send as such. journald says who it was, not
 * the sender. */
static void find_sender(sd_journal *journal, struct sender *ret)
{
	char uid[16], pid[16], comm[32], unit[128], transport[16];

	get(journal, "_UID", uid, sizeof(uid));
	get(journal, "_PID", pid, sizeof(pid));
	get(journal, "_COMM", comm, sizeof(comm));
	get(journal, "_SYSTEMD_UNIT", unit, sizeof(unit));
	get(journal, "_TRANSPORT", transport, sizeof(transport));
	ret->trusted = (!strcmp(uid, "0") || !strcmp(unit, UNIT)) && !strcmp(transport, "journal");
	snprintf(ret->text, sizeof(ret->text), "uid %s, pid %s (%s)", uid, pid, comm);
	if (sd_journal_get_realtime_usec(journal, &ret->taken_us) < 0)
		ret->taken_us = 0;
}

static bool is_wanted(const char *field, size_t size)
{
	static const char *const others[] = {"MESSAGE=", "MESSAGE_ID=", "PRIORITY="};

	if (size > 4 && !memcmp(field, "KES_", 4))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (size >= strlen(others[i]) && !memcmp(field, others[i], strlen(others[i])))
			return true;
	return false;
}

static int read_record(sd_journal *journal, struct audit_record *record)
{
	const void *data;
	size_t size;
	int r;

	record->n = record->used = 0;
	record->cut = false;
	sd_journal_restart_data(journal);
	while ((r = sd_journal_enumerate_available_data(journal, &data, &size)) > 0) {
		const char *field = data, *value = memchr(data, '=', size);
		char name[64];

		if (!value || !is_wanted(field, size))
			continue;
		if ((size_t)(value - field) >= sizeof(name) ||
			memchr(value, '\0', (size_t)(field + size - value))) {
			record->cut = true; /* none of ours */
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(value - field), field);
		value++;
		record_add(record, name, "%.*s", (int)(field + size - value), value);
	}
	return r;
}

/* All kinds of records, by their ids; and the host that is wanted. */
static int match(sd_journal *journal, const struct verify_journal *from)
{
	char text[64];
	int r = 0;

	for (int i = 0; i < AUDIT_KINDS && r >= 0; i++) {
		snprintf(text, sizeof(text), "MESSAGE_ID=%s", audit_kinds[i].id);
		r = sd_journal_add_match(journal, text, 0);
	}
	if (r >= 0 && from->machine) {
		snprintf(text, sizeof(text), "%s=%.32s", audit_fields[FIELD_MACHINE].name,
			from->machine);
		r = sd_journal_add_match(journal, text, 0);
	}
	return r;
}

static int read_all(struct verifier *verifier, sd_journal *journal)
{
	int r = sd_journal_seek_head(journal);

	while (r >= 0 && (r = sd_journal_next(journal)) > 0) {
		struct audit_record record;
		struct sender sender;

		r = read_record(journal, &record);
		if (r < 0)
			break;
		find_sender(journal, &sender);
		r = verifier_add(verifier, &record, &sender);
	}
	return r;
}

int verify_journal(struct verifier *verifier, const struct verify_journal *from, struct error *err)
{
	_cleanup_(close_journal) sd_journal *journal = NULL;
	char shown[ESCAPED_SIZE(64)] = "the journal of this host";
	int r;

	if (from->directory)
		r = sd_journal_open_directory(&journal, from->directory, 0);
	else
		r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);
	if (from->directory)
		escape(from->directory, shown, sizeof(shown));
	if (r >= 0)
		r = match(journal, from);
	if (r >= 0)
		r = read_all(verifier, journal);
	if (r >= 0)
		return 0;
	error_set(err, r, "reading %s: %s", shown, strerror(-r));
	if (r == -EACCES || r == -EPERM)
		error_advise(err, "root and the group systemd-journal may read it");
	return r;
}
