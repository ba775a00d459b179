/* SPDX-License-Identifier: GPL-2.0-only */
#include "detect/detect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/place.h"
#include "detect/detect_private.h"

/* How long after a VM's end the last counts of it may come. */
#define AFTER_END_NS (5 * SECOND_NS)

const char *phase_name(enum finding_phase phase)
{
	static const char *const names[] = {
		[PHASE_BEGIN] = "begin", [PHASE_UPDATE] = "update", [PHASE_END] = "end"};
	_Static_assert(ARRAY_SIZE(names) == PHASES, "a name for each phase");

	return names[phase];
}

/* ---- VMs ---- */

static size_t position(const struct detect *detect, uint32_t vm)
{
	return PLACE(detect->n_watches, i, detect->watches[i]->vm->id < vm);
}

static struct watch *add_watch(struct detect *detect, size_t at, const struct vm *vm)
{
	struct watch *watch;

	if (detect->n_watches == detect->size_watches) {
		size_t size = detect->size_watches ? 2 * detect->size_watches : 16;
		struct watch **grown = reallocarray(detect->watches, size, sizeof(*grown));

		if (!grown)
			return NULL;
		detect->watches = grown;
		detect->size_watches = size;
	}
	watch = malloc(sizeof(*watch));
	if (!watch || watch_init(watch, detect, vm)) {
		free(watch);
		return NULL;
	}
	memmove(&detect->watches[at + 1], &detect->watches[at],
		(detect->n_watches - at) * sizeof(*detect->watches));
	detect->watches[at] = watch;
	detect->n_watches++;
	return watch;
}

static void remove_watch(struct detect *detect, size_t at)
{
	struct watch *watch = detect->watches[at];

	watch->now_ns = detect->now_ns;
	watch_close(watch, ENDED_VM);
	watch_release(watch);
	free(watch);
	detect->n_watches--;
	memmove(&detect->watches[at], &detect->watches[at + 1],
		(detect->n_watches - at) * sizeof(*detect->watches));
	memset(detect->cache, 0, sizeof(detect->cache));
}

/* NULL, and no error, for a VM that ended and was dealt with. */
static struct watch *find_watch(struct detect *detect, const struct vm *vm)
{
	struct watch **cached;
	size_t at;

	if (!vm)
		return &detect->host;
	cached = &detect->cache[vm->id % ARRAY_SIZE(detect->cache)];
	if (*cached && (*cached)->vm == vm)
		return *cached;
	at = position(detect, vm->id);
	if (at == detect->n_watches || detect->watches[at]->vm != vm) {
		if (!vm->alive)
			return NULL;
		if (!add_watch(detect, at, vm)) {
			detect->error = -ENOMEM;
			return NULL;
		}
	}
	*cached = detect->watches[at];
	return *cached;
}

/* ---- ticks ---- */

void *watch_state(const struct watch *watch, enum finding_kind kind)
{
	return (char *)watch->state + watch->detect->offsets[kind];
}

static void run_ticks(struct watch *watch)
{
	for (int i = 0; i < FINDING_KINDS; i++)
		if (detectors[i]->on_tick && (watch->enabled & ON(i)))
			detectors[i]->on_tick(watch, watch_state(watch, (enum finding_kind)i));
	watch_flush(watch);
}

static void tick_watch(struct watch *watch, uint64_t now_ns)
{
	watch->now_ns = now_ns;
	run_ticks(watch);
	if (watch->ended)
		watch_close(watch, ENDED_VM);
	else
		watch_expire(watch);
}

static void tick(struct detect *detect, uint64_t now_ns)
{
	tick_watch(&detect->host, now_ns);
	for (size_t i = detect->n_watches; i-- > 0;) {
		struct watch *watch = detect->watches[i];

		tick_watch(watch, now_ns);
		if (watch->ended && now_ns - watch->vm->end_ns > AFTER_END_NS)
			remove_watch(detect, i);
	}
	detect->next_tick_ns = now_ns + DETECT_TICK_NS;
}

/* ---- events ---- */

/* What every detector may want to know of the guest. */
static void note(struct watch *watch, const struct event *event)
{
	switch (event->kind) {
	case EVENT_VM_NEW:
		watch_configure(watch);
		break;
	case EVENT_CONVERTED:
	case EVENT_DENIED:
	case EVENT_REFUSED:
		watch->detect->conversions++;
		watch->guest_ns = event->now_ns;
		break;
	case EVENT_FAULT:
	case EVENT_NO_ANSWER:
		watch->guest_ns = event->now_ns;
		break;
	case EVENT_RESET:
		watch->reset_ns = event->now_ns;
		watch->guest_ns = 0;
		break;
	default:
		break;
	}
}

static uint32_t traits_of(struct watch *watch, const struct event *event)
{
	uint32_t traits = event->to == PAGE_SHARED ? TRAIT_TO_SHARED : TRAIT_TO_PRIVATE;

	if (event->commit == COMMIT_NOT || event->commit == COMMIT_PARTLY)
		traits |= TRAIT_UNCOMMITTED;
	if (event->already == event->npages)
		traits |= TRAIT_REDUNDANT;
	if (!watch->vm->n_memslots || watch_outside(watch, event->gpa >> 12, event->npages))
		traits |= TRAIT_OUTSIDE;
	if (event->npages > 1)
		traits |= TRAIT_SEVERAL;
	if (malformed_is_odd(event))
		traits |= TRAIT_ODD;
	if (watch->awaited)
		traits |= TRAIT_AWAITED;
	return traits;
}

static void dispatch(struct watch *watch, const struct event *event)
{
	const struct subscription *wanted = watch->detect->wanted[event->kind];
	uint32_t traits = event->kind == EVENT_CONVERTED ? traits_of(watch, event) : ~0u;

	for (; wanted->on_event; wanted++)
		if ((wanted->needs & ~traits) == 0 && (watch->enabled & wanted->kind))
			wanted->on_event(watch, (char *)watch->state + wanted->offset, event);
	if (watch->detect->touched)
		watch_flush(watch);
}

static void end_vm(struct watch *watch)
{
	watch->ended = true;
	run_ticks(watch);
	watch_close(watch, ENDED_VM);
}

int detect_event(void *context, const struct event *event)
{
	struct detect *detect = context;
	struct watch *watch;
	int r;

	detect->now_ns = event->now_ns;
	if (event->now_ns >= detect->next_tick_ns)
		tick(detect, event->now_ns);
	watch = find_watch(detect, event->vm);
	if (watch && event->kind == EVENT_FORGOTTEN) {
		remove_watch(detect, position(detect, event->vm->id));
	} else if (watch) {
		watch->now_ns = event->now_ns;
		note(watch, event);
		dispatch(watch, event);
		if (event->kind == EVENT_VM_END)
			end_vm(watch);
	}
	r = detect->error;
	detect->error = 0;
	return r;
}

int detect_finish(struct detect *detect)
{
	int r;

	detect->host.finished = true;
	for (size_t i = 0; i < detect->n_watches; i++)
		detect->watches[i]->finished = true;
	tick(detect, detect->now_ns);
	r = detect->error;
	detect->error = 0;
	return r;
}

/* ---- life cycle, reading ---- */

static void lay_out(struct detect *detect)
{
	for (int i = 0; i < FINDING_KINDS; i++) {
		detect->offsets[i] = detect->state_size;
		detect->state_size += (detectors[i]->state_size + 15) & ~15ull;
		for (int kind = 0, n; kind < EVENT_KINDS; kind++) {
			if (!(detectors[i]->events & ON(kind)))
				continue;
			for (n = 0; detect->wanted[kind][n].on_event; n++)
				;
			detect->wanted[kind][n] = (struct subscription){
				.on_event = detectors[i]->on_event,
				.offset = detect->offsets[i],
				.kind = ON(i),
				.needs = kind == EVENT_CONVERTED ? detectors[i]->needs : 0,
			};
		}
	}
}

int detect_new(struct detect **ret, const struct detect_options *options)
{
	struct detect *detect = calloc(1, sizeof(*detect));

	if (!detect)
		return -ENOMEM;
	detect->options = *options;
	lay_out(detect);
	if (watch_init(&detect->host, detect, NULL)) {
		free(detect);
		return -ENOMEM;
	}
	*ret = detect;
	return 0;
}

void detect_watch(struct detect *detect, const struct model *model)
{
	detect->model = detect->host.model = model;
}

int detect_set_settings(struct detect *detect, const struct settings *settings)
{
	int r;

	detect->options.settings = settings;
	watch_reconfigure(&detect->host);
	for (size_t i = 0; i < detect->n_watches; i++)
		watch_reconfigure(detect->watches[i]);
	r = detect->error;
	detect->error = 0;
	return r;
}

void detect_free(struct detect **pointer)
{
	struct detect *detect = *pointer;

	if (!detect)
		return;
	for (size_t i = 0; i < detect->n_watches; i++) {
		watch_release(detect->watches[i]);
		free(detect->watches[i]);
	}
	watch_release(&detect->host);
	for (size_t i = 0; i < detect->n_kept; i++)
		free(detect->kept[i]);
	free(detect->watches);
	free(detect->kept);
	free(detect->list);
	free(detect);
	*pointer = NULL;
}

static size_t list_open(struct detect *detect, const struct watch *watch, size_t n)
{
	for (int i = 0; i < FINDING_KINDS; i++)
		if (watch->findings[i] && watch->findings[i]->state == FINDING_OPEN)
			detect->list[n++] = watch->findings[i];
	return n;
}

static int by_begin(const void *a, const void *b)
{
	const struct finding *x = *(const struct finding *const *)a;
	const struct finding *y = *(const struct finding *const *)b;

	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	if (x->vm != y->vm)
		return x->vm < y->vm ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

const struct finding *const *detect_findings(struct detect *detect, size_t *ret_n)
{
	size_t most = detect->n_kept + (detect->n_watches + 1) * FINDING_KINDS, n = detect->n_kept;

	*ret_n = 0;
	free(detect->list);
	detect->list = calloc(most, sizeof(*detect->list));
	if (!detect->list)
		return NULL;
	if (n)
		memcpy(detect->list, detect->kept, n * sizeof(*detect->list));
	n = list_open(detect, &detect->host, n);
	for (size_t i = 0; i < detect->n_watches; i++)
		n = list_open(detect, detect->watches[i], n);
	qsort(detect->list, n, sizeof(*detect->list), by_begin);
	*ret_n = n;
	return detect->list;
}

uint64_t detect_dropped(const struct detect *detect)
{
	return detect->dropped;
}

static size_t watch_memory(const struct watch *watch)
{
	size_t bytes = sizeof(*watch) + watch->detect->state_size;

	for (int i = 0; i < FINDING_KINDS; i++)
		bytes += watch->findings[i] ? sizeof(struct finding) : 0;
	return bytes;
}

size_t detect_vm_bytes(const struct detect *detect)
{
	return sizeof(struct watch) + sizeof(struct watch *) + detect->state_size +
	       FINDING_KINDS * sizeof(struct finding);
}

size_t detect_memory(const struct detect *detect)
{
	size_t bytes = sizeof(*detect) + watch_memory(&detect->host) +
		       detect->n_kept * (sizeof(struct finding) + sizeof(struct finding *));

	for (size_t i = 0; i < detect->n_watches; i++)
		bytes += watch_memory(detect->watches[i]);
	return bytes;
}
