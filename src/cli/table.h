/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line as a table: completions of shells are made from it, and tests read it. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdio.h>

/*
 * Lines of four fields with tabs between: a command as it is typed ("" for what comes first), a
 * word that may follow, what is to follow that word, help. A word of "" is about words that are no
 * options. What is to follow:
 *
 *   command   more words: the two together are a command
 *   -         nothing
 *   =A B C    one of these
 *   ,A B C    some of these, with commas between
 *   file, vm, program, any
 */
void table_print(FILE *out);

#endif
