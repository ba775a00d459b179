/* SPDX-License-Identifier: GPL-2.0-only */
/* From starting `top` on a terminal until its first whole screen has come out of it. */
#include "bench.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS 21

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The last label of the bar at the bottom is what is drawn last. */
static void read_until_drawn(int terminal)
{
	static char out[1 << 20];
	size_t used = 0;

	for (;;) {
		struct pollfd fd = {.fd = terminal, .events = POLLIN};
		ssize_t n;

		must(poll(&fd, 1, 20000) == 1, "waiting for a screen");
		n = read(terminal, out + used, sizeof(out) - 1 - used);
		must(n > 0, "reading the terminal");
		used += (size_t)n;
		if (memmem(out, used, "Quit", 4))
			return;
	}
}

static double start_once(char *const *arguments)
{
	struct winsize size = {.ws_row = 43, .ws_col = 132};
	double began = now_s(), took;
	int terminal;
	pid_t pid = forkpty(&terminal, NULL, NULL, &size);

	must(pid >= 0, "making a terminal");
	if (!pid) {
		setenv("TERM", "xterm-256color", 1);
		setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
		execv(arguments[0], arguments);
		_exit(127);
	}
	read_until_drawn(terminal);
	took = now_s() - began;
	must(!kill(pid, SIGTERM), "ending it");
	close(terminal); /* nobody reads what it says at its end */
	must(waitpid(pid, NULL, 0) == pid, "waiting for its end");
	return took;
}

/* start NAME PROGRAM [ARGUMENT...] */
int main(int argc, char **argv)
{
	double took[RUNS];

	must(argc > 2, "usage: start NAME PROGRAM [ARGUMENT...]");
	start_once(argv + 2); /* it is in memory then */
	for (int i = 0; i < RUNS; i++)
		took[i] = start_once(argv + 2) * 1e3;
	figure(argv[1], median(took, RUNS), "ms");
	return 0;
}
