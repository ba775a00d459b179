/* SPDX-License-Identifier: GPL-2.0-only */
/* How many calls came to what end. */
#ifndef GUEST_OUTCOMES_H
#define GUEST_OUTCOMES_H

#include <stdint.h>
#include <stdio.h>

#define OUTCOME_ERRORS 10

struct outcomes {
	uint64_t ok;
	uint64_t errors[OUTCOME_ERRORS]; /* as outcomes.c names them */
};

/* One more; ERR is 0 or -errno. */
void outcomes_count(struct outcomes *outcomes, int err);

void outcomes_add(struct outcomes *to, const struct outcomes *from);
uint64_t outcomes_failed(const struct outcomes *outcomes);

/* {"eperm":N,...}, of those that failed; all of them begins with "ok". */
void outcomes_print_failed(const struct outcomes *outcomes, FILE *out);
void outcomes_print_all(const struct outcomes *outcomes, FILE *out);

#endif
