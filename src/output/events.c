/* SPDX-License-Identifier: GPL-2.0-only */
/* Events as lines: what each kind shows is said once, in traits[], for text and JSON alike. */
#include <json-c/json.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "output/output.h"
#include "output/verdict.h"
#include "policy/policy.h"

/* Which fields mean something for a kind. */
enum field {
	HAS_VCPU = 1 << 0,
	HAS_RANGE = 1 << 1,
	HAS_TO = 1 << 2,
	HAS_ATTRS = 1 << 3,
	HAS_NR = 1 << 4,
	HAS_RET = 1 << 5,
	HAS_REASON = 1 << 6,
	HAS_LOST = 1 << 7,
	HAS_SEQ = 1 << 8,
	HAS_FLAGS = 1 << 9,
	HAS_VM = 1 << 10,
	HAS_TID = 1 << 11,
	HAS_PROMPT = 1 << 12,
	HAS_COMMIT = 1 << 13,
	HAS_PAGES = 1 << 14,
	HAS_CONVERSION = HAS_VCPU | HAS_RANGE | HAS_TO | HAS_ATTRS | HAS_NR | HAS_SEQ,
};

static const unsigned int traits[] = {
	[EVENT_VM_NEW] = HAS_SEQ | HAS_VM,
	[EVENT_VM_END] = HAS_SEQ,
	[EVENT_CONVERTED] = HAS_CONVERSION | HAS_RET | HAS_COMMIT,
	[EVENT_DENIED] = HAS_CONVERSION | HAS_RET,
	[EVENT_NO_ANSWER] = HAS_CONVERSION,
	[EVENT_UNANSWERED] = HAS_CONVERSION,
	[EVENT_REFUSED] = HAS_CONVERSION | HAS_RET | HAS_REASON,
	[EVENT_FAULT] = HAS_VCPU | HAS_RANGE | HAS_TO | HAS_RET | HAS_SEQ | HAS_FLAGS,
	[EVENT_ATTRIBUTES] =
		HAS_RANGE | HAS_TO | HAS_ATTRS | HAS_RET | HAS_SEQ | HAS_TID | HAS_PROMPT,
	[EVENT_LOSS] = HAS_LOST,
	[EVENT_ABI_DOUBT] = HAS_CONVERSION,
	[EVENT_READING] = 0,
	[EVENT_RESET] = HAS_PAGES | HAS_SEQ,
	[EVENT_REPRIVATISED] = HAS_PAGES | HAS_SEQ,
	[EVENT_VERDICT] = HAS_CONVERSION,
};
_Static_assert(ARRAY_SIZE(traits) == EVENT_TOLD, "traits for each kind of event that is told");

static unsigned int fields_of(const struct event *event)
{
	return event->kind < EVENT_TOLD ? traits[event->kind] : 0;
}

/* ---- JSON ---- */

static void add_vm(json_object *object, const struct event *event)
{
	char label[VM_LABEL_SIZE], type[16];
	const struct vm *vm = event->vm;

	if (!vm)
		return;
	json_add_u64(object, "vm", vm->id);
	if (vm->known)
		json_add_u64(object, "pid", vm->pid);
	if (fields_of(event) & HAS_VM) {
		json_add_string(object, "name", vm_label(vm, label, sizeof(label)));
		json_add_string(object, "type", vm_type_name(vm->type, type));
		if (*vm->text[KES_TEXT_UUID])
			json_add_string(object, "uuid",
				escape(vm->text[KES_TEXT_UUID], label, sizeof(label)));
		json_object_object_add(object, "born", json_object_new_boolean(vm->born));
	}
}

json_object *event_json(const struct event *event)
{
	json_object *object = json_object_new_object();
	unsigned int has = fields_of(event);

	json_add_string(object, "schema", "kvm-encstat.event/1");
	json_add_u64(object, "ts_ns", event->ts_ns);
	add_vm(object, event);
	if (has & HAS_VCPU)
		json_add_u64(object, "vcpu", event->vcpu);
	json_add_string(object, "kind", event_kind_name(event->kind));
	if (has & HAS_RANGE) {
		json_add_u64(object, "gfn", event->gpa >> 12);
		json_add_u64(object, "npages", event->npages);
		if (event->gpa & 0xfff)
			json_add_u64(object, "gpa", event->gpa);
	}
	if (has & HAS_TO)
		json_add_string(object, "to", page_state_name(event->to));
	if (has & HAS_ATTRS)
		json_add_u64(object, "attrs", event->attrs);
	if (has & HAS_NR)
		json_add_u64(object, "nr", event->nr);
	if ((has & HAS_RET) && !event->inferred)
		json_object_object_add(object, "ret", json_object_new_int64(event->ret));
	if (has & HAS_REASON)
		json_add_string(object, "reason", reason_name(event->reason));
	if ((has & HAS_TID) && event->tid)
		json_add_u64(object, "tid", event->tid);
	if ((has & HAS_PROMPT) && !event->ret)
		json_add_string(object, "prompt", prompt_name(event->prompt));
	if ((has & HAS_COMMIT) && event->commit != COMMIT_NONE) {
		json_add_string(object, "commit", commit_name(event->commit));
		json_add_u64(object, "committed", event->committed);
	}
	if (event->judgement)
		event_verdict_json(object, event);
	if (has & HAS_PAGES)
		json_add_u64(object, "shared_pages", event->npages);
	if (event->unsure)
		json_object_object_add(object, "unsure", json_object_new_boolean(true));
	if (event->inferred)
		json_object_object_add(object, "inferred", json_object_new_boolean(true));
	if (event->late)
		json_object_object_add(object, "late", json_object_new_boolean(true));
	if (has & HAS_FLAGS)
		json_add_u64(object, "flags", event->fault_flags);
	if (has & HAS_LOST) {
		json_add_string(object, "cause", cause_name(event->cause));
		json_add_u64(object, "lost", event->lost);
	}
	if (event->has_latency)
		json_add_u64(object, "latency_ns", event->latency_ns);
	if (has & HAS_SEQ)
		json_add_u64(object, "seq", event->seq);
	return object;
}

void event_write_json(FILE *out, const struct event *event)
{
	json_line(out, event_json(event));
}

/* ---- text ---- */

static void write_range(FILE *out, const struct event *event)
{
	char size[24];

	fprintf(out, " 0x%llx+", (unsigned long long)event->gpa);
	if (event->npages <= PAGEMAP_FRAMES)
		fputs(bytes_exact(event->npages << 12, size), out);
	else /* nothing real: shown as it came */
		fprintf(out, "0x%llx pages", (unsigned long long)event->npages);
}

static const char *page_size_name(uint64_t attrs)
{
	static const char *const names[] = {"4K", "2M", "1G"};

	return (attrs & 0xf) < ARRAY_SIZE(names) ? names[attrs & 0xf] : "size?";
}

static void write_commit(FILE *out, const struct event *event)
{
	char size[24];

	switch (event->commit) {
	case COMMIT_PARTLY:
		fprintf(out, ", HOST: ONLY %s OF IT", bytes_exact(event->committed << 12, size));
		break;
	case COMMIT_NOT:
		fputs(", HOST: NOT DONE", out);
		break;
	case COMMIT_UNKNOWN:
		fputs(", host plane not known", out);
		break;
	default:
		break;
	}
}

#define MAX_ERRNO 4095 /* include/linux/err.h */

static void write_change(FILE *out, const struct event *event)
{
	static const char *const why[] = {
		[PROMPT_NONE] = ", unasked",
		[PROMPT_REQUEST] = ", as asked",
		[PROMPT_FAULT] = ", after a fault",
	};
	_Static_assert(ARRAY_SIZE(why) == PROMPTS, "words for each prompt");

	if (event->ret < 0 && event->ret >= -MAX_ERRNO)
		fprintf(out, ", KVM: %s", strerror((int)-event->ret));
	else if (event->ret)
		fprintf(out, ", KVM: %lld", (long long)event->ret);
	else
		fputs(why[event->prompt], out);
	if (event->unsure)
		fputs(", arguments not certain", out);
}

static void write_outcome(FILE *out, const struct event *event)
{
	char text[24];

	switch (event->kind) {
	case EVENT_CONVERTED:
		write_commit(out, event);
		break;
	case EVENT_ATTRIBUTES:
		write_change(out, event);
		break;
	case EVENT_READING:
		fputs(" of the host plane from the kernel", out);
		break;
	case EVENT_RESET:
		fprintf(out, ", %s shared until then: all private again",
			bytes_exact(event->npages << 12, text));
		break;
	case EVENT_REPRIVATISED:
		fprintf(out, " in one go, as by kexec; still shared: %s",
			bytes_exact(event->npages << 12, text));
		break;
	case EVENT_VERDICT:
		if (event->judgement)
			event_verdict_text(out, event);
		break;
	case EVENT_DENIED:
		fprintf(out, ", VMM answered %lld", (long long)event->ret);
		break;
	case EVENT_REFUSED:
		fprintf(out, ", KVM: %s", reason_name(event->reason));
		if (!event->inferred)
			fprintf(out, " (guest sees %lld)", (long long)event->ret);
		break;
	case EVENT_NO_ANSWER:
		fputs(", answer not seen: these pages are unknown now", out);
		break;
	case EVENT_UNANSWERED:
		fputs(", the VM ended first", out);
		break;
	case EVENT_ABI_DOUBT:
		fprintf(out, ": attributes 0x%llx look like the other ABI, see --abi",
			(unsigned long long)event->attrs);
		break;
	case EVENT_LOSS:
		fprintf(out, " %llu records so far: %s", (unsigned long long)event->lost,
			cause_name(event->cause));
		break;
	default:
		break;
	}
	if (event->has_latency)
		fprintf(out, "  %s", duration_short(event->latency_ns, text));
	else if (event->late)
		fputs("  answer read late", out);
}

void event_write_text(FILE *out, const struct style *style, const struct event *event)
{
	char label[VM_SHORT_SIZE], time[24];

	fputs(time_text(style, event->ts_ns, time), out);
	if (event->vm)
		fprintf(out, "  %u %s", event->vm->id, vm_label_short(event->vm, label));
	else
		fputs("  host", out);
	event_write_what(out, event);
}

void event_write_what(FILE *out, const struct event *event)
{
	unsigned int has = fields_of(event);
	char type[16];

	if (has & HAS_VCPU)
		fprintf(out, " vcpu %u", event->vcpu);
	if ((has & HAS_TID) && event->tid)
		fprintf(out, " thread %u", event->tid);
	fprintf(out, "  %s", event_kind_name(event->kind));
	if (has & HAS_VM)
		fprintf(out, " %s%s", vm_type_name(event->vm->type, type),
			event->vm->born ? "" : ", running already");
	if (has & HAS_RANGE)
		write_range(out, event);
	if (has & HAS_TO)
		fprintf(out, " -> %s", page_state_name(event->to));
	if ((has & HAS_NR) && (event->attrs & 0xf))
		fprintf(out, " (%s)", page_size_name(event->attrs));
	write_outcome(out, event);
	fputc('\n', out);
}
