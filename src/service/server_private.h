/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of the server: who is connected, what they may cost. */
#ifndef SERVICE_SERVER_PRIVATE_H
#define SERVICE_SERVER_PRIVATE_H

#include <systemd/sd-event.h>

#include "base/buffer.h"
#include "capture/encode.h"
#include "service/outbox.h"
#include "service/peer.h"
#include "service/server.h"
#include "service/varlink.h"

#define CLIENTS_MAX  1024
#define CLIENTS_USER 256 /* of one user, root excepted */
#define CLIENTS_ROOT 32  /* of CLIENTS_MAX: for root alone */
#define WATCHERS_MAX 32  /* that get events as JSON: each looks at each event */

#define SECOND_NS 1000000000ull
#define STALL_NS  (10 * SECOND_NS) /* for the rest of a message, and for nothing being taken */
#define LINGER_NS (10 * SECOND_NS) /* for the last words to be read */
#define SWEEP_NS  SECOND_NS        /* how often it is looked who overdid it */
#define FLUSH_NS  20000000ull      /* how long a record waits for company */

#define STREAM_BYTES    (8u << 20)   /* of records wait for a subscriber at most */
#define WATCH_BYTES     (1u << 20)   /* of events wait for a watcher */
#define SNAPSHOTS_BYTES (128u << 20) /* of snapshots that are on their way, several ones */
#define REPLIES_BYTES   (64u << 20)  /* of replies that nobody has read yet */
#define REPLIES_SHORT   (4u << 20)   /* the same while memory is short */
#define SNAPSHOT_NS     SECOND_NS    /* that it is kept for while nobody reads on */
#define SINCE_BLOCKS    256          /* a snapshot is used for so long: it and what came since */
#define SINCE_RECORDS   65536u
#define EVENTS_A_SECOND 5000      /* that become JSON ... */
#define EVENTS_NS       100000000 /* ... and how long that may take: the records wait meanwhile */
#define MAP_RANGES      65536u    /* of a map as JSON */

enum client_mode {
	CLIENT_CALLS,
	CLIENT_EVENTS,
	CLIENT_STREAM,
	CLIENT_CLOSING, /* its last words are on their way */
};

struct client {
	struct client *next, **link;
	struct server *server;
	sd_event_source *io;
	int fd;
	struct peer peer;
	enum client_mode mode;
	struct varlink_input input;
	bool has_message; /* a whole one that waits for its turn */
	struct outbox outbox;

	uint64_t partial_ns;      /* a message began and did not end since; 0: none */
	uint64_t moved, moved_ns; /* of the outbox, and since when that is so */
	uint64_t closing_ns;

	uint32_t index;   /* stream: of its next block */
	size_t allowance; /* stream: bytes that may wait */

	char *vm; /* events: of this VM only; NULL: of all */
	bool findings;
	struct buffer lines; /* events: not yet in the outbox */
	uint64_t missed;     /* events: left out, and not told yet */
};

/* A block that all get, but for its place. */
struct shared_block {
	struct file_block block;
	struct chunk *payload;
};

/* One snapshot and all that came since: how a subscriber begins. */
struct snapshot {
	struct chunk *chunk; /* header, META, STATE; NULL: there is none */
	uint32_t next_index; /* of the block behind it */
	struct shared_block since[SINCE_BLOCKS];
	size_t n_since;
	uint64_t n_records;
	uint64_t used_ns; /* when somebody was given it last */
};

struct server {
	const struct server_view *view;
	sd_event *event;
	sd_event_source *listener, *sweep, *flush;
	int listen_fd;
	char *path; /* that it bound; NULL: somebody else did */
	gid_t group;

	struct client *clients;
	struct server_counts counts;
	struct client *watching[WATCHERS_MAX];
	size_t watchers;

	struct encoder *encoder; /* NULL, as waiting: nobody has subscribed yet */
	struct kes_record *waiting;
	size_t n_waiting;
	struct snapshot snapshot;
	size_t snapshots_bytes, replies_bytes;
	bool is_short;                       /* memory is */
	uint64_t events_second, events_left; /* which second, and how many it may have yet */
	int64_t events_left_ns;              /* the same */
};

/* ---- connection.c ---- */

int client_new(struct server *server, int fd, const struct peer *peer);
void client_free(struct client *client);
void client_mode(struct client *client, enum client_mode mode);
/* Asks for what it waits for next. */
void client_arm(struct client *client);
/* As outbox_add(). client_arm() afterwards. */
int client_send(struct client *client, const void *head, size_t head_size, struct chunk *chunk,
	size_t limit);
/* Text of a reply, a malloc()ed string, which is taken; it goes with its NUL. */
int client_send_text(struct client *client, char *text, size_t limit);
/* The same of any bytes. */
int client_send_bytes(struct client *client, void *bytes, size_t size, size_t limit);
/* It did not keep up: what waits is forgotten, it is told, and its connection ends. */
void client_drop(struct client *client);
/* What time has brought. May free it. */
void client_sweep(struct client *client, uint64_t now_ns);

/* ---- calls.c ---- */

/* Answers one message. A negative errno: the connection must end at once. */
int methods_dispatch(struct client *client, struct json_object *message);

/* Names of all methods, by number; NULL behind the last. */
const char *methods_name(size_t i);

/* {"error":...,"parameters":{"text":...,"advice":...}}, the caller's; NULL: no memory. error: of
 * our own interface, without its name. */
char *methods_error_text(const char *error, const struct error *err);

/* ---- subscribers.c, watchers.c ---- */

/* The client gets all there is, and what follows. 0, or a negative errno with err filled. */
int subscribe(struct client *client, struct error *err);
void subscribers_flush(struct server *server);
void subscribers_free(struct server *server);
void subscribers_sweep(struct server *server, uint64_t now_ns);
/* It is in the server's list of those who watch, and leaves it. */
void watch_no_more(struct client *client);
/* A block that says where the stream is, or why it ends. */
int subscriber_notice(struct client *client, const char *notice, const char *text);

int watch_events(struct client *client, const char *vm, bool findings, struct error *err);
void watchers_flush(struct server *server);
void watchers_sweep(struct server *server);

/* Something waits that goes out soon. */
void server_flush_soon(struct server *server);

#endif
