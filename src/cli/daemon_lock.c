/* SPDX-License-Identifier: GPL-2.0-only */
/* One daemon for a host: who holds the lock on the file in its directory of state. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cli/daemon.h"

static int refuse(int fd, const char *directory, struct error *err)
{
	char pid[16] = "", shown[ESCAPED_SIZE(128)];
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	error_set(err, -EBUSY, "a daemon runs already%s%s: it has %s", *pid ? ", pid " : "", pid,
		escape(directory, shown, sizeof(shown)));
	error_advise(err, "systemctl status kvm-encstat shows it; kvm-encstat list asks it");
	return -EBUSY;
}

int daemon_lock(int *ret, const char *directory, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char shown[ESCAPED_SIZE(128)];

	if (asprintf(&path, "%s/lock", directory) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	if (mkdir(directory, 0700) && errno != EEXIST)
		return error_set(err, -errno, "making %s: %s",
			escape(directory, shown, sizeof(shown)), strerror(errno));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, -errno, "opening %s: %s", escape(path, shown, sizeof(shown)),
			strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK
			       ? refuse(fd, directory, err)
			       : error_set(err, -errno, "locking %s: %s",
					 escape(path, shown, sizeof(shown)), strerror(errno));
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", getpid()) < 0)
		return error_set(err, -errno, "writing %s: %s", escape(path, shown, sizeof(shown)),
			strerror(errno));
	*ret = TAKE_FD(fd);
	return 0;
}
