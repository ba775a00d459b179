/* SPDX-License-Identifier: GPL-2.0-only */
/* The model as people and programs read it. Nothing here asks where the records came from. */
#ifndef OUTPUT_OUTPUT_H
#define OUTPUT_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "model/model.h"

/* How times are shown, and whether pictures may use more than ASCII. */
struct style {
	int64_t realtime_offset_ns; /* of the records' clock to the time of day */
	bool ascii;
};

/* ---- events: one line each ---- */

/* "kvm-encstat.event/1", see docs/json.md. */
void event_write_json(FILE *out, const struct event *event);
void event_write_text(FILE *out, const struct style *style, const struct event *event);

/* ---- the page map of one VM ---- */

/* "kvm-encstat.map/1" */
int map_write_json(FILE *out, const struct vm *vm, enum plane plane);
/* One range a line: first gfn and number of frames, in decimal, and the state; after a line that
 * begins with # and says whose map it is and how far to trust it. */
int map_write_ranges(FILE *out, const struct vm *vm, enum plane plane);
/* A picture and the list of ranges that are not private. */
int map_write_text(FILE *out, const struct style *style, const struct vm *vm, enum plane plane);

/* ---- the list of VMs ---- */

struct list_options {
	bool all; /* ended ones, too */
	bool json;
};

/* "kvm-encstat.vm/1", one object a line, or a table. */
int list_write(FILE *out, const struct model *model, const struct list_options *options);

/* ---- small parts ---- */

/* A VM's name, escaped. */
const char *vm_label(const struct vm *vm, char *buffer, size_t size);
#define VM_LABEL_SIZE 128

/* 4096 -> "4K": exact, with the largest unit that divides it. */
const char *bytes_exact(uint64_t bytes, char buffer[24]);
/* "1.5G": rounded, for tables. */
const char *bytes_short(uint64_t bytes, char buffer[24]);
/* 1234567 -> "1.2ms" */
const char *duration_short(uint64_t ns, char buffer[24]);

#endif
