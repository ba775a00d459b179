/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files say now, while all goes on: all of it is read and checked before any of it holds.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cli/daemon.h"

/* What holds after a restart only is said, by name, and stays as it is. */
static void keep_the_fixed(struct daemon *daemon, struct config *fresh, FILE *said)
{
	char place[4200];

	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->live || config_equal(daemon->config, fresh, key))
			continue;
		config_place(fresh, &fresh->places[i], place, sizeof(place));
		log_line(LOG_WARNING, "%s.%s has changed (%s): that holds after a restart only",
			key->section, key->name, place);
		if (said)
			fprintf(said, "%s.%s has changed (%s): that holds after a restart only\n",
				key->section, key->name, place);
		config_swap(daemon->config, fresh, key);
	}
}

static size_t count_changes(const struct config *old, const struct config *fresh)
{
	size_t n = 0;

	for (size_t i = 0; i < config_n_keys; i++)
		n += config_keys[i].live && !config_equal(old, fresh, &config_keys[i]);
	return n + settings_differ(old->settings, fresh->settings);
}

/* What is not enforced is not read, either. */
static void tell_taken(const struct daemon *daemon, size_t changes, FILE *said)
{
	const char *what = daemon->armed ? "configuration and policies were read anew"
					 : "configuration was read anew";
	const char *but = daemon->unarmed.code ? "; nothing of the policies: the veto could not be "
						 "armed, a restart tries again"
					       : "";

	log_line(LOG_NOTICE, "%s: %zu value%s changed%s", what, changes, changes == 1 ? "" : "s",
		but);
	if (said)
		fprintf(said, "%s: %zu value%s changed%s\n", what, changes, changes == 1 ? "" : "s",
			but);
}

/* Parts that may refuse come before those that cannot. */
static int take_on(struct daemon *daemon, struct config **fresh, FILE *said, struct error *err)
{
	size_t changes = count_changes(daemon->config, *fresh);
	char names[512];
	int r = daemon_enforce_reload(daemon, daemon_policy(daemon, *fresh), err);

	if (!r && daemon->detect)
		r = detect_set_settings(daemon->detect, (*fresh)->settings);
	if (r)
		return r;
	daemon_audit_changes(daemon->config, *fresh, names, sizeof(names));
	keep_the_fixed(daemon, *fresh, said);
	config_free(&daemon->config);
	daemon->config = TAKE_PTR(*fresh);
	daemon_metrics_reload(daemon);
	daemon_memory_reload(daemon);
	daemon_audit_reload(daemon, names);
	tell_taken(daemon, changes, said);
	return 0;
}

int daemon_reload(struct daemon *daemon, FILE *said, struct error *err)
{
	_cleanup_(config_free) struct config *fresh = NULL;
	struct error own = {};
	int r;

	err = err ?: &own;
	notify_reloading();
	r = config_load(&fresh, daemon->options->config, err);
	if (!r)
		r = take_on(daemon, &fresh, said, err);
	if (r) {
		log_line(LOG_ERR, "%s", err->text);
		if (*err->advice)
			log_line(LOG_ERR, "%s", err->advice);
		log_line(LOG_ERR, "nothing has changed: the old configuration and policies go on");
	}
	notify_ready(&daemon->notify);
	return r;
}
