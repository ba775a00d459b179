/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"

#define DIGEST 16 /* bytes of a digest that are kept: enough to tell two apart */

/* What is kept of a record. */
struct entry {
	uint64_t seq, order, time_us, taken_us;
	unsigned char prev[DIGEST], chain[DIGEST];
	bool again, altered, merges, stops;
};

struct log {
	char log[ID_SIZE], machine[ID_SIZE], boot[ID_SIZE];
	char previous[ID_SIZE + SHA256_HEX + 24]; /* of its first record; "" not known */
	struct entry *entries;
	size_t n, room;
	struct problem *problems;
	bool from_capture, expected;
	uint64_t expected_seq;
	struct verified verified;
};

struct verifier {
	struct log **logs;
	size_t n;
	uint64_t order;
	bool no_memory;
};

const char *problem_name(enum problem_kind kind)
{
	static const char *const names[] = {
		[PROBLEM_GAP] = "gap",
		[PROBLEM_ALTERED] = "altered",
		[PROBLEM_BROKEN] = "broken",
		[PROBLEM_DOUBLE] = "double",
		[PROBLEM_REPEATED] = "repeated",
		[PROBLEM_REORDERED] = "reordered",
		[PROBLEM_FORGED] = "forged",
		[PROBLEM_DAMAGED] = "damaged",
		[PROBLEM_CUT] = "cut",
		[PROBLEM_REPLACED] = "replaced",
	};
	_Static_assert(ARRAY_SIZE(names) == PROBLEM_KINDS, "a name for each problem");

	return names[kind];
}

int verifier_new(struct verifier **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void verifier_free(struct verifier **pointer)
{
	struct verifier *verifier = *pointer;

	if (!verifier)
		return;
	for (size_t i = 0; i < verifier->n; i++) {
		free(verifier->logs[i]->entries);
		free(verifier->logs[i]->problems);
		free(verifier->logs[i]);
	}
	free(verifier->logs);
	free(verifier);
	*pointer = NULL;
}

/* ---- problems ---- */

static struct problem *add_problem(struct log *log, enum problem_kind kind, uint64_t seq)
{
	struct verified *verified = &log->verified;
	struct problem *grown;

	if (verified->n_problems == PROBLEMS_MAX) {
		verified->more_problems++;
		return NULL;
	}
	grown = reallocarray(log->problems, verified->n_problems + 1, sizeof(*log->problems));
	if (!grown) {
		verified->more_problems++;
		return NULL;
	}
	log->problems = grown;
	verified->problems = grown;
	grown += verified->n_problems++;
	*grown = (struct problem){.kind = kind, .first = seq, .last = seq};
	return grown;
}

/* ---- records ---- */

static struct log *find_log(const struct verifier *verifier, const char *id)
{
	for (size_t i = verifier->n; i-- > 0;)
		if (!strcmp(verifier->logs[i]->log, id))
			return verifier->logs[i];
	return NULL;
}

/* Made when there is none; NULL without memory. */
static struct log *log_of(struct verifier *verifier, const char *id)
{
	struct log **grown, *log = find_log(verifier, id);

	if (log)
		return log;
	grown = reallocarray(verifier->logs, verifier->n + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	verifier->logs = grown;
	log = calloc(1, sizeof(*log));
	if (!log)
		return NULL;
	snprintf(log->log, sizeof(log->log), "%s", id);
	grown[verifier->n++] = log;
	return log;
}

static int digit(char letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* The first bytes of a digest; false: it is none. */
static bool read_digest(const char *hex, unsigned char digest[DIGEST])
{
	if (!hex || strlen(hex) != SHA256_HEX - 1)
		return false;
	for (int i = 0; i < SHA256_HEX - 1; i++)
		if (digit(hex[i]) < 0)
			return false;
	for (int i = 0; i < DIGEST; i++)
		digest[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	return true;
}

static bool is_id(const char *text)
{
	return text && strlen(text) == ID_SIZE - 1 &&
	       strspn(text, "0123456789abcdef") == ID_SIZE - 1;
}

static uint64_t read_time(const char *text)
{
	struct tm tm = {};
	unsigned int us = 0;
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	time_t seconds;

	if (!rest || sscanf(rest, ".%6uZ", &us) != 1)
		return 0;
	seconds = timegm(&tm);
	return seconds < 0 ? 0 : (uint64_t)seconds * 1000000 + us;
}

static struct entry *add_entry(struct log *log)
{
	if (log->n == log->room) {
		size_t room = log->room ? 2 * log->room : 64;
		struct entry *grown = reallocarray(log->entries, room, sizeof(*grown));

		if (!grown)
			return NULL;
		log->entries = grown;
		log->room = room;
	}
	log->entries[log->n] = (struct entry){};
	return &log->entries[log->n++];
}

/* Whether its digest is not that of its fields. */
static bool is_altered(const struct audit_record *record)
{
	const char *chain = record_field(record, FIELD_CHAIN);
	unsigned char digest[SHA256_BYTES];
	char hex[SHA256_HEX];

	record_hash(record, digest);
	return record->cut || !chain || strcmp(chain, sha256_hex(digest, hex));
}

static void note_first(struct log *log, const struct audit_record *record)
{
	const char *previous = record_field(record, FIELD_PREVIOUS);

	if (previous && record_u64(record, FIELD_SEQ) == 1)
		snprintf(log->previous, sizeof(log->previous), "%s", previous);
}

static bool is_kind(const struct audit_record *record, enum audit_kind kind)
{
	return !strcmp(record_field(record, FIELD_KIND) ?: "", audit_kinds[kind].name);
}

static int add_record(struct verifier *verifier, struct log *log, const struct audit_record *record,
	uint64_t taken_us)
{
	const char *machine = record_field(record, FIELD_MACHINE);
	const char *boot = record_field(record, FIELD_BOOT);
	struct entry *entry = add_entry(log);

	if (!entry)
		return -ENOMEM;
	entry->order = verifier->order++;
	entry->taken_us = taken_us;
	entry->seq = record_u64(record, FIELD_SEQ);
	entry->time_us = read_time(record_field(record, FIELD_TIME));
	entry->again = record_field(record, FIELD_RESENT) != NULL;
	entry->altered = is_altered(record) ||
			 !read_digest(record_field(record, FIELD_PREV), entry->prev) ||
			 !read_digest(record_field(record, FIELD_CHAIN), entry->chain);
	entry->stops = is_kind(record, AUDIT_STOP);
	entry->merges = is_kind(record, AUDIT_MERGED);
	if (entry->merges && !entry->altered)
		log->verified.merged += record_u64(record, FIELD_COUNT);
	log->from_capture |= record_field(record, FIELD_SOURCE) != NULL;
	/* the host and boot of the first one: others may have waited since the boot before */
	if (is_id(machine) && (!*log->machine || entry->seq == 1))
		snprintf(log->machine, sizeof(log->machine), "%s", machine);
	if (is_id(boot) && (!*log->boot || entry->seq == 1))
		snprintf(log->boot, sizeof(log->boot), "%s", boot);
	note_first(log, record);
	return 0;
}

int verifier_add(
	struct verifier *verifier, const struct audit_record *record, const struct sender *sender)
{
	const char *id = record_field(record, FIELD_LOG);
	bool forged = sender && !sender->trusted;
	struct log *log = is_id(id) ? find_log(verifier, id) : NULL;
	struct problem *problem;

	if (!log) /* nobody else's words make a log */
		log = log_of(verifier, is_id(id) && !forged ? id : "");
	if (!log)
		return -ENOMEM;
	if (forged) {
		problem = add_problem(log, PROBLEM_FORGED, record_u64(record, FIELD_SEQ));
		if (problem) {
			snprintf(problem->who, sizeof(problem->who), "%s", sender->text);
			problem->after_us = read_time(record_field(record, FIELD_TIME));
		}
		return 0;
	}
	if (!*log->log) {
		add_problem(log, PROBLEM_DAMAGED, 0);
		return 0;
	}
	return add_record(verifier, log, record, sender ? sender->taken_us : 0);
}

int verifier_damaged(struct verifier *verifier, const char *where)
{
	struct log *log = log_of(verifier, "");
	struct problem *problem = log ? add_problem(log, PROBLEM_DAMAGED, 0) : NULL;

	if (problem)
		snprintf(problem->who, sizeof(problem->who), "%s", where);
	return log ? 0 : -ENOMEM;
}

void verifier_expect(struct verifier *verifier, const struct chain_state *state)
{
	struct log *log = find_log(verifier, state->chain.log);

	if (!log && state->chain.seq) /* all of it is missing */
		log = log_of(verifier, state->chain.log);
	if (!log)
		return;
	log->expected = true;
	log->expected_seq = state->chain.seq;
	if (!*log->machine) {
		memcpy(log->machine, state->chain.machine, ID_SIZE);
		memcpy(log->boot, state->chain.boot, ID_SIZE);
	}
}

/* ---- judgement ---- */

static int compare_entries(const void *a, const void *b)
{
	const struct entry *one = a, *other = b;

	if (one->seq != other->seq)
		return one->seq < other->seq ? -1 : 1;
	return one->order < other->order ? -1 : one->order > other->order;
}

static bool is_same(const unsigned char a[DIGEST], const unsigned char b[DIGEST])
{
	return !memcmp(a, b, DIGEST);
}

/* Several with one number: the one that the log goes on with, as far as that can be told. */
static const struct entry *choose(
	const struct entry *entries, size_t n, const struct entry *last, const struct entry *next)
{
	for (size_t i = 0; i < n; i++)
		if (!entries[i].altered && next && is_same(entries[i].chain, next->prev))
			return &entries[i];
	for (size_t i = 0; i < n; i++)
		if (!entries[i].altered && last && is_same(entries[i].prev, last->chain))
			return &entries[i];
	for (size_t i = 0; i < n; i++)
		if (!entries[i].altered)
			return &entries[i];
	return entries;
}

/* An upload that was cut short began again with it: journald took it once. */
static bool is_uploaded_again(const struct entry *one, const struct entry *other)
{
	return one->taken_us && one->taken_us == other->taken_us;
}

static void judge_copies(
	struct log *log, const struct entry *entries, size_t n, const struct entry *chosen)
{
	for (size_t i = 0; i < n; i++) {
		const struct entry *entry = &entries[i];

		if (entry == chosen)
			continue;
		if (entry->altered)
			add_problem(log, PROBLEM_ALTERED, entry->seq);
		else if (!is_same(entry->chain, chosen->chain))
			add_problem(log, PROBLEM_DOUBLE, entry->seq);
		else if (entry->again || chosen->again || is_uploaded_again(entry, chosen))
			log->verified.again++;
		else
			add_problem(log, PROBLEM_REPEATED, entry->seq);
	}
}

static void judge_link(struct log *log, const struct entry *last, const struct entry *entry)
{
	struct problem *problem;

	if (entry->altered)
		add_problem(log, PROBLEM_ALTERED, entry->seq);
	if (last && entry->seq > last->seq + 1) {
		problem = add_problem(log, PROBLEM_GAP, last->seq + 1);
		if (problem) {
			problem->last = entry->seq - 1;
			problem->after_us = last->time_us;
			problem->before_us = entry->time_us;
		}
	} else if (last && !entry->altered && !last->altered &&
		   !is_same(entry->prev, last->chain)) {
		add_problem(log, PROBLEM_BROKEN, entry->seq);
	}
	if (last && entry->order < last->order && !last->again)
		add_problem(log, PROBLEM_REORDERED, last->seq);
}

/* The first record of a log names its host and boot by a digest. */
static void judge_anchor(struct log *log, const struct entry *first)
{
	unsigned char digest[DIGEST];
	char hex[SHA256_HEX];

	if (first->seq != 1 || first->altered)
		return;
	chain_anchor(log->machine, log->boot, log->log, hex);
	if (!read_digest(hex, digest) || !is_same(digest, first->prev))
		add_problem(log, PROBLEM_BROKEN, 1);
}

static void judge_end(struct log *log)
{
	struct verified *verified = &log->verified;
	struct problem *problem;

	if (!log->expected || verified->last >= log->expected_seq)
		return;
	problem = add_problem(log, PROBLEM_CUT, verified->last + 1);
	if (problem) {
		problem->last = log->expected_seq;
		problem->after_us = verified->last_us;
	}
}

static void judge(struct log *log)
{
	struct verified *verified = &log->verified;
	const struct entry *last = NULL;

	if (log->n)
		qsort(log->entries, log->n, sizeof(*log->entries), compare_entries);
	for (size_t i = 0, n; i < log->n; i += n) {
		const struct entry *entries = &log->entries[i], *chosen;

		for (n = 1; i + n < log->n && entries[n].seq == entries->seq; n++)
			;
		chosen = choose(entries, n, last, i + n < log->n ? &entries[n] : NULL);
		judge_copies(log, entries, n, chosen);
		judge_link(log, last, chosen);
		if (!last) {
			judge_anchor(log, chosen);
			verified->first = chosen->seq;
			verified->first_us = chosen->time_us;
		}
		verified->records++;
		last = chosen;
	}
	if (last) {
		verified->last = last->seq;
		verified->last_us = last->time_us;
		verified->stopped = last->stops;
	}
	judge_end(log);
	verified->from_capture = log->from_capture;
	memcpy(verified->log, log->log, ID_SIZE);
	memcpy(verified->machine, log->machine, ID_SIZE);
	memcpy(verified->boot, log->boot, ID_SIZE);
}

/* A log names how the one before it ended: where that one is here, too, it has to be so. */
static void judge_previous(struct verifier *verifier, struct log *log)
{
	char id[ID_SIZE], chain[SHA256_HEX];
	unsigned char digest[DIGEST];
	unsigned long long seq;
	const struct log *before;
	struct problem *problem;

	if (sscanf(log->previous, "%32[0-9a-f]:%llu:%64[0-9a-f]", id, &seq, chain) != 3 ||
		!read_digest(chain, digest))
		return;
	before = find_log(verifier, id);
	if (!before || !before->n)
		return;
	for (size_t i = 0; i < before->n; i++)
		if (before->entries[i].seq == seq && is_same(before->entries[i].chain, digest))
			return;
	problem = add_problem(log, PROBLEM_REPLACED, seq);
	if (problem)
		snprintf(problem->who, sizeof(problem->who), "%s", id);
}

static int compare_logs(const void *a, const void *b)
{
	const struct log *one = *(struct log *const *)a, *other = *(struct log *const *)b;

	if (!*one->log != !*other->log)
		return *one->log ? -1 : 1;
	if (one->verified.first_us != other->verified.first_us)
		return one->verified.first_us < other->verified.first_us ? -1 : 1;
	return strcmp(one->log, other->log);
}

int verifier_finish(struct verifier *verifier)
{
	for (size_t i = 0; i < verifier->n; i++)
		judge(verifier->logs[i]);
	for (size_t i = 0; i < verifier->n; i++)
		judge_previous(verifier, verifier->logs[i]);
	if (verifier->n)
		qsort(verifier->logs, verifier->n, sizeof(*verifier->logs), compare_logs);
	return 0;
}

size_t verifier_count(const struct verifier *verifier)
{
	return verifier->n;
}

const struct verified *verifier_log(const struct verifier *verifier, size_t i)
{
	return &verifier->logs[i]->verified;
}
