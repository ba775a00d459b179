/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said of each VM. */
#include "base/cleanup.h"
#include "metrics/metrics_private.h"
#include "policy/policy.h"

/* Arguments of every function that writes a family. */
#define FAMILY                                                                  \
	struct text *out, const struct family *family, const struct figures *f, \
		const struct gathered *all __attribute__((unused))

/* ---- who it is ---- */

static void info(FAMILY)
{
	char type[16], uuid[METRICS_LABEL_SIZE];

	if (f->vm)
		series_number(out, family, f, 1, "type", vm_type_name(f->vm->type, type), "uuid",
			metrics_label(f->vm->text[KES_TEXT_UUID], uuid));
}

static void vcpus(FAMILY)
{
	if (f->alive && f->vcpus)
		series_number(out, family, f, f->vcpus);
}

/* ---- pages ---- */

static void memory(FAMILY)
{
	if (f->alive && f->has_memory)
		series_number(out, family, f, f->memory << 12);
}

static void pages(FAMILY)
{
	for (int plane = 0; plane < PLANES; plane++)
		for (int state = 0; f->alive && f->has_plane[plane] && state < PAGE_STATES; state++)
			series_number(out, family, f, f->pages[plane][state] << 12, "plane",
				plane_name((enum plane)plane), "state",
				page_state_name((enum page_state)state));
}

static void confidence(FAMILY)
{
	for (int plane = 0; f->vm && f->alive && plane < PLANES; plane++)
		for (int i = 0; f->has_plane[plane] && i < CONFIDENCES; i++)
			series_number(out, family, f, i == (int)f->confidence[plane], "plane",
				plane_name((enum plane)plane), family->name,
				confidence_name((enum confidence)i));
}

static void lost(FAMILY)
{
	for (unsigned int i = 0; i < LOST_CAUSES; i++)
		series_number(out, family, f, f->lost[i], "cause", lost_name(i));
}

/* ---- conversions ---- */

static void conversions(FAMILY)
{
	for (int to = 0; to < PAGE_UNKNOWN; to++)
		series_number(out, family, f, f->counts.moved[to], "to",
			page_state_name((enum page_state)to));
}

static void failed(FAMILY)
{
	for (int i = 0; i < FAILURES; i++)
		if (i != FAILURE_REFUSED + KES_REASON_NONE)
			series_number(out, family, f, f->counts.failed[i], "cause",
				failure_name((enum failure)i));
}

static void uncommitted(FAMILY)
{
	if (!f->vm || f->has_plane[PLANE_HOST])
		series_number(out, family, f, f->totals.uncommitted);
}

static void latency(FAMILY)
{
	uint64_t below = 0;

	for (int i = 0; i < LATENCY_BOUNDS; i++) {
		below += f->counts.latency[i];
		series(out, family->name, "_bucket", f, "le", latency_bounds[i].le, NULL);
		text_number(out, below);
		text_put(out, "\n", 1);
	}
	below += f->counts.latency[LATENCY_BOUNDS];
	series(out, family->name, "_bucket", f, "le", "+Inf", NULL);
	text_number(out, below);
	text_put(out, "\n", 1);
	series(out, family->name, "_count", f, NULL);
	text_number(out, below);
	text_put(out, "\n", 1);
	series(out, family->name, "_sum", f, NULL);
	text_seconds(out, f->counts.latency_ns);
	text_put(out, "\n", 1);
}

static void open_requests(FAMILY)
{
	series_number(out, family, f, f->open);
}

static void oldest(FAMILY)
{
	series_seconds(out, family, f, f->oldest_ns);
}

static void attributes(FAMILY)
{
	series_number(out, family, f, f->totals.attributes);
}

static void faults(FAMILY)
{
	series_number(out, family, f, f->totals.faults);
}

static void resets(FAMILY)
{
	series_number(out, family, f, f->resets);
}

static void exits(FAMILY)
{
	if (f->has_exits)
		series_number(out, family, f, f->exits);
}

static void hypercalls(FAMILY)
{
	if (f->has_exits)
		series_number(out, family, f, f->hypercalls);
}

/* ---- judgements ---- */

static void findings_open(FAMILY)
{
	for (int i = 0; i < SEVERITIES; i++)
		series_number(out, family, f, f->findings[i], "severity",
			severity_name((enum severity)i));
}

static void findings_begun(FAMILY)
{
	for (int i = 0; i < SEVERITIES; i++)
		series_number(out, family, f, f->counts.begun[i], "severity",
			severity_name((enum severity)i));
}

static void finding_open(FAMILY)
{
	for (int kind = 0; f->open_findings && kind < FINDING_KINDS; kind++) {
		char id[FINDING_ID_SIZE];

		if (f->open_findings[kind])
			series_number(out, family, f, 1, "finding",
				finding_kind_id((enum finding_kind)kind, id), "severity",
				severity_name((enum severity)(f->open_findings[kind] - 1)));
	}
}

static void verdicts(FAMILY)
{
	static const char *const modes[] = {"enforce", "monitor"};

	for (int mode = 0; all->has_verdicts && mode < 2; mode++)
		for (int action = KES_LOG; action < KES_ACTIONS; action++)
			series_number(out, family, f, f->counts.verdicts[mode][action], "action",
				action_name((enum kes_action)action), "mode", modes[mode]);
}

/* ---- the table ---- */

const struct family vm_families[] = {
	{"kvm_encstat_vm", FAMILY_INFO, "", "type, uuid",
		"Who a VM is: its type (default, sw-protected, sev, sev-es, snp, tdx, or type-N if "
		"it is "
		"newer than this program), and its uuid, empty where its VMM does not say.",
		METRICS_BASIC, info, NULL},
	{"kvm_encstat_vm_memory_bytes", FAMILY_GAUGE, "bytes", "",
		"Guest memory: all its memslots.", METRICS_BASIC, memory, NULL},
	{"kvm_encstat_vm_pages_bytes", FAMILY_GAUGE, "bytes", "plane, state",
		"Guest memory by the state of its pages: private, shared or unknown, as the guest "
		"declared them (plane guest) and as KVM's attributes have them (plane host). A VM "
		"without "
		"a plane has no series of it.",
		METRICS_BASIC, pages, NULL},
	{"kvm_encstat_vm_confidence", FAMILY_STATESET, "", "plane, kvm_encstat_vm_confidence",
		"How far to trust the pages: exact (nothing was missed), partial (it was watched "
		"from "
		"some time on), stale (records were lost). The one that holds is 1.",
		METRICS_BASIC, confidence, NULL},
	{"kvm_encstat_vm_records_lost", FAMILY_COUNTER, "", "cause",
		"Records of the VM that were lost, by cause; counts_full loses counts of exits and "
		"no "
		"record; gap is what is missing from the sequence beyond all that was counted.",
		METRICS_BASIC, lost, NULL},
	{"kvm_encstat_vm_conversions", FAMILY_COUNTER, "", "to",
		"Conversions that the VMM answered with yes, by what the pages became.",
		METRICS_BASIC, conversions, NULL},
	{"kvm_encstat_vm_conversions_failed", FAMILY_COUNTER, "", "cause",
		"Conversions that did not come to be: denied (by the VMM), unanswered (the VM "
		"ended or "
		"was reset first), unseen (the answer could not be read: the pages are unknown), "
		"vetoed "
		"(by a policy), refused_REASON (by KVM, before its VMM heard of it).",
		METRICS_BASIC, failed, NULL},
	{"kvm_encstat_vm_findings_open", FAMILY_GAUGE, "", "severity",
		"Findings that go on, see kvm-encstat-findings(7).", METRICS_BASIC, findings_open,
		NULL},
	{"kvm_encstat_vm_finding_open", FAMILY_GAUGE, "", "finding, severity",
		"1 for each finding that goes on, by its kind; there is no series of one that does "
		"not.",
		METRICS_BASIC, finding_open, NULL},
	{"kvm_encstat_vm_findings", FAMILY_COUNTER, "", "severity", "Findings that began.",
		METRICS_FULL, findings_begun, NULL},
	{"kvm_encstat_vm_verdicts", FAMILY_COUNTER, "", "action, mode",
		"What policies said about requests and findings, but for what they let pass "
		"without a "
		"word: mode enforce happened, mode monitor would have. Left out while no policy is "
		"there.",
		METRICS_FULL, verdicts, NULL},
	{"kvm_encstat_vm_answer_seconds", FAMILY_HISTOGRAM, "seconds", "le",
		"How long the VMM took to answer a conversion, where request and answer were both "
		"seen "
		"as they happened.",
		METRICS_FULL, latency, NULL},
	{"kvm_encstat_vm_requests_open", FAMILY_GAUGE, "", "",
		"Conversions that the VMM has not answered yet; at most one a vCPU.", METRICS_FULL,
		open_requests, NULL},
	{"kvm_encstat_vm_oldest_request_seconds", FAMILY_GAUGE, "seconds", "",
		"How long the oldest of these waits; 0 if there is none.", METRICS_FULL, oldest,
		NULL},
	{"kvm_encstat_vm_conversions_uncommitted", FAMILY_COUNTER, "", "",
		"Conversions that the VMM answered with yes, but KVM's attributes did not say so.",
		METRICS_FULL, uncommitted, NULL},
	{"kvm_encstat_vm_attribute_changes", FAMILY_COUNTER, "", "",
		"Changes of KVM's memory attributes that succeeded.", METRICS_FULL, attributes,
		NULL},
	{"kvm_encstat_vm_memory_faults", FAMILY_COUNTER, "", "",
		"Exits because the guest touched a page as what it is not (KVM_EXIT_MEMORY_FAULT).",
		METRICS_FULL, faults, NULL},
	{"kvm_encstat_vm_exits", FAMILY_COUNTER, "", "",
		"Exits to the VMM. Left out where one process has several VMs: they cannot be told "
		"apart.",
		METRICS_FULL, exits, NULL},
	{"kvm_encstat_vm_hypercalls", FAMILY_COUNTER, "", "",
		"Hypercalls. Left out where one process has several VMs.", METRICS_FULL, hypercalls,
		NULL},
	{"kvm_encstat_vm_resets", FAMILY_COUNTER, "", "", "Resets of the VM.", METRICS_FULL, resets,
		NULL},
	{"kvm_encstat_vm_vcpus", FAMILY_GAUGE, "", "", "vCPUs, where they are known.", METRICS_FULL,
		vcpus, NULL},
};
const size_t n_vm_families = ARRAY_SIZE(vm_families);
