/* SPDX-License-Identifier: GPL-2.0-only */
/* The life of a finding: cases until there are enough, begin, updates, end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN, MAX */

#include "base/cleanup.h"
#include "base/place.h"
#include "detect/detect_private.h"

/* ---- one VM ---- */

void watch_configure(struct watch *watch)
{
	const struct settings *settings = watch->detect->options.settings;
	size_t row = settings_type(watch->vm ? watch->vm->type : KES_VM_DEFAULT);

	watch->values = settings->values[row];
	watch->enabled = settings->enabled[row];
}

int watch_init(struct watch *watch, struct detect *detect, const struct vm *vm)
{
	*watch = (struct watch){.detect = detect, .vm = vm, .model = detect->model};
	watch->state = calloc(1, detect->state_size);
	if (!watch->state)
		return -ENOMEM;
	watch->first_ns = watch->now_ns = detect->now_ns;
	watch_configure(watch);
	return 0;
}

void watch_release(struct watch *watch)
{
	for (int i = 0; i < FINDING_KINDS; i++)
		free(watch->findings[i]);
	free(watch->state);
}

/* ---- telling ---- */

/* The VM's name may have come since; what its maps are worth may have changed. */
static void describe_vm(const struct watch *watch, struct finding *f)
{
	const struct detector *detector = detectors[f->kind];
	const struct vm *vm = watch->vm;

	if (!vm)
		return;
	f->pid = vm->pid;
	f->type = vm->type;
	vm_name(vm, f->name, sizeof(f->name));
	snprintf(f->uuid, sizeof(f->uuid), "%.39s", vm->text[KES_TEXT_UUID]);
	for (int plane = 0; plane < PLANES; plane++)
		if (detector->leans_on[plane] &&
			vm_confidence(vm, (enum plane)plane) != CONFIDENCE_EXACT)
			f->certainty = MIN(f->certainty, CERTAINTY_LIKELY);
}

/* The first update comes soon, each next one takes twice as long. */
static uint64_t next_update_ns(const struct finding *f)
{
	unsigned int doublings = MIN(f->told - 1, 8u);

	return f->told_ns + MIN(DETECT_UPDATE_NS << doublings, DETECT_UPDATE_MAX_NS);
}

static void tell(struct watch *watch, struct finding *f, enum finding_phase phase)
{
	struct detect *detect = watch->detect;
	int r;

	describe_vm(watch, f);
	f->told++;
	f->told_ns = watch->now_ns;
	f->told_count = f->count;
	f->next_ns = next_update_ns(f);
	if (!detect->options.on_finding)
		return;
	r = detect->options.on_finding(detect->options.context, f, phase);
	if (r && !detect->error)
		detect->error = r;
}

static void flush_one(struct watch *watch, struct finding *f)
{
	if (!f || f->state != FINDING_OPEN)
		return;
	if (!f->told)
		tell(watch, f, PHASE_BEGIN);
	else if (f->count != f->told_count && watch->now_ns >= f->next_ns)
		tell(watch, f, PHASE_UPDATE);
}

void watch_flush(struct watch *watch)
{
	uint32_t touched = watch->detect->touched;

	watch->detect->touched = 0;
	while (touched) {
		unsigned int kind = (unsigned int)__builtin_ctz(touched);

		touched &= touched - 1;
		flush_one(watch, watch->findings[kind]);
	}
}

/* ---- ended ones ---- */

static void drop_kept(struct detect *detect, size_t i)
{
	free(detect->kept[i]);
	detect->n_kept--;
	memmove(&detect->kept[i], &detect->kept[i + 1],
		(detect->n_kept - i) * sizeof(struct finding *));
	detect->dropped++;
}

/* A VM's findings push out its own older ones, not those of others. */
static void make_room(struct watch *watch, const struct finding *f)
{
	struct detect *detect = watch->detect;

	if (detect->n_kept == DETECT_KEPT)
		drop_kept(detect, 0);
	if (watch->kept++ < DETECT_KEPT_PER_VM)
		return;
	for (size_t i = 0; i < detect->n_kept; i++)
		if (detect->kept[i]->vm == f->vm) {
			drop_kept(detect, i);
			return;
		}
}

static void keep(struct watch *watch, struct finding *f)
{
	struct detect *detect = watch->detect;

	if (!detect->options.keep) {
		free(f);
		return;
	}
	make_room(watch, f);
	if (detect->n_kept == detect->size_kept) {
		size_t size = detect->size_kept ? 2 * detect->size_kept : 64;
		struct finding **grown = reallocarray(detect->kept, size, sizeof(*grown));

		if (!grown) {
			free(f);
			detect->dropped++;
			return;
		}
		detect->kept = grown;
		detect->size_kept = size;
	}
	detect->kept[detect->n_kept++] = f;
}

static void end_finding(struct watch *watch, enum finding_kind kind, enum finding_end why)
{
	struct finding *f = TAKE_PTR(watch->findings[kind]);

	if (!f)
		return;
	if (f->state == FINDING_PENDING) {
		free(f);
		return;
	}
	if (!f->told)
		tell(watch, f, PHASE_BEGIN);
	f->state = FINDING_ENDED;
	f->ended = why;
	f->end_ns = watch->now_ns;
	tell(watch, f, PHASE_END);
	keep(watch, f);
}

void watch_resolve(struct watch *watch, const struct detector *detector)
{
	end_finding(watch, detector->kind, ENDED_RESOLVED);
}

/* What is pending stays: the last counts of a VM come after its end, and watch_release() frees it.
 */
void watch_close(struct watch *watch, enum finding_end why)
{
	for (int i = 0; i < FINDING_KINDS; i++)
		if (watch->findings[i] && watch->findings[i]->state == FINDING_OPEN)
			end_finding(watch, (enum finding_kind)i, why);
}

void watch_expire(struct watch *watch)
{
	for (int i = 0; i < FINDING_KINDS; i++) {
		struct finding *f = watch->findings[i];
		uint64_t since;

		if (!f)
			continue;
		if (f->lasting) {
			flush_one(watch, f);
			continue;
		}
		since = watch->now_ns - f->last_ns;
		if (f->state == FINDING_OPEN &&
			since > setting(watch, (enum finding_kind)i, SETTING_QUIET))
			end_finding(watch, (enum finding_kind)i, ENDED_QUIET);
		else if (f->state == FINDING_PENDING &&
			 since > setting(watch, (enum finding_kind)i, SETTING_WINDOW))
			free(TAKE_PTR(watch->findings[i]));
		else
			flush_one(watch, f);
	}
}

void watch_reconfigure(struct watch *watch)
{
	watch_configure(watch);
	for (int i = 0; i < FINDING_KINDS; i++)
		if (!(watch->enabled & ON(i)))
			end_finding(watch, (enum finding_kind)i, ENDED_DISABLED);
}

/* ---- cases ---- */

static void begin(
	struct watch *watch, const struct detector *detector, struct finding *f, uint64_t begin_ns)
{
	*f = (struct finding){
		.kind = detector->kind,
		.severity = detector->severity,
		.certainty = detector->certainty,
		.vm = watch->vm ? watch->vm->id : 0,
		.begin_ns = begin_ns,
	};
}

static struct finding *open_or_new(
	struct watch *watch, const struct detector *detector, uint64_t now_ns)
{
	struct finding **f = &watch->findings[detector->kind];
	uint64_t window = setting(watch, detector->kind, SETTING_WINDOW);

	if (!*f) {
		*f = malloc(sizeof(**f));
		if (!*f) {
			watch->detect->error = watch->detect->error ?: -ENOMEM;
			return NULL;
		}
		begin(watch, detector, *f, now_ns);
	} else if ((*f)->state == FINDING_PENDING && now_ns > (*f)->begin_ns &&
		   now_ns - (*f)->begin_ns > window) {
		begin(watch, detector, *f, now_ns);
	}
	return *f;
}

void watch_promote(struct watch *watch, struct finding *f)
{
	if (f->state != FINDING_PENDING)
		return;
	f->state = FINDING_OPEN;
	f->found_ns = watch->now_ns;
	f->number = ++watch->numbers[f->kind];
	watch->detect->touched |= ON(f->kind);
}

struct finding *watch_cases(struct watch *watch, const struct detector *detector,
	const struct event *event, uint64_t gfn, uint64_t npages, uint64_t count)
{
	/* Some cases wait until it is clear what they are: they have the time at which they were.
	 */
	uint64_t now_ns = event ? event->now_ns : watch->now_ns;
	struct finding *f = open_or_new(watch, detector, now_ns);

	if (!f)
		return NULL;
	f->begin_ns = MIN(f->begin_ns, now_ns);
	f->last_ns = MAX(f->last_ns, now_ns);
	f->count += count;
	f->pages += npages;
	finding_add_range(f, gfn, npages, count);
	if (event)
		finding_add_evidence(f, event);
	if (f->count >= setting(watch, f->kind, SETTING_COUNT))
		watch_promote(watch, f);
	if (f->state == FINDING_OPEN && watch->now_ns >= f->next_ns)
		watch->detect->touched |= ON(f->kind);
	return f;
}

struct finding *watch_case(struct watch *watch, const struct detector *detector,
	const struct event *event, uint64_t gfn, uint64_t npages)
{
	return watch_cases(watch, detector, event, gfn, npages, 1);
}

struct finding *watch_open(struct watch *watch, const struct detector *detector)
{
	struct finding *f = watch->findings[detector->kind];

	return f && f->state == FINDING_OPEN ? f : NULL;
}

void watch_raise(struct watch *watch, struct finding *finding, enum severity severity)
{
	if (severity <= finding->severity)
		return;
	finding->severity = severity;
	if (finding->state != FINDING_OPEN)
		return;
	finding->next_ns = watch->now_ns; /* that does not wait */
	watch->detect->touched |= ON(finding->kind);
}

/* ---- what a detector may ask ---- */

static bool contains(const struct memslot *slot, uint64_t gfn, uint64_t npages)
{
	return gfn >= slot->gfn && gfn - slot->gfn < slot->npages &&
	       npages <= slot->npages - (gfn - slot->gfn);
}

uint64_t watch_outside(struct watch *watch, uint64_t gfn, uint64_t npages)
{
	const struct vm *vm = watch->vm;
	size_t begun;

	if (!vm->n_memslots)
		return 0;
	if (watch->memslot < vm->n_memslots && contains(&vm->memslots[watch->memslot], gfn, npages))
		return 0;
	begun = PLACE(vm->n_memslots, i, vm->memslots[i].gfn <= gfn);
	if (begun && contains(&vm->memslots[begun - 1], gfn, npages)) {
		watch->memslot = begun - 1;
		return 0;
	}
	return vm_count_outside(vm, gfn, npages);
}

uint64_t watch_host_conversions(const struct watch *watch)
{
	return watch->detect->conversions;
}

const struct sacred *watch_sacred(const struct watch *watch, size_t *ret_n)
{
	*ret_n = watch->detect->options.settings->n_sacred;
	return watch->detect->options.settings->sacred;
}
