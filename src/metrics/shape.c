/* SPDX-License-Identifier: GPL-2.0-only */
/* The lines of a family, made once for all VMs: only a VM's labels and the number differ, and a
 * text has a hundred thousand of them. */
#include <stdlib.h>
#include <string.h>

#include "metrics/metrics_private.h"

void shape_free(struct shape *shape)
{
	text_free(&shape->text);
	free(shape->series);
	*shape = (struct shape){};
}

static struct series *next_series(struct shape *shape)
{
	size_t size = shape->size ? 2 * shape->size : 16;
	struct series *grown;

	if (shape->n == shape->size) {
		grown = reallocarray(shape->series, size, sizeof(*grown));
		if (!grown)
			return NULL;
		shape->series = grown;
		shape->size = size;
	}
	return &shape->series[shape->n++];
}

/* With the label of each axis; NULL: none more. */
static void add(struct shape *shape, const struct family *family, const char *suffix,
	const struct axis *const axes[AXES], const unsigned int at[AXES])
{
	const char *before = family->of_vm ? "," : "{";
	struct series *series = next_series(shape);
	struct text *text = &shape->text;

	if (!series) {
		text->failed = true;
		return;
	}
	*series = (struct series){.name = text->n, .at = {at[0], at[1]}};
	text_string(text, family->name);
	text_string(text, suffix);
	text_string(text, family->of_vm ? "{" : "");
	series->tail = text->n;
	for (int k = 0; k < AXES && axes[k]; k++) {
		char buffer[AXIS_VALUE_SIZE];

		text_string(text, before);
		text_string(text, axes[k]->label);
		text_string(text, "=\"");
		text_string(text, axes[k]->value(at[k], buffer));
		text_string(text, "\"");
		before = ",";
	}
	text_string(text, *before == ',' ? "} " : " ");
	series->end = text->n;
}

static bool has_value(const struct axis *axis, unsigned int i)
{
	char buffer[AXIS_VALUE_SIZE];

	return !axis || axis->value(i, buffer);
}

static void add_histogram(struct shape *shape, const struct family *family)
{
	static const struct axis *const none[AXES];
	unsigned int i = 0;

	for (; i < family->axes[0]->n; i++)
		add(shape, family, "_bucket", family->axes, (const unsigned int[AXES]){i});
	add(shape, family, "_count", none, (const unsigned int[AXES]){i});
	add(shape, family, "_sum", none, (const unsigned int[AXES]){i + 1});
}

static unsigned int length(const struct axis *axis)
{
	return axis ? axis->n : 1;
}

void shape_make(struct shape *shape, const struct family *family)
{
	const struct axis *const *axes = family->axes;

	if (family->type == FAMILY_HISTOGRAM) {
		add_histogram(shape, family);
		return;
	}
	for (unsigned int i = 0; i < length(axes[0]); i++)
		for (unsigned int j = 0; j < length(axes[1]); j++)
			if (has_value(axes[0], i) && has_value(axes[1], j))
				add(shape, family, family_suffix(family), axes,
					(const unsigned int[AXES]){i, j});
}

bool series_is_time(const struct family *family, const struct series *series)
{
	if (strcmp(family->unit, "seconds") != 0)
		return false;
	return family->type != FAMILY_HISTOGRAM || series->at[0] > family->axes[0]->n;
}
