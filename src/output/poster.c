/* SPDX-License-Identifier: GPL-2.0-only */
/* What a picture of a page map says in words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "output/output.h"

static const char *plane_words(const struct map_picture *picture)
{
	if (picture->diff)
		return "where what the guest declared and what KVM enforces differ";
	return picture->plane == PLANE_HOST ? "host plane: what KVM's attributes say"
					    : "guest plane: what the guest declared";
}

static void plane_trust(FILE *out, const struct style *style, const struct vm *vm, enum plane plane)
{
	char lines[MAP_TRUST_LINES][MAP_TRUST_LINE];
	size_t n = map_trust(style, vm, plane, lines);

	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s\n", lines[i]);
}

static void write_trust(FILE *out, const struct style *style, const struct vm *vm,
	const struct map_picture *picture)
{
	if (!picture->diff) {
		plane_trust(out, style, vm, picture->plane);
		return;
	}
	fputs("guest plane ", out);
	plane_trust(out, style, vm, PLANE_GUEST);
	fputs("host plane ", out);
	plane_trust(out, style, vm, PLANE_HOST);
}

/* What the picture is of, where that is not all. */
static void put_window(char *text, size_t size, const struct layout_range *window)
{
	char bytes[24];

	*text = '\0';
	if (window->npages)
		snprintf(text, size, ". Only 0x%llx+%s", (unsigned long long)(window->gfn << 12),
			bytes_exact(window->npages << 12, bytes));
}

static bool is_exact(const struct vm *vm, const struct map_picture *picture)
{
	for (int i = 0; i < PLANES; i++)
		if ((picture->diff || picture->plane == (enum plane)i) &&
			vm_confidence(vm, (enum plane)i) != CONFIDENCE_EXACT)
			return false;
	return !vm->abi_doubt;
}

static void put_time(
	char *text, size_t size, const struct style *style, const struct vm *vm, uint64_t now_ns)
{
	int64_t ns = (int64_t)now_ns + style->realtime_offset_ns;
	time_t seconds = ns / 1000000000;
	struct tm tm;
	char date[64];

	localtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S %Z", &tm);
	snprintf(text, size, "as of %s%s", date, vm->alive ? "" : ", when the VM had ended");
}

int map_write_picture(
	FILE *out, const struct style *style, const struct vm *vm, const struct map_picture *asked)
{
	_cleanup_free_ char *trust = NULL;
	char title[VM_SHORT_SIZE], type[16], size[24], about[256], time[128], window[64];
	uint64_t memory = vm_memory_pages(vm);
	FILE *lines;
	size_t length;

	if (asked->diff || asked->plane == PLANE_HOST ? !vm_has_host_plane(vm) : !vm_has_map(vm))
		return -ENODATA;
	lines = open_memstream(&trust, &length);
	if (!lines)
		return -ENOMEM;
	write_trust(lines, style, vm, asked);
	if (fclose(lines))
		return -ENOMEM;
	if (length && trust[length - 1] == '\n')
		trust[length - 1] = '\0';
	put_window(window, sizeof(window), &asked->window);
	snprintf(about, sizeof(about), "VM %u, type %s, %s%s. %c%s%s", vm->id,
		vm_type_name(vm->type, type),
		memory ? bytes_short(memory << 12, size) : "memory unknown",
		memory ? " of memory" : "", plane_words(asked)[0] & ~0x20, plane_words(asked) + 1,
		window);
	put_time(time, sizeof(time), style, vm, asked->now_ns);
	return picture_write(out, &(struct picture){
					  .format = asked->format,
					  .vm = vm,
					  .plane = asked->plane,
					  .diff = asked->diff,
					  .layout = asked->layout,
					  .window = asked->window,
					  .sacred = asked->sacred,
					  .n_sacred = asked->n_sacred,
					  .width = asked->width,
					  .ascii = style->ascii,
					  .colour = asked->colour,
					  .title = vm_label_short(vm, title),
					  .about = about,
					  .trust = trust,
					  .exact = is_exact(vm, asked),
					  .time = time,
				  });
}
