/* SPDX-License-Identifier: GPL-2.0-only */
/* The daemon, where it runs, as the other commands see it. */
#ifndef CLI_REMOTE_H
#define CLI_REMOTE_H

#include "cli/options.h"

struct daemon_client;

/* Where it is said to be: --socket, else $KVM_ENCSTAT_SOCKET; NULL: neither says so. */
const char *remote_named(const struct options *options);

/* 1: *ret is a connection to it, the caller's. 0: it does not run, or is not to be asked, so that
 * one's own programs must do. A negative errno, with err filled: it runs but cannot be asked, or
 * does not run though its socket was named. */
int remote_open(struct daemon_client **ret, const struct options *options, struct error *err);

#endif
