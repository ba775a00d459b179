/* SPDX-License-Identifier: GPL-2.0-only */
/* Within the parser: the words of a line (words.c), and the directives (parse_guest.c,
 * parse_vmm.c). What returns an int returns 0 or -1, and has said on stderr what is wrong.
 */
#ifndef GUEST_PARSE_H
#define GUEST_PARSE_H

#include "script.h"

#define MAX_WORDS 16

struct parser {
	const char *path;
	unsigned line;
	struct script *script;
	struct vm_script *vm;
	struct vcpu_script *vcpu;
	size_t repeats[MAX_LOOPS]; /* index of the step after each open repeat */
	unsigned depth;
};

extern const char *const size_names[]; /* by enum page_size, NULL at the end */

/* Always -1. */
__attribute__((format(printf, 2, 3))) int wrong(const struct parser *p, const char *format, ...);

/* Decimal or 0x hex; K, M, G, T multiply by 1024, ... */
int number(const struct parser *p, const char *word, uint64_t *ret);
int in_range(const struct parser *p, const char *word, uint64_t min, uint64_t max, uint64_t *ret);

/* The index of WORD in a NULL-ended list of names. */
int choice(const struct parser *p, const char *word, const char *const *names);

/* Finds KEY=VALUE among words and returns VALUE; crosses the word out. */
const char *take(char **words, const char *key);
int take_number(const struct parser *p, char **words, const char *key, uint64_t *value);
int choose(const struct parser *p, char **words, const char *key, const char *const *names,
	int otherwise);

/* Whatever nobody took. */
int nothing_left(const struct parser *p, char **words);

/* One more step of the vCPU at hand. */
struct step *add_step(struct parser *p, enum step_kind kind);

/* One directive each; WORDS are those after its name, as many as it may have. */
int parse_share(struct parser *p, char **words);
int parse_private(struct parser *p, char **words);
int parse_hypercall(struct parser *p, char **words);
int parse_random(struct parser *p, char **words);
int parse_flood(struct parser *p, char **words);
int parse_out(struct parser *p, char **words);
int parse_spin(struct parser *p, char **words);
int parse_touch(struct parser *p, char **words);
int parse_repeat(struct parser *p, char **words);
int parse_until(struct parser *p, char **words);
int parse_end(struct parser *p, char **words);
int parse_answer(struct parser *p, char **words);
int parse_delay(struct parser *p, char **words);
int parse_commit(struct parser *p, char **words);
int parse_attributes(struct parser *p, char **words);
int parse_rewrite(struct parser *p, char **words);
int parse_foreign(struct parser *p, char **words);
int parse_race(struct parser *p, char **words);
int parse_write(struct parser *p, char **words);
int parse_read(struct parser *p, char **words);
int parse_discard(struct parser *p, char **words);
int parse_punch(struct parser *p, char **words);
int parse_reset(struct parser *p, char **words);
int parse_abandon(struct parser *p, char **words);
int parse_barrier(struct parser *p, char **words);
int parse_wait_file(struct parser *p, char **words);
int parse_touch_file(struct parser *p, char **words);
int parse_truth(struct parser *p, char **words);

#endif
