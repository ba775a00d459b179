/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What went wrong, for the one layer that tells the user. Functions return 0 or a negative errno;
 * those whose failure a person will read also fill a struct error with what was tried, on what and
 * why (text), and what to do about it (advice).
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct error {
	int code; /* negative errno, 0: nothing went wrong */
	char text[512];
	char advice[512]; /* may be empty */
};

/* Fills err (which may be NULL) and returns code, so that a caller can write `return
 * error_set(...)`. Clears the advice. Messages are cut, never overflow. */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds what the user can do about it. */
void error_advise(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
