/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MESSAGE_MAX  8192 /* the kernel's own limit is 2048 and the path (UEVENT_BUFFER_SIZE) */
#define KERNEL_GROUP 1    /* the kernel's messages; 2 is udev's */

/* Digits only; 0 for anything else. */
static uint32_t parse_pid(const char *text, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9' || value > UINT32_MAX / 10)
			return 0;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	return value > UINT32_MAX ? 0 : (uint32_t)value;
}

static bool is(const char *line, size_t size, const char *want)
{
	return size == strlen(want) && !memcmp(line, want, size);
}

void uevent_parse(struct uevent *ret, const char *message, size_t size)
{
	static const char pid[] = "PID=";
	struct uevent event = {.kind = UEVENT_OTHER};
	enum uevent_kind kind = UEVENT_OTHER;
	bool kvm = false;
	size_t length;

	for (size_t at = 0; at < size; at += length + 1) {
		const char *line = message + at;

		length = strnlen(line, size - at);
		if (is(line, length, "DEVPATH=/devices/virtual/misc/kvm"))
			kvm = true;
		else if (is(line, length, "EVENT=create"))
			kind = UEVENT_VM_CREATED;
		else if (is(line, length, "EVENT=destroy"))
			kind = UEVENT_VM_DESTROYED;
		else if (is(line, length, "ACTION=add") || is(line, length, "ACTION=remove"))
			kind = UEVENT_DEVICE;
		else if (length > strlen(pid) && !memcmp(line, pid, strlen(pid)))
			event.pid = parse_pid(line + strlen(pid), length - strlen(pid));
	}
	if (kvm)
		event.kind = kind;
	*ret = event;
}

int uevent_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return TAKE_FD(fd);
}

int uevent_read(int fd, struct uevent *ret)
{
	struct sockaddr_nl from = {};
	char message[MESSAGE_MAX];
	struct iovec iov = {.iov_base = message, .iov_len = sizeof(message)};
	struct msghdr header = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (from.nl_pid) /* not the kernel */
		*ret = (struct uevent){.kind = UEVENT_OTHER};
	else
		uevent_parse(ret, message, (size_t)n);
	return 1;
}
