/* SPDX-License-Identifier: GPL-2.0-only */
/* The other end of the daemon's socket: one call after the other. Needs base and varlink.[ch] only.
 */
#ifndef SERVICE_CLIENT_H
#define SERVICE_CLIENT_H

#include <json-c/json.h>
#include <stdbool.h>

#include "base/error.h"

#define CLIENT_INTERFACE  "io.kvmencstat"
#define CLIENT_PATH       "/run/kvm-encstat/io.kvmencstat"
#define CLIENT_TIMEOUT_MS 10000

struct daemon_client;

/* path: NULL for CLIENT_PATH. -ENOENT, -ECONNREFUSED: no daemon runs there; -EACCES: it is not for
 * this user. err says so, with what to do. */
int daemon_client_new(struct daemon_client **ret, const char *path, struct error *err);
void daemon_client_free(struct daemon_client **client);

/* The service manager may listen for a daemon that is yet to start: a call that nobody has taken
 * after two seconds is waited for so much longer, which tell() (NULL: nobody) says then. 0, as it
 * is at first: it is not. */
void daemon_client_set_patience(
	struct daemon_client *client, int patience_ms, void (*tell)(const char *path));

/* Calls a method, such as "List", and waits for its reply for so long. parameters: NULL none;
 * taken, also on failure. *ret: the reply's parameters, the caller's. A reply that is an error
 * fills err with its words: -EPERM NotPermitted, -ENXIO NoSuchVM, -ENOTSUP NotAvailable, -EBUSY
 * Busy, -ENOSYS a method that this daemon does not have, else -EREMOTEIO. -ETIMEDOUT; -EINPROGRESS:
 * so long, it has not even taken the call; -ECONNRESET: it is gone. */
int daemon_client_call(struct daemon_client *client, const char *method,
	struct json_object *parameters, int timeout_ms, struct json_object **ret,
	struct error *err);

/* The same of a method that takes `upgrade`, whose reply has a size: so many bytes follow it. They
 * go to *ret, the caller's, with a NUL behind them. No more calls then. */
int daemon_client_text(struct daemon_client *client, const char *method,
	struct json_object *parameters, int timeout_ms, char **ret, size_t *ret_size,
	struct error *err);

/* The same of a method that turns the connection into something else: *ret_fd, the caller's, has
 * what comes behind the reply. It does not block. No more calls then. */
int daemon_client_upgrade(struct daemon_client *client, const char *method, int timeout_ms,
	int *ret_fd, struct error *err);

#endif
