// SPDX-License-Identifier: GPL-2.0-only
/* KVM_SET_MEMORY_ATTRIBUTES made by threads that are in each other's way. */
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "ask.h"
#include "kvm_new.h"
#include "vm.h"

#define RACE_PAGES 512
#define MAX_FLIPS  256 /* at one go */

static void contest(struct vm *vm, uint64_t gpa, uint64_t size)
{
	pthread_mutex_lock(&vm->truth.lock);
	truth_contest(&vm->truth, gpa >> GUEST_PAGE_SHIFT, size >> GUEST_PAGE_SHIFT);
	pthread_mutex_unlock(&vm->truth.lock);
}

/* ---- race --------------------------------------------------------------------------------------
 */

struct racer {
	int fd;
	const struct step *step;
	uint64_t random;
	pthread_t thread;
	pthread_barrier_t *start;
	struct outcomes ended;
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
	return ask_kvm(racer->fd, &(struct attributes){.gpa = first << GUEST_PAGE_SHIFT,
					  .size = length << GUEST_PAGE_SHIFT,
					  .private = private});
}

static void *racer_thread(void *argument)
{
	struct racer *racer = argument;

	pthread_barrier_wait(racer->start);
	for (uint64_t i = 0; i < racer->step->count; i++) {
		int err = race_once(racer);

		outcomes_count(&racer->ended, err);
		if (err && !racer->first_error)
			racer->first_error = err;
	}
	return NULL;
}

int vm_race(struct vm *vm, const struct step *step)
{
	struct racer racers[MAX_RACERS];
	uint64_t size = step->race.max - step->race.min;
	pthread_barrier_t start;
	int err = 0;

	contest(vm, step->race.min, size); /* for a truth that is written meanwhile */
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
	contest(vm, step->race.min, size); /* another vCPU may have set some of it, too early */

	pthread_mutex_lock(&vm->truth.lock);
	for (unsigned i = 0; i < step->race.threads; i++) {
		outcomes_add(&vm->truth.calls[FOR_VMM], &racers[i].ended);
		if (!err)
			err = racers[i].first_error;
	}
	pthread_mutex_unlock(&vm->truth.lock);
	return err;
}

/* ---- rewrite -----------------------------------------------------------------------------------
 */

struct rewriter {
	const struct step *step;
	struct new_memory_attributes *argument;
	atomic_bool stop;
};

static void write_argument(const struct rewriter *rewriter, unsigned range)
{
	const struct step *step = rewriter->step;
	struct new_memory_attributes *argument = rewriter->argument;

	__atomic_store_n(&argument->address, step->rewrite.gpa[range], __ATOMIC_RELAXED);
	__atomic_store_n(&argument->size, step->rewrite.size[range], __ATOMIC_RELAXED);
}

/*
 * Bursts of random length: on a machine whose CPUs take turns (the lab), the other thread is
 * stopped where it is when this one wakes up, and goes on with what the burst has left.
 */
static void *rewriter_thread(void *data)
{
	static const struct timespec shortest = {0, 1};
	struct rewriter *rewriter = data;
	uint64_t random = 0;
	unsigned range = 0;

	while (!atomic_load(&rewriter->stop)) {
		for (uint64_t flips = 1 + next_random(&random) % MAX_FLIPS; flips; flips--)
			write_argument(rewriter, range ^= 1);
		nanosleep(&shortest, NULL);
	}
	return NULL;
}

static void contest_both(struct vm *vm, const struct step *step)
{
	for (unsigned i = 0; i < 2; i++)
		contest(vm, step->rewrite.gpa[i], rewrite_size(step));
}

/* Makes the calls; 0 or the first -errno. */
static int ask_for(struct vm *vm, const struct rewriter *rewriter)
{
	struct outcomes ended = {0};
	int first_error = 0;

	for (uint64_t i = 0; i < rewriter->step->count; i++) {
		int err = ask_kvm_with(vm->fd, rewriter->argument);

		outcomes_count(&ended, err);
		if (err && !first_error)
			first_error = err;
	}
	pthread_mutex_lock(&vm->truth.lock);
	outcomes_add(&vm->truth.calls[FOR_REWRITE], &ended);
	pthread_mutex_unlock(&vm->truth.lock);
	return first_error;
}

int vm_rewrite(struct vm *vm, const struct step *step)
{
	struct rewriter rewriter = {.step = step};
	pthread_t thread;
	int err;

	rewriter.argument = mmap(
		NULL, GUEST_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rewriter.argument == MAP_FAILED)
		abort();
	rewriter.argument->attributes = step->rewrite.private ? NEW_MEMORY_ATTRIBUTE_PRIVATE : 0;
	write_argument(&rewriter, 0);
	contest_both(vm, step); /* for a truth that is written meanwhile */
	if (pthread_create(&thread, NULL, rewriter_thread, &rewriter))
		abort();
	err = ask_for(vm, &rewriter);
	atomic_store(&rewriter.stop, true);
	pthread_join(thread, NULL);
	contest_both(vm, step); /* another vCPU may have set some of it, too early */
	munmap(rewriter.argument, GUEST_PAGE_SIZE);
	return err;
}
