/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration file over the detectors' own defaults: man/kvm-encstat.yaml.5 is its form. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/yaml.h"
#include "detect/settings.h"

/* Beyond these no setting has a meaning, and detectors may multiply any two of them. */
#define COUNT_MAX   1000000000ull
#define TIME_MAX    (24 * 365 * 60 * MINUTE_NS)
#define PAGES_MAX   (1ull << 40)
#define PERCENT_MAX 100
#define PAGE_BYTES  4096ull
#define TEXT_MAX    255 /* bytes */

/* ---- one value ---- */

static int read_pages(
	const struct yaml_node *node, uint64_t least, uint64_t *ret, struct error *err)
{
	uint64_t bytes;
	int r = yaml_get_bytes(node, least * PAGE_BYTES, PAGES_MAX * PAGE_BYTES, &bytes, err);

	if (r < 0)
		return r;
	if (bytes % PAGE_BYTES)
		return yaml_wants(node, err, "whole pages, that is a multiple of 4K");
	*ret = bytes / PAGE_BYTES;
	return 0;
}

static int read_switch(const struct yaml_node *node, uint64_t *ret, struct error *err)
{
	bool on;
	int r = yaml_get_bool(node, &on, err);

	if (!r)
		*ret = on;
	return r;
}

static int read_value(const struct yaml_node *node, const struct setting *setting, uint64_t *ret,
	struct error *err)
{
	uint64_t least = !setting->may_be_zero;

	switch (setting->unit) {
	case UNIT_TIME:
		return yaml_get_duration(node, least, TIME_MAX, ret, err);
	case UNIT_PAGES:
		return read_pages(node, least, ret, err);
	case UNIT_PERCENT:
		return yaml_get_percent(node, least, PERCENT_MAX, ret, err);
	case UNIT_SWITCH:
		return read_switch(node, ret, err);
	default:
		return yaml_get_uint(node, least, COUNT_MAX, ret, err);
	}
}

/* ---- where it is written ---- */

static struct setting_place place_of(const struct settings *settings, const struct yaml_node *node)
{
	return (struct setting_place){(uint16_t)(settings->n_files - 1), node->line};
}

static int add_file(struct settings *settings, const struct yaml *yaml, struct error *err)
{
	char *label;

	if (settings->n_files == SETTINGS_FILES)
		return yaml_error(yaml_root(yaml), err, "more than %d files", SETTINGS_FILES);
	label = strdup(yaml_label(yaml));
	if (!label)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(settings->digests[settings->n_files], yaml_digest(yaml), SHA256_BYTES);
	settings->files[settings->n_files++] = label;
	return 0;
}

/* ---- findings: ---- */

struct load {
	struct settings *settings;                       /* a copy: nothing has happened yet */
	const struct yaml_node *findings[FINDING_KINDS]; /* keys that were read */
	const struct yaml_node *sacred;                  /* NULL: none */
	bool no_defaults;
};

/* Words that a detector's mapping knows; settings come first. */
struct words {
	const char *names[SETTINGS_MAX + 2];
	size_t n_settings, n;
};

struct section {
	struct load *load;
	enum finding_kind kind;
	struct words words;
	bool typed;  /* inside of `types` ... */
	size_t type; /* ... for this one */
	/* What was said of a type; `enabled` is the last one. */
	bool pinned[SETTINGS_TYPES][SETTINGS_MAX + 1];
};
#define ENABLED SETTING_ENABLED

static struct words words_of(const struct detector *detector, bool typed)
{
	struct words words = {};

	for (; words.n < SETTINGS_MAX && detector->settings[words.n].name; words.n++)
		words.names[words.n] = detector->settings[words.n].name;
	words.n_settings = words.n;
	words.names[words.n++] = "enabled";
	if (!typed)
		words.names[words.n++] = "types";
	return words;
}

/* Whether a value holds for a type. Those for one type win, wherever they are. */
static bool concerns(struct section *section, size_t type, size_t which)
{
	if (!section->typed)
		return !section->pinned[type][which];
	if (type == section->type)
		section->pinned[type][which] = true;
	return type == section->type;
}

static int read_enabled(struct section *section, const struct yaml_node *value, struct error *err)
{
	struct settings *settings = section->load->settings;
	bool enabled;
	int r = yaml_get_bool(value, &enabled, err);

	for (size_t type = 0; type < SETTINGS_TYPES && !r; type++) {
		if (!concerns(section, type, ENABLED))
			continue;
		settings->from[type][section->kind][ENABLED] = place_of(settings, value);
		if (enabled)
			settings->enabled[type] |= ON(section->kind);
		else
			settings->enabled[type] &= ~ON(section->kind);
	}
	return r;
}

static int read_setting(
	struct section *section, size_t which, const struct yaml_node *value, struct error *err)
{
	struct settings *settings = section->load->settings;
	uint64_t number;
	int r = read_value(value, &detectors[section->kind]->settings[which], &number, err);

	for (size_t type = 0; type < SETTINGS_TYPES && !r; type++)
		if (concerns(section, type, which)) {
			settings->values[type][section->kind][which] = number;
			settings->from[type][section->kind][which] = place_of(settings, value);
		}
	return r;
}

static int read_types(struct section *section, const struct yaml_node *value, struct error *err);

static int read_word(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	struct section *section = context;
	const struct words *words = &section->words;
	size_t which;
	int r = yaml_choose(key, "setting", words->names, words->n, &which, err);

	if (r < 0)
		return r;
	if (which < words->n_settings)
		return read_setting(section, which, value, err);
	return which == words->n_settings ? read_enabled(section, value, err)
					  : read_types(section, value, err);
}

/* A VM type that this program knows. */
static int read_type(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	const char *names[KES_VM_TYPE_MAX];
	struct section *section = context;
	char buffer[16];
	int r;

	for (uint32_t i = 0; i < KES_VM_TYPE_MAX; i++)
		names[i] = vm_type_name(i, buffer);
	r = yaml_choose(key, "VM type", names, ARRAY_SIZE(names), &section->type, err);
	return r < 0 ? r : yaml_each_pair(value, read_word, section, err);
}

static int read_types(struct section *section, const struct yaml_node *value, struct error *err)
{
	const struct detector *detector = detectors[section->kind];
	int r;

	section->words = words_of(detector, true);
	section->typed = true;
	r = yaml_each_pair(value, read_type, section, err);
	section->typed = false;
	section->words = words_of(detector, false);
	return r;
}

/* By name, or by id in whatever case. */
static int find_detector(
	const struct yaml_node *key, const struct detector **ret, struct error *err)
{
	const char *names[FINDING_KINDS];
	const struct detector *detector = detector_find(key->text);
	size_t which;
	int r;

	if (detector) {
		*ret = detector;
		return 0;
	}
	for (size_t i = 0; i < FINDING_KINDS; i++)
		names[i] = detectors[i]->name;
	r = yaml_choose(key, "kind of finding", names, FINDING_KINDS, &which, err);
	return r < 0 ? r : -EINVAL; /* it is none, or it would have been found */
}

static int read_finding(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	struct section section = {.load = context};
	const struct detector *detector;
	const struct yaml_node **before;
	int r = find_detector(key, &detector, err);

	if (r < 0)
		return r;
	before = &section.load->findings[detector->kind];
	if (*before)
		return yaml_error(key, err, "'%s' is there already, in line %u, as '%s'", key->text,
			(*before)->line, (*before)->text);
	*before = key;
	section.kind = detector->kind;
	section.words = words_of(detector, false);
	return yaml_each_pair(value, read_word, &section, err);
}

static int read_findings(void *context, const struct yaml_node *value, struct error *err)
{
	return yaml_each_pair(value, read_finding, context, err);
}

/* ---- sacred: ---- */

struct sacred_item {
	struct sacred sacred;
	const char *range; /* as it is written */
};

static int read_range(void *context, const struct yaml_node *value, struct error *err)
{
	struct sacred_item *item = context;
	struct yaml_range range;
	int r = yaml_get_range(value, &range, err);

	if (r < 0)
		return r;
	if (range.start % PAGE_BYTES || range.size % PAGE_BYTES)
		return yaml_wants(value, err, "whole pages, that is multiples of 4K");
	if (range.start / PAGE_BYTES >= PAGES_MAX ||
		range.size / PAGE_BYTES > PAGES_MAX - range.start / PAGE_BYTES)
		return yaml_wants(value, err, "addresses below 2^52");
	item->sacred.gfn = range.start / PAGE_BYTES;
	item->sacred.npages = range.size / PAGE_BYTES;
	item->range = value->text;
	return 0;
}

static int read_vm(void *context, const struct yaml_node *value, struct error *err)
{
	struct sacred_item *item = context;

	return yaml_get_string(value, TEXT_MAX, &item->sacred.vm, err);
}

static int read_name(void *context, const struct yaml_node *value, struct error *err)
{
	struct sacred_item *item = context;

	return yaml_get_string(value, TEXT_MAX, &item->sacred.name, err);
}

/* The document goes; its texts stay. There is room: two for each range. */
static int keep_text(struct settings *settings, const char **text)
{
	char *copy = *text ? strdup(*text) : NULL;

	if (!copy)
		return *text ? -ENOMEM : 0;
	settings->texts[settings->n_texts++] = copy;
	*text = copy;
	return 0;
}

static int read_sacred_item(void *context, const struct yaml_node *node, struct error *err)
{
	static const struct yaml_field fields[] = {
		{"range", read_range, true},
		{"vm", read_vm, false},
		{"name", read_name, false},
	};
	struct settings *settings = context;
	struct sacred_item item = {};
	int r;

	if (settings->n_sacred == SETTINGS_SACRED)
		return yaml_error(node, err, "more than %d sacred ranges, with the defaults",
			SETTINGS_SACRED);
	if (node->type != YAML_MAPPING)
		return yaml_wants(node, err, "a mapping such as {range: 0x100000+64K}");
	r = yaml_each_field(node, fields, ARRAY_SIZE(fields), &item, err);
	if (r < 0)
		return r;
	if (!item.sacred.name)
		item.sacred.name = item.range;
	if (keep_text(settings, &item.sacred.name) || keep_text(settings, &item.sacred.vm))
		return error_set(err, -ENOMEM, "out of memory");
	settings->sacred_from[settings->n_sacred] = place_of(settings, node);
	settings->sacred[settings->n_sacred++] = item.sacred;
	return 0;
}

/* For when it is known whether the defaults stay. */
static int note_sacred(void *context, const struct yaml_node *value, struct error *err)
{
	struct load *load = context;

	load->sacred = value;
	return value->type == YAML_LIST || yaml_is_null(value)
		       ? 0
		       : yaml_wants(value, err, "a list (lines of '- item')");
}

static int read_sacred_defaults(void *context, const struct yaml_node *value, struct error *err)
{
	struct load *load = context;
	bool defaults;
	int r = yaml_get_bool(value, &defaults, err);

	if (!r)
		load->no_defaults = !defaults;
	return r;
}

static void drop_defaults(struct settings *settings)
{
	settings->n_sacred -= settings->n_defaults;
	memmove(settings->sacred, settings->sacred + settings->n_defaults,
		settings->n_sacred * sizeof(settings->sacred[0]));
	memmove(settings->sacred_from, settings->sacred_from + settings->n_defaults,
		settings->n_sacred * sizeof(settings->sacred_from[0]));
	settings->n_defaults = 0;
}

/* ---- the file ---- */

/* config/config.h reads it. */
static int pass_over(void *context, const struct yaml_node *value, struct error *err)
{
	(void)context;
	(void)value;
	(void)err;
	return 0;
}

static int read_root(struct load *load, const struct yaml_node *root, struct error *err)
{
	static const struct yaml_field fields[] = {
		{"findings", read_findings, false},
		{"sacred", note_sacred, false},
		{"sacred_defaults", read_sacred_defaults, false},
		{"daemon", pass_over, false},
		{"audit", pass_over, false},
		{"metrics", pass_over, false},
	};
	int r = yaml_each_field(root, fields, ARRAY_SIZE(fields), load, err);

	if (r < 0 && !yaml_errors(root->yaml))
		return r;
	if (load->no_defaults)
		drop_defaults(load->settings);
	if (!load->sacred)
		return r;
	return yaml_each_item(load->sacred, read_sacred_item, load->settings, err) ?: r;
}

/* All of it or nothing. */
int settings_take(struct settings *settings, const struct yaml *yaml, struct error *err)
{
	_cleanup_free_ struct settings *copy = malloc(sizeof(*copy));
	struct load load = {.settings = copy};
	int r;

	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	*copy = *settings;
	r = add_file(copy, yaml, err);
	if (!r)
		r = read_root(&load, yaml_root(yaml), err);
	if (!r) {
		*settings = *copy;
		return 0;
	}
	while (copy->n_texts > settings->n_texts)
		free(copy->texts[--copy->n_texts]);
	while (copy->n_files > settings->n_files)
		free(copy->files[--copy->n_files]);
	return r;
}

int settings_parse(struct settings *settings, const char *label, const void *text, size_t size,
	struct error *err)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	int r = yaml_parse(&yaml, label, text, size, err);

	return r < 0 ? r : settings_take(settings, yaml, err);
}

int settings_load(struct settings *settings, const char *path, struct error *err)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	int r = yaml_open(&yaml, path, err);

	return r < 0 ? r : settings_take(settings, yaml, err);
}
