/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal: the only user of curses. However the program ends, but for SIGKILL, the terminal is
 * afterwards as it was.
 */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include "base/error.h"
#include "top/cells.h"
#include "top/keys.h"

struct screen;

/* -ENOTTY: stdin or stdout is no terminal. Touches nothing yet, but for taking signals in that
 * would end the program: screen_read() tells of them. */
int screen_new(struct screen **ret, enum theme theme, struct error *err);
void screen_free(struct screen **screen);

/* Readable when screen_read() has something to do. */
int screen_fd(const struct screen *screen);

/* Takes the terminal, and stderr, whose text comes out once the terminal is given back. */
int screen_start(struct screen *screen, struct error *err);
void screen_stop(struct screen *screen);

void screen_size(const struct screen *screen, int *ret_width, int *ret_height);

/* How many colours it shows. */
int screen_colours(const struct screen *screen);

/* Shows the cells; only what changed is sent. */
void screen_present(struct screen *screen, const struct cells *cells);
/* All of it is sent the next time. */
void screen_redraw(struct screen *screen);

/* The next key, or TK_RESIZE; false: there is none now. */
bool screen_read(struct screen *screen, struct key_press *ret);

/* A signal, or a terminal that is gone, wants the program to end. */
bool screen_is_over(const struct screen *screen);

#endif
