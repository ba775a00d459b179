/* SPDX-License-Identifier: GPL-2.0-only */
/* A model and what detectors made of it, as one piece of bytes: a preface with lengths, then both. */
#include <errno.h>
#include <string.h>

#include "base/codec.h"
#include "detect/state.h"
#include "model/state.h"

#define STATE_MAGIC   "KESS"
#define STATE_VERSION 1

static void save_both(struct codec *codec, const struct model *model, struct buffer *model_bytes,
	struct buffer *detect_bytes)
{
	codec_bytes(codec, (char[]){STATE_MAGIC}, strlen(STATE_MAGIC));
	codec_value(codec, STATE_VERSION, UINT16_MAX);
	codec_value(codec, model_max_ended(model), SIZE_MAX);
	codec_value(codec, model_bytes->size, SIZE_MAX);
	codec_value(codec, detect_bytes->size, SIZE_MAX);
	codec_bytes(codec, model_bytes->bytes, model_bytes->size);
	codec_bytes(codec, detect_bytes->bytes, detect_bytes->size);
}

int state_save(const struct model *model, const struct detect *detect, struct buffer *buffer)
{
	_cleanup_buffer_ struct buffer model_bytes = {}, detect_bytes = {};
	struct codec codec = codec_saving(buffer);
	size_t before = buffer->size;
	int r = model_save(model, &model_bytes);

	if (!r && detect)
		r = detect_save(detect, &detect_bytes);
	if (r)
		return r;
	save_both(&codec, model, &model_bytes, &detect_bytes);
	if (codec.error)
		buffer->size = before;
	return codec.error;
}

int state_open(struct state_view *ret, const void *bytes, size_t size, struct error *err)
{
	struct codec codec = codec_loading(bytes, size);
	char magic[sizeof(STATE_MAGIC) - 1];
	struct state_view view = {};

	codec_bytes(&codec, magic, sizeof(magic));
	codec_check(&codec, !memcmp(magic, STATE_MAGIC, sizeof(magic)), "it begins otherwise");
	if (codec_value(&codec, 0, UINT16_MAX) != STATE_VERSION && !codec.error) {
		error_set(err, -EPROTONOSUPPORT,
			"this state was saved by another version of kvm-encstat");
		error_advise(err, "read it with the version that saved it");
		return -EPROTONOSUPPORT;
	}
	view.max_ended = codec_value(&codec, 0, SIZE_MAX);
	view.model_size = codec_value(&codec, 0, size);
	view.detect_size = codec_value(&codec, 0, size);
	codec_check(&codec,
		view.model_size <= (size_t)(codec.end - codec.at) &&
			view.detect_size == (size_t)(codec.end - codec.at) - view.model_size,
		"its lengths contradict each other");
	if (codec.error)
		return error_set(err, codec.error, "loading a state: %s", codec.wrong);
	view.model = codec.at;
	view.detect = view.detect_size ? codec.at + view.model_size : NULL;
	*ret = view;
	return 0;
}
