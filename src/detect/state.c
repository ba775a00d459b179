/* SPDX-License-Identifier: GPL-2.0-only */
#include "detect/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h> /* MIN */
#include <xxhash.h>

#include "base/cleanup.h"
#include "base/codec.h"
#include "detect/detect_private.h"

#define STATE_MAGIC   "KESD"
#define STATE_VERSION 1 /* up with any change of what is saved, or of what it means */

/* Whoever adds a field names it below and raises the version; then this is right. */
_Static_assert(sizeof(struct event) == 224 && sizeof(struct finding) == 2464 &&
		       sizeof(struct watch) == 352,
	"findings have fields that their state may lack");

/* ---- findings ---- */

/* Without what it points to, which nobody keeps. */
void detect_code_event(struct codec *codec, struct event *event)
{
	CODE_UPTO(codec, event->kind, EVENT_KINDS - 1);
	CODE(codec, event->ts_ns);
	CODE(codec, event->now_ns);
	CODE(codec, event->seq);
	CODE(codec, event->vcpu);
	CODE(codec, event->gpa);
	CODE(codec, event->npages);
	CODE(codec, event->attrs);
	CODE_UPTO(codec, event->to, PAGE_STATES - 1);
	CODE(codec, event->nr);
	CODE(codec, event->ret);
	CODE(codec, event->latency_ns);
	CODE(codec, event->has_latency);
	CODE(codec, event->inferred);
	CODE(codec, event->late);
	CODE(codec, event->reason);
	CODE(codec, event->cause);
	CODE(codec, event->lost);
	CODE(codec, event->fault_flags);
	CODE(codec, event->tid);
	CODE_UPTO(codec, event->prompt, PROMPTS - 1);
	CODE_UPTO(codec, event->commit, COMMITS - 1);
	CODE(codec, event->committed);
	CODE(codec, event->already);
	CODE(codec, event->judged);
	CODE(codec, event->unsure);
	codec_check(codec, event->kind != EVENT_VM_NEW, "an event without its VM is about one");
}

/* A text with its end. */
static void code_text(struct codec *codec, char *text, size_t room)
{
	size_t size = codec_loads(codec) ? 0 : strlen(text);

	CODE_UPTO(codec, size, room - 1);
	codec_bytes(codec, text, size);
	codec_check(codec, !memchr(text, '\0', size), "a name is cut");
}

static void code_ranges(struct codec *codec, struct finding *f)
{
	uint64_t free_from = 0;

	CODE_UPTO(codec, f->n_ranges, FINDING_RANGES);
	for (size_t i = 0; i < f->n_ranges; i++) {
		struct finding_range *range = &f->ranges[i];

		CODE(codec, range->gfn);
		CODE(codec, range->npages);
		CODE(codec, range->count);
		codec_check(codec, range->npages && (!i || range->gfn > free_from),
			"a finding's ranges are not in order");
		free_from = range->npages > UINT64_MAX - range->gfn ? UINT64_MAX
								    : range->gfn + range->npages;
	}
	CODE(codec, f->more_ranges);
}

static void code_evidence(struct codec *codec, struct finding *f)
{
	uint64_t first, last;

	CODE(codec, f->evidence);
	CODE(codec, f->evidence_ns);
	first = MIN(f->evidence, FINDING_EVIDENCE);
	last = MIN(f->evidence - first, FINDING_EVIDENCE); /* it fills up from the beginning */
	for (size_t i = 0; i < first; i++)
		detect_code_event(codec, &f->first[i]);
	for (size_t i = 0; i < last; i++)
		detect_code_event(codec, &f->last[i]);
}

static void code_finding(struct codec *codec, struct finding *f)
{
	CODE_UPTO(codec, f->kind, FINDING_KINDS - 1);
	CODE_UPTO(codec, f->severity, SEVERITIES - 1);
	CODE_UPTO(codec, f->certainty, CERTAINTIES - 1);
	CODE_UPTO(codec, f->state, FINDING_ENDED);
	CODE_UPTO(codec, f->ended, FINDING_ENDS - 1);
	CODE(codec, f->lasting);
	CODE(codec, f->vm);
	CODE(codec, f->pid);
	CODE(codec, f->number);
	CODE(codec, f->type);
	code_text(codec, f->name, sizeof(f->name));
	code_text(codec, f->uuid, sizeof(f->uuid));
	CODE(codec, f->begin_ns);
	CODE(codec, f->found_ns);
	CODE(codec, f->last_ns);
	CODE(codec, f->end_ns);
	CODE(codec, f->count);
	CODE(codec, f->pages);
	CODE_ARRAY(codec, f->values);
	code_ranges(codec, f);
	code_evidence(codec, f);
	CODE(codec, f->told_ns);
	CODE(codec, f->told_count);
	CODE(codec, f->next_ns);
	CODE(codec, f->told);
}

static struct finding *load_finding(struct codec *codec)
{
	struct finding *f = calloc(1, sizeof(*f));

	if (f)
		code_finding(codec, f);
	else
		codec_fail(codec, -ENOMEM, "out of memory");
	return f;
}

/* Whether the detector has anything to do with what is watched: of the host there are few events,
 * and those who want none of them count on their state to be empty there. */
static bool concerns(const struct detector *detector, const struct watch *watch)
{
	return watch->vm || (detector->events & (ON(EVENT_HOST) | ON(EVENT_LOSS)));
}

/* Pending and open ones. */
static void code_findings(struct codec *codec, struct watch *watch)
{
	for (unsigned int kind = 0; kind < FINDING_KINDS; kind++) {
		struct finding **f = &watch->findings[kind];
		bool there = *f;

		CODE(codec, there);
		if (!there)
			continue;
		if (codec_loads(codec))
			*f = load_finding(codec);
		else
			code_finding(codec, *f);
		if (!*f)
			return;
		codec_check(codec,
			(*f)->kind == kind && (*f)->state != FINDING_ENDED &&
				(*f)->vm == (watch->vm ? watch->vm->id : 0) &&
				concerns(detectors[kind], watch),
			"a finding is where it cannot be");
	}
}

static void code_kept(struct codec *codec, struct detect *detect)
{
	size_t n = detect->n_kept;

	CODE_LIST(codec, detect->kept, n, DETECT_KEPT);
	if (codec_loads(codec))
		detect->size_kept = n;
	for (size_t i = 0; i < n && !codec->error; i++) {
		if (!codec_loads(codec)) {
			code_finding(codec, detect->kept[i]);
			continue;
		}
		detect->kept[i] = load_finding(codec);
		detect->n_kept += detect->kept[i] != NULL;
		codec_check(codec, detect->kept[i] && detect->kept[i]->state == FINDING_ENDED,
			"a finding is where it cannot be");
	}
	CODE(codec, detect->dropped);
}

/* ---- what is watched ---- */

static void code_watch(struct codec *codec, struct watch *watch)
{
	CODE(codec, watch->now_ns);
	CODE(codec, watch->first_ns);
	CODE(codec, watch->guest_ns);
	CODE(codec, watch->reset_ns);
	CODE(codec, watch->memslot);
	CODE_UPTO(codec, watch->awaited, ON(FINDING_KINDS) - 1);
	CODE(codec, watch->ended);
	CODE(codec, watch->finished);
	code_findings(codec, watch);
	CODE_ARRAY(codec, watch->numbers);
	CODE(codec, watch->kept);
	for (int i = 0; i < FINDING_KINDS; i++)
		if (detectors[i]->state_size && concerns(detectors[i], watch))
			detectors[i]->code_state(codec, watch_state(watch, (enum finding_kind)i));
}

/* Both lists are in order of id. */
static const struct vm *find_vm(const struct model *model, size_t *at, uint32_t id)
{
	while (*at < model_vm_count(model) && model_vm(model, *at)->id < id)
		++*at;
	if (*at == model_vm_count(model) || model_vm(model, *at)->id != id)
		return NULL;
	return model_vm(model, (*at)++);
}

static struct watch *load_watch(struct codec *codec, struct detect *detect, const struct vm *vm)
{
	struct watch *watch = malloc(sizeof(*watch));

	if (!watch || watch_init(watch, detect, vm)) {
		free(watch);
		codec_fail(codec, -ENOMEM, "out of memory");
		return NULL;
	}
	return watch;
}

static void code_watches(struct codec *codec, struct detect *detect)
{
	size_t n = detect->n_watches, at = 0;

	CODE_LIST(codec, detect->watches, n, model_vm_count(detect->model));
	if (codec_loads(codec))
		detect->size_watches = n;
	for (size_t i = 0; i < n && !codec->error; i++) {
		uint32_t id = codec_loads(codec) ? 0 : detect->watches[i]->vm->id;
		const struct vm *vm;

		CODE(codec, id);
		if (codec_loads(codec)) {
			vm = find_vm(detect->model, &at, id);
			codec_check(codec, vm, "it watches VMs that are not there");
			if (vm)
				detect->watches[i] = load_watch(codec, detect, vm);
			if (codec->error)
				return;
			detect->n_watches++;
		}
		code_watch(codec, detect->watches[i]);
	}
}

/* ---- which bytes these are ---- */

static void hash_text(XXH64_state_t *hash, const char *text)
{
	if (text)
		XXH64_update(hash, text, strlen(text) + 1);
}

/* What findings depend on. *ret: 0 without memory, which is no settings'. */
static uint64_t settings_digest(const struct settings *settings)
{
	XXH64_state_t *hash = XXH64_createState();
	uint64_t digest;

	if (!hash)
		return 0;
	XXH64_reset(hash, settings->n_sacred);
	XXH64_update(hash, settings->values, sizeof(settings->values));
	XXH64_update(hash, settings->enabled, sizeof(settings->enabled));
	for (size_t i = 0; i < settings->n_sacred; i++) {
		const struct sacred *sacred = &settings->sacred[i];

		XXH64_update(hash, (uint64_t[]){sacred->gfn, sacred->npages, !sacred->vm}, 24);
		hash_text(hash, sacred->name);
		hash_text(hash, sacred->vm);
	}
	digest = XXH64_digest(hash);
	XXH64_freeState(hash);
	return digest;
}

static void save_preface(struct codec *codec, const struct detect *detect)
{
	codec_bytes(codec, (char[]){STATE_MAGIC}, strlen(STATE_MAGIC));
	codec_value(codec, STATE_VERSION, UINT16_MAX);
	codec_value(codec, FINDING_KINDS, UINT16_MAX);
	codec_value(codec, settings_digest(detect->options.settings), UINT64_MAX);
	codec_value(codec, detect->options.keep, 1);
}

static int load_preface(
	struct codec *codec, const struct detect *detect, enum detect_load how, struct error *err)
{
	char magic[sizeof(STATE_MAGIC) - 1];
	uint64_t version, kinds, settings;
	bool kept;

	codec_bytes(codec, magic, sizeof(magic));
	codec_check(codec, !memcmp(magic, STATE_MAGIC, sizeof(magic)), "it begins otherwise");
	version = codec_value(codec, 0, UINT16_MAX);
	kinds = codec_value(codec, 0, UINT16_MAX);
	settings = codec_value(codec, 0, UINT64_MAX);
	kept = codec_value(codec, 0, 1);
	if (codec->error)
		return 0; /* what is wrong is said later */
	if (version != STATE_VERSION || kinds != FINDING_KINDS) {
		error_set(err, -EPROTONOSUPPORT,
			"these findings were saved by another version of kvm-encstat");
		error_advise(err, "read them with the version that saved them");
		return -EPROTONOSUPPORT;
	}
	if (how == DETECT_LOAD_SAME && settings != settings_digest(detect->options.settings))
		return error_set(err, -ESTALE, "these findings were made with other settings");
	if (how == DETECT_LOAD_SAME && detect->options.keep && !kept)
		return error_set(err, -ESTALE, "findings that ended were not kept here");
	return 0;
}

/* ---- all of it ---- */

static void code_detect(struct codec *codec, struct detect *detect)
{
	CODE(codec, detect->now_ns);
	CODE(codec, detect->next_tick_ns);
	CODE(codec, detect->conversions);
	code_watch(codec, &detect->host);
	code_watches(codec, detect);
	code_kept(codec, detect);
	codec_check(codec, codec->at == codec->end, "there is more of it than there should be");
}

int detect_save(const struct detect *detect, struct buffer *buffer)
{
	struct codec codec = codec_saving(buffer);
	size_t before = buffer->size;

	save_preface(&codec, detect);
	code_detect(&codec, (struct detect *)detect); /* a codec that saves only reads */
	if (codec.error)
		buffer->size = before;
	return codec.error;
}

static void forget_kept(struct detect *detect)
{
	while (detect->n_kept)
		free(detect->kept[--detect->n_kept]);
}

int detect_load(struct detect *detect, const void *bytes, size_t size, enum detect_load how,
	struct error *err)
{
	struct codec codec = codec_loading(bytes, size);
	int r = load_preface(&codec, detect, how, err);

	if (r)
		return r;
	code_detect(&codec, detect);
	if (codec.error)
		return error_set(err, codec.error, "loading findings: %s", codec.wrong);
	if (!detect->options.keep)
		forget_kept(detect);
	return 0;
}
