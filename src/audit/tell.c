/* SPDX-License-Identifier: GPL-2.0-only */
/* Events and findings as records. */
#include <string.h>
#include <syslog.h>

#include "audit/audit_private.h"
#include "base/cleanup.h"
#include "base/escape.h"

/* ---- whose ---- */

void tell_vm(struct audit_record *record, const struct vm *vm)
{
	char label[VM_LABEL_SIZE], type[16];

	if (!vm)
		return;
	record_set_u64(record, FIELD_VM, vm->id);
	record_set(record, FIELD_VM_NAME, "%s", vm_label(vm, label, sizeof(label)));
	if (*vm->text[KES_TEXT_UUID])
		record_set(record, FIELD_VM_UUID, "%s",
			escape(vm->text[KES_TEXT_UUID], label, sizeof(label)));
	if (!vm->known)
		return;
	record_set_u64(record, FIELD_VM_PID, vm->pid);
	record_set(record, FIELD_VM_TYPE, "%s", vm_type_name(vm->type, type));
}

void tell_who(const struct vm *vm, char *text, size_t size)
{
	char label[VM_SHORT_SIZE];

	if (vm)
		snprintf(text, size, "VM %u %s: ", vm->id, vm_label_short(vm, label));
	else
		snprintf(text, size, "host: ");
}

/* What the line of `events` says behind the VM, as MESSAGE. */
static void tell_message(struct audit_record *record, const struct event *event)
{
	_cleanup_free_ char *what = NULL;
	char who[VM_SHORT_SIZE + 16];
	size_t size;
	FILE *out = open_memstream(&what, &size);

	if (!out)
		return;
	event_write_what(out, event);
	fclose(out);
	if (!what)
		return;
	tell_who(event->vm, who, sizeof(who));
	record_add(record, "MESSAGE", "%s%.*s", who, (int)strcspn(what + strspn(what, " "), "\n"),
		what + strspn(what, " "));
}

/* ---- what ---- */

static void set_hex(struct audit_record *record, enum audit_field field, uint64_t value)
{
	record_set(record, field, "0x%llx", (unsigned long long)value);
}

static void set_range(struct audit_record *record, const struct event *event)
{
	record_set_u64(record, FIELD_GFN, event->gpa >> 12);
	record_set_u64(record, FIELD_NPAGES, event->npages);
}

static void set_latency(struct audit_record *record, const struct event *event)
{
	if (event->has_latency)
		record_set_u64(record, FIELD_LATENCY_NS, event->latency_ns);
}

static void set_conversion(struct audit_record *record, const struct event *event)
{
	record_set_u64(record, FIELD_VCPU, event->vcpu);
	set_range(record, event);
	record_set(record, FIELD_TO, "%s", page_state_name(event->to));
	set_hex(record, FIELD_ATTRS, event->attrs);
	record_set_u64(record, FIELD_NR, event->nr);
	set_latency(record, event);
}

static void set_ret(struct audit_record *record, const struct event *event)
{
	if (!event->inferred)
		record_set(record, FIELD_RET, "%lld", (long long)event->ret);
}

static void set_converted(struct audit_record *record, const struct event *event)
{
	set_conversion(record, event);
	set_ret(record, event);
	if (event->commit != COMMIT_NONE)
		record_set(record, FIELD_COMMIT, "%s", commit_name(event->commit));
}

static void set_refused(struct audit_record *record, const struct event *event)
{
	set_conversion(record, event);
	set_ret(record, event);
	record_set(record, FIELD_REASON, "%s", reason_name(event->reason));
}

static void set_denied(struct audit_record *record, const struct event *event)
{
	set_conversion(record, event);
	set_ret(record, event);
}

static void set_attributes(struct audit_record *record, const struct event *event)
{
	if (event->tid)
		record_set_u64(record, FIELD_TID, event->tid);
	set_range(record, event);
	record_set(record, FIELD_TO, "%s", page_state_name(event->to));
	set_hex(record, FIELD_ATTRS, event->attrs);
	set_ret(record, event);
	set_latency(record, event);
}

static void set_fault(struct audit_record *record, const struct event *event)
{
	record_set_u64(record, FIELD_VCPU, event->vcpu);
	set_range(record, event);
	record_set(record, FIELD_TO, "%s", page_state_name(event->to));
	set_hex(record, FIELD_FLAGS, event->fault_flags);
	set_ret(record, event);
}

static void set_pages(struct audit_record *record, const struct event *event)
{
	record_set_u64(record, FIELD_NPAGES, event->npages);
}

static void set_loss(struct audit_record *record, const struct event *event)
{
	record_set(record, FIELD_CAUSE, "%s", cause_name(event->cause));
	record_set_u64(record, FIELD_LOST, event->lost);
}

/* ---- a policy's word ---- */

static const char *action_word(uint8_t action)
{
	return action < KES_ACTIONS ? action_name((enum kes_action)action) : "unknown";
}

/* KES_RULE or KES_WOULD_RULE: "FILE:LINE"; and KES_POLICY, once. */
static void set_rule(
	struct audit_record *record, enum audit_field field, const char *file, uint32_t line)
{
	char shown[ESCAPED_SIZE(KES_TEXT_LIMIT)];

	if (!line)
		return;
	escape(file ?: "", shown, sizeof(shown));
	if (*shown && !record_field(record, FIELD_POLICY))
		record_set(record, FIELD_POLICY, "%s", shown);
	record_set(record, field, "%s:%u", shown, line);
}

static void set_verdict(struct audit_record *record, const struct event *event)
{
	const struct kes_judgement *judgement = event->judgement;
	bool change = event->judged & KES_F_CHANGE;

	set_conversion(record, event);
	record_set(record, FIELD_LEVEL, "%s",
		event->judged & KES_F_FOUND ? "finding"
		: change                    ? "ioctl"
					    : "gate");
	if (change && !(event->judged & KES_F_UNREADABLE))
		record_set(record, FIELD_BY, "%s", event->judged & KES_F_BY_VMM ? "vmm" : "guest");
	record_set(record, FIELD_ACTION, "%s", action_word(judgement->action));
	set_rule(record, FIELD_RULE, event->policy_file, judgement->line);
	if (judgement->err)
		record_set_u64(record, FIELD_ERRNO, judgement->err);
	if (!judgement->would_line)
		return;
	record_set(record, FIELD_WOULD, "%s", action_word(judgement->would));
	set_rule(record, FIELD_WOULD_RULE, event->would_file, judgement->would_line);
}

/* ---- all of them ---- */

static void (*const setters[AUDIT_KINDS])(struct audit_record *, const struct event *) = {
	[AUDIT_CONVERTED] = set_converted,
	[AUDIT_DENIED] = set_denied,
	[AUDIT_REFUSED] = set_refused,
	[AUDIT_UNANSWERED] = set_conversion,
	[AUDIT_VETO] = set_verdict,
	[AUDIT_MONITOR] = set_verdict,
	[AUDIT_VERDICT] = set_verdict,
	[AUDIT_ATTRIBUTES] = set_attributes,
	[AUDIT_FAULT] = set_fault,
	[AUDIT_VM_RESET] = set_pages,
	[AUDIT_LOSS] = set_loss,
};

void tell_event(struct audit *audit, enum audit_kind kind, const struct event *event)
{
	struct audit_record *record = audit_begin(audit, kind, event->ts_ns);

	tell_vm(record, event->vm);
	if (setters[kind])
		setters[kind](record, event);
	tell_message(record, event);
	audit_end(audit, audit_kinds[kind].priority);
}

void tell_new(struct audit *audit, struct account *account)
{
	const struct vm *vm = account->who;
	struct audit_record *record;
	char who[VM_SHORT_SIZE + 16], type[16];

	if (account->told)
		return;
	account->told = true;
	record = audit_begin(audit, AUDIT_VM_NEW, account->seen_ns);
	tell_vm(record, vm);
	if (vm->known)
		record_set_u64(record, FIELD_VM_UID, vm->uid);
	tell_who(vm, who, sizeof(who));
	record_add(record, "MESSAGE", "%sof type %s%s", who, vm_type_name(vm->type, type),
		vm->born ? " was made" : ", ran already");
	audit_end(audit, audit_kinds[AUDIT_VM_NEW].priority);
}

void tell_end(struct audit *audit, struct account *account, const struct event *event)
{
	const struct vm *vm = account->who;
	uint64_t pages[PAGE_STATES];
	struct audit_record *record;
	char who[VM_SHORT_SIZE + 16], shared[24];

	vm_count(vm, PLANE_GUEST, pages);
	record = audit_begin(audit, AUDIT_VM_END, event->ts_ns);
	tell_vm(record, vm);
	record_set_u64(record, FIELD_CONVERTED, vm->totals.converted);
	record_set_u64(record, FIELD_DENIED, vm->totals.denied);
	record_set_u64(record, FIELD_REFUSED, vm->totals.refused);
	record_set_u64(record, FIELD_UNANSWERED, vm->totals.unanswered + vm->totals.no_answer);
	record_set_u64(record, FIELD_VETOED, vm->totals.vetoed);
	record_set_u64(record, FIELD_ATTRIBUTES, vm->totals.attributes);
	record_set_u64(record, FIELD_FAULTS, vm->totals.faults);
	if (vm_has_map(vm)) {
		record_set_u64(record, FIELD_PRIVATE_PAGES, pages[PAGE_PRIVATE]);
		record_set_u64(record, FIELD_SHARED_PAGES, pages[PAGE_SHARED]);
		record_set_u64(record, FIELD_UNKNOWN_PAGES, pages[PAGE_UNKNOWN]);
	}
	record_set(record, FIELD_CONFIDENCE, "%s", confidence_name(vm_confidence(vm, PLANE_GUEST)));
	record_set_u64(record, FIELD_LOST, vm_lost(vm));
	tell_who(vm, who, sizeof(who));
	record_add(record, "MESSAGE", "%sended, with %s shared after %llu conversion%s (%s)", who,
		bytes_exact(pages[PAGE_SHARED] << 12, shared),
		(unsigned long long)vm->totals.converted, plural(vm->totals.converted),
		confidence_name(vm_confidence(vm, PLANE_GUEST)));
	audit_end(audit, audit_kinds[AUDIT_VM_END].priority);
}

/* ---- findings ---- */

static int priority_of(enum severity severity)
{
	static const int priorities[] = {
		[SEVERITY_INFO] = LOG_INFO,
		[SEVERITY_NOTICE] = LOG_NOTICE,
		[SEVERITY_WARNING] = LOG_WARNING,
		[SEVERITY_CRITICAL] = LOG_CRIT,
	};
	_Static_assert(ARRAY_SIZE(priorities) == SEVERITIES, "a priority for each severity");

	return priorities[severity];
}

static void set_finding(struct audit_record *record, const struct finding *f)
{
	char id[FINDING_FULL_ID_SIZE], kind[FINDING_ID_SIZE], label[VM_LABEL_SIZE], type[16];

	if (f->vm) {
		record_set_u64(record, FIELD_VM, f->vm);
		record_set(record, FIELD_VM_NAME, "%s", escape(f->name, label, sizeof(label)));
		if (*f->uuid)
			record_set(
				record, FIELD_VM_UUID, "%s", escape(f->uuid, label, sizeof(label)));
		record_set_u64(record, FIELD_VM_PID, f->pid);
		record_set(record, FIELD_VM_TYPE, "%s", vm_type_name(f->type, type));
	}
	record_set(record, FIELD_FINDING, "%s", finding_id(f, id));
	record_set(record, FIELD_FINDING_KIND, "%s", finding_kind_id(f->kind, kind));
	record_set(record, FIELD_FINDING_NAME, "%s", detectors[f->kind]->name);
	record_set(record, FIELD_SEVERITY, "%s", severity_name(f->severity));
	record_set(record, FIELD_CERTAINTY, "%s", certainty_name(f->certainty));
	record_set_u64(record, FIELD_COUNT, f->count);
	if (f->n_ranges)
		record_set_u64(record, FIELD_GFN, f->ranges[0].gfn);
	record_set_u64(record, FIELD_NPAGES, f->pages);
	if (f->state == FINDING_ENDED)
		record_set(record, FIELD_ENDED, "%s", finding_end_name(f->ended));
}

int audit_finding(void *context, const struct finding *f, enum finding_phase phase)
{
	static const enum audit_kind kinds[] = {
		[PHASE_BEGIN] = AUDIT_FINDING_BEGIN,
		[PHASE_UPDATE] = AUDIT_FINDING_UPDATE,
		[PHASE_END] = AUDIT_FINDING_END,
	};
	_Static_assert(ARRAY_SIZE(kinds) == PHASES, "a kind of record for each phase");
	struct audit *audit = context;
	char text[1024] = "", name[VM_SHORT_SIZE], id[FINDING_FULL_ID_SIZE];
	struct audit_record *record;

	if (phase == PHASE_UPDATE && !audit->settings.full)
		return 0;
	account_introduce(audit, f->vm);
	record = audit_begin(audit, kinds[phase], f->told_ns);
	set_finding(record, f);
	detectors[f->kind]->describe(f, text, sizeof(text));
	if (f->vm)
		record_add(record, "MESSAGE", "VM %u %s: %s %s: %s: %s%s", f->vm,
			name_short(f->name, name), severity_name(f->severity), finding_id(f, id),
			detectors[f->kind]->title, text, phase == PHASE_END ? " (ended)" : "");
	else
		record_add(record, "MESSAGE", "host: %s %s: %s: %s%s", severity_name(f->severity),
			finding_id(f, id), detectors[f->kind]->title, text,
			phase == PHASE_END ? " (ended)" : "");
	audit_end(audit, phase == PHASE_BEGIN ? priority_of(f->severity)
					      : audit_kinds[kinds[phase]].priority);
	return 0;
}
