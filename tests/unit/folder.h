/* SPDX-License-Identifier: GPL-2.0-only */
/* A folder of a test's own. */
#ifndef TESTS_UNIT_FOLDER_H
#define TESTS_UNIT_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

static inline int folder_forget(
	const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	return where->level ? remove(path) : 0;
}

/* Takes out all that is in it. */
static inline int folder_empty(const char *folder)
{
	return nftw(folder, folder_forget, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
