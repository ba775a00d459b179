/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "metrics/metrics.h"

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t n = write(fd, bytes, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

/* A new file beside it, which takes its place when it is whole: who reads it sees the old text or
 * the new one. Its name does not end as node_exporter wants names to. */
static int replace(const char *path, const char *bytes, size_t size)
{
	_cleanup_close_ int fd = -1;
	char beside[PATH_MAX];
	int r = snprintf(beside, sizeof(beside), "%s.XXXXXX", path);

	if (r >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_all(fd, bytes, size);
	if (!r && fchmod(fd, 0644))
		r = -errno;
	if (!r && rename(beside, path))
		r = -errno;
	if (r)
		unlink(beside);
	return r;
}

int metrics_write_file(const char *path, const char *bytes, size_t size, struct error *err)
{
	char shown[ESCAPED_SIZE(256)];
	int r = replace(path, bytes, size);

	if (!r)
		return 0;
	error_set(err, r, "writing %s: %s", escape(path, shown, sizeof(shown)), strerror(-r));
	if (r == -ENOENT)
		error_advise(err, "the folder it shall be in must exist");
	return r;
}
