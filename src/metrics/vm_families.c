/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said of each VM. */
#include "base/cleanup.h"
#include "metrics/metrics_private.h"

#define UNUSED __attribute__((unused))

/* The number of a family at these places of its axes. */
#define NUMBER(name, expression)                                                         \
	static uint64_t name(const struct gathered *all UNUSED, const struct figures *f, \
		unsigned int i UNUSED, unsigned int j UNUSED)                            \
	{                                                                                \
		return expression;                                                       \
	}

/* ---- who it is ---- */

NUMBER(info, f->vm ? 1 : NOTHING)
NUMBER(vcpus, f->alive && f->vcpus ? f->vcpus : NOTHING)

static void write_info(struct text *out, const struct figures *f)
{
	char type[16], uuid[METRICS_LABEL_SIZE];

	text_string(out, ",type=\"");
	text_string(out, vm_type_name(f->vm->type, type));
	text_string(out, "\",uuid=\"");
	text_string(out, metrics_label(f->vm->text[KES_TEXT_UUID], uuid));
	text_string(out, "\"");
}

/* ---- pages ---- */

NUMBER(memory, f->alive && f->has_memory ? f->memory << 12 : NOTHING)
NUMBER(pages, f->alive && f->has_plane[i] ? f->pages[i][j] << 12 : NOTHING)
NUMBER(confidence, f->vm && f->alive && f->has_plane[i] ? j == f->confidence[i] : NOTHING)
NUMBER(lost, f->lost[i])

/* ---- conversions ---- */

NUMBER(conversions, f->counts.moved[i])
NUMBER(failed, f->counts.failed[i])
NUMBER(uncommitted, !f->vm || f->has_plane[PLANE_HOST] ? f->totals.uncommitted : NOTHING)
NUMBER(open_requests, f->open)
NUMBER(oldest, f->oldest_ns)
NUMBER(attributes, f->totals.attributes)
NUMBER(faults, f->totals.faults)
NUMBER(resets, f->resets)
NUMBER(exits, f->has_exits ? f->exits : NOTHING)
NUMBER(hypercalls, f->has_exits ? f->hypercalls : NOTHING)

static uint64_t latency(const struct gathered *all UNUSED, const struct figures *f, unsigned int i,
	unsigned int j UNUSED)
{
	uint64_t below = 0;

	if (i > LATENCY_BOUNDS + 1)
		return f->counts.latency_ns;
	for (unsigned int k = 0; k <= i && k <= LATENCY_BOUNDS; k++)
		below += f->counts.latency[k];
	return below;
}

/* ---- judgements ---- */

NUMBER(findings_open, f->findings[i])
NUMBER(findings_begun, f->counts.begun[i])
NUMBER(finding_open, f->open_findings && f->open_findings[i] == j + 1 ? 1 : NOTHING)
NUMBER(verdicts, all->has_verdicts ? f->counts.verdicts[j][KES_LOG + i] : NOTHING)

/* ---- the table ---- */

const struct family vm_families[] = {
	{"kvm_encstat_vm", FAMILY_INFO, "",
		"Who a VM is: its type (default, sw-protected, sev, sev-es, snp, tdx, or type-N if "
		"it is newer than this program), and its uuid, empty where its VMM does not say.",
		METRICS_BASIC, {}, .of_vm = info, .labels = "type, uuid",
		.write_labels = write_info},
	{"kvm_encstat_vm_memory_bytes", FAMILY_GAUGE, "bytes", "Guest memory: all its memslots.",
		METRICS_BASIC, {}, .of_vm = memory},
	{"kvm_encstat_vm_pages_bytes", FAMILY_GAUGE, "bytes",
		"Guest memory by the state of its pages: private, shared or unknown, as the guest "
		"declared them (plane guest) and as KVM's attributes have them (plane host). A VM "
		"without a plane has no series of it.",
		METRICS_BASIC, {&by_plane, &by_state}, .of_vm = pages},
	{"kvm_encstat_vm_confidence", FAMILY_STATESET, "",
		"How far to trust the pages: exact (nothing was missed), partial (it was watched "
		"from some time on), stale (records were lost). The one that holds is 1.",
		METRICS_BASIC, {&by_plane, &by_vm_confidence}, .of_vm = confidence},
	{"kvm_encstat_vm_records_lost", FAMILY_COUNTER, "",
		"Records of the VM that were lost, by cause; counts_full loses counts of exits and "
		"no record; gap is what is missing from the sequence beyond all that was counted.",
		METRICS_BASIC, {&by_loss}, .of_vm = lost},
	{"kvm_encstat_vm_conversions", FAMILY_COUNTER, "",
		"Conversions that the VMM answered with yes, by what the pages became.",
		METRICS_BASIC, {&by_moved}, .of_vm = conversions},
	{"kvm_encstat_vm_conversions_failed", FAMILY_COUNTER, "",
		"Conversions that did not come to be: denied (by the VMM), unanswered (the VM "
		"ended or was reset first), unseen (the answer could not be read: the pages are "
		"unknown), vetoed (by a policy, whether guest or VMM asked), refused_REASON (by "
		"KVM, before its VMM heard of it).",
		METRICS_BASIC, {&by_failure}, .of_vm = failed},
	{"kvm_encstat_vm_findings_open", FAMILY_GAUGE, "",
		"Findings that go on, see kvm-encstat-findings(7).", METRICS_BASIC, {&by_severity},
		.of_vm = findings_open},
	{"kvm_encstat_vm_finding_open", FAMILY_GAUGE, "",
		"1 for each finding that goes on, by its kind; there is no series of one that does "
		"not.",
		METRICS_BASIC, {&by_finding, &by_severity}, .of_vm = finding_open},
	{"kvm_encstat_vm_findings", FAMILY_COUNTER, "", "Findings that began.", METRICS_FULL,
		{&by_severity}, .of_vm = findings_begun},
	{"kvm_encstat_vm_verdicts", FAMILY_COUNTER, "",
		"What policies said about requests and findings, but for what they let pass "
		"without a word: mode enforce happened, mode monitor would have. Left out while no "
		"policy is there.",
		METRICS_FULL, {&by_action, &by_mode}, .of_vm = verdicts},
	{"kvm_encstat_vm_answer_seconds", FAMILY_HISTOGRAM, "seconds",
		"How long the VMM took to answer a conversion, where request and answer were both "
		"seen as they happened.",
		METRICS_FULL, {&by_bound}, .of_vm = latency},
	{"kvm_encstat_vm_requests_open", FAMILY_GAUGE, "",
		"Conversions that the VMM has not answered yet; at most one a vCPU.", METRICS_FULL,
		{}, .of_vm = open_requests},
	{"kvm_encstat_vm_oldest_request_seconds", FAMILY_GAUGE, "seconds",
		"How long the oldest of these waits; 0 if there is none.", METRICS_FULL, {},
		.of_vm = oldest},
	{"kvm_encstat_vm_conversions_uncommitted", FAMILY_COUNTER, "",
		"Conversions that the VMM answered with yes, but KVM's attributes did not say so.",
		METRICS_FULL, {}, .of_vm = uncommitted},
	{"kvm_encstat_vm_attribute_changes", FAMILY_COUNTER, "",
		"Changes of KVM's memory attributes that succeeded.", METRICS_FULL, {},
		.of_vm = attributes},
	{"kvm_encstat_vm_memory_faults", FAMILY_COUNTER, "",
		"Exits because the guest touched a page as what it is not (KVM_EXIT_MEMORY_FAULT).",
		METRICS_FULL, {}, .of_vm = faults},
	{"kvm_encstat_vm_exits", FAMILY_COUNTER, "",
		"Exits to the VMM. Left out where one process has several VMs: they cannot be told "
		"apart.",
		METRICS_FULL, {}, .of_vm = exits},
	{"kvm_encstat_vm_hypercalls", FAMILY_COUNTER, "",
		"Hypercalls, but for those that a policy refused. Left out where one process has "
		"several VMs.",
		METRICS_FULL, {}, .of_vm = hypercalls},
	{"kvm_encstat_vm_resets", FAMILY_COUNTER, "", "Resets of the VM.", METRICS_FULL, {},
		.of_vm = resets},
	{"kvm_encstat_vm_vcpus", FAMILY_GAUGE, "", "vCPUs, where they are known.", METRICS_FULL, {},
		.of_vm = vcpus},
};
const size_t n_vm_families = ARRAY_SIZE(vm_families);
