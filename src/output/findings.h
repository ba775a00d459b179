/* SPDX-License-Identifier: GPL-2.0-only */
/* Findings as people and programs read them. */
#ifndef OUTPUT_FINDINGS_H
#define OUTPUT_FINDINGS_H

#include "detect/detect.h"
#include "output/output.h"

/* Some lines: what, where, when. */
void finding_write_text(FILE *out, const struct style *style, const struct finding *finding);
/* "kvm-encstat.finding/1", see docs/json.md. */
void finding_write_json(FILE *out, const struct finding *finding);

/* The same as one line among events, with its phase. */
void finding_event_text(FILE *out, const struct style *style, const struct finding *finding,
	enum finding_phase phase);
void finding_event_json(FILE *out, const struct finding *finding, enum finding_phase phase);

/* All there is to say of it: what was seen, and its kind's page of the manual. */
void finding_explain_text(FILE *out, const struct style *style, const struct finding *finding);
void finding_explain_json(FILE *out, const struct finding *finding);

#endif
