/* SPDX-License-Identifier: GPL-2.0-only */
#include "config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/yaml.h"

/* ---- values ---- */

static bool is_text(const struct config_key *key)
{
	return key->type == CONFIG_TEXT || key->type == CONFIG_FILE;
}

static char **text_of(const struct config *config, const struct config_key *key)
{
	return (char **)((char *)config + key->offset);
}

static uint64_t *number_of(const struct config *config, const struct config_key *key)
{
	return (uint64_t *)((char *)config + key->offset);
}

/* min says whether it may be left empty. */
static int read_text(struct config *config, const struct config_key *key,
	const struct yaml_node *node, struct error *err)
{
	bool empty = yaml_is_null(node) || (node->type == YAML_SCALAR && !*node->text);
	const char *text = "";
	char *copy;
	int r = 0;

	if (key->min || !empty)
		r = yaml_get_string(node, key->max, &text, err);
	if (r < 0)
		return r;
	if (key->type == CONFIG_FILE && *text && *text != '/')
		return yaml_wants(node, err, "a path that begins with /");
	copy = strdup(text);
	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	free(*text_of(config, key));
	*text_of(config, key) = copy;
	return 0;
}

static int read_word(const struct config_key *key, const struct yaml_node *node, uint64_t *ret,
	struct error *err)
{
	size_t n = 0, which;
	int r;

	while (n < ARRAY_SIZE(key->words) && key->words[n])
		n++;
	r = yaml_choose(node, key->name, key->words, n, &which, err);
	if (!r)
		*ret = which;
	return r;
}

static int read_switch(const struct yaml_node *node, uint64_t *ret, struct error *err)
{
	bool on;
	int r = yaml_get_bool(node, &on, err);

	if (!r)
		*ret = on;
	return r;
}

static int read_number(const struct config_key *key, const struct yaml_node *node, uint64_t *ret,
	struct error *err)
{
	switch (key->type) {
	case CONFIG_SWITCH:
		return read_switch(node, ret, err);
	case CONFIG_WORD:
		return read_word(key, node, ret, err);
	case CONFIG_BYTES:
		return yaml_get_bytes(node, key->min, key->max, ret, err);
	case CONFIG_TIME:
		return yaml_get_duration(node, key->min, key->max, ret, err);
	default:
		return yaml_get_uint(node, key->min, key->max, ret, err);
	}
}

static int read_value(struct config *config, const struct config_key *key,
	const struct yaml_node *node, struct error *err)
{
	return is_text(key) ? read_text(config, key, node, err)
			    : read_number(key, node, number_of(config, key), err);
}

/* ---- sections ---- */

struct section {
	struct config *config;
	const char *name;
};

static int read_key(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	struct section *section = context;
	const char *names[32];
	size_t rows[ARRAY_SIZE(names)], n = 0, which;
	struct settings *settings = section->config->settings;
	int r;

	for (size_t i = 0; i < config_n_keys && n < ARRAY_SIZE(names); i++)
		if (!strcmp(config_keys[i].section, section->name)) {
			rows[n] = i;
			names[n++] = config_keys[i].name;
		}
	r = yaml_choose(key, "key", names, n, &which, err);
	if (!r)
		r = read_value(section->config, &config_keys[rows[which]], value, err);
	if (!r)
		section->config->places[rows[which]] =
			(struct setting_place){(uint16_t)(settings->n_files - 1), key->line};
	return r;
}

/* The detectors' own reader knows which keys there may be. */
static int read_section(void *context, const struct yaml_node *key, const struct yaml_node *value,
	struct error *err)
{
	struct section section = {context, key->text};

	for (size_t i = 0; i < config_n_keys; i++)
		if (!strcmp(config_keys[i].section, key->text))
			return yaml_each_pair(value, read_key, &section, err);
	return 0;
}

/* The detectors' first: they know of all sections, and remember the file. */
static int take(struct config *config, const struct yaml *yaml, struct error *err)
{
	int first = settings_take(config->settings, yaml, err), r;

	if (first && !yaml_errors(yaml))
		return first;
	r = yaml_root(yaml)->type == YAML_MAPPING
		    ? yaml_each_pair(yaml_root(yaml), read_section, config, err)
		    : 0;
	return first ?: r;
}

/* ---- defaults ---- */

static int set_defaults(struct config *config, struct error *err)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		_cleanup_(yaml_free) struct yaml *yaml = NULL;
		const char *usual = config_keys[i].usual;
		int r = yaml_parse(&yaml, "default", usual, strlen(usual), err);

		if (!r)
			r = read_value(config, &config_keys[i], yaml_root(yaml), err);
		if (r)
			return r;
	}
	return 0;
}

static int config_new(struct config **ret, struct error *err)
{
	_cleanup_(config_free) struct config *config = calloc(1, sizeof(*config));
	int r;

	if (!config || settings_new(&config->settings))
		return error_set(err, -ENOMEM, "out of memory");
	config->places = calloc(config_n_keys, sizeof(*config->places));
	if (!config->places)
		return error_set(err, -ENOMEM, "out of memory");
	r = set_defaults(config, err);
	if (!r)
		*ret = TAKE_PTR(config);
	return r;
}

void config_free(struct config **pointer)
{
	struct config *config = *pointer;

	if (!config)
		return;
	for (size_t i = 0; i < config_n_keys; i++)
		if (is_text(&config_keys[i]))
			free(*text_of(config, &config_keys[i]));
	settings_free(&config->settings);
	free(config->places);
	free(config);
	*pointer = NULL;
}

/* ---- to compare, to show ---- */

bool config_equal(const struct config *a, const struct config *b, const struct config_key *key)
{
	return is_text(key) ? !strcmp(*text_of(a, key), *text_of(b, key))
			    : *number_of(a, key) == *number_of(b, key);
}

void config_swap(struct config *a, struct config *b, const struct config_key *key)
{
	char *text;
	uint64_t number;

	if (is_text(key)) {
		text = *text_of(a, key);
		*text_of(a, key) = *text_of(b, key);
		*text_of(b, key) = text;
		return;
	}
	number = *number_of(a, key);
	*number_of(a, key) = *number_of(b, key);
	*number_of(b, key) = number;
}

const char *config_place(
	const struct config *config, const struct setting_place *place, char *text, size_t size)
{
	if (place->line)
		snprintf(text, size, "%s:%u", config->settings->files[place->file], place->line);
	else
		snprintf(text, size, "default");
	return text;
}

/* ---- files ---- */

/* What is wrong with it as a whole, told as the rest is where all is told. */
static int tell(struct yaml_errors *errors, int r, const struct error *err)
{
	if (!errors || (r != -EINVAL && r != -EFBIG))
		return r;
	errors->n++;
	errors->tell(errors->context, err);
	return -EINVAL;
}

/* -ENOENT, with err as it was: there is none. */
static int read_file(
	struct config *config, const char *path, struct yaml_errors *errors, struct error *err)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	int r = yaml_open(&yaml, path, err);

	if (r)
		return r == -ENOENT ? r : tell(errors, r, err);
	yaml_tell_errors(yaml, errors);
	return take(config, yaml, err);
}

static int is_yaml(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && *entry->d_name != '.' && !strcmp(entry->d_name + n - 5, ".yaml");
}

/* Byte by byte, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_dropin(struct config *config, const char *directory, const char *name,
	struct yaml_errors *errors, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	r = read_file(config, path, errors, err);
	return r == -ENOENT ? 0 : r; /* it has just gone */
}

static int read_dropins(
	struct config *config, const char *path, struct yaml_errors *errors, struct error *err)
{
	_cleanup_free_ char *directory = NULL;
	const char *slash = strrchr(path, '/');
	char shown[ESCAPED_SIZE(128)];
	struct dirent **entries;
	int n, r = 0;

	if (asprintf(&directory, "%.*s" CONFIG_DROPINS, slash ? (int)(slash - path) + 1 : 0, path) <
		0)
		return error_set(err, -ENOMEM, "out of memory");
	n = scandir(directory, &entries, is_yaml, by_name);
	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return error_set(err, -errno, "reading %s: %s",
			escape(directory, shown, sizeof(shown)), strerror(errno));
	for (int i = 0; i < n; i++) {
		if (!r || (errors && r == -EINVAL))
			r = read_dropin(config, directory, entries[i]->d_name, errors, err) ?: r;
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int load(
	struct config **ret, const char *path, struct yaml_errors *errors, struct error *err)
{
	_cleanup_(config_free) struct config *config = NULL;
	char shown[ESCAPED_SIZE(128)];
	int first, r = config_new(&config, err);

	if (r)
		return r;
	first = read_file(config, path ?: CONFIG_PATH, errors, err);
	if (first == -ENOENT && path) {
		error_set(err, first, "there is no file %s", escape(path, shown, sizeof(shown)));
		error_advise(err, "kvm-encstat.yaml(5) says what is in it");
		return first;
	}
	if (first == -ENOENT)
		first = 0;
	if (first && !(errors && first == -EINVAL))
		return first;
	r = read_dropins(config, path ?: CONFIG_PATH, errors, err) ?: first;
	if (!r)
		*ret = TAKE_PTR(config);
	return r;
}

int config_load(struct config **ret, const char *path, struct error *err)
{
	return load(ret, path, NULL, err);
}

int config_check(
	struct config **ret, const char *path, struct yaml_errors *errors, struct error *err)
{
	return load(ret, path, errors, err);
}

int config_parse(
	struct config **ret, const char *label, const void *text, size_t size, struct error *err)
{
	_cleanup_(config_free) struct config *config = NULL;
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	int r = config_new(&config, err);

	if (!r)
		r = yaml_parse(&yaml, label, text, size, err);
	if (!r)
		r = take(config, yaml, err);
	if (!r)
		*ret = TAKE_PTR(config);
	return r;
}
