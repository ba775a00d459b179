// SPDX-License-Identifier: GPL-2.0-only
/*
 * deny FROM TO PID READY [entered]: attaches deny.bpf.c to the gate, makes the file READY, and waits for SIGTERM;
 * then detaches and prints what it was asked, in JSON. With `entered`, a program on KVM's function counts, too.
 */
#include "deny.skel.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct deny *deny;
	sigset_t set;
	int err, number;

	if (argc != 5 && argc != 6) {
		fprintf(stderr, "usage: deny FROM TO PID READY [entered]\n");
		return 2;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);

	deny = deny__open();
	if (!deny) {
		perror("deny: open");
		return 1;
	}
	deny->rodata->from = strtoull(argv[1], NULL, 0);
	deny->rodata->to = strtoull(argv[2], NULL, 0);
	deny->rodata->pid = atoi(argv[3]);
	bpf_program__set_autoload(deny->progs.entered, argc == 6);
	err = deny__load(deny);
	if (err) {
		fprintf(stderr, "deny: load: %s\n", strerror(-err));
		return 1;
	}
	err = deny__attach(deny);
	if (err) {
		fprintf(stderr, "deny: attach: %s\n", strerror(-err));
		return 1;
	}
	close(open(argv[4], O_CREAT | O_WRONLY, 0644));
	sigwait(&set, &number);
	deny__detach(deny);
	printf("{\"asked\":%llu,\"denied\":%llu,\"entries\":%llu}\n", deny->bss->asked,
		deny->bss->denied, deny->bss->entries);
	deny__destroy(deny);
	return 0;
}
