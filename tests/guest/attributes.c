// SPDX-License-Identifier: GPL-2.0-only
/* What the VMM sets on the host's side: KVM_SET_MEMORY_ATTRIBUTES. */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "kvm_new.h"
#include "vm.h"

#define RACE_PAGES 512

static int ask_kvm(int fd, uint64_t gpa, uint64_t size, bool private, uint64_t flags)
{
	struct new_memory_attributes args = {
		.address = gpa,
		.size = size,
		.attributes = private ? NEW_MEMORY_ATTRIBUTE_PRIVATE : 0,
		.flags = flags,
	};

	return ioctl(fd, NEW_SET_MEMORY_ATTRIBUTES, &args) ? -errno : 0;
}

int vm_set_attributes(struct vm *vm, uint64_t gpa, uint64_t size, bool private, uint64_t flags)
{
	int err = ask_kvm(vm->fd, gpa, size, private, flags);

	vm->truth.attribute_calls++;
	if (err)
		vm->truth.attribute_errors++;
	else
		truth_host(&vm->truth, gpa >> GUEST_PAGE_SHIFT, size >> GUEST_PAGE_SHIFT, private);
	return err;
}

static int set_range(struct vm *vm, uint64_t gpa, uint64_t end, bool private)
{
	return gpa < end ? vm_set_attributes(vm, gpa, end - gpa, private, 0) : 0;
}

int vm_set_private(struct vm *vm, uint64_t gfn, uint64_t npages, bool private)
{
	uint64_t start = gfn << GUEST_PAGE_SHIFT, end = (gfn + npages) << GUEST_PAGE_SHIFT;
	uint64_t base = vm->script->base, limit = base + vm->script->memory;
	uint64_t hole = vm->reserved_gpa, hole_end = hole + vm->reserved_size;
	int err;

	start = start > base ? start : base;
	end = end < limit ? end : limit;
	err = set_range(vm, start, end < hole ? end : hole, private);
	if (err)
		return err;
	return set_range(vm, start > hole_end ? start : hole_end, end, private);
}

/* ---- race --------------------------------------------------------------------------------------
 */

struct racer {
	int fd;
	const struct step *step;
	uint64_t random;
	pthread_t thread;
	pthread_barrier_t *start;
	uint64_t errors;
	int first_error;
};

/* Three numbers of the generator: the direction (odd is private), the length, the place. */
static int race_once(struct racer *racer)
{
	const struct step *step = racer->step;
	uint64_t first = step->race.min >> GUEST_PAGE_SHIFT;
	uint64_t pages = (step->race.max >> GUEST_PAGE_SHIFT) - first;
	bool private = next_random(&racer->random) & 1;
	uint64_t length = 1 + next_random(&racer->random) % RACE_PAGES;

	if (length > pages)
		length = pages;
	first += next_random(&racer->random) % (pages - length + 1);
	return ask_kvm(
		racer->fd, first << GUEST_PAGE_SHIFT, length << GUEST_PAGE_SHIFT, private, 0);
}

static void *racer_thread(void *argument)
{
	struct racer *racer = argument;

	pthread_barrier_wait(racer->start);
	for (uint64_t i = 0; i < racer->step->count; i++) {
		int err = race_once(racer);

		racer->errors += err != 0;
		if (err && !racer->first_error)
			racer->first_error = err;
	}
	return NULL;
}

static void contest(struct vm *vm, const struct step *step)
{
	pthread_mutex_lock(&vm->truth.lock);
	truth_contest(&vm->truth, step->race.min >> GUEST_PAGE_SHIFT,
		(step->race.max - step->race.min) >> GUEST_PAGE_SHIFT);
	pthread_mutex_unlock(&vm->truth.lock);
}

int vm_race(struct vm *vm, const struct step *step)
{
	struct racer racers[MAX_RACERS];
	pthread_barrier_t start;
	int err = 0;

	contest(vm, step); /* for a truth that is written meanwhile */
	pthread_barrier_init(&start, NULL, step->race.threads);
	for (unsigned i = 0; i < step->race.threads; i++) {
		racers[i] = (struct racer){
			.fd = vm->fd, .step = step, .random = step->race.seed + i, .start = &start};
		/* The others would wait for it for ever. */
		if (pthread_create(&racers[i].thread, NULL, racer_thread, &racers[i]))
			abort();
	}
	for (unsigned i = 0; i < step->race.threads; i++)
		pthread_join(racers[i].thread, NULL);
	pthread_barrier_destroy(&start);
	contest(vm, step); /* another vCPU may have set some of it, too early */

	pthread_mutex_lock(&vm->truth.lock);
	for (unsigned i = 0; i < step->race.threads; i++) {
		vm->truth.attribute_calls += step->count;
		vm->truth.attribute_errors += racers[i].errors;
		if (!err)
			err = racers[i].first_error;
	}
	pthread_mutex_unlock(&vm->truth.lock);
	return err;
}
