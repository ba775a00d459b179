/* SPDX-License-Identifier: GPL-2.0-only */
/* Between live_veto.c (programs) and live_veto_pins.c (what outlives the tool). */
#ifndef CAPTURE_LIVE_VETO_PRIVATE_H
#define CAPTURE_LIVE_VETO_PRIVATE_H

#include "bpf/veto.skel.h"
#include "capture/live_veto.h"

#define VETO_MAX_PROGRAMS 8

struct live_veto {
	struct live *live;
	struct veto *skeleton;
	struct bpf_link *links[VETO_MAX_PROGRAMS];
	size_t n_links;
	const char *form; /* in which the ioctls are hooked */
	struct veto_tables tables;
	bool keep;
	bool armed;               /* the module */
	bool was_armed;           /* before us */
	bool leftover;            /* there were tables of a tool that was killed */
	bool took_over;           /* the tables are those that an earlier tool left */
	struct kes_veto previous; /* by what that went */
	bool committed;
	int lock; /* no two tools enforce at once */
};

int veto_write_armed(bool armed);

/* -EBUSY with err filled: another tool enforces. */
int veto_pins_lock(struct live_veto *veto, struct error *err);

/* Looks for what an earlier tool kept: sets took_over, or says why it cannot. What no program uses
 * any more is removed. */
int veto_pins_find(struct live_veto *veto, bool keep, struct error *err);

/* Before loading: the tables are those that are pinned, but for the settings: until the new
 * programs are proved, the old ones go on with theirs. */
void veto_share_pins(struct live_veto *veto);

/* Pins the tables, and with keep the programs, over what was pinned before, whose programs go. */
int veto_pins_write(struct live_veto *veto, struct error *err);

void veto_pins_remove(void);

/* Gives the lock back; -1: there is none. */
void veto_pins_unlock(int lock);

#endif
