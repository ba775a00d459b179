/* SPDX-License-Identifier: GPL-2.0-only */
/* The JSON in a capture file, by which it describes itself: made by the writer, checked by the
 * reader. */
#ifndef CAPTURE_FILE_META_H
#define CAPTURE_FILE_META_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* One JSON object in UTF-8, and nothing after it. NULL if text is anything else, is larger than
 * FILE_TEXT_MAX or nests deeper than FILE_JSON_DEPTH. The caller puts it. */
struct json_object *file_meta_parse(const char *text, size_t size);

/* The caller's metadata with "format", the description of the file, added. *ret is the caller's. */
int file_meta_build(char **ret, const char *metadata, struct error *err);

/* Whether this build can read records that are described so. path is for the error. */
int file_meta_check(const char *text, size_t size, const char *path, uint32_t *ret_record_size,
	struct error *err);

static inline void cleanup_json(struct json_object **object)
{
	json_object_put(*object);
}

#define _cleanup_json_ __attribute__((cleanup(cleanup_json)))

#endif
