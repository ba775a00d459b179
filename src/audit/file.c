/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/settings.h"
#include "base/cleanup.h"
#include "base/escape.h"

struct audit_file {
	char path[AUDIT_PATH_MAX];
	uint64_t max_bytes, count, sync_ns;
	int fd;
	uint64_t bytes;
	uint64_t synced_ns;
	bool dirty;
	/* the last record that it had when it was opened */
	char log[33];
	uint64_t seq;
};

/* ---- the end of the file as it was left ---- */

/* Takes away the half of a line that a crash left behind: the record is sent again. */
static int trim(struct audit_file *file, const char *tail, size_t size)
{
	size_t kept = size;

	while (kept && tail[kept - 1] != '\n')
		kept--;
	if (kept == size)
		return 0;
	file->bytes -= size - kept;
	return ftruncate(file->fd, (off_t)file->bytes) ? -errno : 0;
}

static void read_last(struct audit_file *file, const char *tail, size_t size)
{
	struct audit_record record;
	const char *line;

	while (size && tail[size - 1] != '\n')
		size--;
	if (!size)
		return;
	line = memrchr(tail, '\n', size - 1);
	line = line ? line + 1 : tail;
	if (record_parse(&record, line, (size_t)(tail + size - line) - 1))
		return;
	snprintf(file->log, sizeof(file->log), "%s", record_field(&record, FIELD_LOG) ?: "");
	file->seq = record_u64(&record, FIELD_SEQ);
}

static int look_at_end(struct audit_file *file)
{
	char tail[AUDIT_LINE_BYTES];
	struct stat st;
	off_t from;
	ssize_t n;

	if (fstat(file->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL; /* pipes and devices forget */
	file->bytes = (uint64_t)st.st_size;
	from = st.st_size > (off_t)sizeof(tail) ? st.st_size - (off_t)sizeof(tail) : 0;
	n = pread(file->fd, tail, sizeof(tail), from);
	if (n < 0)
		return -errno;
	read_last(file, tail, (size_t)n);
	return trim(file, tail, (size_t)n);
}

/* ---- life ---- */

static int open_path(struct audit_file *file)
{
	file->fd = open(file->path,
		O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0640);
	return file->fd < 0 ? -errno : 0;
}

void audit_file_change(struct audit_file *file, const struct audit_file_options *options)
{
	file->max_bytes = options->bytes;
	file->count = options->count;
	file->sync_ns = options->sync_ns;
}

int audit_file_open(
	struct audit_file **ret, const struct audit_file_options *options, struct error *err)
{
	_cleanup_(audit_file_free) struct audit_file *file = calloc(1, sizeof(*file));
	char shown[ESCAPED_SIZE(AUDIT_PATH_MAX)];
	int r;

	if (!file)
		return error_set(err, -ENOMEM, "out of memory");
	file->fd = -1;
	snprintf(file->path, sizeof(file->path), "%s", options->path);
	audit_file_change(file, options);
	r = open_path(file);
	if (!r)
		r = look_at_end(file);
	if (r) {
		error_set(err, r, "the audit log's file %s: %s",
			escape(options->path, shown, sizeof(shown)),
			r == -EINVAL ? "it is not a plain file" : strerror(-r));
		if (r == -ENOENT)
			error_advise(err, "the folder it shall be in must exist");
		return r;
	}
	*ret = TAKE_PTR(file);
	return 0;
}

void audit_file_free(struct audit_file **pointer)
{
	struct audit_file *file = *pointer;

	if (!file)
		return;
	if (file->fd >= 0 && file->dirty)
		fdatasync(file->fd);
	cleanup_close(&file->fd);
	free(file);
	*pointer = NULL;
}

/* ---- rotation ---- */

#define ROTATED_SIZE (AUDIT_PATH_MAX + 24)

static void rotated(const struct audit_file *file, uint64_t i, char name[ROTATED_SIZE])
{
	if (i)
		snprintf(name, ROTATED_SIZE, "%s.%llu", file->path, (unsigned long long)i);
	else
		snprintf(name, ROTATED_SIZE, "%s", file->path);
}

/* More were kept once: what is beyond would never move again. */
static void remove_older(const struct audit_file *file)
{
	char name[ROTATED_SIZE];
	uint64_t i = file->count;

	do
		rotated(file, ++i, name);
	while (!unlink(name));
}

/* The first number that no file has, as there is one after a rotation that was cut short. */
static uint64_t first_free(const struct audit_file *file)
{
	char name[ROTATED_SIZE];
	uint64_t i = 1;

	for (; i < file->count; i++) {
		rotated(file, i, name);
		if (access(name, F_OK))
			break;
	}
	return i;
}

/* From the oldest on, each name moves by one: whenever that ends, all that is kept is there. */
static int rotate(struct audit_file *file)
{
	char from[ROTATED_SIZE], to[ROTATED_SIZE];

	fdatasync(file->fd);
	remove_older(file);
	for (uint64_t i = first_free(file); i-- > 0;) {
		rotated(file, i, from);
		rotated(file, i + 1, to);
		if (rename(from, to) && errno != ENOENT)
			return -errno;
	}
	cleanup_close(&file->fd);
	file->bytes = 0;
	return open_path(file);
}

/* ---- records ---- */

static bool is_there(const struct audit_file *file, const struct audit_record *record)
{
	const char *log = record_field(record, FIELD_LOG);

	return log && !strcmp(log, file->log) && record_u64(record, FIELD_SEQ) <= file->seq;
}

int audit_file_send(struct audit_file *file, const struct audit_record *record, uint64_t now_ns)
{
	char line[AUDIT_LINE_BYTES];
	size_t size = record_json(record, line);
	ssize_t n;
	int r = 0;

	if (is_there(file, record))
		return 0;
	if (file->fd < 0)
		r = open_path(file);
	else if (file->bytes && file->bytes + size > file->max_bytes)
		r = rotate(file);
	if (r)
		return r;
	n = write(file->fd, line, size);
	if (n != (ssize_t)size) {
		r = n < 0 ? -errno : -ENOSPC;
		if (n > 0 && ftruncate(file->fd, (off_t)file->bytes))
			file->bytes += (uint64_t)n; /* half a line; the next one is behind it */
		return r;
	}
	file->bytes += size;
	if (!file->dirty)
		file->synced_ns = now_ns;
	file->dirty = true;
	return 0;
}

int audit_file_turn(struct audit_file *file, uint64_t now_ns)
{
	if (!file->dirty || file->fd < 0 || now_ns - file->synced_ns < file->sync_ns)
		return 0;
	file->dirty = false;
	return fdatasync(file->fd) ? -errno : 0;
}
