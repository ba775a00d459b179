/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Detectors, what they wait for and what they found, as bytes: saved at any point and loaded again
 * they find from then on what they would have found. Beside the state of their model, which says
 * more of the bytes: model/state.h.
 */
#ifndef DETECT_STATE_H
#define DETECT_STATE_H

#include "base/buffer.h"
#include "base/error.h"
#include "detect/detect.h"

/* Appends it to the buffer. -ENOMEM; the buffer is as it was then. */
int detect_save(const struct detect *detect, struct buffer *buffer);

enum detect_load {
	DETECT_LOAD_SAME, /* only what these settings found */
	DETECT_LOAD_ANY,  /* what others found is as good: the new settings hold from now on */
};

/*
 * Detect is new and watches the model that was loaded with it. -EBADMSG: these are no such bytes,
 * or not of this model; -EPROTONOSUPPORT: those of another version; -ESTALE: with other settings,
 * or without findings that detect is to keep, and only SAME would do; -ENOMEM. The error says it in
 * words, and detect is of no use any more.
 */
int detect_load(struct detect *detect, const void *bytes, size_t size, enum detect_load how,
	struct error *err);

/* ---- both in one: what a capture's STATE holds ---- */

/* Appends both; detect may be NULL. As model_save(). */
int state_save(const struct model *model, const struct detect *detect, struct buffer *buffer);

/* What of it is what: parts of the bytes, for the functions that load them. */
struct state_view {
	const void *model, *detect; /* detect NULL: there is none */
	size_t model_size, detect_size;
	size_t max_ended; /* ended VMs that the model kept at the most */
};
/* -EBADMSG, -EPROTONOSUPPORT, with the error filled. */
int state_open(struct state_view *ret, const void *bytes, size_t size, struct error *err);

#endif
