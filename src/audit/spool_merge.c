/* SPDX-License-Identifier: GPL-2.0-only */
/* Too much waits: the older half of what was not sent becomes counts. What operators did is kept
 * word by word, as long as that alone does not fill the spool. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "audit/spool_private.h"
#include "audit/tally.h"
#include "base/cleanup.h"

#define MERGING "merging" /* the file that is being made; no segment's name */

static bool is_detail(const struct audit_record *record)
{
	enum audit_kind kind = audit_kind_from_name(record_field(record, FIELD_KIND) ?: "");

	return kind == AUDIT_KINDS || audit_kinds[kind].detail;
}

/* What is merged: counts of details, and the others as they are. */
struct merging {
	struct tally *tally;
	FILE *out;
	bool all; /* nothing is kept */
};

static int take_line(struct merging *merging, const char *line, size_t size)
{
	struct audit_record record;

	if (record_parse(&record, line, size))
		record_damaged(&record);
	else if (!merging->all && !is_detail(&record))
		return fprintf(merging->out, "%.*s\n", (int)size, line) < 0 ? -EIO : 0;
	return tally_add(merging->tally, &record);
}

static int take_segment(struct merging *merging, int dir_fd, const struct segment *segment)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_fclose_ FILE *in = NULL;
	char name[SEGMENT_NAME];
	size_t room = 0;
	ssize_t n;
	int fd, r = 0;

	spool_segment_name(segment, name);
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	in = fd < 0 ? NULL : fdopen(fd, "r");
	if (!in)
		return -errno;
	while (!r && (n = getline(&line, &room, in)) > 0)
		r = take_line(merging, line, (size_t)n - (line[n - 1] == '\n'));
	return r ? r : ferror(in) ? -EIO : 0;
}

static int write_counts(struct merging *merging)
{
	struct audit_record record;
	char line[AUDIT_LINE_BYTES];

	while (tally_first(merging->tally, "spool-full", &record)) {
		if (fwrite(line, record_json(&record, line), 1, merging->out) != 1)
			return -EIO;
		tally_drop(merging->tally);
	}
	/* what it was made of goes next: the power may fail */
	return fflush(merging->out) || fsync(fileno(merging->out)) ? -errno : 0;
}

/* Segments from index first on, n of them, become one. */
static int64_t merge(struct spool *spool, size_t first, size_t n, bool all)
{
	_cleanup_(tally_free) struct tally *tally = tally_new();
	_cleanup_fclose_ FILE *out = NULL;
	struct merging merging = {.tally = tally, .all = all};
	struct segment merged = {
		.first = spool->segments[first].first, .last = spool->segments[first + n - 1].last};
	char name[SEGMENT_NAME];
	int64_t count;
	int fd = openat(spool->dir_fd, MERGING,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = 0;

	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out || !tally)
		return out ? -ENOMEM : -errno;
	merging.out = out;
	for (size_t i = first; i < first + n && !r; i++)
		r = take_segment(&merging, spool->dir_fd, &spool->segments[i]);
	count = (int64_t)tally_count(tally);
	if (!r)
		r = write_counts(&merging);
	spool_segment_name(&merged, name);
	if (!r && renameat(spool->dir_fd, MERGING, spool->dir_fd, name))
		r = -errno;
	if (r) {
		unlinkat(spool->dir_fd, MERGING, 0);
		return r;
	}
	merged.bytes = (uint64_t)ftell(out);
	for (size_t i = first + n; i-- > first + (n > 1 ? 0 : 1);)
		spool_remove_segment(spool, i);
	if (n > 1) {
		memmove(&spool->segments[first + 1], &spool->segments[first],
			(spool->n - first) * sizeof(*spool->segments));
		spool->n++;
	} else {
		spool->bytes -= spool->segments[first].bytes;
	}
	spool->segments[first] = merged;
	spool->bytes += merged.bytes;
	return count;
}

int64_t spool_make_room(struct spool *spool, const struct spool_position *sent)
{
	int64_t count = 0;

	for (int all = 0; all < 2 && spool->bytes > spool->bound; all++) {
		uint64_t half = 0, wanted = spool->bytes - spool->bound / 2;
		size_t first = 0, n = 0;
		int64_t r;

		while (first < spool->n && spool->segments[first].last <= sent->segment)
			first++;
		/* all but the one that is written to now, or so many that half of the bound is left
		 */
		while (first + n + 1 < spool->n && half < wanted)
			half += spool->segments[first + n++].bytes;
		if (!n)
			break;
		cleanup_close(&spool->read_fd);
		spool->read_fd = -1;
		r = merge(spool, first, n, all);
		if (r < 0)
			return r;
		count += r;
	}
	return count;
}
