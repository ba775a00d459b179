/* SPDX-License-Identifier: GPL-2.0-only */
/* The small parts that all text is made of. */
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "output/output.h"

const char *vm_label(const struct vm *vm, char *buffer, size_t size)
{
	char name[VM_NAME_SIZE + 4];

	vm_name(vm, name, sizeof(name));
	return escape(name, buffer, size);
}

const char *vm_label_short(const struct vm *vm, char buffer[VM_SHORT_SIZE])
{
	char name[VM_NAME_SIZE + 4];

	vm_name(vm, name, sizeof(name));
	return name_short(name, buffer);
}

const char *name_short(const char *name, char buffer[VM_SHORT_SIZE])
{
	static const char more[] = "...";
	char label[VM_LABEL_SIZE];

	escape(name, label, sizeof(label));
	if (strlen(label) < VM_SHORT_SIZE) {
		memcpy(buffer, label, strlen(label) + 1);
		return buffer;
	}
	escape(name, buffer, VM_SHORT_SIZE - strlen(more));
	memcpy(buffer + strlen(buffer), more, sizeof(more));
	return buffer;
}

struct json_object *vm_json(const struct vm *vm)
{
	json_object *who = json_object_new_object();
	char label[VM_LABEL_SIZE], type[16];

	json_object_object_add(who, "id", json_object_new_uint64(vm->id));
	json_object_object_add(who, "pid", json_object_new_uint64(vm->pid));
	json_object_object_add(
		who, "name", json_object_new_string(vm_label(vm, label, sizeof(label))));
	json_object_object_add(who, "type", json_object_new_string(vm_type_name(vm->type, type)));
	if (*vm->text[KES_TEXT_UUID])
		json_object_object_add(who, "uuid",
			json_object_new_string(
				escape(vm->text[KES_TEXT_UUID], label, sizeof(label))));
	return who;
}

void json_add_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

void json_line(FILE *out, struct json_object *object)
{
	fprintf(out, "%s\n",
		json_object_to_json_string_ext(
			object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

const char *time_text(const struct style *style, uint64_t ts_ns, char buffer[24])
{
	int64_t ns = (int64_t)ts_ns + style->realtime_offset_ns;
	time_t seconds = ns / 1000000000;
	struct tm tm;

	localtime_r(&seconds, &tm);
	snprintf(buffer, 24, "%02d:%02d:%02d.%06d", tm.tm_hour, tm.tm_min, tm.tm_sec,
		(int)(ns % 1000000000 / 1000));
	return buffer;
}
