/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
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
	char where[128];
	size_t size = strlen(line);

	if (size && line[size - 1] == '\n' && !record_parse(&record, line, size - 1))
		return verifier_add(verifier, &record, NULL);
	snprintf(where, sizeof(where), "%.96s:%llu", label, (unsigned long long)number);
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

static int take_path(struct verifier *verifier, const char *path)
{
	char shown[ESCAPED_SIZE(AUDIT_PATH_MAX)];
	_cleanup_fclose_ FILE *in = fopen(path, "re");

	if (!in)
		return -errno;
	return take_stream(verifier, in, escape(path, shown, sizeof(shown)));
}

int verify_file(struct verifier *verifier, const char *path, struct error *err)
{
	char rotated[AUDIT_PATH_MAX + 16], shown[ESCAPED_SIZE(64)];
	int r = 0;

	for (int i = ROTATED_MAX; i > 0 && (!r || r == -ENOENT); i--) {
		snprintf(rotated, sizeof(rotated), "%.*s.%d", AUDIT_PATH_MAX - 1, path, i);
		r = take_path(verifier, rotated);
	}
	if (!r || r == -ENOENT)
		r = take_path(verifier, path);
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
