/* SPDX-License-Identifier: GPL-2.0-only */
/* All detectors, in the order of their ids: append only. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "detect/detector.h"

const struct detector *const detectors[FINDING_KINDS] = {
	[FINDING_UNCOMMITTED] = &detect_uncommitted,
	[FINDING_UNSOLICITED] = &detect_unsolicited,
	[FINDING_STORM] = &detect_storm,
	[FINDING_FLAPPING] = &detect_flapping,
	[FINDING_REDUNDANT] = &detect_redundant,
	[FINDING_OUTSIDE] = &detect_outside,
	[FINDING_MALFORMED] = &detect_malformed,
	[FINDING_PRIVILEGE] = &detect_privilege,
	[FINDING_SWEEP] = &detect_sweep,
	[FINDING_FAULT_LOOP] = &detect_fault_loop,
	[FINDING_AGAIN] = &detect_again,
	[FINDING_SLOW] = &detect_slow,
	[FINDING_BUDGET] = &detect_budget,
	[FINDING_LEFT_SHARED] = &detect_left_shared,
	[FINDING_REUSED] = &detect_reused,
	[FINDING_SACRED] = &detect_sacred,
	[FINDING_GIANT] = &detect_giant,
	[FINDING_TWICE] = &detect_twice,
	[FINDING_KERNEL] = &detect_kernel,
	[FINDING_BLIND] = &detect_blind,
	[FINDING_LOSS] = &detect_loss,
};

void say(char *text, size_t size, const char *format, ...)
{
	size_t n = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + n, size - n, format, arguments);
	va_end(arguments);
}

const struct detector *detector_find(const char *word)
{
	for (int i = 0; i < FINDING_KINDS; i++) {
		char id[FINDING_ID_SIZE];

		if (!strcmp(word, detectors[i]->name) ||
			!strcasecmp(word, finding_kind_id((enum finding_kind)i, id)))
			return detectors[i];
	}
	return NULL;
}
