/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/settings.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/units.h"

#define SECOND 1000000000ull

void audit_settings_init(struct audit_settings *settings)
{
	*settings = (struct audit_settings){
		.journal = true,
		.interval_ns = 60 * SECOND,
		.rate = 40,
		.burst = 200,
		.vm_rate = 10,
		.spool_bytes = 64ull << 20,
		.file_bytes = 64ull << 20,
		.file_count = 8,
		.sync_ns = 5 * SECOND,
		.confirm = true,
	};
}

/* ---- sinks: ---- */

static int read_sink(void *context, const struct yaml_node *item, struct error *err)
{
	struct audit_settings *settings = context;

	if (item->type == YAML_SCALAR && !strcmp(item->text, "journal")) {
		settings->journal = true;
		return 0;
	}
	if (item->type != YAML_SCALAR || strncmp(item->text, "file:/", strlen("file:/")))
		return yaml_wants(item, err, "journal, or file: and a path that begins with /");
	if (strlen(item->text) - strlen("file:") >= AUDIT_PATH_MAX)
		return yaml_error(
			item, err, "the path is longer than %d bytes", AUDIT_PATH_MAX - 1);
	snprintf(settings->file, sizeof(settings->file), "%s", item->text + strlen("file:"));
	return 0;
}

static int read_sinks(void *context, const struct yaml_node *value, struct error *err)
{
	struct audit_settings *settings = context;

	settings->journal = false;
	*settings->file = '\0';
	return yaml_each_item(value, read_sink, settings, err);
}

/* ---- the others ---- */

static int read_mode(void *context, const struct yaml_node *value, struct error *err)
{
	static const char *const names[] = {"summary", "full"};
	struct audit_settings *settings = context;
	size_t which;
	int r = yaml_choose(value, "mode", names, ARRAY_SIZE(names), &which, err);

	if (!r)
		settings->full = which;
	return r;
}

static int read_confirm(void *context, const struct yaml_node *value, struct error *err)
{
	struct audit_settings *settings = context;

	return yaml_get_bool(value, &settings->confirm, err);
}

/* Numbers, each with its unit and bounds. */
enum number_unit { COUNT, BYTES, DURATION };
#define DAY (24 * 3600 * SECOND)
static const struct number {
	const char *name;
	size_t at;
	enum number_unit unit;
	uint64_t min, max;
} numbers[] = {
#define NUMBER(name, member, unit, min, max)                                  \
	{                                                                     \
		name, offsetof(struct audit_settings, member), unit, min, max \
	}
	NUMBER("interval", interval_ns, DURATION, SECOND, DAY),
	NUMBER("rate", rate, COUNT, 1, 100000),
	NUMBER("vm_burst", burst, COUNT, 1, 1000000),
	NUMBER("vm_rate", vm_rate, COUNT, 1, 100000),
	NUMBER("spool", spool_bytes, BYTES, 1ull << 20, 1ull << 40),
	NUMBER("file_size", file_bytes, BYTES, 1ull << 16, 1ull << 40),
	NUMBER("file_count", file_count, COUNT, 1, 1000),
	NUMBER("file_sync", sync_ns, DURATION, 100 * SECOND / 1000, DAY),
};

static int read_number(struct audit_settings *settings, const struct number *number,
	const struct yaml_node *value, struct error *err)
{
	uint64_t *into = (uint64_t *)((char *)settings + number->at);

	switch (number->unit) {
	case BYTES:
		return yaml_get_bytes(value, number->min, number->max, into, err);
	case DURATION:
		return yaml_get_duration(value, number->min, number->max, into, err);
	default:
		return yaml_get_uint(value, number->min, number->max, into, err);
	}
}

static int read_key(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	static const struct {
		const char *name;
		yaml_item_fn read;
	} others[] = {{"sinks", read_sinks}, {"mode", read_mode}, {"confirm", read_confirm}};
	const char *names[ARRAY_SIZE(others) + ARRAY_SIZE(numbers)];
	size_t n = 0, which;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		names[n++] = others[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		names[n++] = numbers[i].name;
	r = yaml_choose(key, "setting", names, n, &which, err);
	if (r)
		return r;
	if (which < ARRAY_SIZE(others))
		return others[which].read(context, value, err);
	return read_number(context, &numbers[which - ARRAY_SIZE(others)], value, err);
}

int audit_settings_read(
	struct audit_settings *settings, const struct yaml_node *section, struct error *err)
{
	return yaml_each_pair(section, read_key, settings, err);
}

/* ---- as they are ---- */

/* With a unit that the configuration knows. */
static void write_duration(FILE *out, uint64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = {{3600 * SECOND, "h"}, {60 * SECOND, "m"}, {SECOND, "s"}, {1000000, "ms"},
		{1000, "us"}, {1, "ns"}};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (ns % units[i].ns == 0) {
			fprintf(out, "%llu%s\n", (unsigned long long)(ns / units[i].ns),
				units[i].name);
			return;
		}
}

void audit_settings_write(FILE *out, const struct audit_settings *settings, int indent)
{
	char text[ESCAPED_SIZE(AUDIT_PATH_MAX)];

	fprintf(out, "%*ssinks: [%s%s", indent, "", settings->journal ? "journal" : "",
		settings->journal && *settings->file ? ", " : "");
	if (*settings->file)
		fprintf(out, "'file:%s'", escape(settings->file, text, sizeof(text)));
	fprintf(out, "]\n%*smode: %s\n", indent, "", settings->full ? "full" : "summary");
	fprintf(out, "%*sconfirm: %s\n", indent, "", settings->confirm ? "yes" : "no");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t value;

		memcpy(&value, (const char *)settings + numbers[i].at, sizeof(value));
		fprintf(out, "%*s%s: ", indent, "", numbers[i].name);
		if (numbers[i].unit == DURATION)
			write_duration(out, value);
		else if (numbers[i].unit == BYTES)
			fprintf(out, "%s\n", bytes_exact(value, text));
		else
			fprintf(out, "%llu\n", (unsigned long long)value);
	}
}
