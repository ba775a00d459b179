/* SPDX-License-Identifier: GPL-2.0-only */
/* The model as people and programs read it. Nothing here asks where the records came from. */
#ifndef OUTPUT_OUTPUT_H
#define OUTPUT_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/units.h"
#include "model/model.h"
#include "picture/picture.h"

/* How times are shown, and whether pictures may use more than ASCII. */
struct style {
	int64_t realtime_offset_ns; /* of the records' clock to the time of day */
	bool ascii;
};

/* ---- events: one line each ---- */

/* "kvm-encstat.event/1", see docs/json.md. */
void event_write_json(FILE *out, const struct event *event);
void event_write_text(FILE *out, const struct style *style, const struct event *event);
/* What such a line says behind time and VM, with its end. */
void event_write_what(FILE *out, const struct event *event);
/* The caller's. */
struct json_object *event_json(const struct event *event);

/* ---- the page map of one VM ---- */

/* "kvm-encstat.map/1" */
int map_write_json(FILE *out, const struct vm *vm, enum plane plane);
/* One range a line: first gfn and number of frames, in decimal, and the state; after a line that
 * begins with # and says whose map it is and how far to trust it. */
int map_write_ranges(FILE *out, const struct vm *vm, enum plane plane);
/* A picture and the list of ranges that are not private. */
int map_write_text(FILE *out, const struct style *style, const struct vm *vm, enum plane plane);

/* How far to trust it, and what to know about it: how many lines. */
#define MAP_TRUST_LINES 3
#define MAP_TRUST_LINE  160
size_t map_trust(const struct style *style, const struct vm *vm, enum plane plane,
	char lines[MAP_TRUST_LINES][MAP_TRUST_LINE]);
/* The same, written and indented. */
void map_write_trust(FILE *out, const struct style *style, const struct vm *vm, enum plane plane);

/* ---- the same as a picture ---- */

struct map_picture {
	enum picture_format format;
	enum layout_kind layout;
	enum plane plane;
	bool diff;
	unsigned int width;         /* 0: as the format is by itself */
	bool colour;                /* of text: the terminal has 256 of them */
	struct layout_range window; /* only this part of memory; npages 0: all */
	const struct layout_range *sacred;
	size_t n_sacred;
	uint64_t now_ns; /* the time of the latest record */
};
/* -ENODATA: the VM has no such plane. */
int map_write_picture(FILE *out, const struct style *style, const struct vm *vm,
	const struct map_picture *picture);
/* Why it has none. */
const char *map_why_none(enum plane plane);

/* ---- where its planes differ ---- */

/* "kvm-encstat.map/1", with plane "diff" */
int diff_write_json(FILE *out, const struct vm *vm);
/* One range a line: first gfn, number of frames, state on the guest plane, on the host plane. */
int diff_write_ranges(FILE *out, const struct vm *vm);
int diff_write_text(FILE *out, const struct style *style, const struct vm *vm);

/* ---- the list of VMs ---- */

struct list_options {
	bool all; /* ended ones, too */
	bool json;
	const struct vm *only; /* NULL: every one */
};

/* "kvm-encstat.vm/1", one object a line, or a table. */
int list_write(FILE *out, const struct model *model, const struct list_options *options);

/* ---- small parts ---- */

/* A VM's name, escaped. */
const char *vm_label(const struct vm *vm, char *buffer, size_t size);
#define VM_LABEL_SIZE (4 * VM_NAME_SIZE + 16) /* any name, escaped */

/* The same, cut to what a line has room for: then it ends in "...". */
#define VM_SHORT_SIZE 64
const char *vm_label_short(const struct vm *vm, char buffer[VM_SHORT_SIZE]);
/* The same of a name that was taken down before. */
const char *name_short(const char *name, char buffer[VM_SHORT_SIZE]);
/* {"id":, "pid":, "name":, "type":}, and "uuid" where it has one; the caller's. */
struct json_object *vm_json(const struct vm *vm);
void json_add_u64(struct json_object *object, const char *key, uint64_t value);
void json_add_string(struct json_object *object, const char *key, const char *value);
/* The object as one line; it is taken. */
void json_line(FILE *out, struct json_object *object);
/* Time of day, to the microsecond: 16 bytes with its end. */
const char *time_text(const struct style *style, uint64_t ts_ns, char buffer[24]);

#endif
