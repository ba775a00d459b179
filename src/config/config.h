/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration: kvm-encstat.yaml, and over it the drop-ins in conf.d beside it, in the order
 * of their names; detectors' settings are in it, too. One row of config_keys[] for each key of the
 * other sections: reading, checking, showing and the manual all come from there.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "detect/settings.h"

#define CONFIG_PATH    "/etc/kvm-encstat/kvm-encstat.yaml"
#define CONFIG_DROPINS "conf.d"

enum config_type {
	CONFIG_TEXT,   /* char * */
	CONFIG_FILE,   /* char *: an absolute path, or nothing */
	CONFIG_SWITCH, /* uint64_t, as all that follow: 0 or 1 */
	CONFIG_COUNT,
	CONFIG_BYTES,
	CONFIG_TIME, /* nanoseconds */
	CONFIG_WORD, /* index of words */
	CONFIG_TYPES,
};

enum config_audit_to {
	CONFIG_AUDIT_NOWHERE,
	CONFIG_AUDIT_JOURNAL,
	CONFIG_AUDIT_FILE,
	CONFIG_AUDIT_BOTH,
};

struct config {
	/* daemon: */
	char *socket, *group, *state_dir, *policy;
	uint64_t ring_size, ended_vms, memory, save_interval, enforce, keep;
	/* audit: */
	uint64_t audit_to, audit_mode, audit_interval, audit_spool, audit_rotate, audit_files,
		audit_sync, audit_rate, audit_vm_burst, audit_vm_rate, audit_confirm;
	char *audit_file;
	/* metrics: */
	char *textfile;
	uint64_t textfile_interval, metrics_detail, metrics_max_vms;

	struct settings *settings;    /* the detectors'; has the files, too */
	struct setting_place *places; /* [key of config_keys] */
};

struct config_key {
	const char *section, *name;
	enum config_type type;
	size_t offset;     /* in struct config */
	const char *usual; /* the default, as it is written; "": nothing */
	uint64_t min, max;
	const char *words[4];
	bool live; /* a reload changes it */
	const char *help;
};

extern const struct config_key config_keys[];
extern const size_t config_n_keys;

/* Reads the file and its drop-ins. path NULL: CONFIG_PATH, which need not be there. The error says
 * file:line:column. -ENOENT with err filled: there is no such file. */
int config_load(struct config **ret, const char *path, struct error *err);

/* The same, but tells of all that is wrong, also of several files. -EINVAL: something was. */
struct yaml_errors;
int config_check(
	struct config **ret, const char *path, struct yaml_errors *errors, struct error *err);

/* From memory, over defaults, as the only file: label stands for it. */
int config_parse(
	struct config **ret, const char *label, const void *text, size_t size, struct error *err);

/* Fits _cleanup_(). */
void config_free(struct config **config);

/* Whether both have the same value there. */
bool config_equal(const struct config *a, const struct config *b, const struct config_key *key);

/* Gives each the other's value there. */
void config_swap(struct config *a, struct config *b, const struct config_key *key);

/* "FILE:LINE", or "default". */
const char *config_place(
	const struct config *config, const struct setting_place *place, char *text, size_t size);

#endif
