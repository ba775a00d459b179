/* SPDX-License-Identifier: GPL-2.0-only */
#include "capture/file_meta.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "capture/file_format.h"

/* What all kinds of record have in common. */
#define FIELD(member)                                            \
	{                                                        \
#member, offsetof(struct kes_record, member),    \
			sizeof(((struct kes_record *)0)->member) \
	}
static const struct {
	const char *name;
	uint32_t offset, size;
} fields[] = {
	FIELD(ts_ns),
	FIELD(seq),
	FIELD(vm),
	FIELD(vcpu),
	FIELD(kind),
	FIELD(flags),
	FIELD(payload),
};

static const char *const kinds[] = {
	[KES_VM_NEW] = "vm_new",
	[KES_VM_END] = "vm_end",
	[KES_MEMSLOT] = "memslot",
	[KES_REQUEST] = "request",
	[KES_ANSWER] = "answer",
	[KES_REFUSED] = "refused",
	[KES_FAULT] = "fault",
	[KES_ATTRS] = "attrs",
	[KES_ATTRS_BEGIN] = "attrs_begin",
	[KES_RESET] = "reset",
	[KES_VM_INFO] = "vm_info",
	[KES_VERDICT] = "verdict",
	[KES_LOSS] = "loss",
	[KES_COUNT] = "count",
	[KES_TEXT] = "text",
	[KES_SNAPSHOT] = "snapshot",
	[KES_PAGES] = "pages",
	[KES_TIME] = "time",
	[KES_HOST_INFO] = "host_info",
	[KES_RESIDENT] = "resident",
	[KES_REACTION] = "reaction",
};
_Static_assert(ARRAY_SIZE(kinds) == KES_KIND_MAX, "a name for each kind");

static void cleanup_tokener(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

struct json_object *file_meta_parse(const char *text, size_t size)
{
	_cleanup_(cleanup_tokener) struct json_tokener *tokener = NULL;
	_cleanup_json_ struct json_object *object = NULL;

	if (size == 0 || size > FILE_TEXT_MAX || memchr(text, '\0', size))
		return NULL;
	tokener = json_tokener_new_ex(FILE_JSON_DEPTH);
	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
		json_tokener_get_parse_end(tokener) != size ||
		!json_object_is_type(object, json_type_object))
		return NULL;
	return TAKE_PTR(object);
}

/* Puts value, which is taken even on failure, under key. */
static int put(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value)
		return -ENOMEM;
	if (json_object_object_add(object, key, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

/* Appends a new object to array; it stays the array's. */
static struct json_object *append(struct json_object *array)
{
	struct json_object *object = json_object_new_object();

	if (object && json_object_array_add(array, object) < 0) {
		json_object_put(object);
		return NULL;
	}
	return object;
}

static int describe_fields(struct json_object *array)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct json_object *field = append(array);

		if (!field || put(field, "name", json_object_new_string(fields[i].name)) < 0 ||
			put(field, "offset", json_object_new_int64(fields[i].offset)) < 0 ||
			put(field, "size", json_object_new_int64(fields[i].size)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int describe_kinds(struct json_object *array)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct json_object *kind;

		if (!kinds[i])
			continue;
		kind = append(array);
		if (!kind || put(kind, "number", json_object_new_int64((int64_t)i)) < 0 ||
			put(kind, "name", json_object_new_string(kinds[i])) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int describe(struct json_object *format)
{
	struct json_object *array;
	char version[16];

	snprintf(version, sizeof(version), "%d.%d", FILE_MAJOR, FILE_MINOR);
	if (put(format, "version", json_object_new_string(version)) < 0 ||
		put(format, "record_size", json_object_new_int64(sizeof(struct kes_record))) < 0)
		return -ENOMEM;
	array = json_object_new_array();
	if (put(format, "fields", array) < 0 || describe_fields(array) < 0)
		return -ENOMEM;
	array = json_object_new_array();
	if (put(format, "kinds", array) < 0 || describe_kinds(array) < 0)
		return -ENOMEM;
	return 0;
}

int file_meta_build(char **ret, const char *metadata, struct error *err)
{
	_cleanup_json_ struct json_object *root = NULL;
	struct json_object *format;
	const char *text;
	size_t size;
	char *copy;

	root = file_meta_parse(metadata, strlen(metadata));
	if (!root)
		return error_set(
			err, -EINVAL, "the metadata of a capture must be a JSON object in UTF-8");
	if (json_object_object_get_ex(root, "format", NULL))
		return error_set(err, -EINVAL,
			"the metadata of a capture must leave \"format\" to the writer");
	format = json_object_new_object();
	if (put(root, "format", format) < 0 || describe(format) < 0)
		return error_set(err, -ENOMEM, "describing a capture: out of memory");
	text = json_object_to_json_string_length(root, JSON_C_TO_STRING_PLAIN, &size);
	if (!text)
		return error_set(err, -ENOMEM, "describing a capture: out of memory");
	if (size > FILE_TEXT_MAX)
		return error_set(err, -E2BIG, "the metadata of a capture is larger than %u bytes",
			FILE_TEXT_MAX);
	copy = strdup(text);
	if (!copy)
		return error_set(err, -ENOMEM, "describing a capture: out of memory");
	*ret = copy;
	return 0;
}

/* The number under key; -1 if there is none that could be meant. */
static int64_t number(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
		!json_object_is_type(value, json_type_int))
		return -1;
	return json_object_get_int64(value);
}

/* Fields may be added, never moved: whether all of ours are described and where we take them from.
 */
static bool fields_match(struct json_object *array)
{
	size_t found = 0;

	if (!json_object_is_type(array, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		struct json_object *field = json_object_array_get_idx(array, i), *name;

		if (!json_object_is_type(field, json_type_object) ||
			!json_object_object_get_ex(field, "name", &name) ||
			!json_object_is_type(name, json_type_string))
			return false;
		for (size_t k = 0; k < ARRAY_SIZE(fields); k++) {
			if (strcmp(json_object_get_string(name), fields[k].name) != 0)
				continue;
			if (number(field, "offset") != fields[k].offset ||
				number(field, "size") != fields[k].size)
				return false;
			found |= (size_t)1 << k;
		}
	}
	return found == ((size_t)1 << ARRAY_SIZE(fields)) - 1;
}

int file_meta_check(const char *text, size_t size, const char *path, uint32_t *ret_record_size,
	struct error *err)
{
	_cleanup_json_ struct json_object *root = NULL;
	struct json_object *format, *array;
	int64_t record_size;

	root = file_meta_parse(text, size);
	if (!root || !json_object_object_get_ex(root, "format", &format) ||
		!json_object_is_type(format, json_type_object))
		return error_set(err, -EBADMSG, "%s does not describe its records", path);
	record_size = number(format, "record_size");
	if (record_size < (int64_t)sizeof(struct kes_record) ||
		record_size > FILE_RECORD_SIZE_MAX) {
		error_set(err, -EPROTONOSUPPORT,
			"%s has records of %lld bytes, this kvm-encstat reads %zu to %u", path,
			(long long)record_size, sizeof(struct kes_record), FILE_RECORD_SIZE_MAX);
		error_advise(err, "read it with the version of kvm-encstat that wrote it");
		return -EPROTONOSUPPORT;
	}
	if (!json_object_object_get_ex(format, "fields", &array) || !fields_match(array)) {
		error_set(err, -EPROTONOSUPPORT, "%s has records laid out in another way", path);
		error_advise(err, "read it with the version of kvm-encstat that wrote it");
		return -EPROTONOSUPPORT;
	}
	*ret_record_size = (uint32_t)record_size;
	return 0;
}
