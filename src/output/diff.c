/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the planes of a VM differ: each range with since when, and who moved last. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "output/output.h"

/* ---- who ---- */

/* "guest, vCPU 2", or what is known instead. */
static const char *mover_text(const struct vm *vm, const struct mover *mover, char buffer[40])
{
	if (!mover)
		return vm->disputes.cut ? "not kept" : vm->born ? "nobody since birth" : "not seen";
	if (mover->found)
		return "not seen";
	if (mover->reset)
		return "guest, by reset";
	if (mover->plane == PLANE_GUEST)
		snprintf(buffer, 40, "guest, vCPU %u", mover->actor);
	else if (mover->actor)
		snprintf(buffer, 40, "VMM, thread %u", mover->actor);
	else
		return "VMM";
	return buffer;
}

/* ---- text ---- */

struct listing {
	FILE *out;
	const struct style *style;
	const struct vm *vm;
	uint64_t ranges, pages;
};

static int list_difference(void *context, const struct difference *difference)
{
	struct listing *listing = context;
	const struct mover *mover = difference->mover;
	char size[24], who[40], since[32] = "-";

	if (!listing->ranges++)
		fprintf(listing->out, "\n  %16s  %16s  %8s  %-7s  %-7s  %-17s  %s\n", "FROM", "TO",
			"SIZE", "GUEST", "HOST", "SINCE", "WHO MOVED LAST");
	listing->pages += difference->npages;
	if (mover) {
		since[0] = mover->found ? '<' : ' ';
		time_text(listing->style, mover->ts_ns, since + 1);
	}
	fprintf(listing->out, "  %16llx  %16llx  %8s  %-7s  %-7s  %-17s  %s\n",
		(unsigned long long)(difference->gfn << 12),
		(unsigned long long)((difference->gfn + difference->npages - 1) << 12 | 0xfff),
		bytes_exact(difference->npages << 12, size), page_state_name(difference->guest),
		page_state_name(difference->host), since, mover_text(listing->vm, mover, who));
	return 0;
}

int diff_write_text(FILE *out, const struct style *style, const struct vm *vm)
{
	struct listing listing = {.out = out, .style = style, .vm = vm};
	char label[VM_SHORT_SIZE], type[16], size[24];

	fprintf(out, "VM %u  %s  %s%s  where guest plane and host plane differ\n", vm->id,
		vm_label_short(vm, label), vm_type_name(vm->type, type),
		vm->alive ? "" : ", ended");
	if (!vm_has_host_plane(vm)) {
		fputs("  has no host plane: KVM keeps no attributes of its pages\n", out);
		return 0;
	}
	fprintf(out, "  guest plane %s, host plane %s\n",
		confidence_name(vm_confidence(vm, PLANE_GUEST)),
		confidence_name(vm_confidence(vm, PLANE_HOST)));
	vm_differences(vm, list_difference, &listing);
	if (listing.ranges)
		fprintf(out, "\n  %llu ranges, %s\n", (unsigned long long)listing.ranges,
			bytes_exact(listing.pages << 12, size));
	else
		fputs("  no page differs, as far as both are known\n", out);
	return 0;
}

/* ---- ranges ---- */

static int write_difference(void *context, const struct difference *difference)
{
	fprintf(context, "%llu %llu %s %s\n", (unsigned long long)difference->gfn,
		(unsigned long long)difference->npages, page_state_name(difference->guest),
		page_state_name(difference->host));
	return 0;
}

int diff_write_ranges(FILE *out, const struct vm *vm)
{
	fprintf(out, "# vm %u, difference, guest plane %s, host plane %s\n", vm->id,
		confidence_name(vm_confidence(vm, PLANE_GUEST)),
		vm_has_host_plane(vm) ? confidence_name(vm_confidence(vm, PLANE_HOST)) : "none");
	return vm_differences(vm, write_difference, out);
}

/* ---- JSON ---- */

static void add_mover(json_object *range, const struct mover *mover)
{
	if (!mover)
		return;
	json_object_object_add(range, mover->found ? "found_ns" : "since_ns",
		json_object_new_uint64(mover->ts_ns));
	if (mover->found)
		return;
	json_object_object_add(range, "moved", json_object_new_string(plane_name(mover->plane)));
	if (mover->reset)
		json_object_object_add(range, "reset", json_object_new_boolean(true));
	else if (mover->plane == PLANE_GUEST)
		json_object_object_add(range, "vcpu", json_object_new_uint64(mover->actor));
	else if (mover->actor)
		json_object_object_add(range, "tid", json_object_new_uint64(mover->actor));
}

static int add_difference(void *context, const struct difference *difference)
{
	json_object *range = json_object_new_object();

	if (!range)
		return -ENOMEM;
	json_object_object_add(range, "gfn", json_object_new_uint64(difference->gfn));
	json_object_object_add(range, "npages", json_object_new_uint64(difference->npages));
	json_object_object_add(
		range, "guest", json_object_new_string(page_state_name(difference->guest)));
	json_object_object_add(
		range, "host", json_object_new_string(page_state_name(difference->host)));
	add_mover(range, difference->mover);
	return json_object_array_add(context, range) ? -ENOMEM : 0;
}

int diff_write_json(FILE *out, const struct vm *vm)
{
	json_object *map = json_object_new_object(), *ranges = json_object_new_array();
	int r;

	json_object_object_add(map, "schema", json_object_new_string("kvm-encstat.map/1"));
	json_object_object_add(map, "vm", vm_json(vm));
	json_object_object_add(map, "plane", json_object_new_string("diff"));
	json_object_object_add(map, "confidence",
		json_object_new_string(confidence_name(vm_confidence(vm, PLANE_GUEST))));
	json_object_object_add(
		map, "has_host_plane", json_object_new_boolean(vm_has_host_plane(vm)));
	if (vm_has_host_plane(vm))
		json_object_object_add(map, "host_confidence",
			json_object_new_string(confidence_name(vm_confidence(vm, PLANE_HOST))));
	json_object_object_add(map, "ranges", ranges);
	r = vm_differences(vm, add_difference, ranges);
	if (!r)
		json_line(out, map);
	return r;
}
