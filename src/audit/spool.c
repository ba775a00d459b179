/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file is named FIRST-LAST, in hexadecimal: numbers of segments that it has, one, or several that
 * were merged. Where one has the numbers of another, a merge was cut short, and the smaller one is
 * gone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/spool_private.h"
#include "base/cleanup.h"

void spool_segment_name(const struct segment *segment, char name[SEGMENT_NAME])
{
	snprintf(name, SEGMENT_NAME, "%016" PRIx64 "-%016" PRIx64, segment->first, segment->last);
}

/* ---- the directory ---- */

static int compare_segments(const void *a, const void *b)
{
	const struct segment *one = a, *other = b;

	if (one->first != other->first)
		return one->first < other->first ? -1 : 1;
	return one->last > other->last ? -1 : one->last < other->last; /* the larger first */
}

static int add_segment(struct spool *spool, struct segment segment)
{
	struct segment *grown =
		reallocarray(spool->segments, spool->n + 1, sizeof(*spool->segments));

	if (!grown)
		return -ENOMEM;
	spool->segments = grown;
	grown[spool->n++] = segment;
	spool->bytes += segment.bytes;
	return 0;
}

void spool_remove_segment(struct spool *spool, size_t i)
{
	char name[SEGMENT_NAME];

	spool_segment_name(&spool->segments[i], name);
	unlinkat(spool->dir_fd, name, 0);
	spool->bytes -= spool->segments[i].bytes;
	memmove(&spool->segments[i], &spool->segments[i + 1],
		(--spool->n - i) * sizeof(*spool->segments));
}

static int scan(struct spool *spool)
{
	int fd = openat(spool->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (!r && (entry = readdir(dir))) {
		struct segment segment;
		char name[SEGMENT_NAME];
		struct stat st;

		if (sscanf(entry->d_name, "%16" SCNx64 "-%16" SCNx64, &segment.first,
			    &segment.last) != 2 ||
			fstatat(spool->dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		spool_segment_name(&segment, name);
		if (strcmp(name, entry->d_name) || !S_ISREG(st.st_mode))
			continue; /* a merge's that was not finished, or not ours */
		segment.bytes = (uint64_t)st.st_size;
		r = add_segment(spool, segment);
	}
	closedir(dir);
	return r;
}

static int read_directory(struct spool *spool)
{
	int r = scan(spool);

	if (r)
		return r;
	if (spool->n)
		qsort(spool->segments, spool->n, sizeof(*spool->segments), compare_segments);
	for (size_t i = 1; i < spool->n;)
		if (spool->segments[i].last <= spool->segments[i - 1].last)
			spool_remove_segment(spool, i);
		else
			i++;
	return 0;
}

int spool_open(struct spool **ret, int dir_fd, const char *name, uint64_t bound, struct error *err)
{
	_cleanup_(spool_free) struct spool *spool = calloc(1, sizeof(*spool));
	int r;

	if (!spool)
		return error_set(err, -ENOMEM, "out of memory");
	spool->append_fd = spool->read_fd = -1;
	spool->bound = bound;
	if (mkdirat(dir_fd, name, 0700) && errno != EEXIST)
		spool->dir_fd = -1;
	else
		spool->dir_fd =
			openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (spool->dir_fd < 0) {
		r = -errno;
		return error_set(err, r, "the spool %s: %s", name, strerror(-r));
	}
	r = read_directory(spool);
	if (r)
		return error_set(err, r, "reading the spool %s: %s", name, strerror(-r));
	*ret = TAKE_PTR(spool);
	return 0;
}

void spool_free(struct spool **pointer)
{
	struct spool *spool = *pointer;

	if (!spool)
		return;
	cleanup_close(&spool->append_fd);
	cleanup_close(&spool->read_fd);
	cleanup_close(&spool->dir_fd);
	free(spool->segments);
	free(spool);
	*pointer = NULL;
}

void spool_set_bound(struct spool *spool, uint64_t bound)
{
	spool->bound = bound;
}

void spool_fix(const struct spool *spool, struct spool_position *at)
{
	if (!spool->n || spool->segments[spool->n - 1].last < at->segment)
		*at = (struct spool_position){};
}

uint64_t spool_bytes(const struct spool *spool)
{
	return spool->bytes;
}

static uint64_t segment_bytes(const struct spool *spool)
{
	uint64_t bytes = spool->bound / SEGMENTS;

	return bytes < SEGMENT_MIN ? SEGMENT_MIN : bytes > SEGMENT_MAX ? SEGMENT_MAX : bytes;
}

/* ---- in ---- */

static int begin_segment(struct spool *spool)
{
	uint64_t number = spool->n ? spool->segments[spool->n - 1].last + 1 : 1;
	struct segment segment = {.first = number, .last = number};
	char name[SEGMENT_NAME];
	int fd, r;

	spool_segment_name(&segment, name);
	fd = openat(spool->dir_fd, name,
		O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = add_segment(spool, segment);
	if (r) {
		close(fd);
		return r;
	}
	cleanup_close(&spool->append_fd);
	spool->append_fd = fd;
	return 0;
}

int spool_append(struct spool *spool, const char *line, size_t size)
{
	struct segment *last;
	ssize_t n;
	int r = 0;

	if (spool->append_fd < 0 ||
		spool->segments[spool->n - 1].bytes + size > segment_bytes(spool))
		r = begin_segment(spool);
	if (r)
		return r;
	last = &spool->segments[spool->n - 1];
	n = write(spool->append_fd, line, size);
	if (n == (ssize_t)size) {
		last->bytes += size;
		spool->bytes += size;
		return 0;
	}
	r = n < 0 ? -errno : -ENOSPC;
	if (n > 0 && ftruncate(spool->append_fd, (off_t)last->bytes)) {
		/* half a line stays; behind it begins another file */
		last->bytes += (uint64_t)n;
		spool->bytes += (uint64_t)n;
		cleanup_close(&spool->append_fd);
		spool->append_fd = -1;
	}
	return r;
}

/* ---- out ---- */

/* The segment that has this position, or the first one behind it; n: there is none. */
static size_t segment_at(const struct spool *spool, struct spool_position *at)
{
	size_t i;

	for (i = 0; i < spool->n && spool->segments[i].last < at->segment; i++)
		;
	if (i < spool->n && spool->segments[i].last != at->segment)
		*at = (struct spool_position){.segment = spool->segments[i].last};
	return i;
}

static int open_segment(struct spool *spool, const struct segment *segment)
{
	char name[SEGMENT_NAME];

	if (spool->read_fd >= 0 && spool->window_last == segment->last)
		return 0;
	cleanup_close(&spool->read_fd);
	spool_segment_name(segment, name);
	spool->read_fd = openat(spool->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	spool->window_last = segment->last;
	spool->window_size = 0;
	return spool->read_fd < 0 ? -errno : 0;
}

/* The window begins at offset, as far as the file goes. */
static int fill_window(struct spool *spool, uint64_t offset)
{
	ssize_t n = pread(spool->read_fd, spool->window, sizeof(spool->window), (off_t)offset);

	if (n < 0)
		return -errno;
	spool->window_offset = offset;
	spool->window_size = (size_t)n;
	return 0;
}

static const char *find_line(
	const struct spool *spool, uint64_t offset, const char **ret_line, size_t *ret_rest)
{
	if (offset < spool->window_offset || offset >= spool->window_offset + spool->window_size)
		return NULL;
	*ret_line = spool->window + (offset - spool->window_offset);
	*ret_rest = spool->window_size - (size_t)(offset - spool->window_offset);
	return memchr(*ret_line, '\n', *ret_rest);
}

int spool_next(
	struct spool *spool, struct spool_position *at, const char **ret_line, size_t *ret_size)
{
	size_t i = segment_at(spool, at), rest = 0;
	const char *line, *end;
	int r;

	while (i < spool->n && at->offset >= spool->segments[i].bytes) {
		if (++i == spool->n)
			return 0;
		*at = (struct spool_position){.segment = spool->segments[i].last};
	}
	if (i == spool->n)
		return 0;
	r = open_segment(spool, &spool->segments[i]);
	if (r)
		return r;
	end = find_line(spool, at->offset, &line, &rest);
	if (!end) {
		r = fill_window(spool, at->offset);
		if (r)
			return r;
		end = find_line(spool, at->offset, &line, &rest);
	}
	if (!end) { /* it was cut off by a crash, or is none of ours */
		at->offset += rest ? rest : spool->segments[i].bytes - at->offset;
		return -EBADMSG;
	}
	*ret_line = line;
	*ret_size = (size_t)(end - line);
	at->offset += *ret_size + 1;
	return 1;
}

bool spool_waits(const struct spool *spool, const struct spool_position *at)
{
	struct spool_position from = *at;

	for (size_t i = segment_at(spool, &from); i < spool->n; i++)
		if (spool->segments[i].last != from.segment ||
			from.offset < spool->segments[i].bytes)
			if (spool->segments[i].bytes)
				return true;
	return false;
}

void spool_release(struct spool *spool, const struct spool_position *at)
{
	while (spool->n && spool->segments[0].last < at->segment)
		spool_remove_segment(spool, 0);
	/* the last one, when it is read to its end and full */
	if (spool->n == 1 && spool->segments[0].last == at->segment &&
		at->offset >= spool->segments[0].bytes &&
		(spool->append_fd < 0 || at->offset >= segment_bytes(spool))) {
		/* its number must not come again */
		if (!begin_segment(spool))
			spool_remove_segment(spool, 0);
	}
}
