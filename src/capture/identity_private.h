/* SPDX-License-Identifier: GPL-2.0-only */
/* What the halves of identity.c share: pieces of other people's text, and names made of them. */
#ifndef CAPTURE_IDENTITY_PRIVATE_H
#define CAPTURE_IDENTITY_PRIVATE_H

#include "capture/identity.h"

/* ---- identity_text.c ---- */

/* A piece of the input: not NUL-terminated. */
struct span {
	const char *at;
	size_t size;
};

bool span_starts(struct span span, const char *prefix);
bool span_ends(struct span span, const char *suffix);
bool span_equals(struct span span, const char *text);

/* Without its first n bytes, which it has. */
struct span span_skip(struct span span, size_t n);
struct span span_without(struct span span, const char *suffix);

/* What is before the first such byte; all of it if there is none. */
struct span span_before(struct span span, char byte);

/* Takes the next piece off *rest. A last piece without the byte behind it is one, too. */
bool span_next(struct span *rest, char end, struct span *ret);

/* What is behind its last slash. */
struct span span_base_name(struct span path);

/* The byte that \xNN at the beginning stands for; 0 if that is not there, or would be a NUL. */
char span_escaped_byte(struct span span);

/* Text of any length, of which only the beginning is kept: with it what is needed of a character
 * that does not fit, to know that it is one. */
struct text {
	size_t size; /* of all of it */
	unsigned char bytes[IDENTITY_NAME_MAX + 2];
};

/* Whether something was left out. */
bool name_keep(const struct text *text, char out[IDENTITY_NAME_MAX]);

/* The ways to write a name: as it is; QEMU's, where a comma is doubled; and systemd's, in the names
 * of units. A plain dash stays one there: in a path it would stand for a slash, but no machine's
 * name has slashes, and not all who make such units escape dashes. */
void name_plain(struct text *text, struct span span);
void name_doubled(struct text *text, struct span span);
void name_escaped(struct text *text, struct span span);

/* An empty name is none. */
void identity_set_name(struct identity *ret, struct span name, enum identity_source source,
	void (*write)(struct text *, struct span));

/* false, and nothing set, if it is none. */
bool identity_set_uuid(struct identity *ret, struct span uuid);

/* ---- identity_options.c ---- */

/* A VMM, by the way it writes its options. */
struct vmm;

/* The one that a program of this path is; never NULL. */
const struct vmm *identity_vmm(struct span program);
bool identity_is_qemu(const struct vmm *vmm);

/* What its words say, up to a "--": what follows that is no option of the VMM. */
void identity_read_options(struct identity *ret, const struct vmm *vmm, struct span words);

#endif
