/* SPDX-License-Identifier: GPL-2.0-only */
/* Between session.c and its three ways of getting records. */
#ifndef CLI_SESSION_PRIVATE_H
#define CLI_SESSION_PRIVATE_H

#include "capture/file_writer.h"
#include "cli/session.h"

struct daemon_client;

struct session {
	const struct options *options;
	const struct reader *reader;
	struct style style;
	struct model *model;
	struct settings *settings; /* NULL, as detect: no detectors run */
	struct detect *detect;
	struct capture_writer *writer; /* NULL: nothing is saved */
	bool writer_failed;
	struct {
		uint64_t records, bytes; /* in the file, when a state was written last */
		uint64_t size;           /* that it took there */
	} state;
	enum abi abi;
	bool damaged;      /* replay: something in the capture could not be read */
	bool incomplete;   /* replay: the capture was not closed */
	char problem[160]; /* replay: what was wrong with it first */
	int child_status;  /* of COMMAND, 0 if there was none */
	bool catching_up;  /* socket: what comes now was before we asked: nobody is told */
	char gone[160];    /* socket: why the daemon's stream ended before we did; "" it did not */
};

/* A record_fn: into the file, then into the model. */
int session_take(void *session, const struct kes_record *records, size_t n);

/* Each fills style and model before the first record. 0 or a negative errno with err filled. */
int session_run_live(struct session *session, struct error *err);
int session_run_file(struct session *session, struct error *err);
/* The daemon's records. client is the connection to it. */
int session_run_socket(struct session *session, struct daemon_client *client, struct error *err);

/* Of a capture's description: what reading it depends on. */
void session_read_metadata(const char *text, int64_t *ret_offset_ns, enum abi *ret_abi);

/* SIGINT, SIGTERM, SIGHUP, SIGCHLD and SIGUSR1 as a descriptor, or -1. */
int session_open_signals(void);

/* The capture that the options name, if they name one. about: how it describes itself; taken. */
int session_open_save(struct session *session, struct json_object *about, struct error *err);
int session_close_save(struct session *session, struct error *err);
/* What is known already: the capture begins with that. */
int session_save_state(struct session *session, struct error *err);
/* What waits goes into the file: every second or so. */
void session_flush_save(struct session *session);
/* It failed: a capture with nothing in it goes. */
void session_forget_save(struct session *session);

/* Makes the model; abi as in the options or, if they name none, as given. */
int session_start(struct session *session, enum abi abi, struct error *err);

/* What the two are made with, at the start and when another state is loaded. */
struct model_options session_model_options(struct session *session);
int session_new_detect(
	struct session *session, const struct model *model, struct detect **ret, struct error *err);

enum state_use {
	STATE_EXACT,   /* as good as all records before it: else -ESTALE */
	STATE_AS_IT_IS /* nothing better is there: the records before it are not */
};

/* Goes on from a state (detect/state.h), which replaces all there was: the reader's watch(),
 * detectors() and restored() are called. On failure all stays as it was. */
int session_load_state(struct session *session, const void *bytes, size_t size, enum state_use use,
	struct error *err);

/* The same without any: as before the first record. */
int session_begin_anew(struct session *session, struct error *err);

/* Writes a state to the capture, when it is time to. */
void session_write_state(struct session *session);

#endif
