/* SPDX-License-Identifier: GPL-2.0-only */
/* Events: what of them is counted, and what is told. */
#include "audit/audit_private.h"

static enum audit_kind kind_of_verdict(const struct event *event)
{
	const struct kes_judgement *judgement = event->judgement;

	if (judgement && judgement->action != KES_ALLOW)
		return AUDIT_VETO;
	return judgement && judgement->would_line ? AUDIT_MONITOR : AUDIT_VERDICT;
}

/* What is only counted, but for `mode: full`. AUDIT_KINDS: the event is not for the log. */
static enum audit_kind count(struct account *account, const struct event *event)
{
	switch (event->kind) {
	case EVENT_CONVERTED:
		account->converted++;
		if (event->to == PAGE_SHARED)
			account->to_shared += event->npages;
		else if (event->to == PAGE_PRIVATE)
			account->to_private += event->npages;
		return AUDIT_CONVERTED;
	case EVENT_ATTRIBUTES:
		account->attributes++;
		return AUDIT_ATTRIBUTES;
	case EVENT_FAULT:
		account->faults++;
		return AUDIT_FAULT;
	case EVENT_DENIED:
		account->denied++;
		return AUDIT_DENIED;
	case EVENT_REFUSED:
		account->refused++;
		return AUDIT_REFUSED;
	case EVENT_NO_ANSWER:
	case EVENT_UNANSWERED:
		account->unanswered++;
		return AUDIT_UNANSWERED;
	case EVENT_VERDICT:
		account->vetoed += kind_of_verdict(event) == AUDIT_VETO;
		return kind_of_verdict(event);
	default:
		return AUDIT_KINDS;
	}
}

/* Whether it is told one by one. */
static bool is_told(const struct audit *audit, enum audit_kind kind)
{
	switch (kind) {
	case AUDIT_CONVERTED:
	case AUDIT_ATTRIBUTES:
	case AUDIT_FAULT:
		return audit->settings.full;
	default:
		return true;
	}
}

static void tell_if_allowed(struct audit *audit, struct account *account, enum audit_kind kind,
	const struct event *event)
{
	if (!account_allows(audit, account, kind, event->ts_ns, event->npages))
		return;
	tell_new(audit, account);
	tell_event(audit, kind, event);
}

static void take_counted(struct audit *audit, struct account *account, const struct event *event)
{
	enum audit_kind kind = count(account, event);

	if (kind == AUDIT_KINDS)
		return;
	if (!account->since_ns)
		account->since_ns = event->now_ns;
	if (is_told(audit, kind))
		tell_if_allowed(audit, account, kind, event);
}

static void take(struct audit *audit, struct account *account, const struct event *event)
{
	switch (event->kind) {
	case EVENT_VM_NEW:
	case EVENT_ABI_DOUBT:
	case EVENT_HOST:
	case EVENT_RESIDENT:
	case EVENT_TIME:
		break;
	case EVENT_VM_END:
		tell_new(audit, account);
		account_flush(audit, account);
		tell_end(audit, account, event);
		break;
	case EVENT_FORGOTTEN:
		account_forget(audit, event->vm);
		break;
	case EVENT_LOSS:
		tell_if_allowed(audit, account, AUDIT_LOSS, event);
		break;
	case EVENT_READING:
		tell_if_allowed(audit, account, AUDIT_RESYNC, event);
		break;
	case EVENT_RESET:
	case EVENT_REPRIVATISED:
		tell_if_allowed(audit, account, AUDIT_VM_RESET, event);
		break;
	default:
		take_counted(audit, account, event);
		break;
	}
}

int audit_event(void *context, const struct event *event)
{
	struct audit *audit = context;
	struct account *account;

	audit->now_ns = event->now_ns;
	if (!audit->started)
		audit_tell_start(audit);
	if (!audit->next_ns)
		audit->next_ns = event->now_ns + audit->settings.interval_ns;
	if (event->now_ns >= audit->next_ns)
		accounts_flush(audit);
	account = account_of(audit, event->vm);
	if (account)
		take(audit, account, event);
	return 0;
}
