/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a user has set, as a file: ~/.config/kvm-encstat/top.yaml. It is read strictly, and written
 * only when it is asked for. What a file does not say is as if there was none.
 */
#ifndef TOP_SETTINGS_H
#define TOP_SETTINGS_H

#include <stdio.h>

#include "base/error.h"
#include "picture/layout.h"
#include "top/columns.h"
#include "top/filter.h"
#include "top/theme.h"

enum tree {
	TREE_NONE,
	TREE_CGROUP,
	TREE_USER,
	TREES,
};

#define INTERVAL_MIN_NS 100000000ull
#define INTERVAL_MAX_NS 3600000000000ull

struct top_settings {
	uint64_t interval_ns;      /* 0: not said */
	enum theme theme;          /* THEMES: not said */
	const struct column *sort; /* NULL: not said */
	bool falling;
	struct column_set columns; /* none: not said */
	char filter[FILTER_TEXT];  /* one that filter_parse() takes */
	enum tree tree;
	enum layout_kind map;
	bool ended; /* VMs that ended are shown */
};

/* Nothing is said. */
void top_settings_init(struct top_settings *settings);

/* -ENOENT: there is no file; -EINVAL, -EFBIG ...: err says what is wrong, and where. *ret is
 * untouched then. */
int top_settings_open(struct top_settings *ret, const char *path, struct error *err);
int top_settings_parse(struct top_settings *ret, const char *label, const void *text, size_t size,
	struct error *err);

/* As a file that says the same. A filter that no file can have, of bytes that are no text, is left
 * out. */
void top_settings_write(FILE *out, const struct top_settings *settings);

#endif
