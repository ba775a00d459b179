/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/client.h"

#define PATIENCE_MS 120000 /* with a daemon that is starting */

const char *remote_named(const struct options *options)
{
	const char *named = getenv("KVM_ENCSTAT_SOCKET");

	return options->socket ?: named && *named ? named : NULL;
}

static void tell_waiting(const char *path)
{
	fprintf(stderr,
		"kvm-encstat: the daemon at %s has not taken the call yet: it may be starting; "
		"waiting for it\n",
		path);
}

int remote_open(struct daemon_client **ret, const struct options *options, struct error *err)
{
	struct error why = {};
	int r;

	if (options->direct)
		return 0;
	r = daemon_client_new(ret, remote_named(options), &why);
	if (!r) {
		daemon_client_set_patience(*ret, PATIENCE_MS, tell_waiting);
		return 1;
	}
	if ((r == -ENOENT || r == -ECONNREFUSED) && !remote_named(options))
		return 0;
	*err = why;
	return r;
}
