/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line: one table of options, from which parsing and --help both come. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "config/config.h"
#include "detect/finding.h"
#include "metrics/metrics.h"
#include "model/model.h"
#include "picture/layout.h"

enum format {
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_RANGES,
	FORMAT_SVG,
	FORMAT_PNG,
	FORMATS,
};

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PARTIAL = 3, /* done, but records were lost or the capture is not whole */
	EXIT_FOUND = 4,   /* done, and what was found is worth a look */
};

#define OPTIONS_ARGS 3

struct options {
	enum format format;
	enum plane plane;
	bool diff; /* --plane diff: both */
	enum layout_kind layout;
	bool layout_given;
	unsigned int width; /* of a picture; 0: not given */
	const char *range;  /* of a picture: the part of memory; NULL: all */
	bool resync;
	bool selftest;
	enum abi abi;
	bool abi_given;
	bool all;
	bool ascii;
	bool force;
	bool verbose;
	bool no_trampolines;
	bool keep;
	bool findings;
	enum severity severity;     /* the least that is shown */
	const char *since;          /* NULL: not given */
	const char *textfile;       /* NULL: standard output */
	enum metrics_detail detail; /* METRICS_DETAILS: not given */
	size_t max_vms;             /* SIZE_MAX: not given */
	bool plain;                 /* text 0.0.4, not OpenMetrics */
	const char *manual;         /* the page to write; NULL: none */
	const char *config;         /* NULL: CONFIG_PATH, if it is there */
	const char *policy;         /* NULL: POLICY_PATH */
	const char *ask;            /* a range to convert; NULL: not given */
	enum page_state ask_to;
	const char *args[OPTIONS_ARGS]; /* words, for a command that takes_args */
	size_t n_args;
	double duration_s; /* negative: not given */
	size_t ring_bytes; /* 0: not given */
	const char *interval, *filter, *sort, *columns, *theme, *speed,
		*samples; /* NULL: not given */
	bool once, batch, allow_actions, no_kernel_stats;
	const char *to[2]; /* where the audit log goes: "journal", "file:PATH" */
	size_t n_to;
	bool full;                                         /* all conversions, one by one */
	const char *state;                                 /* of the audit log; NULL: not given */
	const char *log_file, *directory, *machine, *boot; /* to verify; NULL: not given */
	const char *output;
	const char *save;
	const char *vm;     /* NULL: not given */
	const char *id;     /* of a finding; NULL: not given */
	const char *file;   /* replay's */
	const char *socket; /* the daemon's; NULL: not given, see socket_path() */
	bool direct;        /* own programs, even where the daemon runs */
	char **command;     /* after --, NULL-terminated; NULL: none */
	char **words;       /* the whole command line from the command's name on, for takes_words */
};

#define POLICY_PATH "/etc/kvm-encstat/policy.d"

/* The options a command may take, as bits. */
enum option_bit {
	OPT_JSON = 1 << 0,
	OPT_FORMAT = 1 << 1,
	OPT_PLANE = 1 << 2,
	OPT_ABI = 1 << 3,
	OPT_ALL = 1 << 4,
	OPT_ASCII = 1 << 5,
	OPT_FORCE = 1 << 6,
	OPT_VERBOSE = 1 << 7,
	OPT_TRAMPOLINES = 1 << 8,
	OPT_DURATION = 1 << 9,
	OPT_RING = 1 << 10,
	OPT_OUTPUT = 1 << 11,
	OPT_SAVE = 1 << 12,
	OPT_RESYNC = 1 << 13,
	OPT_SELFTEST = 1 << 14,
	OPT_FINDINGS = 1 << 15,
	OPT_SINCE = 1 << 16,
	OPT_SEVERITY = 1 << 17,
	OPT_CONFIG = 1 << 18,
	OPT_MANUAL = 1 << 19,
	OPT_POLICY = 1 << 20,
	OPT_ASK = 1 << 21,
	OPT_CAPTURE = 1 << 22,
	OPT_KEEP = 1 << 23,
	OPT_PICTURE = 1 << 24,
	OPT_TOP = 1 << 25,
	OPT_REPORT = 1 << 26,
	OPT_METRICS = 1 << 27,
	OPT_SOCKET = 1 << 28,
	OPT_DIRECT = 1 << 29,
	OPT_AUDIT = 1 << 30,
	OPT_VERIFY = 1u << 31,

	/* what every command that loads programs takes */
	OPT_LIVE = OPT_VERBOSE | OPT_TRAMPOLINES | OPT_RING,
	/* what every one that may ask the daemon instead takes */
	OPT_ASKS = OPT_SOCKET | OPT_DIRECT,
	/* and every one that reads for a while */
	OPT_READ = OPT_LIVE | OPT_ASKS | OPT_ABI | OPT_DURATION | OPT_SAVE | OPT_FORCE | OPT_RESYNC,
};

struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;   /* one line */
	const char *text;      /* the rest of its help */
	unsigned int options;
	bool takes_vm;
	bool takes_id;      /* of a finding */
	size_t takes_args;  /* so many words, no more ... */
	bool may_lack_args; /* ... and, without this, no less */
	bool takes_command; /* after -- */
	bool takes_words;   /* parses its words itself */
	bool replays;       /* may follow `replay FILE` */
	const struct command *const
		*commands; /* what may follow its name, up to NULL; NULL: nothing */
	/* Returns an exit_status, or COMMAND's own status where the command keeps it; on
	 * EXIT_FAILED err says what to tell the user. */
	int (*run)(const struct options *options, struct error *err);
};

/* Parses what follows the command's name. -EINVAL with err filled: usage. */
int options_parse(struct options *options, const struct command *command, int argc, char **argv,
	struct error *err);

/* What --format and --layout call them. */
const char *format_name(enum format format);
const char *layout_name(enum layout_kind layout);

/* Defaults. */
void options_init(struct options *options);

void options_help(const struct command *command);

/* What an option is, for those who list them. */
struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* NULL: a flag */
	const char *help;
};

/* One after the other, from *i = 0 on, what the command takes; false: that was all. */
bool options_next(const struct command *command, size_t *i, struct option_row *ret);

#endif
