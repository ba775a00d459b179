/* SPDX-License-Identifier: GPL-2.0-only */
/* VMs without a script, for what takes very many of them. Both return the exit status. */
#ifndef GUEST_LIVES_H
#define GUEST_LIVES_H

/* Makes and closes COUNT VMs, one after the other. */
int lives(unsigned long count);

/*
 * Makes COUNT VMs, or as many as there can be; writes how many into the file READY; keeps them
 * until the file GO exists.
 */
int keep(unsigned long count, unsigned long slots, const char *ready, const char *go);

#endif
