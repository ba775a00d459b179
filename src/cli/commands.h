/* SPDX-License-Identifier: GPL-2.0-only */
/* One row per command; each lives in its own file. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"

extern const struct command command_list, command_events, command_map, command_record,
	command_findings, command_explain, command_policy, command_enforce, command_replay,
	command_top, command_report, command_metrics, command_audit, command_daemon, command_config,
	command_doctor;

/* NULL-terminated, in the order in which help shows them. */
extern const struct command *const commands[];

/* NULL for a name that is none. */
const struct command *command_find(const char *name);

/* The command as it is over a capture: what it takes. */
struct command command_replayed(const struct command *command);

/* Runs a command on its own words; argv[0] is its name. file: the capture to replay, NULL for live.
 */
int command_run(
	const struct command *command, int argc, char **argv, const char *file, struct error *err);

#endif
