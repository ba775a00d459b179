/* SPDX-License-Identifier: GPL-2.0-only */
/* A command that is held until the hooks are armed. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct child {
	pid_t pid;   /* 0: none */
	int go;      /* written to let it start */
	int failure; /* read to learn that it could not be executed */
	bool ended;
	int status; /* exit status, 128 + signal number if one killed it */
};

#define CHILD_NONE ((struct child){.go = -1, .failure = -1})

/* Forks; the child waits. Signals that the caller has blocked are open in it. */
int child_prepare(struct child *child, char **command, struct error *err);

/* Lets it run; fails when the command cannot be executed. */
int child_start(struct child *child, char **command, struct error *err);

/* Whether it ended; never waits. */
bool child_reap(struct child *child);

/* Closes what is open; a child that was never started ends. */
void child_release(struct child *child);

#endif
