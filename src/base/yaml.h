/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Configuration and policy files: a small and strict part of YAML. One document of at most 1 MiB,
 * mappings with scalar keys that are each there once, lists, scalars. No anchors, aliases, tags,
 * directives: nothing that can grow, or mean something else than it seems to.
 *
 * Errors read FILE:LINE:COLUMN: what, counted from 1, columns in characters. Functions that return
 * int return 0 or a negative errno; -EINVAL for whatever is wrong with the text.
 *
 * Quotes never matter to the getters, but for one thing: without them `~`, `null` and nothing at
 * all are no value. As a mapping or as a list they are an empty one.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define YAML_MAX_BYTES (1u << 20)
#define YAML_MAX_DEPTH 32         /* mappings and lists within each other */
#define YAML_MAX_NODES (1u << 16) /* keys count, too */

struct yaml;

enum yaml_type {
	YAML_SCALAR,
	YAML_MAPPING,
	YAML_LIST,
};

/* The document's, and as long as it. Text is valid UTF-8 without NULs inside. */
struct yaml_node {
	const struct yaml *yaml;
	enum yaml_type type;
	bool plain;                  /* scalar: without quotes */
	unsigned int line, column;   /* from 1; of an empty one: of what is before it */
	const struct yaml_node *key; /* it is the value of; NULL: an item, a key, the root */
	struct yaml_node *first;     /* of a list: items; of a mapping: keys */
	struct yaml_node *next;      /* item; key */
	struct yaml_node *value;     /* of a key */
	struct yaml_node *allocated; /* before it */
	char text[];                 /* scalar */
};

/* Reads a file. -ENOENT, with err as it was: there is none. */
int yaml_open(struct yaml **ret, const char *path, struct error *err);

/* The same from memory; label stands for the file in errors. */
int yaml_parse(
	struct yaml **ret, const char *label, const void *text, size_t size, struct error *err);

/* Fits _cleanup_(). */
void yaml_free(struct yaml **yaml);

/* The file's name, as it is in errors. */
const char *yaml_label(const struct yaml *yaml);

/* Never NULL: a file without anything is a scalar that is no value. */
const struct yaml_node *yaml_root(const struct yaml *yaml);

/* SHA-256 of the text that it was made of. */
const unsigned char *yaml_digest(const struct yaml *yaml);

/* "FILE:LINE:COLUMN: " and what is wrong there. Returns -EINVAL. */
int yaml_error(const struct yaml_node *node, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same as "'KEY' wants WANTED, not 'TEXT'", in whatever form the node is. */
int yaml_wants(const struct yaml_node *node, struct error *err, const char *wanted);

/* To hear of all that is wrong with the values of a document, and not only of the first: the
 * functions that walk go on then, tell of each, and return -EINVAL at their end. */
struct yaml_errors {
	void (*tell)(void *context, const struct error *err);
	void *context;
	size_t n; /* told so far */
};
void yaml_tell_errors(struct yaml *yaml, struct yaml_errors *errors);
/* NULL: the first one ends it. */
struct yaml_errors *yaml_errors(const struct yaml *yaml);

/* Whether it is no value. */
bool yaml_is_null(const struct yaml_node *node);

/* ---- to walk ---- */

/* In the order of the file, until one returns not 0, which is then returned. */
typedef int (*yaml_pair_fn)(void *context, const struct yaml_node *key,
	const struct yaml_node *value, struct error *err);
int yaml_each_pair(
	const struct yaml_node *mapping, yaml_pair_fn fn, void *context, struct error *err);

typedef int (*yaml_item_fn)(void *context, const struct yaml_node *item, struct error *err);
int yaml_each_item(const struct yaml_node *list, yaml_item_fn fn, void *context, struct error *err);

/* A mapping whose keys are known. Others are an error that says which one may have been meant. */
struct yaml_field {
	const char *name;
	yaml_item_fn read; /* gets the value */
	bool required;
};
int yaml_each_field(const struct yaml_node *mapping, const struct yaml_field *fields, size_t n,
	void *context, struct error *err);

/* NULL: the mapping does not have that key, or is none. */
const struct yaml_node *yaml_find(const struct yaml_node *mapping, const char *key);

/* Which one of names a scalar or a key is; else the error says "there is no WHAT 'TEXT'", and which
 * one may have been meant, or which there are. */
int yaml_choose(const struct yaml_node *node, const char *what, const char *const *names, size_t n,
	size_t *ret, struct error *err);

/* ---- values ---- */

/* yes, no, true, false, on, off. */
int yaml_get_bool(const struct yaml_node *node, bool *ret, struct error *err);

/* Decimal, without sign and leading zeros, from min to max; so are the following. */
int yaml_get_uint(
	const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);

/* Bytes: 4096, 64K, 16M, 1G, 1T, 1P. */
int yaml_get_bytes(
	const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);

/* Nanoseconds: 100ns, 20us, 500ms, 10s, 5m, 1h. The unit has to be there. */
int yaml_get_duration(
	const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);

/* 6%, or 6: from min to max. */
int yaml_get_percent(
	const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret, struct error *err);

/* Bytes: 0x1000+4K, or 0x1000-0x1fff with both ends in it; addresses also in decimal. It is not
 * empty and does not wrap. */
struct yaml_range {
	uint64_t start, size;
};
int yaml_get_range(const struct yaml_node *node, struct yaml_range *ret, struct error *err);

/* A text of at least one byte and at most max: the node's. */
int yaml_get_string(const struct yaml_node *node, size_t max, const char **ret, struct error *err);

#endif
