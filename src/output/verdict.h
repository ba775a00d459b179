/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef OUTPUT_VERDICT_H
#define OUTPUT_VERDICT_H

#include <json-c/json.h>
#include <stdio.h>

#include "output/output.h"

/* Both are about an event with a judgement. What it is about is said elsewhere. */
void event_verdict_json(json_object *object, const struct event *event);
void event_verdict_text(FILE *out, const struct event *event);

#endif
