/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/settings.h"
#include "audit/verify.h"
#include "base/cleanup.h"
#include "base/escape.h"

#define ROTATED_MAX 1000

/* Reads on to the end of a line that is too long. */
static void skip_line(FILE *in)
{
	int c;

	while ((c = getc(in)) != EOF && c != '\n')
		;
}

static int take_line(struct verifier *verifier, char *line, const char *label, uint64_t number)
{
	struct audit_record record;
	char shown[97], where[128];
	size_t size = strlen(line);

	if (size && line[size - 1] == '\n' && !record_parse(&record, line, size - 1))
		return verifier_add(verifier, &record, NULL);
	snprintf(where, sizeof(where), "%s:%llu", escape(label, shown, sizeof(shown)),
		(unsigned long long)number);
	return verifier_damaged(verifier, where);
}

static int take_stream(struct verifier *verifier, FILE *in, const char *label)
{
	char line[AUDIT_LINE_BYTES + 2];
	uint64_t number = 0;
	int r = 0;

	while (!r && fgets(line, sizeof(line), in)) {
		if (!strchr(line, '\n'))
			skip_line(in);
		r = take_line(verifier, line, label, ++number);
	}
	return r ? r : ferror(in) ? -EIO : 0;
}

int verify_text(struct verifier *verifier, const char *label, const char *text, size_t size)
{
	_cleanup_fclose_ FILE *in = size ? fmemopen((void *)text, size, "r") : NULL;

	if (!in)
		return size ? -errno : 0;
	return take_stream(verifier, in, label);
}

/* ---- a file, and those that were rotated away before it ---- */

/* Open, the newest first. */
struct files {
	struct open_file {
		FILE *in;
		dev_t device;
		ino_t inode;
		int number;
	} list[ROTATED_MAX + 1];
	size_t n;
};

static void close_files(struct files *files)
{
	while (files->n)
		fclose(files->list[--files->n].in);
}

static bool is_open(const struct files *files, const struct stat *st)
{
	for (size_t i = 0; i < files->n; i++)
		if (files->list[i].device == st->st_dev && files->list[i].inode == st->st_ino)
			return true;
	return false;
}

static const char *name_of(const char *path, int number, char name[AUDIT_PATH_MAX + 16])
{
	snprintf(name, AUDIT_PATH_MAX + 16, number ? "%.*s.%d" : "%.*s", AUDIT_PATH_MAX - 1, path,
		number);
	return name;
}

/* One that was open already has another name since: all move by one when the newest is full. */
static int open_one(struct files *files, const char *path, int number)
{
	char name[AUDIT_PATH_MAX + 16];
	FILE *in = fopen(name_of(path, number, name), "re");
	struct stat st;

	if (!in)
		return -errno;
	if (fstat(fileno(in), &st) || is_open(files, &st)) {
		fclose(in);
		return 0;
	}
	files->list[files->n++] = (struct open_file){in, st.st_dev, st.st_ino, number};
	return 0;
}

static int take_files(struct verifier *verifier, const struct files *files, const char *path)
{
	char name[AUDIT_PATH_MAX + 16], shown[ESCAPED_SIZE(AUDIT_PATH_MAX + 16)];
	int r = 0;

	for (size_t i = files->n; i-- > 0 && !r;) {
		name_of(path, files->list[i].number, name);
		r = take_stream(verifier, files->list[i].in, escape(name, shown, sizeof(shown)));
	}
	return r;
}

int verify_file(struct verifier *verifier, const char *path, struct error *err)
{
	_cleanup_(close_files) struct files files = {};
	char shown[ESCAPED_SIZE(64)];
	int r = open_one(&files, path, 0);

	for (int i = 1; i <= ROTATED_MAX && !r; i++) {
		r = open_one(&files, path, i);
		r = r == -ENOENT ? 0 : r;
	}
	if (!r)
		r = take_files(verifier, &files, path);
	if (r)
		return error_set(
			err, r, "reading %s: %s", escape(path, shown, sizeof(shown)), strerror(-r));
	return 0;
}

void verify_state(struct verifier *verifier, const char *state_dir)
{
	char path[AUDIT_PATH_MAX + 32], text[CHAIN_STATE_BYTES];
	_cleanup_close_ int fd = -1;
	struct chain_state state;
	ssize_t n;

	snprintf(path, sizeof(path), "%.*s/journal.state", AUDIT_PATH_MAX - 1, state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (n > 0 && !chain_state_parse(&state, text, (size_t)n))
		verifier_expect(verifier, &state);
}
