// SPDX-License-Identifier: GPL-2.0-only
#include "sync.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MICROSECONDS 2000

void barriers_init(struct barriers *ret_barriers, const struct script *script)
{
	pthread_mutex_init(&ret_barriers->lock, NULL);
	pthread_cond_init(&ret_barriers->changed, NULL);
	for (size_t i = 0; i < script->barrier_count; i++)
		ret_barriers->list[i] = (struct barrier){.users = script->barrier_users[i]};
}

static void release_if_full(struct barriers *barriers, struct barrier *barrier)
{
	if (barrier->waiting < barrier->users)
		return;
	barrier->waiting = 0;
	barrier->round++;
	pthread_cond_broadcast(&barriers->changed);
}

void barrier_wait(struct barriers *barriers, unsigned barrier)
{
	struct barrier *b = &barriers->list[barrier];
	uint64_t round;

	pthread_mutex_lock(&barriers->lock);
	round = b->round;
	b->waiting++;
	release_if_full(barriers, b);
	while (b->round == round)
		pthread_cond_wait(&barriers->changed, &barriers->lock);
	pthread_mutex_unlock(&barriers->lock);
}

void barriers_leave(struct barriers *barriers, const struct vcpu_script *script)
{
	uint64_t left = 0;

	pthread_mutex_lock(&barriers->lock);
	for (size_t i = 0; i < script->step_count; i++) {
		const struct step *step = &script->steps[i];

		if (step->kind != STEP_BARRIER || left & (1ull << step->barrier))
			continue;
		left |= 1ull << step->barrier;
		barriers->list[step->barrier].users--;
		release_if_full(barriers, &barriers->list[step->barrier]);
	}
	pthread_mutex_unlock(&barriers->lock);
}

void wait_microseconds(uint64_t microseconds)
{
	struct timespec left = {microseconds / 1000000, microseconds % 1000000 * 1000};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
}

/* With the folder it is to come in whoever would have made it has gone. */
static bool can_come(const char *path)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return true;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	return !access(folder, F_OK);
}

void wait_for_file(const char *path)
{
	while (access(path, F_OK) && can_come(path))
		wait_microseconds(POLL_MICROSECONDS);
}

int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	return fd < 0 ? -1 : close(fd);
}
