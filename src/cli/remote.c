/* SPDX-License-Identifier: GPL-2.0-only */
#include "cli/remote.h"

#include <errno.h>
#include <stdlib.h>

#include "service/client.h"

const char *remote_named(const struct options *options)
{
	const char *named = getenv("KVM_ENCSTAT_SOCKET");

	return options->socket ?: named && *named ? named : NULL;
}

int remote_open(struct daemon_client **ret, const struct options *options, struct error *err)
{
	struct error why = {};
	int r;

	if (options->direct)
		return 0;
	r = daemon_client_new(ret, remote_named(options), &why);
	if (!r)
		return 1;
	if ((r == -ENOENT || r == -ECONNREFUSED) && !remote_named(options))
		return 0;
	*err = why;
	return r;
}
