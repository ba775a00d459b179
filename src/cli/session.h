/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One run from a source of records, live, the daemon or a file, through the model to a reader: what
 * the reading commands share. They differ in the reader only, so a replay prints what live printed.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/options.h"
#include "detect/detect.h"
#include "output/output.h"

struct capture_reader;
struct seeker;
struct json_object;
struct live;
struct live_options;

/* A reader's event() is of a VM of the tool's own: no detector sees it, and the model does not keep
 * it. */
#define READER_NOBODYS 1

struct reader {
	/* Called for each event; may be NULL. 0, READER_NOBODYS or a negative errno. */
	int (*event)(void *context, const struct style *style, const struct event *event);
	/* Called once, when the records ended. Returns 0 or a negative errno, with err filled. */
	int (*finish)(void *context, const struct style *style, const struct model *model,
		struct error *err);
	/* Called for what is told of each finding; may be NULL. */
	int (*finding)(void *context, const struct style *style, const struct finding *finding,
		enum finding_phase phase);
	/* Called once, when the records ended, with all findings. May return an exit_status, too,
	 * which stands for EXIT_DONE and EXIT_PARTIAL. Detectors run where one of these two is set.
	 */
	int (*findings)(void *context, const struct style *style, const struct model *model,
		struct detect *detect, struct error *err);
	/* Live: before the programs are loaded. load() begins from a state of an earlier life, on
	 * an error anew; options takes what else there is of it. May be NULL. */
	void (*resume)(void *context,
		int (*load)(void *session, const void *bytes, size_t size, struct error *err),
		void *session, struct live_options *options);
	/* Live: all is watched, and COMMAND is yet to be started. pump() takes in what has come. */
	int (*start)(void *context, struct live *live, int (*pump)(void *session), void *session,
		struct error *err);
	/* Live: something may have come; with an input_fd also while KVM is waited for. 0, 1: that
	 * is enough, or a negative errno, with err filled.
	 */
	int (*turn)(void *context, const struct model *model, struct error *err);
	/* Live: by when turn() has to be called again, though nothing comes: CLOCK_MONOTONIC, ns;
	 * UINT64_MAX: never. NULL: all the time. */
	uint64_t (*due)(void *context);
	/* Before the first event; both are there until finish(). May be NULL. */
	void (*watch)(void *context, const struct model *model, const struct style *style);
	/* After watch(), where detectors run; they are there until finish(). May be NULL. */
	void (*detectors)(void *context, struct detect *detect);
	/* After those two: the model is in the middle, and detect (NULL: none run) has what was
	 * found. -ENOMEM. May be NULL. */
	int (*restored)(void *context, const struct model *model, struct detect *detect);
	/* Live: what has come, once the model has taken it in. May be NULL. */
	void (*records)(void *context, const struct kes_record *records, size_t n);
	/* File: before each record, of that time; may take its time. A negative errno ends the
	 * reading, with err filled; -EPIPE without a fault. May be NULL. */
	int (*pace)(void *context, uint64_t ts_ns, struct error *err);
	/* File: all was read of it. May be NULL. */
	void (*capture)(void *context, const struct capture_reader *capture);
	/* Live: SIGHUP; NULL: that ends it, as SIGTERM does. */
	void (*reload)(void *context);
	/* Live: before the programs go. */
	void (*stop)(void *context);
	struct seeker *seeker; /* file: other times to go to (cli/seek.h); NULL: none */
	void *context;
	const struct settings *settings; /* detectors'; NULL: as session_settings() has them */
	size_t max_ended; /* VMs that ended and are kept; 0: as many as the model does by itself */
	bool count_runs;  /* live: the kernel times the programs' runs, see live_hooks() */
	bool wants_resident; /* live: looks for memory that is there twice, now and then */
	bool hook_now; /* live: hooks all at once: a VM comes that has to be seen from birth */
	bool at_once;  /* socket: what the daemon knows is all that is asked for, where no duration
			  is  given; endless stands for own programs, which know nothing at first */
	bool endless;  /* live: goes on until told, where no duration and no command is given */
	bool quiet;    /* says nothing on stderr of what was read */
	int input_fd;  /* live: turn() is called when it is readable, too; 0: none */
};

/* Returns an exit_status, or the status of the command that was run when keep_status is set and it
 * is not 0. */
int session_run(const struct options *options, const struct reader *reader, bool keep_status,
	struct error *err);

/* Whether such a run would ask the daemon, which knows what went on before. */
bool session_asks_daemon(const struct options *options);

/* What a capture of live records says of itself: a JSON object, the caller's. live: NULL while KVM
 * is not there. */
struct json_object *session_describe(
	const struct options *options, const struct style *style, struct live *live);

/* Detectors' settings: from the file that --config names, or the host's own if there is one, else
 * defaults. The caller's. */
int session_settings(const struct options *options, struct settings **ret, struct error *err);

#endif
