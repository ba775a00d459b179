/* SPDX-License-Identifier: GPL-2.0-only */
/* The table without a screen: as text, and as "kvm-encstat.top/1", see docs/json.md. */
#ifndef TOP_BATCH_H
#define TOP_BATCH_H

#include "top/top.h"

/* A line with the time and the host's figures, titles, a line for each VM, an empty one. */
void batch_write_text(FILE *out, struct top *top);

/* One object for each VM that the filter leaves. */
void batch_write_json(FILE *out, struct top *top);

#endif
