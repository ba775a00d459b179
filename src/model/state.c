/* SPDX-License-Identifier: GPL-2.0-only */
#include "model/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/model_private.h"
#include "model/state_private.h"

#define STATE_MAGIC   "KESM"
#define STATE_VERSION 1 /* up with any change of what is saved, or of what it means */

_Static_assert(sizeof(struct model_totals) == 152 && sizeof(struct ledger_totals) == 80 &&
		       sizeof(struct model) == 2304,
	"a model has fields that its state may lack");

/* ---- which bytes these are ---- */

/* Lengths of the arrays that have no count of their own. */
static const uint16_t dimensions[] = {
	KES_EXIT_REASONS, KES_HYPERCALLS, KES_CAUSE_MAX, KES_TEXT_MAX, VM_FAULTS, KES_FILES};

static void save_preface(struct codec *codec, enum abi abi)
{
	codec_bytes(codec, (char[]){STATE_MAGIC}, strlen(STATE_MAGIC));
	codec_value(codec, STATE_VERSION, UINT16_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(dimensions); i++)
		codec_value(codec, dimensions[i], UINT16_MAX);
	codec_value(codec, abi, ABI_COUNT - 1);
}

static int other_version(struct error *err)
{
	error_set(err, -EPROTONOSUPPORT, "this state was saved by another version of kvm-encstat");
	error_advise(err, "read it with the version that saved it");
	return -EPROTONOSUPPORT;
}

static int load_preface(struct codec *codec, enum abi wanted, struct error *err)
{
	char magic[sizeof(STATE_MAGIC) - 1];
	enum abi abi;

	codec_bytes(codec, magic, sizeof(magic));
	codec_check(codec, !memcmp(magic, STATE_MAGIC, sizeof(magic)), "it begins otherwise");
	if (codec_value(codec, 0, UINT16_MAX) != STATE_VERSION && !codec->error)
		return other_version(err);
	for (size_t i = 0; i < ARRAY_SIZE(dimensions); i++)
		if (codec_value(codec, 0, UINT16_MAX) != dimensions[i] && !codec->error)
			return other_version(err);
	abi = codec_value(codec, 0, ABI_COUNT - 1);
	if (codec->error || abi == wanted)
		return 0; /* what is wrong is said later */
	error_set(err, -ESTALE, "this state was saved with --abi %s, which its page maps follow",
		abi_name(abi));
	error_advise(err, "leave --abi %s away", abi_name(wanted));
	return -ESTALE;
}

/* ---- the model ---- */

static void code_files(struct codec *codec, struct model *model)
{
	for (size_t i = 0; i < KES_FILES; i++) {
		size_t size = model->files[i] ? strlen(model->files[i]) + 1 : 0;

		CODE_LIST(codec, model->files[i], size, KES_TEXT_LIMIT + 1);
		if (!size)
			continue;
		codec_bytes(codec, model->files[i], size);
		codec_check(codec,
			memchr(model->files[i], '\0', size) == model->files[i] + size - 1,
			"a file's name is cut");
	}
}

static void code_totals(struct codec *codec, struct model_totals *totals)
{
	CODE(codec, totals->records);
	CODE_ARRAY(codec, totals->host_lost);
	CODE(codec, totals->forgotten);
	CODE(codec, totals->forgotten_lost);
	state_ledger(codec, &totals->ledger);
}

static void code_processes(struct codec *codec, struct processes *processes)
{
	CODE_LIST(codec, processes->list, processes->n, PROCESSES_MAX);
	for (size_t i = 0; i < processes->n; i++) {
		CODE(codec, processes->list[i].pid);
		state_counters(codec, &processes->list[i].counters);
	}
}

static void code_vms(struct codec *codec, struct model *model)
{
	size_t maps_bytes = STATE_MAPS_MAX, n = model->n_vms;

	CODE_LIST(codec, model->vms, n, STATE_VMS_MAX);
	if (codec_loads(codec))
		model->size_vms = n;
	for (size_t i = 0; i < n && !codec->error; i++) {
		uint32_t before = i ? model->vms[i - 1]->id : 0, id = 0;

		if (!codec_loads(codec))
			id = model->vms[i]->id;
		CODE(codec, id);
		codec_check(codec, id > before, "its VMs are not in order");
		if (codec_loads(codec)) {
			model->vms[i] = vm_new(id);
			if (!model->vms[i]) {
				codec_fail(codec, -ENOMEM, "out of memory");
				return;
			}
			model->n_vms++;
		}
		state_vm(codec, model->vms[i], &maps_bytes);
		if (codec_loads(codec))
			model->n_ended += !model->vms[i]->alive;
	}
}

static void code_model(struct codec *codec, struct model *model)
{
	CODE(codec, model->now_ns);
	code_totals(codec, &model->totals);
	code_files(codec, model);
	code_processes(codec, &model->processes);
	code_vms(codec, model);
	codec_check(codec, codec->at == codec->end, "there is more of it than there should be");
}

int model_save(const struct model *model, struct buffer *buffer)
{
	struct codec codec = codec_saving(buffer);
	size_t before = buffer->size;

	if (model->n_vms > STATE_VMS_MAX)
		return -E2BIG;
	save_preface(&codec, model->options.abi);
	code_model(&codec, (struct model *)model); /* a codec that saves only reads */
	if (codec.error)
		buffer->size = before;
	return codec.error;
}

int model_load(struct model **ret, const struct model_options *options, const void *bytes,
	size_t size, struct error *err)
{
	_cleanup_(model_free) struct model *model = NULL;
	struct codec codec = codec_loading(bytes, size);
	int r = load_preface(&codec, options->abi, err);

	if (r)
		return r;
	r = model_new(&model, options);
	if (r)
		return error_set(err, r, "loading a state: out of memory");
	code_model(&codec, model);
	if (codec.error)
		return error_set(err, codec.error, "loading a state: %s", codec.wrong);
	*ret = TAKE_PTR(model);
	return 0;
}
