/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as JSON lines in a file, for hosts without journald. A file that is full becomes FILE.1,
 * that one FILE.2, and so on. */
#ifndef AUDIT_FILE_H
#define AUDIT_FILE_H

#include "audit/record.h"
#include "base/error.h"

struct audit_file;

struct audit_file_options {
	const char *path;
	uint64_t bytes, count; /* of a file, and how many older ones are kept */
	uint64_t sync_ns;      /* between two fdatasync(2) */
};

/* -errno with err filled. */
int audit_file_open(
	struct audit_file **ret, const struct audit_file_options *options, struct error *err);
void audit_file_free(struct audit_file **file); /* fits _cleanup_() */
void audit_file_change(struct audit_file *file, const struct audit_file_options *options);

/* Adds a record, all of it or nothing; one that it has at its end already is there. -errno. */
int audit_file_send(struct audit_file *file, const struct audit_record *record, uint64_t now_ns);

/* Writes through what is due. -errno. */
int audit_file_turn(struct audit_file *file, uint64_t now_ns);

#endif
