/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/audit_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "config/config.h"

#define PATIENCE_MS (AUDIT_ALONE_MS / 2) /* until the records have arrived */

/* ---- records ---- */

static const char *const names[SERVER_CHANGES] = {
	[CHANGE_FREEZE] = "freeze",
	[CHANGE_RELEASE] = "release",
	[CHANGE_BASELINE] = "baseline",
	[CHANGE_MONITOR] = "monitor",
	[CHANGE_ENFORCE] = "enforce",
};

void audit_released(struct audit *audit, const struct audit_who *who, const char *why)
{
	const struct audit_value value = {FIELD_WHY, why};

	audit_note(audit, AUDIT_RELEASED, who, &value, 1, "nothing is refused any more: %s", why);
}

void audit_changed(struct audit *audit, const struct audit_who *who, enum server_change what,
	const struct kes_vm_label *which, const struct vm *vm)
{
	char id[16] = "", pid[16], name[VM_NAME_SIZE], shown[ESCAPED_SIZE(VM_NAME_SIZE)];
	const char *uuid = vm ? vm->text[KES_TEXT_UUID] : "";
	const struct audit_value values[] = {{FIELD_ACTION, names[what]},
		{FIELD_VM, vm ? id : NULL}, {FIELD_VM_NAME, name},
		{FIELD_VM_UUID, *uuid ? uuid : NULL}, {FIELD_VM_PID, pid}};

	snprintf(pid, sizeof(pid), "%u", which->pid);
	snprintf(name, sizeof(name), "%.*s", (int)sizeof(which->name), which->name);
	if (vm) {
		snprintf(id, sizeof(id), "%u", vm->id);
		vm_name(vm, name, sizeof(name));
	}
	audit_note(audit, AUDIT_CHANGED, who, values, ARRAY_SIZE(values),
		"%s, on request: VM %s%s%s, pid %s", names[what], id, vm ? " " : "",
		escape(name, shown, sizeof(shown)), pid);
}

/* ---- the log of this host ---- */

int audit_of_host(struct audit **ret, const struct config *config, const char *mode, bool begins,
	struct error *err)
{
	char directory[AUDIT_PATH_MAX + 16];
	struct audit_settings settings;
	const struct audit_options options = {.settings = &settings,
		.state_dir = directory,
		.mode = mode,
		.patience_ms = AUDIT_ALONE_MS};

	*ret = NULL;
	audit_settings_take(&settings, config);
	snprintf(directory, sizeof(directory), "%s/audit", config->state_dir);
	if ((!settings.journal && !*settings.file) || (!begins && access(directory, F_OK)))
		return 0;
	return audit_new(ret, &options, err);
}

/* ---- without a daemon ---- */

static int open_log(struct audit **ret, struct error *err)
{
	_cleanup_(config_free) struct config *config = NULL;
	int r = config_load(&config, NULL, err);

	return r ? r : audit_of_host(ret, config, "policy", false, err);
}

void audit_alone(enum server_change what, const struct kes_vm_label *which)
{
	_cleanup_(audit_free) struct audit *audit = NULL;
	struct audit_who who = audit_who(getuid(), getpid());
	struct error err = {};

	if (open_log(&audit, &err)) {
		fprintf(stderr, "kvm-encstat: the audit log does not have this: %s\n", err.text);
		return;
	}
	if (!audit)
		return;
	if (which)
		audit_changed(audit, &who, what, which, NULL);
	else
		audit_released(audit, &who, "on request");
	audit_stop(audit, "the command is done");
	if (audit_deliver(audit, PATIENCE_MS))
		fputs("kvm-encstat: the audit log is not delivered yet: it waits on disk for the "
		      "next start of the daemon\n",
			stderr);
}
