/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `enforce` does while it runs: keeps the kernel's tables as the policies say, for each VM as
 * it comes to be known. enforcer.c has the rules, enforcer_arm.c
 * the way from policies to a veto that holds, enforcer_inherit.c what was there before,
 * enforcer_proof.c the proof that comes before all, enforcer_react.c what is done about frozen VMs
 * and findings.
 */
#ifndef CLI_ENFORCER_H
#define CLI_ENFORCER_H

#include "capture/live_veto.h"
#include "detect/finding.h"
#include "model/model.h"
#include "policy/policy.h"

#define REVISION_NONE UINT64_MAX
#define FIRST_SET     1 /* 0 is the empty one */

struct assigned {
	uint32_t vm;
	struct kes_policed which;
	uint64_t kvm;      /* what the kernel knows it by; 0: nothing */
	uint64_t revision; /* of the VM then: its name may come later */
	bool reach_due;    /* whether these rules reach its guest is not told yet */
};

/* A rule set in the kernel. */
struct place {
	struct kes_rule_set *set; /* as it is there; NULL: never used */
	uint32_t serial;
	uint64_t unused_ns; /* since when nobody goes by it; 0: somebody does */
	bool inherited;     /* an earlier tool's, whose VMs may still go by it */
};

/* How often a rule decided, over all rule sets that it was in. */
struct rule_count {
	uint8_t file;
	uint32_t line;
	struct kes_rule_count count;
};

/* A finding that has begun, to be seen to with the next turn. */
struct found {
	uint32_t vm;
	enum finding_kind kind;
	char id[FINDING_FULL_ID_SIZE];
	uint64_t gfn, npages; /* its first range */
};
#define FOUND_MAX 64

/* What the proof's guests did, as it was seen. */
#define PROOF_RUNS 5 /* of the first: a busy host may leave no room on the ring for what it did */
struct proof {
	uint32_t guests[PROOF_RUNS + 1]; /* processes */
	uint32_t vms[PROOF_RUNS + 1];    /* the same, by id */
	size_t n_guests, n_vms;
	uint64_t refused, passed, slipped;
};

struct enforcer {
	struct policies *policies;
	struct live_veto *veto;
	const struct veto_tables *tables;
	struct place places[KES_MAX_SETS];
	uint32_t serials;   /* the last one that was given */
	uint32_t countings; /* the same of kes_policed.counting */
	struct kes_veto settings;
	struct assigned *vms; /* sorted by vm */
	size_t n_vms;
	char *files[KES_FILES]; /* by number, as rules in the kernel have it */
	size_t n_files, n_told;
	struct rule_count *totals;
	size_t n_totals;
	struct proof proof;
	struct found found[FOUND_MAX];
	size_t n_found;
	uint64_t looked_ns;  /* for frozen VMs */
	bool proving;        /* what comes may be the proof's */
	bool waits;          /* some VM does not have its rules yet */
	bool froze;          /* some VM may just have been frozen */
	bool swept;          /* what an earlier tool left was looked through */
	bool ended;          /* some VM has */
	bool short_of_rules; /* some VM did not get its own, or they cannot be enforced */
};

/* ---- enforcer.c ---- */

/* The number that the file has in the kernel. -ENOSPC: there are too many. */
int enforcer_number_file(struct enforcer *enforcer, const char *path, uint8_t *ret);

/* A place for one rule set more. -E2BIG: there is none; -EAGAIN: not yet. */
int enforcer_install(struct enforcer *enforcer, const struct kes_rule_set *set, uint32_t *ret);

/* What holds for VMs of which no more is known than their type: from now on. */
int enforcer_set_standard(struct enforcer *enforcer, struct error *err);

/* Gives VMs their rules that are new, or are known by something else; forgets those that ended. */
int enforcer_turn(struct enforcer *enforcer, const struct model *model, struct error *err);

/* Goes by other policies, which are the enforcer's then. On an error all stays as it is. */
int enforcer_reload(struct enforcer *enforcer, struct policies *fresh, struct error *err);

/* Adds up what the rules in the kernel have counted; totals[] has it then. */
void enforcer_count(struct enforcer *enforcer);

void enforcer_free(struct enforcer *enforcer);

/* ---- enforcer_arm.c ---- */

/* What the policies need, and is not there: -ENOTSUP. */
int enforcer_check_gate(const struct policies *policies, bool has_gate, struct error *err);

/* Loads the veto, takes over what an earlier tool left, proves it, and puts the enforcer's policies
 * into force, which is said. On an error nothing is refused that was not before. */
int enforcer_arm(struct enforcer *enforcer, struct live *live, bool keep, int (*pump)(void *),
	void *session, struct error *err);

/* Reads the policies anew. Each VM goes from its old rules to its new ones at once, in the next
 * turn; if the new ones are wrong all stays as it is. finds: detectors run. */
int enforcer_read_anew(struct enforcer *enforcer, const char *path, bool finds, struct error *err);

/* Says what the veto was asked and has decided. */
void enforcer_tell_totals(struct enforcer *enforcer);

/* ---- enforcer_inherit.c ---- */

/* What an earlier tool left, if the veto took over from one. */
int enforcer_inherit(struct enforcer *enforcer, struct error *err);

/* ---- enforcer_proof.c ---- */

/* The tool's own guest is refused what it should be, and nothing else, at each level that is
 * attached. pump() takes in what has come, of others, too, each of which is for
 * enforcer_watch_proof() first. */
int enforcer_prove(
	struct enforcer *enforcer, int (*pump)(void *), void *session, struct error *err);
/* Whether the event is of a guest of the proof, and so no operator's: it is dealt with. */
bool enforcer_watch_proof(struct enforcer *enforcer, const struct event *event);
/* The same of a VM, once there was an event of it. */
bool enforcer_is_proof(const struct enforcer *enforcer, uint32_t vm);

/* ---- enforcer_react.c ---- */

/* A finding has begun. */
void enforcer_on_finding(struct enforcer *enforcer, const struct finding *finding);

/* VMMs that the kernel half has stopped go on, without their vCPUs; and what the policies say about
 * findings is done, and told. */
int enforcer_react(struct enforcer *enforcer, struct live *live, const struct model *model);

/* By when enforcer_turn() and enforcer_react() have to be called again, though nothing comes:
 * CLOCK_MONOTONIC, ns. */
uint64_t enforcer_due(const struct enforcer *enforcer);

#endif
