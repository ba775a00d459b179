/* SPDX-License-Identifier: GPL-2.0-only */
/* What the manual says of findings and their settings: made from the detectors' own tables, for the
 * terminal and for man. */
#ifndef OUTPUT_MANUAL_H
#define OUTPUT_MANUAL_H

#include <stdbool.h>
#include <stdio.h>

#include "detect/detector.h"

/* A kind of finding: what it is, why it matters, what causes it without harm, what to do, and its
 * settings for a VM of that type. */
void manual_explain(FILE *out, const struct detector *detector, uint32_t type);

/* All kinds, one line each. */
void manual_list(FILE *out);

/* man/kvm-encstat-findings.7 */
void manual_findings(FILE *out);

/* man/kvm-encstat.yaml.5 */
void settings_manual(FILE *out);

/* Text for man(7), `words` in bold. begins: at the start of a line. */
void manual_roff(FILE *out, const char *text, bool begins);

/* "10s", "64M", "6%": a setting's value. */
#define SETTING_TEXT_SIZE 24
const char *setting_text(enum unit unit, uint64_t value, char buffer[SETTING_TEXT_SIZE]);

/* Text in lines of at most 79 columns. */
void manual_wrap(FILE *out, int indent, const char *text);

#endif
