/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/journal_back.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-journal.h>

#include "audit/kinds.h"
#include "base/cleanup.h"

#define LOOKED_AT 2048 /* records that are looked at in the beginning */

struct journal_back {
	sd_journal *journal;
};

void journal_back_free(struct journal_back **pointer)
{
	struct journal_back *back = *pointer;

	if (!back)
		return;
	sd_journal_close(back->journal);
	free(back);
	*pointer = NULL;
}

/* Where reading begins: some records before the end. */
static int find_end(sd_journal *journal)
{
	int r = sd_journal_seek_tail(journal);

	if (!r)
		r = sd_journal_previous_skip(journal, LOOKED_AT);
	/* the one it is at is passed over by the next; where there are less it is the first one */
	return r < 0 ? r : r < LOOKED_AT ? sd_journal_seek_head(journal) : 0;
}

int journal_back_open(struct journal_back **ret, const char *directory, const char *log)
{
	_cleanup_(journal_back_free) struct journal_back *back = calloc(1, sizeof(*back));
	char match[64];
	int r;

	if (!back)
		return -ENOMEM;
	if (directory)
		r = sd_journal_open_directory(&back->journal, directory, 0);
	else
		r = sd_journal_open(&back->journal, SD_JOURNAL_LOCAL_ONLY);
	if (r < 0)
		return r;
	snprintf(match, sizeof(match), "%s=%s", audit_fields[FIELD_LOG].name, log);
	r = sd_journal_add_match(back->journal, match, 0);
	if (!r)
		r = sd_journal_get_fd(back->journal); /* it watches for files that come and go */
	if (r >= 0)
		r = find_end(back->journal);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(back);
	return 0;
}

/* The field's value as text; "" if it has none. */
static void get(sd_journal *journal, enum audit_field field, char *out, size_t size)
{
	const char *name = audit_fields[field].name;
	size_t name_size = strlen(name) + 1, n;
	const void *data;

	*out = '\0';
	if (sd_journal_get_data(journal, name, &data, &n) < 0 || n < name_size ||
		n - name_size >= size)
		return;
	memcpy(out, (const char *)data + name_size, n - name_size);
	out[n - name_size] = '\0';
}

int journal_back_read(struct journal_back *back, arrived_fn fn, void *context)
{
	char seq[24], chain[SHA256_HEX];
	int r = sd_journal_process(back->journal);

	if (r < 0)
		return r;
	while ((r = sd_journal_next(back->journal)) > 0) {
		get(back->journal, FIELD_SEQ, seq, sizeof(seq));
		get(back->journal, FIELD_CHAIN, chain, sizeof(chain));
		fn(context, strtoull(seq, NULL, 10), chain);
	}
	return r;
}
