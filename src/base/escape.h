/* SPDX-License-Identifier: GPL-2.0-only */
/* Other people's bytes, made fit to be shown. */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include <stddef.h>
#include <stdio.h>

/* Room for any text of n bytes once escaped, and its end. */
#define ESCAPED_SIZE(n) ((n)*4 + 1)

/* Writes text into out as valid UTF-8 that neither a terminal nor JSON takes for anything but
 * letters: control characters, bytes that are not UTF-8, and characters that turn the writing
 * direction or are invisible come out as \xNN, byte by byte; a backslash comes out doubled. Cut
 * where out ends, never inside a character or an escape. Returns out. */
char *escape(const char *text, char *out, size_t size);

/* Text between tags of XML or HTML, or in a quoted attribute: nothing in it is markup. It has to be
 * UTF-8 such as escape() writes. */
void escape_xml(FILE *out, const char *text);

#endif
