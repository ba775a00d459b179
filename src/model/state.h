/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model as bytes: saved at any point and loaded again, it takes in all further records as if
 * nothing had happened. For seeking in a capture, for those who join a running service, and for
 * that service's own next life.
 *
 * The bytes have a version, and belong to one ABI of hypercalls: what the guests' requests meant is
 * in the maps. They may come from anywhere: all is checked, nothing is trusted. A model that was
 * loaded has the memory that its bytes describe, and not more than STATE_MAPS_MAX of page maps.
 */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include "base/buffer.h"
#include "base/error.h"
#include "model/model.h"

#define STATE_VMS_MAX  16384u
#define STATE_MAPS_MAX (1ull << 30) /* bytes */

/* Appends the model to the buffer. -ENOMEM, -E2BIG for more VMs than can be loaded; the buffer is
 * as it was then. */
int model_save(const struct model *model, struct buffer *buffer);

/* -EBADMSG: these are no such bytes; -EPROTONOSUPPORT: those of another version; -ESTALE: made for
 * another ABI than options ask for; -ENOMEM. The error says it in words. */
int model_load(struct model **ret, const struct model_options *options, const void *bytes,
	size_t size, struct error *err);

#endif
