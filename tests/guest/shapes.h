/* SPDX-License-Identifier: GPL-2.0-only */
/* Shapes that a VMM's processes may have: who holds a VM, and for how long. */
#ifndef GUEST_SHAPES_H
#define GUEST_SHAPES_H

#include "vm.h"

/* All of them return 0 or -1, and have said on stderr why. */

/* Forks a child that holds the VMs' descriptors, but no vCPU's, until the file PATH exists. */
int fork_holder(struct machine *machine, const char *path);

/*
 * Forks, before there are VMs, a child that will hold what hand_over() sends it until the file PATH
 * exists. *ret_socket is for that.
 */
int fork_receiver(const char *path, int *ret_socket);

/* Sends all VMs' descriptors there; the child has them when this returns. */
int hand_over(struct machine *machine, int socket);

/* Closes all VMs and lives on until the file PATH exists. */
void outlive(struct machine *machine, const char *path);

#endif
