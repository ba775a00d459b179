/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "cli/commands.h"
#include "cli/outfile.h"
#include "cli/session.h"
#include "detect/settings.h"
#include "output/select.h"
#include "policy/policy.h"

struct map_run {
	const struct options *options;
	struct layout_range window; /* npages 0: all */
	struct settings *settings;  /* of what must stay private; NULL: no picture is asked for */
};

/* ---- pictures ---- */

/* Text is one when there is an option that only pictures have. */
static bool wants_picture(const struct options *options)
{
	return options->format == FORMAT_SVG || options->format == FORMAT_PNG ||
	       (options->format == FORMAT_TEXT &&
		       (options->layout_given || options->width || options->range));
}

static bool is_colour_terminal(const struct options *options)
{
	const char *term = getenv("TERM"), *none = getenv("NO_COLOR");

	return !options->output && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") &&
	       !(none && *none);
}

static unsigned int terminal_columns(const struct options *options)
{
	struct winsize size;

	if (options->output || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_col < PICTURE_TEXT_MIN || size.ws_col > PICTURE_TEXT_MAX ? 0 : size.ws_col;
}

static int write_picture(const struct map_run *run, FILE *out, const struct style *style,
	const struct vm *vm, uint64_t now_ns)
{
	const struct options *options = run->options;
	struct layout_range sacred[SETTINGS_SACRED];
	struct map_picture picture = {
		.layout = options->layout,
		.plane = options->plane,
		.diff = options->diff,
		.width = options->width,
		.window = run->window,
		.sacred = sacred,
		.now_ns = now_ns,
	};

	for (size_t i = 0; i < run->settings->n_sacred; i++) {
		const struct sacred *range = &run->settings->sacred[i];

		if (sacred_concerns(range, vm))
			sacred[picture.n_sacred++] =
				(struct layout_range){range->gfn, range->npages};
	}
	picture.format = options->format == FORMAT_SVG   ? PICTURE_SVG
			 : options->format == FORMAT_PNG ? PICTURE_PNG
							 : PICTURE_TEXT;
	if (picture.format == PICTURE_TEXT) {
		picture.colour = !style->ascii && is_colour_terminal(options);
		if (!picture.width)
			picture.width = terminal_columns(options);
	}
	return map_write_picture(out, style, vm, &picture);
}

/* ---- what is written ---- */

static int write_map(
	const struct options *options, FILE *out, const struct style *style, const struct vm *vm)
{
	switch (options->format) {
	case FORMAT_JSON:
		return map_write_json(out, vm, options->plane);
	case FORMAT_RANGES:
		return map_write_ranges(out, vm, options->plane);
	default:
		return map_write_text(out, style, vm, options->plane);
	}
}

static int write_diff(
	const struct options *options, FILE *out, const struct style *style, const struct vm *vm)
{
	switch (options->format) {
	case FORMAT_JSON:
		return diff_write_json(out, vm);
	case FORMAT_RANGES:
		return diff_write_ranges(out, vm);
	default:
		return diff_write_text(out, style, vm);
	}
}

static int no_picture(const struct options *options, const struct vm *vm, struct error *err)
{
	enum plane plane = options->diff ? PLANE_HOST : options->plane;
	bool has = plane == PLANE_HOST ? vm_has_host_plane(vm) : vm_has_map(vm);

	return error_set(err, -ENODATA, "there is no picture of VM %u: it %s", vm->id,
		!has             ? map_why_none(plane)
		: options->range ? "has no memory in that range"
				 : "has no memory that is known of");
}

static int write_to(const struct map_run *run, FILE *out, const struct style *style,
	const struct model *model, const struct vm *vm, struct error *err)
{
	const struct options *options = run->options;
	int r;

	if (wants_picture(options))
		r = write_picture(run, out, style, vm, model_now(model));
	else if (options->diff)
		r = write_diff(options, out, style, vm);
	else
		r = write_map(options, out, style, vm);
	if (r == -ENODATA)
		return no_picture(options, vm, err);
	return r ? error_set(err, r, "writing the map failed: %s", strerror(-r)) : 0;
}

struct writing {
	const struct map_run *run;
	const struct style *style;
	const struct model *model;
	const struct vm *vm;
};

static int write_into(void *context, FILE *out, struct error *err)
{
	const struct writing *w = context;

	return write_to(w->run, out, w->style, w->model, w->vm, err);
}

static int finish(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	const struct map_run *run = context;
	const struct vm *vm;
	int r = select_vm(model, run->options->vm, &vm, err);

	if (r)
		return r;
	if (!run->options->output)
		return write_to(run, stdout, style, model, vm, err);
	return outfile_make(run->options->output, run->options->force, write_into,
		&(struct writing){run, style, model, vm}, err);
}

/* ---- the command ---- */

static int check_picture(const struct options *options, struct error *err)
{
	bool text = options->format == FORMAT_TEXT;
	unsigned int least = text ? PICTURE_TEXT_MIN : PICTURE_WIDTH_MIN;
	unsigned int most = text ? PICTURE_TEXT_MAX : PICTURE_WIDTH_MAX;

	if (!wants_picture(options)) {
		if (!options->layout_given && !options->width && !options->range)
			return 0;
		error_set(err, -EINVAL, "--layout, --width and --range are for pictures");
		error_advise(err, "pictures are --format svg, png and text");
		return -EINVAL;
	}
	if (options->width && (options->width < least || options->width > most)) {
		error_set(err, -EINVAL, "--width cannot be %u", options->width);
		error_advise(
			err, "give %s from %u to %u", text ? "columns" : "pixels", least, most);
		return -EINVAL;
	}
	if (!text && !options->output && isatty(STDOUT_FILENO)) {
		error_set(err, -EINVAL, "a picture in this format is nothing for a terminal");
		error_advise(err, "write it to a file with -o FILE, or see it here with --format "
				  "text --layout linear");
		return -EINVAL;
	}
	return 0;
}

static int parse_window(struct map_run *run, struct error *err)
{
	struct frames frames;
	int r = run->options->range ? policy_parse_range(run->options->range, &frames, err) : 0;

	if (!r && run->options->range)
		run->window = (struct layout_range){frames.gfn, frames.npages};
	return r;
}

static int run(const struct options *options, struct error *err)
{
	_cleanup_(settings_free) struct settings *settings = NULL;
	struct map_run run = {.options = options};
	struct reader reader = {.finish = finish, .context = &run};

	if (check_picture(options, err) || parse_window(&run, err))
		return EXIT_USAGE;
	if (wants_picture(options) && session_settings(options, &settings, err))
		return EXIT_FAILED;
	run.settings = settings;
	return session_run(options, &reader, false, err);
}

const struct command command_map = {
	.name = "map",
	.arguments = "[VM] [--format FORMAT] [-o FILE] [-- COMMAND ...]",
	.summary = "the page map of a VM: what is private, what is shared",
	.text = "Prints the page map of one VM. VM is an id, a pid or a name from `kvm-encstat "
		"list`; it may\n"
		"be left out where there is only one that it can be.\n"
		"Without --duration or a command it prints at once what is known, which for a VM "
		"that ran\n"
		"before it was watched is that its pages are unknown. With a command it watches "
		"that from\n"
		"birth to end and prints the last map.\n"
		"--plane diff prints where what the guest declared and what KVM enforces differ, "
		"since when,\n"
		"and who moved last.\n"
		"--format svg and png draw it as a picture to be looked at and printed, and so "
		"does text with\n"
		"--layout, --width or --range. On a Hilbert curve, what is close in memory is "
		"close in the "
		"picture.",
	.options =
		OPT_READ | OPT_JSON | OPT_FORMAT | OPT_PLANE | OPT_PICTURE | OPT_CONFIG | OPT_ASCII,
	.takes_vm = true,
	.takes_command = true,
	.replays = true,
	.run = run,
};
