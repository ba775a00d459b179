/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"

static int no_file(const char *path, int r, struct error *err)
{
	char shown[ESCAPED_SIZE(256)];

	error_set(err, r, "creating %s: %s", escape(path, shown, sizeof(shown)), strerror(-r));
	if (r == -EEXIST)
		error_advise(err, "choose another name, or replace it with --force");
	else if (r == -ENOENT)
		error_advise(err, "the folder it shall be in must exist");
	return r;
}

int outfile_check(const char *path, bool force, const char *input, struct error *err)
{
	struct stat out, in;

	if (stat(path, &out) || !S_ISREG(out.st_mode))
		return 0;
	if (!force)
		return no_file(path, -EEXIST, err);
	if (!stat(input, &in) && in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
		error_set(err, -EINVAL, "what is written would replace what is read");
		error_advise(err, "choose another name");
		return -EINVAL;
	}
	return 0;
}

int outfile_write(const char *path, bool force, const char *bytes, size_t size, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	bool is_file = stat(path, &st) || S_ISREG(st.st_mode);
	size_t done = 0;

	fd = open(path,
		O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY |
			(force            ? O_TRUNC
				: is_file ? O_EXCL
					  : 0),
		0666);
	if (fd < 0)
		return no_file(path, -errno, err);
	while (done < size) {
		ssize_t n = write(fd, bytes + done, size - done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n < 0 && errno != EINTR) {
			int r = error_set(
				err, -errno, "writing the file failed: %s", strerror(errno));

			error_advise(err, "is the disk full?");
			return r;
		}
	}
	return 0;
}

int outfile_make(const char *path, bool force, outfile_fn fn, void *context, struct error *err)
{
	_cleanup_free_ char *bytes = NULL;
	size_t size;
	FILE *memory = open_memstream(&bytes, &size);
	int r;

	if (!memory)
		return error_set(err, -ENOMEM, "out of memory");
	r = fn(context, memory, err);
	if (fclose(memory) && !r)
		r = error_set(err, -ENOMEM, "out of memory");
	if (r)
		return r;
	if (path)
		return outfile_write(path, force, bytes, size, err);
	fwrite(bytes, 1, size, stdout);
	return 0;
}
