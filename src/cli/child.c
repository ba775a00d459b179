/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/escape.h"

/* In the child: waits for the word, then becomes the command. */
static void run(int go, int failure, char **command)
{
	sigset_t none;
	char word;
	int why;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (read(go, &word, 1) != 1)
		_exit(0); /* the parent gave up */
	execvp(command[0], command);
	why = errno;
	if (write(failure, &why, sizeof(why)) < 0)
		_exit(126);
	_exit(127);
}

int child_prepare(struct child *child, char **command, struct error *err)
{
	int go[2], failure[2];

	if (pipe2(go, O_CLOEXEC))
		return error_set(err, -errno, "making a pipe failed: %s", strerror(errno));
	if (pipe2(failure, O_CLOEXEC)) {
		int r = -errno;

		close(go[0]);
		close(go[1]);
		return error_set(err, r, "making a pipe failed: %s", strerror(-r));
	}
	child->pid = fork();
	if (!child->pid) {
		close(go[1]);
		close(failure[0]);
		run(go[0], failure[1], command);
	}
	close(go[0]);
	close(failure[1]);
	child->go = go[1];
	child->failure = failure[0];
	if (child->pid < 0) {
		int r = -errno;

		child->pid = 0;
		child_release(child);
		return error_set(err, r, "starting a process failed: %s", strerror(-r));
	}
	return 0;
}

int child_start(struct child *child, char **command, struct error *err)
{
	char shown[ESCAPED_SIZE(128)];
	int why = 0;

	if (write(child->go, "", 1) != 1)
		return error_set(err, -errno, "starting the command failed: %s", strerror(errno));
	close(child->go);
	child->go = -1;
	/* Closed by a successful exec, so this ends at once either way. */
	if (read(child->failure, &why, sizeof(why)) == sizeof(why)) {
		error_set(err, -why, "cannot run '%s': %s",
			escape(command[0], shown, sizeof(shown)), strerror(why));
		return -why;
	}
	return 0;
}

bool child_reap(struct child *child)
{
	int status;

	if (!child->pid || child->ended)
		return child->ended;
	if (waitpid(child->pid, &status, WNOHANG) != child->pid)
		return false;
	child->ended = true;
	child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

void child_release(struct child *child)
{
	if (child->go >= 0)
		close(child->go);
	if (child->failure >= 0)
		close(child->failure);
	child->go = child->failure = -1;
}
