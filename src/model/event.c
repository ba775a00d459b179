/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/event.h"

#include "base/cleanup.h"

const char *event_kind_name(enum event_kind kind)
{
	static const char *const names[] = {
		[EVENT_VM_NEW] = "vm-new",
		[EVENT_VM_END] = "vm-end",
		[EVENT_CONVERTED] = "converted",
		[EVENT_DENIED] = "denied",
		[EVENT_NO_ANSWER] = "no-answer",
		[EVENT_UNANSWERED] = "unanswered",
		[EVENT_REFUSED] = "refused",
		[EVENT_FAULT] = "fault",
		[EVENT_ATTRIBUTES] = "attributes",
		[EVENT_LOSS] = "loss",
		[EVENT_ABI_DOUBT] = "abi-doubt",
		[EVENT_READING] = "reading",
		[EVENT_RESET] = "reset",
		[EVENT_REPRIVATISED] = "reprivatised",
		[EVENT_VERDICT] = "verdict",
		[EVENT_TIME] = "time",
		[EVENT_HOST] = "host",
		[EVENT_RESIDENT] = "resident",
		[EVENT_FORGOTTEN] = "forgotten",
	};
	_Static_assert(ARRAY_SIZE(names) == EVENT_KINDS, "a name for each kind of event");

	return names[kind];
}

const char *prompt_name(enum prompt prompt)
{
	static const char *const names[] = {
		[PROMPT_NONE] = "none",
		[PROMPT_REQUEST] = "request",
		[PROMPT_FAULT] = "fault",
	};
	_Static_assert(ARRAY_SIZE(names) == PROMPTS, "a name for each prompt");

	return names[prompt];
}

const char *commit_name(enum commit commit)
{
	static const char *const names[] = {
		[COMMIT_NONE] = "none",
		[COMMIT_DONE] = "done",
		[COMMIT_PARTLY] = "partly",
		[COMMIT_NOT] = "not",
		[COMMIT_UNKNOWN] = "unknown",
	};
	_Static_assert(ARRAY_SIZE(names) == COMMITS, "a name for each commit");

	return names[commit];
}

const char *reason_name(uint32_t reason)
{
	static const char *const names[] = {
		[KES_REASON_NONE] = "none",
		[KES_REASON_CPL] = "caller not at CPL 0",
		[KES_REASON_DISABLED] = "not enabled by the VMM",
		[KES_REASON_UNALIGNED] = "address not aligned",
		[KES_REASON_EMPTY] = "no pages",
		[KES_REASON_WRAP] = "range wraps around",
		[KES_REASON_UNKNOWN] = "no exit followed",
	};
	_Static_assert(ARRAY_SIZE(names) == KES_REASON_MAX, "a name for each reason");

	return reason < ARRAY_SIZE(names) ? names[reason] : "a reason newer than this program";
}

const char *cause_name(uint32_t cause)
{
	static const char *const names[] = {
		[KES_CAUSE_RING_FULL] = "ring full",
		[KES_CAUSE_TABLE_FULL] = "kernel table full",
		[KES_CAUSE_UNATTRIBUTED] = "vCPU not proved or not readable",
		[KES_CAUSE_COUNTS_FULL] = "counter table full",
		[KES_CAUSE_UNWATCHED] = "nobody watched",
	};
	_Static_assert(ARRAY_SIZE(names) == KES_CAUSE_MAX, "a name for each cause");

	return cause < ARRAY_SIZE(names) ? names[cause] : "a cause newer than this program";
}
