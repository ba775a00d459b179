// SPDX-License-Identifier: GPL-2.0-only
#include "lives.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sync.h"

#define SLOT_SIZE     (1ul << 20)
#define SLOT_DISTANCE (2ul << 20)
#define FDS_OF_A_VM   2
#define FDS_BESIDES   64

static int open_kvm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		fprintf(stderr, "guest: /dev/kvm: %m\n");
	return kvm;
}

/* Makes a VM with a vCPU; 0 or -1. */
static int make(int kvm, int *ret_vm, int *ret_vcpu)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu;

	if (vm < 0) {
		fprintf(stderr, "guest: KVM_CREATE_VM: %m\n");
		return -1;
	}
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0) {
		fprintf(stderr, "guest: KVM_CREATE_VCPU: %m\n");
		close(vm);
		return -1;
	}
	*ret_vm = vm;
	*ret_vcpu = vcpu;
	return 0;
}

int lives(unsigned long count)
{
	int kvm = open_kvm(), vm, vcpu;

	if (kvm < 0)
		return 1;
	for (unsigned long i = 0; i < count; i++) {
		if (make(kvm, &vm, &vcpu))
			return 1;
		close(vcpu);
		close(vm);
	}
	return 0;
}

/* ---- keep --------------------------------------------------------------------------------------
 */

/* As far as it goes: what there is no room for will say so. */
static void raise_file_limit(unsigned long vms)
{
	rlim_t wanted = vms * FDS_OF_A_VM + FDS_BESIDES;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	if (!setrlimit(RLIMIT_NOFILE, &limit) || getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* All VMs have the same memory: nobody runs there. */
static int add_slots(int vm, unsigned long slots, const uint8_t *memory)
{
	for (unsigned long i = 0; i < slots; i++) {
		struct kvm_userspace_memory_region region = {
			.slot = i,
			.guest_phys_addr = i * SLOT_DISTANCE,
			.memory_size = SLOT_SIZE,
			.userspace_addr = (uintptr_t)memory + i * SLOT_SIZE,
		};

		if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region)) {
			fprintf(stderr, "guest: memory slot %lu: %m\n", i);
			return -1;
		}
	}
	return 0;
}

/* How many there are in the end. */
static unsigned long make_all(
	int kvm, unsigned long count, unsigned long slots, const uint8_t *memory)
{
	for (unsigned long i = 0; i < count; i++) {
		int vm, vcpu;

		if (make(kvm, &vm, &vcpu))
			return i;
		if (add_slots(vm, slots, memory)) {
			close(vcpu);
			close(vm);
			return i;
		}
	}
	return count;
}

/* Opens what will be READY, while there are descriptors. */
static FILE *open_ready(const char *ready, char *ret_path, size_t room)
{
	FILE *file = NULL;

	if (snprintf(ret_path, room, "%s.new", ready) < (int)room)
		file = fopen(ret_path, "we");
	if (!file)
		fprintf(stderr, "guest: %s: %m\n", ready);
	return file;
}

/* Whoever waits for the file finds the number in it. */
static int write_number(FILE *file, const char *path, const char *ready, unsigned long number)
{
	bool failed = fprintf(file, "%lu\n", number) < 0;

	if (!fclose(file) && !failed && !rename(path, ready))
		return 0;
	fprintf(stderr, "guest: %s: %m\n", ready);
	return -1;
}

int keep(unsigned long count, unsigned long slots, const char *ready, const char *go)
{
	int kvm = open_kvm();
	char path[PATH_MAX];
	unsigned long made;
	uint8_t *memory;
	FILE *file;

	if (kvm < 0)
		return 1;
	file = open_ready(ready, path, sizeof(path));
	if (!file)
		return 1;
	raise_file_limit(count);
	memory = mmap(NULL, (slots + 1) * SLOT_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "guest: memory: %m\n");
		return 1;
	}
	made = make_all(kvm, count, slots, memory);
	if (made < count)
		fprintf(stderr, "guest: %lu VMs of %lu\n", made, count);
	if (write_number(file, path, ready, made))
		return 1;
	wait_for_file(go);
	return 0;
}
