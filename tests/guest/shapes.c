// SPDX-License-Identifier: GPL-2.0-only
#include "shapes.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union fd_message {
	char buffer[CMSG_SPACE(MAX_VMS * sizeof(int))];
	struct cmsghdr align;
};

static int say(const char *what)
{
	fprintf(stderr, "guest: %s: %m\n", what);
	return -1;
}

/* Whoever reads this program's output must not wait for its children, too. */
static void leave_output(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

int fork_holder(struct machine *machine, const char *path)
{
	pid_t child = fork();

	if (child < 0)
		return say("fork");
	if (child)
		return 0;
	leave_output();
	for (size_t v = 0; v < machine->script.vm_count; v++)
		vm_close_vcpus(&machine->vms[v]);
	wait_for_file(path);
	_exit(0);
}

/* ---- over a socket -----------------------------------------------------------------------------
 */

/* It never looks at what it gets: the descriptors stay open as long as it lives. */
static void receive(int socket, const char *path)
{
	char byte;
	struct iovec data = {&byte, 1};
	union fd_message control;
	struct msghdr message = {.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	/* Nothing comes if there are no VMs after all. */
	if (recvmsg(socket, &message, 0) != 1 || write(socket, &byte, 1) != 1)
		_exit(1);
	close(socket);
	wait_for_file(path);
	_exit(0);
}

int fork_receiver(const char *path, int *ret_socket)
{
	int sockets[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return say("socketpair");
	child = fork();
	if (child < 0)
		return say("fork");
	if (!child) {
		leave_output();
		close(sockets[0]);
		receive(sockets[1], path);
	}
	close(sockets[1]);
	*ret_socket = sockets[0];
	return 0;
}

int hand_over(struct machine *machine, int socket)
{
	size_t count = machine->script.vm_count;
	char byte = 0;
	struct iovec data = {&byte, 1};
	union fd_message control = {0};
	struct msghdr message = {.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int))};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	for (size_t v = 0; v < count; v++)
		memcpy(CMSG_DATA(header) + v * sizeof(int), &machine->vms[v].fd, sizeof(int));
	if (sendmsg(socket, &message, MSG_NOSIGNAL) != 1 || read(socket, &byte, 1) != 1)
		return say("handing over");
	close(socket);
	return 0;
}

/* ---- after the script --------------------------------------------------------------------------
 */

void outlive(struct machine *machine, const char *path)
{
	for (size_t v = 0; v < machine->script.vm_count; v++)
		vm_close(&machine->vms[v]);
	wait_for_file(path);
}
