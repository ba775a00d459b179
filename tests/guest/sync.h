/* SPDX-License-Identifier: GPL-2.0-only */
/* How vCPU threads wait for each other, and for whoever watches from outside. */
#ifndef GUEST_SYNC_H
#define GUEST_SYNC_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "script.h"

/* A thread that ends leaves its barriers, so that the others do not wait for it for ever. */
struct barriers {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct barrier {
		unsigned users, waiting;
		uint64_t round;
	} list[MAX_BARRIERS];
};

void barriers_init(struct barriers *ret_barriers, const struct script *script);
void barrier_wait(struct barriers *barriers, unsigned barrier);
void barriers_leave(struct barriers *barriers, const struct vcpu_script *script);

void wait_microseconds(uint64_t microseconds);
/* Until it is there, or its folder is not. */
void wait_for_file(const char *path);
int make_file(const char *path);

#endif
