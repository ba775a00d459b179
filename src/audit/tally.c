/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/tally.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"

struct entry {
	char kind[32];             /* KES_KIND of what it stands for */
	char *identity;            /* lines that all of them have, each with its end */
	char since[40], until[40]; /* KES_TIME of the first, and of the last */
	uint64_t count;
	uint64_t sums[AUDIT_FIELDS];
	bool has[AUDIT_FIELDS];
};

struct tally {
	struct entry *entries;
	size_t first, n; /* those before `first` are gone */
	uint64_t count;
};

/* What tells the VMs of records apart, and the hosts. */
static const enum audit_field identity[] = {FIELD_BOOT, FIELD_MACHINE, FIELD_SOURCE, FIELD_VM,
	FIELD_VM_NAME, FIELD_VM_UUID, FIELD_VM_PID, FIELD_VM_TYPE};
#define FIRST_OF_VM 3

struct tally *tally_new(void)
{
	return calloc(1, sizeof(struct tally));
}

void tally_free(struct tally **pointer)
{
	struct tally *tally = *pointer;

	if (!tally)
		return;
	for (size_t i = tally->first; i < tally->n; i++)
		free(tally->entries[i].identity);
	free(tally->entries);
	free(tally);
	*pointer = NULL;
}

/* The caller's; NULL without memory. */
static char *identity_of(const struct audit_record *record, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char *value = record_field(record, identity[i]);

		if (value)
			fprintf(out, "%s=%s\n", audit_fields[identity[i]].name, value);
	}
	fclose(out);
	return text;
}

static struct entry *find(struct tally *tally, const char *kind, const char *who)
{
	for (size_t i = tally->first; i < tally->n; i++)
		if (!strcmp(tally->entries[i].kind, kind) &&
			!strcmp(tally->entries[i].identity, who))
			return &tally->entries[i];
	return NULL;
}

/* Takes who. */
static struct entry *add(struct tally *tally, const char *kind, char *who)
{
	struct entry *grown = reallocarray(tally->entries, tally->n + 1, sizeof(*tally->entries));

	if (!grown) {
		free(who);
		return NULL;
	}
	tally->entries = grown;
	grown += tally->n++;
	*grown = (struct entry){.identity = who};
	snprintf(grown->kind, sizeof(grown->kind), "%s", kind);
	return grown;
}

static struct entry *entry_of(
	struct tally *tally, const char *kind, const struct audit_record *record)
{
	bool full = tally->n - tally->first >= TALLY_MAX;
	char *who = identity_of(record, full ? FIRST_OF_VM : ARRAY_SIZE(identity));
	struct entry *found = who ? find(tally, kind, who) : NULL;

	if (!who)
		return NULL;
	if (!found)
		return add(tally, kind, who);
	free(who);
	return found;
}

static void note_times(struct entry *entry, const struct audit_record *record)
{
	const char *until = record_field(record, FIELD_TIME);
	const char *since = record_field(record, FIELD_SINCE) ?: until;

	if (since && (!*entry->since || strcmp(since, entry->since) < 0))
		snprintf(entry->since, sizeof(entry->since), "%s", since);
	if (until && strcmp(until, entry->until) > 0)
		snprintf(entry->until, sizeof(entry->until), "%s", until);
}

static void note_sums(struct entry *entry, const struct audit_record *record)
{
	for (int i = 0; i < AUDIT_FIELDS; i++) {
		if (!audit_fields[i].adds || i == FIELD_COUNT || !record_field(record, i))
			continue;
		entry->sums[i] += record_u64(record, i);
		entry->has[i] = true;
	}
}

int tally_add(struct tally *tally, const struct audit_record *record)
{
	const char *kind = record_field(record, FIELD_KIND) ?: "unknown";
	bool again = !strcmp(kind, audit_kinds[AUDIT_MERGED].name);
	uint64_t count = again ? record_u64(record, FIELD_COUNT) : 1;
	struct entry *entry;

	if (again)
		kind = record_field(record, FIELD_MERGED_KIND) ?: "unknown";
	entry = entry_of(tally, kind, record);
	if (!entry)
		return -ENOMEM;
	entry->count += count;
	tally->count += count;
	note_times(entry, record);
	note_sums(entry, record);
	return 0;
}

uint64_t tally_count(const struct tally *tally)
{
	return tally->count;
}

static void add_identity(struct audit_record *record, const char *lines)
{
	while (*lines) {
		const char *value = strchr(lines, '='), *end = strchr(lines, '\n');

		for (size_t i = 0; i < ARRAY_SIZE(identity); i++)
			if (!strncmp(audit_fields[identity[i]].name, lines,
				    (size_t)(value - lines)) &&
				!audit_fields[identity[i]].name[value - lines])
				record_set(record, identity[i], "%.*s", (int)(end - value - 1),
					value + 1);
		lines = end + 1;
	}
}

bool tally_first(const struct tally *tally, const char *why, struct audit_record *ret)
{
	const struct entry *entry;
	const char *name;

	if (tally->first == tally->n)
		return false;
	entry = &tally->entries[tally->first];
	record_begin(ret, AUDIT_MERGED);
	record_add(ret, "PRIORITY", "%d", audit_kinds[AUDIT_MERGED].priority);
	record_set(ret, FIELD_TIME, "%s", entry->until);
	record_set(ret, FIELD_SINCE, "%s", entry->since);
	add_identity(ret, entry->identity);
	record_set(ret, FIELD_MERGED_KIND, "%s", entry->kind);
	record_set(ret, FIELD_WHY, "%s", why);
	record_set_u64(ret, FIELD_COUNT, entry->count);
	for (int i = 0; i < AUDIT_FIELDS; i++)
		if (entry->has[i])
			record_set_u64(ret, i, entry->sums[i]);
	name = record_field(ret, FIELD_VM_NAME);
	record_add(ret, "MESSAGE", "%s%s%s%llu record%s of kind %s not told one by one (%s)",
		name ? "VM " : "", name ?: "", name ? ": " : "", (unsigned long long)entry->count,
		entry->count == 1 ? "" : "s", entry->kind, why);
	return true;
}

void tally_drop(struct tally *tally)
{
	struct entry *entry = &tally->entries[tally->first];

	tally->count -= entry->count;
	free(entry->identity);
	if (++tally->first == tally->n)
		tally->first = tally->n = 0;
}
