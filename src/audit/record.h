/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One record of the audit log: fields as "NAME=value" lines. The same lines go to the journal, are
 * hashed for the chain, and make the JSON of files and of what waits on disk. Values never have a
 * control character in them, a line's end least of all.
 */
#ifndef AUDIT_RECORD_H
#define AUDIT_RECORD_H

#include <stdint.h>
#include <stdio.h>

#include "audit/kinds.h"
#include "base/sha256.h"

#define AUDIT_RECORD_BYTES  8192
#define AUDIT_RECORD_FIELDS 64
#define AUDIT_LINE_BYTES    (2 * AUDIT_RECORD_BYTES + 256) /* of its JSON, at most */

struct audit_record {
	size_t n, used;
	bool cut;                         /* not all of it had room */
	uint16_t at[AUDIT_RECORD_FIELDS]; /* of each line in text */
	char text[AUDIT_RECORD_BYTES];    /* lines, each with a NUL behind it */
};

/* Makes it a new one of the kind: KES_KIND and MESSAGE_ID. */
void record_begin(struct audit_record *record, enum audit_kind kind);

/* The same, to stand for one of which nobody can tell what it was. */
void record_damaged(struct audit_record *record);

/* Adds a field. name: any, such as "MESSAGE". Control characters in the value become '?'. */
void record_add(struct audit_record *record, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void record_set(struct audit_record *record, enum audit_field field, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void record_set_u64(struct audit_record *record, enum audit_field field, uint64_t value);

/* The value; NULL: it has no such field. */
const char *record_get(const struct audit_record *record, const char *name);
const char *record_field(const struct audit_record *record, enum audit_field field);

/* The value of a field that is a decimal number; 0 if it is none. */
uint64_t record_u64(const struct audit_record *record, enum audit_field field);

/* Takes a field out, if it is there. */
void record_drop(struct audit_record *record, enum audit_field field);

static inline const char *record_line(const struct audit_record *record, size_t i)
{
	return record->text + record->at[i];
}

/* SHA-256 of its lines in order of their bytes, each with a line's end; all but KES_CHAIN and
 * KES_RESENT. */
void record_hash(const struct audit_record *record, unsigned char digest[SHA256_BYTES]);

/* Whether the field belongs to what is hashed. */
bool record_covers(const char *line);

/* One JSON object in a line, with its end, into out, of AUDIT_LINE_BYTES. Returns its length. */
size_t record_json(const struct audit_record *record, char *out);

/* The other way round, of one line without its end. Only such lines as record_json() writes are
 * read: -EBADMSG for all others. */
int record_parse(struct audit_record *record, const char *line, size_t size);

#endif
