// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes ioctls of random numbers on files of several kinds, each with nothing and with a bad address
 * behind it, and prints what came of each:
 *
 *   ioctls COUNT SEED
 *
 * Who looks at all ioctls must not change any but those that it is about: two runs print the same.
 * KVM_RUN itself is left out, and what takes no argument and might sleep.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define FILES 8
#define BAD   ((void *)32) /* where nothing is mapped */

/* As KVM's: most of them are KVM's type, with numbers near those that are judged. */
static const unsigned char types[] = {KVMIO, KVMIO, KVMIO, KVMIO, 'T', 'f', 0x12, 0};
static const unsigned char near[] = {0x80, 0xd2, 0xd3, 0xd4, 0x46, 0x49, 0xae, 0x41};
static const unsigned short sizes[] = {0, 1, 8, 16, 31, 32, 33, 64, 72, 80, 4095};

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static int open_all(int fds[FILES])
{
	int pair[2], ends[2], kvm = open("/dev/kvm", O_RDWR);

	if (kvm < 0 || pipe(pair) || socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return -1;
	fds[0] = kvm;
	fds[1] = ioctl(kvm, KVM_CREATE_VM, 0);
	fds[2] = ioctl(fds[1], KVM_CREATE_VCPU, 0);
	fds[3] = open("/dev/null", O_RDWR);
	fds[4] = memfd_create("file", 0);
	fds[5] = pair[0];
	fds[6] = ends[0];
	fds[7] = open("/", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < FILES; i++)
		if (fds[i] < 0)
			return -1;
	return 0;
}

static unsigned int random_number(uint64_t *state)
{
	uint64_t value = next(state);
	unsigned int nr = value & 1 ? near[value >> 1 & 7] : value >> 8 & 0xff;
	unsigned int size = sizes[(value >> 16 & 0xffff) % (sizeof(sizes) / sizeof(sizes[0]))];
	unsigned int direction = value >> 32 & 3;

	/* What has an argument copies it first; without one, a call might do something. */
	if (!size || !direction) {
		size = 32;
		direction = _IOC_WRITE;
	}
	return _IOC(direction, types[value >> 40 & 7], nr, size);
}

int main(int argc, char **argv)
{
	uint64_t state, count;
	int fds[FILES];

	if (argc != 3)
		return 2;
	count = strtoull(argv[1], NULL, 0);
	state = strtoull(argv[2], NULL, 0);
	if (open_all(fds))
		return 77;
	for (uint64_t i = 0; i < count; i++) {
		unsigned int file = next(&state) % FILES, number = random_number(&state);
		int r = ioctl(fds[file], number, i & 1 ? BAD : NULL);

		printf("%u %#x %d %d\n", file, number, r, r < 0 ? errno : 0);
	}
	return 0;
}
