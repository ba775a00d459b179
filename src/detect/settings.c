/* SPDX-License-Identifier: GPL-2.0-only */
#include "detect/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Below 1 MiB lie what the firmware and the boot of vCPUs need, but for the window of the VGA
 * adapter, which is a device's; below 4 GiB the firmware itself, 16 MiB at the most. */
static const struct sacred defaults[] = {
	{0, 0xa0, "the first 640 KiB", NULL},
	{0xc0, 0x40, "the BIOS area below 1 MiB", NULL},
	{0xff000, 0x1000, "the firmware below 4 GiB", NULL},
};

static uint64_t default_value(const struct setting *setting, uint32_t type)
{
	for (size_t i = 0; i < sizeof(setting->other) / sizeof(*setting->other); i++)
		if (setting->other[i].reason && setting->other[i].type == type)
			return setting->other[i].value;
	return setting->value;
}

int settings_new(struct settings **ret)
{
	struct settings *settings = calloc(1, sizeof(*settings));

	if (!settings)
		return -ENOMEM;
	for (uint32_t type = 0; type < SETTINGS_TYPES; type++) {
		settings->enabled[type] = ON(FINDING_KINDS) - 1;
		for (int kind = 0; kind < FINDING_KINDS; kind++)
			for (int i = 0; i < SETTINGS_MAX; i++)
				settings->values[type][kind][i] =
					default_value(&detectors[kind]->settings[i], type);
	}
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		settings->sacred[settings->n_sacred++] = defaults[i];
	settings->n_defaults = settings->n_sacred;
	*ret = settings;
	return 0;
}

void settings_free(struct settings **pointer)
{
	struct settings *settings = *pointer;

	if (!settings)
		return;
	for (size_t i = 0; i < settings->n_texts; i++)
		free(settings->texts[i]);
	for (size_t i = 0; i < settings->n_files; i++)
		free(settings->files[i]);
	free(settings);
	*pointer = NULL;
}

/* NULL is nothing. */
static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_sacred(const struct sacred *a, const struct sacred *b)
{
	return a->gfn == b->gfn && a->npages == b->npages && same_text(a->name, b->name) &&
	       same_text(a->vm, b->vm);
}

static bool differs(const struct settings *a, const struct settings *b, int kind, int i)
{
	for (size_t type = 0; type < SETTINGS_TYPES; type++)
		if (i == SETTING_ENABLED ? (a->enabled[type] ^ b->enabled[type]) & ON(kind)
					 : a->values[type][kind][i] != b->values[type][kind][i])
			return true;
	return false;
}

size_t settings_differ(const struct settings *a, const struct settings *b)
{
	size_t n = 0, most = a->n_sacred > b->n_sacred ? a->n_sacred : b->n_sacred;

	for (int kind = 0; kind < FINDING_KINDS; kind++)
		for (int i = 0; i <= SETTING_ENABLED; i++)
			n += differs(a, b, kind, i);
	for (size_t i = 0; i < most; i++)
		n += i >= a->n_sacred || i >= b->n_sacred ||
		     !same_sacred(&a->sacred[i], &b->sacred[i]);
	return n;
}
