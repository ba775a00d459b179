/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is at the other end of a socket, by the kernel's word, and what it may do. */
#ifndef SERVICE_PEER_H
#define SERVICE_PEER_H

#include <sys/types.h>

enum access {
	ACCESS_NONE,
	ACCESS_READ,
	ACCESS_CHANGE,
};

/* As it was when it connected. */
struct peer {
	pid_t pid;
	uid_t uid;
	enum access access;
};

/* group: whose members may read; (gid_t)-1: there is none. Besides it root may do all, and the user
 * that this process runs as may read. -errno: the kernel does not say who it is. */
int peer_read(int fd, gid_t group, struct peer *ret);

#endif
