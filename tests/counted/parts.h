/* SPDX-License-Identifier: GPL-2.0-only */
/* The tests: each returns 0, or EXIT_FAILURE after it said what is wrong. */
#ifndef PARTS_H
#define PARTS_H

#include <stdint.h>

/* Random scripts of so many steps in all, each request held against the oracle. */
int test_scripts(uint64_t steps, uint64_t seed);

/* The rule sets that the others go by, of which these are two. */
int install_fixed(void);
#define OPEN 1 /* nothing is closed, and the limit is none */
#define FEW  2 /* 100 pages */

/* Bounds, locks, buckets: requests one by one, and what has to come of each. */
int test_by_hand(void);

/* Threads at the same VM, so many steps each; and VMs that end while others go on. */
int test_all_threads(uint64_t steps);

#endif
