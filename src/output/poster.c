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

/* The lines that map_write_trust() writes, without what is before them. */
static int plane_trust(FILE *out, const struct style *style, const struct vm *vm, enum plane plane)
{
	_cleanup_free_ char *lines = NULL;
	size_t size;
	FILE *memory = open_memstream(&lines, &size);
	char *rest = NULL;

	if (!memory)
		return -ENOMEM;
	map_write_trust(memory, style, vm, plane);
	if (fclose(memory) || !lines)
		return -ENOMEM;
	for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		fprintf(out, "%s\n", line + strspn(line, " "));
	return 0;
}

static int write_trust(FILE *out, const struct style *style, const struct vm *vm,
	const struct map_picture *picture)
{
	int r;

	if (!picture->diff)
		return plane_trust(out, style, vm, picture->plane);
	fputs("guest plane ", out);
	r = plane_trust(out, style, vm, PLANE_GUEST);
	fputs("host plane ", out);
	return r ?: plane_trust(out, style, vm, PLANE_HOST);
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
	char title[VM_SHORT_SIZE], type[16], size[24], about[256], time[128];
	uint64_t memory = vm_memory_pages(vm);
	FILE *lines;
	size_t length;
	int r;

	if (asked->diff || asked->plane == PLANE_HOST ? !vm_has_host_plane(vm) : !vm_has_map(vm))
		return -ENODATA;
	lines = open_memstream(&trust, &length);
	if (!lines)
		return -ENOMEM;
	r = write_trust(lines, style, vm, asked);
	if (fclose(lines) || r)
		return -ENOMEM;
	if (length && trust[length - 1] == '\n')
		trust[length - 1] = '\0';
	snprintf(about, sizeof(about), "VM %u, type %s, %s%s. %c%s", vm->id,
		vm_type_name(vm->type, type),
		memory ? bytes_short(memory << 12, size) : "memory unknown",
		memory ? " of memory" : "", plane_words(asked)[0] & ~0x20, plane_words(asked) + 1);
	put_time(time, sizeof(time), style, vm, asked->now_ns);
	return picture_write(out, &(struct picture){
					  .format = asked->format,
					  .vm = vm,
					  .plane = asked->plane,
					  .diff = asked->diff,
					  .layout = asked->layout,
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
