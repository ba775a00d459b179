/* SPDX-License-Identifier: GPL-2.0-only */
/* Changes of the host plane that nobody asked for, while it is not clear yet what they were. */
#ifndef DETECT_UNSOLICITED_H
#define DETECT_UNSOLICITED_H

#include "detect/detector.h"

/* Takes a change that the VMM made since then out of those that wait: it was made instead of what
 * a guest had asked for. false: there was none. */
bool unsolicited_claim(struct watch *watch, uint64_t since_ns, struct event *ret);

#endif
