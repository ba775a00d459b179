/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the live view's settings are kept: $XDG_CONFIG_HOME/kvm-encstat/top.yaml, or below
 * ~/.config. */
#ifndef CLI_TOP_CONFIG_H
#define CLI_TOP_CONFIG_H

#include "top/settings.h"

struct top_config {
	struct top_settings settings; /* as they were read, or nothing */
	char path[4096];              /* "": there is nowhere to keep them */
	bool bad;                     /* a file is there, and is not understood: */
	struct error why;
};

/* Never fails: what cannot be read leaves nothing in the settings, and is `bad`. */
void top_config_read(struct top_config *config);

/* Writes them, all or nothing; a file that was bad is kept as top.yaml.bad. */
int top_config_write(
	struct top_config *config, const struct top_settings *settings, struct error *err);

#endif
