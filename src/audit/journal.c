/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define IDENTIFIER "SYSLOG_IDENTIFIER=kvm-encstat\n"
#define SEND_BYTES (8 << 20) /* as sd-journal has it: journald may be slow for a while */

int journal_open(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), size = SEND_BYTES;

	if (fd < 0)
		return -errno;
	/* as much as the host's limit lets it have */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

/* Values have no line's end in them, so each field is one line. */
static size_t compose(const struct audit_record *record, char *out)
{
	size_t used = strlen(IDENTIFIER);

	memcpy(out, IDENTIFIER, used);
	for (size_t i = 0; i < record->n; i++) {
		const char *line = record_line(record, i);
		size_t size = strlen(line);

		memcpy(out + used, line, size);
		out[used + size] = '\n';
		used += size + 1;
	}
	return used;
}

/* Too large for a datagram here: a sealed memory file goes instead. */
static int send_memory(int fd, const struct sockaddr_un *to, const char *bytes, size_t size)
{
	_cleanup_close_ int memory =
		memfd_create("kvm-encstat-audit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct msghdr message = {
		.msg_name = (void *)to,
		.msg_namelen = sizeof(*to),
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (memory < 0 || write(memory, bytes, size) != (ssize_t)size ||
		fcntl(memory, F_ADD_SEALS,
			F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		return errno ? -errno : -EIO;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &memory, sizeof(int));
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int journal_send(int fd, const char *socket_path, const struct audit_record *record)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char bytes[AUDIT_RECORD_BYTES + sizeof(IDENTIFIER)];
	size_t size = compose(record, bytes);

	if (strlen(socket_path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, socket_path, strlen(socket_path) + 1);
	if (sendto(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
		    sizeof(to)) >= 0)
		return 0;
	if (errno == EMSGSIZE || errno == ENOBUFS)
		return send_memory(fd, &to, bytes, size);
	return -errno;
}
