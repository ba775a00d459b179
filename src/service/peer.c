/* SPDX-License-Identifier: GPL-2.0-only */
#include "service/peer.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* asm-generic/socket.h, since Linux 4.13 */
#endif

/* 1, 0, or a negative errno. */
static int is_in_supplementary(int fd, gid_t group)
{
	_cleanup_free_ gid_t *groups = NULL;
	socklen_t size = 0;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size))
		return 0; /* it has none */
	if (errno != ERANGE)
		return -errno;
	groups = malloc(size);
	if (!groups)
		return -ENOMEM;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return -errno;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (groups[i] == group)
			return 1;
	return 0;
}

int peer_read(int fd, gid_t group, struct peer *ret)
{
	socklen_t size = sizeof(struct ucred);
	struct ucred who;
	struct peer peer;
	int r = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size))
		return -errno;
	peer = (struct peer){.pid = who.pid, .uid = who.uid};
	if (who.uid == 0)
		peer.access = ACCESS_CHANGE;
	else if (who.uid == geteuid() || (group != (gid_t)-1 && who.gid == group))
		peer.access = ACCESS_READ;
	else if (group != (gid_t)-1)
		r = is_in_supplementary(fd, group);
	if (r < 0)
		return r;
	if (r)
		peer.access = ACCESS_READ;
	*ret = peer;
	return 0;
}
