/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon's audit log. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/log.h"
#include "cli/audit_change.h"
#include "cli/daemon.h"

#define PATIENCE_MS 1000 /* at the end: what is not delivered by then waits for the next start */

int daemon_audit_new(struct daemon *daemon, struct error *err)
{
	return audit_of_host(&daemon->audit, daemon->config, "daemon", true, err);
}

void daemon_audit_event(struct daemon *daemon, const struct event *event)
{
	if (daemon->audit)
		audit_event(daemon->audit, event);
}

void daemon_audit_finding(
	struct daemon *daemon, const struct finding *finding, enum finding_phase phase)
{
	if (daemon->audit)
		audit_finding(daemon->audit, finding, phase);
}

static void tell_trouble(struct daemon *daemon)
{
	struct audit_status status;

	audit_status(daemon->audit, &status);
	if (strcmp(status.trouble, daemon->audit_trouble)) {
		if (*status.trouble)
			log_line(LOG_ERR, "%s: records wait on disk", status.trouble);
		else
			log_line(LOG_NOTICE, "the audit log is delivered again");
		snprintf(
			daemon->audit_trouble, sizeof(daemon->audit_trouble), "%s", status.trouble);
	}
	if (status.unconfirmed && !daemon->audit_unconfirmed)
		log_line(LOG_WARNING, "the journal cannot be read back: what of the audit log "
				      "arrives there is not known");
	daemon->audit_unconfirmed = status.unconfirmed;
}

void daemon_audit_turn(struct daemon *daemon)
{
	if (!daemon->audit)
		return;
	audit_turn(daemon->audit);
	tell_trouble(daemon);
}

uint64_t daemon_audit_due(const struct daemon *daemon)
{
	int ms = daemon->audit ? audit_timeout(daemon->audit) : -1;

	return ms < 0 ? UINT64_MAX : clock_now_ns() + (uint64_t)ms * 1000000;
}

/* ---- what operators do ---- */

void daemon_audit_config(struct daemon *daemon, const char *changed)
{
	const struct settings *settings = daemon->config->settings;

	if (!daemon->audit)
		return;
	for (size_t i = 0; i < settings->n_files; i++) {
		char hex[SHA256_HEX], shown[ESCAPED_SIZE(KES_TEXT_LIMIT)];
		const struct audit_value values[] = {
			{FIELD_FILE, settings->files[i]},
			{FIELD_DIGEST, sha256_hex(settings->digests[i], hex)},
		};

		audit_note(daemon->audit, AUDIT_CONFIG, &daemon->who, values, ARRAY_SIZE(values),
			"configuration read: %s, sha256 %s%s%s",
			escape(settings->files[i], shown, sizeof(shown)), hex,
			*changed ? "; changed: " : "", changed);
	}
	if (!settings->n_files)
		audit_note(daemon->audit, AUDIT_CONFIG, &daemon->who, NULL, 0,
			"there is no configuration file: the defaults hold%s%s",
			*changed ? "; changed: " : "", changed);
}

void daemon_audit_changes(
	const struct config *old, const struct config *fresh, char *names, size_t size)
{
	size_t used = 0;

	*names = '\0';
	for (size_t i = 0; i < config_n_keys && used < size; i++)
		if (!config_equal(old, fresh, &config_keys[i]))
			used += (size_t)snprintf(names + used, size - used, "%s%s.%s",
				used ? ", " : "", config_keys[i].section, config_keys[i].name);
	if (settings_differ(old->settings, fresh->settings) && used < size)
		snprintf(names + used, size - used, "%sfindings", used ? ", " : "");
}

void daemon_audit_reload(struct daemon *daemon, const char *changed)
{
	struct audit_settings settings;
	struct error err = {};

	if (!daemon->audit)
		return;
	daemon_audit_config(daemon, changed);
	audit_settings_take(&settings, daemon->config);
	if (audit_reload(daemon->audit, &settings, &err))
		log_line(LOG_WARNING, "%s", err.text);
}

void daemon_audit_policy(struct daemon *daemon)
{
	if (daemon->audit && daemon->enforcer.policies)
		audit_policy(daemon->audit, daemon->enforcer.policies, &daemon->who);
}

void daemon_audit_armed(struct daemon *daemon)
{
	const struct live_veto *veto = daemon->enforcer.veto;
	const struct audit_value value = {FIELD_FORM, live_veto_form(veto)};

	if (daemon->audit)
		audit_note(daemon->audit, AUDIT_ARMED, &daemon->who, &value, 1,
			"what the policies deny is refused, proved on guests of our own: %sthe "
			"VMMs' ioctls (%s)",
			live_veto_has(veto, VETO_GATE) ? "hypercalls (gate), " : "",
			live_veto_form(veto));
}

void daemon_audit_unarmed(struct daemon *daemon)
{
	const struct audit_value value = {FIELD_WHY, daemon->unarmed.text};

	if (daemon->audit)
		audit_note(daemon->audit, AUDIT_UNARMED, &daemon->who, &value, 1, "%s: %s",
			daemon->kept ? "the policies could not be enforced: only what was before is"
				     : "the policies could not be enforced: nothing is refused",
			daemon->unarmed.text);
}

void daemon_audit_released(struct daemon *daemon, const char *why)
{
	if (daemon->audit)
		audit_released(daemon->audit, &daemon->who, why);
}

void daemon_audit_memory(struct daemon *daemon, const char *figures)
{
	if (daemon->audit)
		audit_note(daemon->audit, AUDIT_MEMORY, NULL, NULL, 0, "memory is %s: %s",
			daemon->memory.is_short ? "short" : "not short any more", figures);
}

/* Who enforces may be another kvm-encstat, which numbers VMs otherwise. */
static const struct vm *same_vm(const struct daemon *daemon, const struct kes_vm_label *which)
{
	const struct vm *vm = which->vm ? model_find(daemon->model, which->vm) : NULL;

	return vm && vm->pid == which->pid ? vm : NULL;
}

void daemon_audit_changed(
	struct daemon *daemon, enum server_change what, const struct kes_vm_label *which)
{
	if (daemon->audit)
		audit_changed(daemon->audit, &daemon->who, what, which, same_vm(daemon, which));
}

/* ---- the end ---- */

void daemon_audit_stop(struct daemon *daemon)
{
	if (!daemon->audit)
		return;
	audit_stop(daemon->audit, "the daemon was told to end");
	(void)audit_deliver(daemon->audit, PATIENCE_MS);
}
