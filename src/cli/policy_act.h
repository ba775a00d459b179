/* SPDX-License-Identifier: GPL-2.0-only */
/* What is enforced, and changes to it by hand: for the commands, and for the daemon whom they ask.
 */
#ifndef CLI_POLICY_ACT_H
#define CLI_POLICY_ACT_H

#include <stdio.h>

#include "capture/live_veto.h"
#include "output/enforced.h"
#include "service/server.h"

/* As lines of JSON and as text; each may be NULL. veto: one's own, which knows how often it was not
 * asked where nobody may look for its programs any more; NULL: none. 0 or a negative errno with err
 * filled. */
int policy_loaded(const struct style *style, const struct live_veto *veto, FILE *json, FILE *text,
	struct error *err);

/* All changes but CHANGE_RELOAD. vm: as the user named it; NULL: CHANGE_RELEASE of all. What was
 * done is said. *ret, which may be NULL: which VM that was, zeroes if nobody knows. 0 or a negative
 * errno with err filled. */
int policy_act(enum server_change what, const char *vm, struct kes_vm_label *ret, FILE *said,
	struct error *err);

#endif
