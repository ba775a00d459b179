/* SPDX-License-Identifier: GPL-2.0-only */
#include "output/config.h"

#include <json-c/json.h>
#include <string.h>

#include "base/escape.h"
#include "base/units.h"
#include "output/manual.h"
#include "output/output.h"

#define PLACE_SIZE 4200
#define COLUMN     40 /* where places begin, if there is room */

/* ---- values ---- */

static const void *field(const struct config *config, const struct config_key *key)
{
	return (const char *)config + key->offset;
}

static bool is_text(const struct config_key *key)
{
	return key->type == CONFIG_TEXT || key->type == CONFIG_FILE;
}

static const char *text_of(const struct config *config, const struct config_key *key)
{
	return *(char *const *)field(config, key);
}

/* In quotes where YAML could take it for something else. */
static const char *quoted(const char *value, char *text, size_t size)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
	size_t used;

	if (value[0] == '/' && strspn(value, plain) == strlen(value)) {
		snprintf(text, size, "%s", value);
		return text;
	}
	text[0] = '"';
	text[1] = '\0';
	for (used = 1; *value && used + 6 < size; value++) {
		if (*value == '"')
			text[used++] = '\\';
		text[used++] = *value;
	}
	text[used++] = '"';
	text[used] = '\0';
	return text;
}

void config_value(
	const struct config *config, const struct config_key *key, char *text, size_t size)
{
	char buffer[SETTING_TEXT_SIZE], shown[ESCAPED_SIZE(1024)];
	uint64_t number;

	if (is_text(key)) {
		quoted(escape(text_of(config, key), shown, sizeof(shown)), text, size);
		return;
	}
	number = *(const uint64_t *)field(config, key);
	if (key->type == CONFIG_WORD)
		snprintf(text, size, "%s", key->words[number]);
	else if (key->type == CONFIG_BYTES)
		snprintf(text, size, "%s", bytes_exact(number, buffer));
	else
		snprintf(text, size, "%s",
			setting_text(key->type == CONFIG_TIME     ? UNIT_TIME
				     : key->type == CONFIG_SWITCH ? UNIT_SWITCH
								  : UNIT_COUNT,
				number, buffer));
}

static const char *value_of(enum unit unit, uint64_t value, char buffer[SETTING_TEXT_SIZE])
{
	return setting_text(unit == UNIT_PER_SECOND ? UNIT_COUNT : unit, value, buffer);
}

/* ---- walking all of it ---- */

/* One value: of a section; of a kind of findings, for all VM types (NULL) or for one. */
struct shown {
	const char *section, *kind, *type, *name, *value; /* value as YAML has it ... */
	const char *text;                                 /* ... and, if it is a text, as it is */
	const struct setting_place *place;
};

struct writer {
	FILE *out;
	const struct config *config;
	void (*write)(struct writer *writer, const struct shown *shown);
	const char *section, *kind; /* of the last one */
	char type[16];
};

static void write_sections(struct writer *writer)
{
	char value[CONFIG_VALUE_SIZE];

	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		config_value(writer->config, key, value, sizeof(value));
		writer->write(
			writer, &(struct shown){
					.section = key->section,
					.name = key->name,
					.value = value,
					.text = is_text(key) ? text_of(writer->config, key) : NULL,
					.place = &writer->config->places[i],
				});
	}
}

/* The row that stands for all: no type's own default is in it. */
#define ANY_TYPE KES_VM_TYPE_MAX

static const char *setting_value(const struct settings *settings, size_t type, int kind, int i,
	char buffer[SETTING_TEXT_SIZE])
{
	if (i == SETTING_ENABLED)
		return settings->enabled[type] & ON(kind) ? "yes" : "no";
	return value_of(detectors[kind]->settings[i].unit, settings->values[type][kind][i], buffer);
}

static bool same_place(const struct setting_place *a, const struct setting_place *b)
{
	return a->file == b->file && a->line == b->line;
}

/* One setting of one row of types; those of a type only where it is another one. */
static void write_setting(struct writer *writer, int kind, int i, size_t type)
{
	const struct settings *settings = writer->config->settings;
	const struct detector *detector = detectors[kind];
	const struct setting_place *any = &settings->from[ANY_TYPE][kind][i],
				   *place = &settings->from[type][kind][i];
	char general[SETTING_TEXT_SIZE], own[SETTING_TEXT_SIZE], name[16];
	const char *value = setting_value(settings, type, kind, i, own);

	if (type != ANY_TYPE && same_place(any, place) &&
		!strcmp(value, setting_value(settings, ANY_TYPE, kind, i, general)))
		return;
	writer->write(writer,
		&(struct shown){
			.section = "findings",
			.kind = detector->name,
			.type = type == ANY_TYPE ? NULL : vm_type_name((uint32_t)type, name),
			.name = i == SETTING_ENABLED ? "enabled" : detector->settings[i].name,
			.value = value,
			.place = place,
		});
}

static void write_detector(struct writer *writer, int kind, size_t type)
{
	write_setting(writer, kind, SETTING_ENABLED, type);
	for (int i = 0; i < SETTINGS_MAX && detectors[kind]->settings[i].name; i++)
		write_setting(writer, kind, i, type);
}

static void write_findings(struct writer *writer)
{
	for (int kind = 0; kind < FINDING_KINDS; kind++) {
		write_detector(writer, kind, ANY_TYPE);
		for (size_t type = 0; type < KES_VM_TYPE_MAX; type++)
			write_detector(writer, kind, type);
	}
}

static void write_all(struct writer *writer)
{
	write_sections(writer);
	write_findings(writer);
}

/* ---- text ---- */

static bool differs(const char *a, const char *b)
{
	return (!a) != (!b) || (a && strcmp(a, b) != 0);
}

static void write_line(struct writer *writer, int indent, const char *name, const char *value,
	const struct setting_place *place)
{
	char where[PLACE_SIZE];
	int n = fprintf(writer->out, "%*s%s: %s", indent, "", name, value);

	fprintf(writer->out, "%*s # %s\n", n < COLUMN ? COLUMN - n : 0, "",
		config_place(writer->config, place, where, sizeof(where)));
}

static void write_text(struct writer *writer, const struct shown *shown)
{
	bool new_section = differs(shown->section, writer->section);
	bool new_kind = new_section || differs(shown->kind, writer->kind);

	if (new_section)
		fprintf(writer->out, "%s:\n", shown->section);
	if (shown->kind && new_kind)
		fprintf(writer->out, "  %s:\n", shown->kind);
	if (shown->type && (new_kind || !*writer->type))
		fprintf(writer->out, "    types:\n");
	if (shown->type && (new_kind || strcmp(shown->type, writer->type)))
		fprintf(writer->out, "      %s:\n", shown->type);
	write_line(writer,
		shown->type   ? 8
		: shown->kind ? 4
			      : 2,
		shown->name, shown->value, shown->place);
	writer->section = shown->section;
	writer->kind = shown->kind;
	snprintf(writer->type, sizeof(writer->type), "%s", shown->type ?: "");
}

static void write_sacred(FILE *out, const struct config *config)
{
	const struct settings *settings = config->settings;
	char range[64], name[CONFIG_VALUE_SIZE], shown[ESCAPED_SIZE(256)];
	char where[PLACE_SIZE];

	fprintf(out, "sacred_defaults: no\nsacred:\n"); /* they are in the list */
	for (size_t i = 0; i < settings->n_sacred; i++) {
		const struct sacred *sacred = &settings->sacred[i];

		snprintf(range, sizeof(range), "0x%llx-0x%llx",
			(unsigned long long)sacred->gfn << 12,
			(unsigned long long)((sacred->gfn + sacred->npages) << 12) - 1);
		fprintf(out, "  - range: %s # %s\n", range,
			config_place(config, &settings->sacred_from[i], where, sizeof(where)));
		fprintf(out, "    name: %s\n",
			quoted(escape(sacred->name, shown, sizeof(shown)), name, sizeof(name)));
		if (sacred->vm)
			fprintf(out, "    vm: %s\n",
				quoted(escape(sacred->vm, shown, sizeof(shown)), name,
					sizeof(name)));
	}
}

void config_write_text(FILE *out, const struct config *config)
{
	struct writer writer = {.out = out, .config = config, .write = write_text};

	write_all(&writer);
	write_sacred(out, config);
}

/* ---- JSON ---- */

static void write_json(struct writer *writer, const struct shown *shown)
{
	struct json_object *object = json_object_new_object();
	char key[128], where[PLACE_SIZE];

	snprintf(key, sizeof(key), "%s.%s%s%s%s%s%s", shown->section, shown->kind ?: "",
		shown->kind ? "." : "", shown->type ? "types." : "", shown->type ?: "",
		shown->type ? "." : "", shown->name);
	json_add_string(object, "schema", "kvm-encstat.config/1");
	json_add_string(object, "key", key);
	json_add_string(object, "value", shown->text ?: shown->value);
	json_add_string(
		object, "from", config_place(writer->config, shown->place, where, sizeof(where)));
	json_line(writer->out, object);
}

static void write_sacred_json(FILE *out, const struct config *config)
{
	const struct settings *settings = config->settings;
	char where[PLACE_SIZE];

	for (size_t i = 0; i < settings->n_sacred; i++) {
		const struct sacred *sacred = &settings->sacred[i];
		struct json_object *object = json_object_new_object();

		json_add_string(object, "schema", "kvm-encstat.config/1");
		json_add_string(object, "key", "sacred");
		json_add_u64(object, "gpa", sacred->gfn << 12);
		json_add_u64(object, "npages", sacred->npages);
		json_add_string(object, "name", sacred->name);
		if (sacred->vm)
			json_add_string(object, "vm", sacred->vm);
		json_add_string(object, "from",
			config_place(config, &settings->sacred_from[i], where, sizeof(where)));
		json_line(out, object);
	}
}

void config_write_json(FILE *out, const struct config *config)
{
	struct writer writer = {.out = out, .config = config, .write = write_json};

	write_all(&writer);
	write_sacred_json(out, config);
}
