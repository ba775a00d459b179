/* SPDX-License-Identifier: GPL-2.0-only */
/* Subcommands of `policy` that are about what the kernel enforces now. */
#ifndef CLI_CMD_POLICY_LIVE_H
#define CLI_CMD_POLICY_LIVE_H

#include "cli/options.h"

extern const struct command command_loaded, command_release, command_freeze, command_mode,
	command_baseline, command_reload;

#endif
