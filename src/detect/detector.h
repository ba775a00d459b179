/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a detector is, and what it may do. Each pattern is one file with one struct detector, which
 * holds its code, its settings with their reasons, and its page of the manual; detectors.c lists
 * them. Nothing here allocates once a VM is known, but for the finding itself.
 */
#ifndef DETECT_DETECTOR_H
#define DETECT_DETECTOR_H

#include "base/codec.h"
#include "detect/finding.h"
#include "model/model.h"

#define SECOND_NS      1000000000ull
#define MILLISECOND_NS 1000000ull
#define MINUTE_NS      (60 * SECOND_NS)
#define MIB_PAGES      (1ull << 8) /* frames */
#define GIB_PAGES      (1ull << 18)

enum unit {
	UNIT_COUNT,
	UNIT_PER_SECOND,
	UNIT_PERCENT,
	UNIT_TIME,   /* nanoseconds */
	UNIT_PAGES,  /* frames; bytes in the configuration */
	UNIT_SWITCH, /* 0 or 1 */
	UNITS,
};

/* Every detector's first settings. */
enum {
	SETTING_COUNT,  /* so many cases ... */
	SETTING_WINDOW, /* ... within this time, from the first one on, make a finding */
	SETTING_QUIET,  /* after so long without a case it ends */
	SETTING_OWN,    /* the detector's own begin here */
	SETTINGS_MAX = 10,
};

struct setting {
	const char *name; /* in the configuration; NULL: the detector has no more */
	enum unit unit;
	uint64_t value;
	const char *reason; /* why it has this value */
	struct {            /* VM types that have another one */
		enum kes_vm_type type;
		uint64_t value;
		const char *reason; /* NULL: no entry */
	} other[2];
	bool may_be_zero; /* as a rule 0 would make a finding of everything, or of nothing */
};

#define SETTINGS_COMMON(count, window_ns, quiet_ns, why)                                           \
	[SETTING_COUNT] = {"count", UNIT_COUNT, count, why, {}, false},                            \
	[SETTING_WINDOW] = {"window", UNIT_TIME, window_ns, "within which the cases have to come", \
		{}, false},                                                                        \
	[SETTING_QUIET] = {"quiet", UNIT_TIME, quiet_ns,                                           \
		"a case after this time is a new finding", {}, false}

/* For code_state(): an event that waits in it. */
void detect_code_event(struct codec *codec, struct event *event);

/* For describe(): appends to text, which begins as "". */
void say(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static inline const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

struct watch;

#define ON(kind) (1u << (kind))

/* What a conversion is, looked at once for all detectors: most want few of them. */
enum trait {
	TRAIT_UNCOMMITTED = 1 << 0, /* the host plane does not say so, or not of all pages */
	TRAIT_REDUNDANT = 1 << 1,   /* all its pages were so before */
	TRAIT_OUTSIDE = 1 << 2,     /* some of it lies in no memslot, as far as they are known */
	TRAIT_SEVERAL = 1 << 3,     /* it has more than one page */
	TRAIT_TO_SHARED = 1 << 4,
	TRAIT_TO_PRIVATE = 1 << 5,
	TRAIT_ODD = 1 << 6,     /* not as the ABI has it */
	TRAIT_AWAITED = 1 << 7, /* a detector said so: see watch_await() */
};

struct detector {
	enum finding_kind kind;
	const char *name;  /* in the configuration: one word */
	const char *title; /* what was found, in a few words */
	enum severity severity;
	enum certainty certainty;
	bool leans_on[PLANES]; /* planes that have to be exact for it to be certain */

	/* the manual: paragraphs */
	const char *what;     /* when it is found */
	const char *why;      /* why it matters */
	const char *harmless; /* what is known to cause it without harm */
	const char *todo;     /* what to do */

	struct setting settings[SETTINGS_MAX];
	uint32_t events; /* ON() of the kinds it wants */
	uint32_t needs;  /* traits: of EVENT_CONVERTED it wants only those that have all of them */
	size_t state_size; /* bytes for each VM, zeroed, its own */
	/* To bytes and back: names each field of the state. NULL only where there is none. */
	void (*code_state)(struct codec *codec, void *state);
	void (*on_event)(struct watch *watch, void *state, const struct event *event);
	/* Once a second of the records' time, and once when they end, or the VM does. May be NULL.
	 */
	void (*on_tick)(struct watch *watch, void *state);
	/* Tells what was seen in a sentence without its end, from count, pages, values; by say().
	 */
	void (*describe)(const struct finding *finding, char *text, size_t size);
};

extern const struct detector detect_uncommitted, detect_unsolicited, detect_storm, detect_flapping,
	detect_redundant, detect_outside, detect_malformed, detect_privilege, detect_sweep,
	detect_fault_loop, detect_again, detect_slow, detect_budget, detect_left_shared,
	detect_reused, detect_sacred, detect_giant, detect_twice, detect_kernel, detect_blind,
	detect_loss;
extern const struct detector *const detectors[FINDING_KINDS];

/* NULL: none has this name or id ("storm", "KES-003"). */
const struct detector *detector_find(const char *word);

/* ---- what a detector may ask of the VM it watches, and say ---- */

struct detect;
struct settings;

struct watch {
	struct detect *detect;
	const struct vm *vm;       /* NULL: the host */
	const struct model *model; /* for what VMs share */
	uint64_t now_ns;           /* of the records */
	uint64_t first_ns;         /* of the VM's first record here */
	uint64_t guest_ns;         /* the guest did something last; 0: not since birth or reset */
	uint64_t reset_ns;         /* last reset; 0: none */
	size_t memslot;            /* where the last range was: see watch_outside() */

	/* detect.c's own */
	uint32_t awaited; /* ON() of finding kinds */
	const uint64_t (*values)[SETTINGS_MAX];
	uint32_t enabled;     /* ON() of finding kinds */
	bool ended, finished; /* the VM has ended; the records have: see watch_is_over() */
	struct finding *findings[FINDING_KINDS]; /* pending or open; NULL: none */
	uint32_t numbers[FINDING_KINDS];
	uint32_t kept;
	void *state;
};

/* Nothing more comes of it: what waits is decided now. */
static inline bool watch_is_over(const struct watch *watch)
{
	return watch->ended || watch->finished;
}

static inline uint64_t setting(const struct watch *watch, enum finding_kind kind, int which)
{
	return watch->values[kind][which];
}

/* The detector wants conversions now, or does not: if it needs TRAIT_AWAITED it gets them (and may
 * get some that others wait for). */
static inline void watch_await(struct watch *watch, enum finding_kind kind, bool wanted)
{
	watch->awaited = wanted ? watch->awaited | ON(kind) : watch->awaited & ~ON(kind);
}

/* The detector's own state of this VM. */
void *watch_state(const struct watch *watch, enum finding_kind kind);

/* One more case: event is what was seen (NULL: nothing that has a record), npages 0 no range of
 * pages. Returns the finding, for values; NULL without memory. */
struct finding *watch_case(struct watch *watch, const struct detector *detector,
	const struct event *event, uint64_t gfn, uint64_t npages);

/* As many cases at once. */
struct finding *watch_cases(struct watch *watch, const struct detector *detector,
	const struct event *event, uint64_t gfn, uint64_t npages, uint64_t count);

/* It is one, though its cases are fewer than `count`. */
void watch_promote(struct watch *watch, struct finding *finding);

/* The finding of this kind that is open; NULL: there is none. */
struct finding *watch_open(struct watch *watch, const struct detector *detector);

/* What was wrong is right again: ends the finding, or forgets cases that were none yet. */
void watch_resolve(struct watch *watch, const struct detector *detector);

/* It is worse than such findings are as a rule. */
void watch_raise(struct watch *watch, struct finding *finding, enum severity severity);

/* How many frames lie in no memslot; 0 where memory is not known. */
uint64_t watch_outside(struct watch *watch, uint64_t gfn, uint64_t npages);

/* Conversions of all VMs, in whatever way they ended. */
uint64_t watch_host_conversions(const struct watch *watch);

/* Ranges that must never be shared, defaults and the configuration's. */
struct sacred {
	uint64_t gfn, npages;
	const char *name;
	const char *vm; /* a glob of VM names; NULL: all */
};
/* Whether it is one of this VM. */
bool sacred_concerns(const struct sacred *sacred, const struct vm *vm);
const struct sacred *watch_sacred(const struct watch *watch, size_t *ret_n);

#endif
