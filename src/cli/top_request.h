/* SPDX-License-Identifier: GPL-2.0-only */
/* What the options of the live view come to. */
#ifndef CLI_TOP_REQUEST_H
#define CLI_TOP_REQUEST_H

#include "cli/options.h"
#include "top/theme.h"

struct top_request {
	uint64_t interval_ns; /* 0: not said */
	double speed;         /* of a capture; 0: step by step */
	enum theme theme;     /* THEMES: not said */
	unsigned long tables; /* 0: no end */
};

/* -EINVAL with err filled. */
int top_request_parse(struct top_request *ret, const struct options *options, struct error *err);

#endif
