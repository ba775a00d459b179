/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the daemon leaves for its next life: its model and findings, and by what its VMs are known
 * again. One file, written whole beside the old one and put in its place; its digest covers all of
 * it. It is of use in the same boot only, so that it need not outlast a fall of the power.
 */
#ifndef SERVICE_STORE_H
#define SERVICE_STORE_H

#include <linux/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "wire.h"

#define STORE_MAX  (1ull << 30) /* bytes */
#define STORE_VMS  KES_MAX_VMS
#define STORE_BOOT 40

/* A VM that lived. */
struct store_vm {
	uint64_t kvm; /* its struct kvm ... */
	int64_t clock_offset;
	uint64_t start; /* its VMM's start time, as /proc/PID/stat has it */
	uint32_t id, pid;
};

struct store {
	char boot[STORE_BOOT]; /* which boot this is of */
	uint64_t saved_ns;     /* when, of CLOCK_REALTIME */
	uint32_t last_id;      /* that was given to a VM */
	struct store_vm *vms;
	size_t n_vms;
	struct buffer state; /* for detect/state.h */
};

/* Replaces the file. */
int store_write(const char *path, const struct store *store, struct error *err);

/* -ENOENT: there is none; -EBADMSG: it is damaged, or of another version. */
int store_read(struct store *ret, const char *path, struct error *err);

/* The same from memory. */
int store_parse(struct store *ret, const void *bytes, size_t size, struct error *err);

void store_release(struct store *store);

/* This boot's name. */
int store_boot(char ret[STORE_BOOT]);

/* When a process started, in ticks since boot; 0: there is none. */
uint64_t store_start_of(uint32_t pid);

#endif
