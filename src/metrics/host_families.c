/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said of the host, of what is enforced, and of the tool itself. */
#include "base/cleanup.h"
#include "metrics/metrics_private.h"
#include "policy/policy.h"

#define FAMILY struct text *out, const struct family *family, const struct gathered *all

/* ---- VMs, all together ---- */

static void build(FAMILY)
{
	(void)all;
	series(out, family->name, "_info", NULL, "version", KES_VERSION, NULL);
	text_string(out, "1\n");
}

static void vms(FAMILY)
{
	series_number(out, family, NULL, all->running, "state", "running");
	series_number(out, family, NULL, all->ended, "state", "ended");
}

static void trusted(FAMILY)
{
	for (int plane = 0; plane < PLANES; plane++)
		for (int i = 0; i < CONFIDENCES; i++)
			series_number(out, family, NULL, all->trusted[plane][i], "plane",
				plane_name((enum plane)plane), "confidence",
				confidence_name((enum confidence)i));
}

static void in_other(FAMILY)
{
	series_number(out, family, NULL, all->in_other);
}

static void put_in_other(FAMILY)
{
	series_number(out, family, NULL, all->metrics->put_in_other);
}

static void reduced(FAMILY)
{
	series_number(out, family, NULL, all->detail < all->metrics->options.detail);
}

static void conversions(FAMILY)
{
	for (int to = 0; to < PAGE_UNKNOWN; to++)
		series_number(out, family, NULL, all->metrics->host.moved[to], "to",
			page_state_name((enum page_state)to));
}

static void failed(FAMILY)
{
	for (int i = 0; i < FAILURES; i++)
		if (i != FAILURE_REFUSED + KES_REASON_NONE)
			series_number(out, family, NULL,
				i == FAILURE_VETOED ? all->totals.ledger.vetoed
						    : all->metrics->host.failed[i],
				"cause", failure_name((enum failure)i));
}

/* ---- findings, verdicts ---- */

/* Each kind with the severity it has by itself, and others as they come. */
static void of_kinds(struct text *out, const struct family *family,
	const uint64_t counts[FINDING_KINDS][SEVERITIES])
{
	for (int kind = 0; kind < FINDING_KINDS; kind++)
		for (int i = 0; i < SEVERITIES; i++) {
			char id[FINDING_ID_SIZE];

			if (counts[kind][i] || i == (int)detectors[kind]->severity)
				series_number(out, family, NULL, counts[kind][i], "finding",
					finding_kind_id((enum finding_kind)kind, id), "severity",
					severity_name((enum severity)i));
		}
}

static void findings_open(FAMILY)
{
	of_kinds(out, family, all->open);
}

static void findings_begun(FAMILY)
{
	of_kinds(out, family, all->metrics->begun);
}

static void verdicts(FAMILY)
{
	static const char *const modes[] = {"enforce", "monitor"};

	for (int mode = 0; all->has_verdicts && mode < 2; mode++)
		for (int action = KES_LOG; action < KES_ACTIONS; action++)
			series_number(out, family, NULL, all->metrics->host.verdicts[mode][action],
				"action", action_name((enum kes_action)action), "mode",
				modes[mode]);
}

/* ---- records ---- */

static void records(FAMILY)
{
	series_number(out, family, NULL, all->totals.records);
}

static void lost(FAMILY)
{
	for (unsigned int i = 0; i < KES_CAUSE_MAX; i++)
		series_number(out, family, NULL, all->totals.host_lost[i], "cause", lost_name(i));
}

static void record_age(FAMILY)
{
	if (all->view->tool && all->view->tool->capturing)
		series_seconds(out, family, NULL, all->view->tool->age_ns);
}

/* ---- enforcement ---- */

static void tool_runs(FAMILY)
{
	const struct enforced *enforced = all->view->enforced;

	if (enforced)
		series_number(out, family, NULL, enforced->tool != 0);
}

static void unarmed(FAMILY)
{
	if (all->view->tool)
		series_number(out, family, NULL, all->view->tool->unarmed);
}

static void policed(FAMILY)
{
	const struct enforced *enforced = all->view->enforced;
	uint64_t ruled = 0, frozen = 0;

	if (!enforced)
		return;
	for (size_t i = 0; i < enforced->n_vms; i++) {
		ruled += enforced->vms[i].has_rules;
		frozen += enforced->vms[i].is_frozen;
	}
	series_number(out, family, NULL, ruled, "state", "ruled");
	series_number(out, family, NULL, frozen, "state", "frozen");
}

static void asked(FAMILY)
{
	const struct enforced *enforced = all->view->enforced;

	if (!enforced)
		return;
	series_number(out, family, NULL, enforced->totals.hypercalls, "about", "hypercall");
	series_number(out, family, NULL, enforced->totals.changes, "about", "change");
}

static void kept_out(FAMILY)
{
	if (all->view->enforced)
		series_number(out, family, NULL, all->view->enforced->totals.kept_out);
}

static void doubtful(FAMILY)
{
	const struct enforced *enforced = all->view->enforced;

	if (!enforced)
		return;
	series_number(out, family, NULL, enforced->totals.unreadable_passed, "cause",
		"unreadable_passed");
	series_number(out, family, NULL, enforced->totals.unreadable_refused, "cause",
		"unreadable_refused");
	series_number(out, family, NULL, enforced->totals.beyond, "cause", "no_room");
	series_number(out, family, NULL, enforced->totals.busy, "cause", "busy");
	series_number(out, family, NULL, enforced->totals.replaced, "cause", "replaced");
}

static void missed(FAMILY)
{
	if (all->view->enforced && all->view->enforced->knows_missed)
		series_number(out, family, NULL, all->view->enforced->missed);
}

static void leaves(FAMILY)
{
	if (all->view->enforced)
		series_number(out, family, NULL, all->view->enforced->totals.leaves);
}

/* ---- the tool ---- */

static void hooks(FAMILY)
{
	static const char *const states[] = {"absent", "refused", "standby", "attached"};

	if (!all->view->tool || !all->view->tool->capturing)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		series_number(out, family, NULL, all->view->tool->hooks[i], "state", states[i]);
}

static void capturing(FAMILY)
{
	if (all->view->tool)
		series_number(out, family, NULL, all->view->tool->capturing);
}

static void start(FAMILY)
{
	if (all->view->tool)
		series_number(out, family, NULL, all->view->tool->start_s);
}

static void cpu(FAMILY)
{
	if (all->view->tool)
		series_seconds(out, family, NULL, all->view->tool->cpu_ns);
}

static void resident(FAMILY)
{
	if (all->view->tool && all->view->tool->resident)
		series_number(out, family, NULL, all->view->tool->resident);
}

/* ---- audit and socket ---- */

#define AUDIT(name, member)                                                         \
	static void name(FAMILY)                                                    \
	{                                                                           \
		if (all->view->audit)                                               \
			series_number(out, family, NULL, all->view->audit->member); \
	}
AUDIT(audit_told, told)
AUDIT(audit_delivered, delivered)
AUDIT(audit_waiting, waiting)
AUDIT(audit_merged, merged)
AUDIT(audit_failures, failures)
AUDIT(audit_trouble, trouble)

#define SOCKET(name, member)                                                         \
	static void name(FAMILY)                                                     \
	{                                                                            \
		if (all->view->socket)                                               \
			series_number(out, family, NULL, all->view->socket->member); \
	}
SOCKET(socket_clients, clients)
SOCKET(socket_subscribers, subscribers)
SOCKET(socket_accepted, accepted)
SOCKET(socket_calls, calls)
SOCKET(socket_sent, sent)

static void socket_dropped(FAMILY)
{
	if (!all->view->socket)
		return;
	series_number(out, family, NULL, all->view->socket->refused, "cause", "refused");
	series_number(out, family, NULL, all->view->socket->malformed, "cause", "malformed");
	series_number(out, family, NULL, all->view->socket->slow, "cause", "slow");
}

/* ---- the table ---- */

const struct family host_families[] = {
	{"kvm_encstat_build", FAMILY_INFO, "", "version", "The program.", METRICS_HOST, NULL,
		build},
	{"kvm_encstat_vms", FAMILY_GAUGE, "", "state",
		"VMs: running, and those that ended and are still kept.", METRICS_HOST, NULL, vms},
	{"kvm_encstat_vms_trusted", FAMILY_GAUGE, "", "plane, confidence",
		"Running VMs that have this plane, by how far to trust it.", METRICS_HOST, NULL,
		trusted},
	{"kvm_encstat_vms_in_other", FAMILY_GAUGE, "", "",
		"Running VMs that have no series of their own: they are in the one that is called "
		"other, "
		"with id 0.",
		METRICS_HOST, NULL, in_other},
	{"kvm_encstat_vms_put_in_other", FAMILY_COUNTER, "", "",
		"VMs for which there was no room, since the start.", METRICS_HOST, NULL,
		put_in_other},
	{"kvm_encstat_detail_reduced", FAMILY_GAUGE, "", "",
		"1: less is said of each VM than the configuration asks for, as the text would "
		"have "
		"been too long.",
		METRICS_HOST, NULL, reduced},
	{"kvm_encstat_conversions", FAMILY_COUNTER, "", "to",
		"Conversions of all VMs, also of those that ended, since the start.", METRICS_HOST,
		NULL, conversions},
	{"kvm_encstat_conversions_failed", FAMILY_COUNTER, "", "cause",
		"The same of those that did not come to be; causes as in "
		"kvm_encstat_vm_conversions_failed.",
		METRICS_HOST, NULL, failed},
	{"kvm_encstat_findings_open", FAMILY_GAUGE, "", "finding, severity",
		"Findings that go on, of all VMs and the host, by kind and severity.", METRICS_HOST,
		NULL, findings_open},
	{"kvm_encstat_findings", FAMILY_COUNTER, "", "finding, severity", "Findings that began.",
		METRICS_HOST, NULL, findings_begun},
	{"kvm_encstat_verdicts", FAMILY_COUNTER, "", "action, mode",
		"What policies said, of all VMs; as kvm_encstat_vm_verdicts.", METRICS_HOST, NULL,
		verdicts},
	{"kvm_encstat_records", FAMILY_COUNTER, "", "", "Records that were taken in.", METRICS_HOST,
		NULL, records},
	{"kvm_encstat_records_lost", FAMILY_COUNTER, "", "cause",
		"Records that were lost and are no one VM's. unattributed makes all maps stale: it "
		"may "
		"have been any VM's.",
		METRICS_HOST, NULL, lost},
	{"kvm_encstat_record_age_seconds", FAMILY_GAUGE, "seconds", "",
		"How long ago the latest record was; more than a few seconds: capture stands "
		"still.",
		METRICS_HOST, NULL, record_age},
	{"kvm_encstat_policy_unarmed", FAMILY_GAUGE, "", "",
		"1: policies should be enforced, and the veto could not be armed: nothing is "
		"refused, but what an earlier daemon left to be.",
		METRICS_HOST, NULL, unarmed},
	{"kvm_encstat_policy_tool_running", FAMILY_GAUGE, "", "",
		"Whether a tool keeps the rules in the kernel up to date. Families of the policy "
		"are left "
		"out while this program enforces nothing.",
		METRICS_HOST, NULL, tool_runs},
	{"kvm_encstat_policy_vms", FAMILY_GAUGE, "", "state",
		"VMs that have rules of their own in the kernel, and VMs that are frozen.",
		METRICS_HOST, NULL, policed},
	{"kvm_encstat_policy_asked", FAMILY_COUNTER, "", "about",
		"Requests that policies were asked about: hypercalls, and changes of attributes.",
		METRICS_HOST, NULL, asked},
	{"kvm_encstat_policy_kept_out", FAMILY_COUNTER, "", "",
		"Entries into the guest that were refused, of frozen VMs.", METRICS_HOST, NULL,
		kept_out},
	{"kvm_encstat_policy_doubtful", FAMILY_COUNTER, "", "cause",
		"Requests that could not be judged as they should: arguments that could not be "
		"read, no "
		"room to count pages, a VM's state locked for too long, arguments that were "
		"replaced "
		"after they were judged.",
		METRICS_HOST, NULL, doubtful},
	{"kvm_encstat_policy_missed", FAMILY_COUNTER, "", "",
		"How often the kernel passed over one of the programs that judge.", METRICS_HOST,
		NULL, missed},
	{"kvm_encstat_policy_leaves", FAMILY_GAUGE, "", "",
		"Pieces of 16 MiB whose shared pages are counted; there is room for 16384.",
		METRICS_HOST, NULL, leaves},
	{"kvm_encstat_capturing", FAMILY_GAUGE, "", "",
		"Whether KVM is there and watched; if not, the program waits for its modules.",
		METRICS_HOST, NULL, capturing},
	{"kvm_encstat_hooks", FAMILY_GAUGE, "", "state",
		"Hooks in the kernel: attached, standby (nothing to see yet), refused (by the "
		"kernel), "
		"absent.",
		METRICS_HOST, NULL, hooks},
	{"kvm_encstat_start_time_seconds", FAMILY_GAUGE, "seconds", "",
		"When the program began, Unix time.", METRICS_HOST, NULL, start},
	{"kvm_encstat_cpu_seconds", FAMILY_COUNTER, "seconds", "",
		"Processor time of the program; what its hooks take is in the guests' time.",
		METRICS_HOST, NULL, cpu},
	{"kvm_encstat_resident_memory_bytes", FAMILY_GAUGE, "bytes", "", "Its memory.",
		METRICS_HOST, NULL, resident},
	{"kvm_encstat_audit_records", FAMILY_COUNTER, "", "", "Audit records that were made.",
		METRICS_HOST, NULL, audit_told},
	{"kvm_encstat_audit_delivered", FAMILY_COUNTER, "", "",
		"Audit records that the journal, or the file, has.", METRICS_HOST, NULL,
		audit_delivered},
	{"kvm_encstat_audit_spool_bytes", FAMILY_GAUGE, "bytes", "",
		"Audit records that wait on disk, as the journal does not take them.", METRICS_HOST,
		NULL, audit_waiting},
	{"kvm_encstat_audit_merged", FAMILY_COUNTER, "", "",
		"Audit records that are counted in a summary only, as there was no room for them.",
		METRICS_HOST, NULL, audit_merged},
	{"kvm_encstat_audit_failures", FAMILY_COUNTER, "", "",
		"Tries to deliver audit records that failed.", METRICS_HOST, NULL, audit_failures},
	{"kvm_encstat_audit_trouble", FAMILY_GAUGE, "", "", "Whether the last try failed.",
		METRICS_HOST, NULL, audit_trouble},
	{"kvm_encstat_socket_clients", FAMILY_GAUGE, "", "", "Clients of the socket.", METRICS_HOST,
		NULL, socket_clients},
	{"kvm_encstat_socket_subscribers", FAMILY_GAUGE, "", "",
		"Those of them that follow events or records.", METRICS_HOST, NULL,
		socket_subscribers},
	{"kvm_encstat_socket_accepted", FAMILY_COUNTER, "", "", "Clients that came.", METRICS_HOST,
		NULL, socket_accepted},
	{"kvm_encstat_socket_calls", FAMILY_COUNTER, "", "", "Their calls.", METRICS_HOST, NULL,
		socket_calls},
	{"kvm_encstat_socket_sent_bytes", FAMILY_COUNTER, "bytes", "", "What was sent to them.",
		METRICS_HOST, NULL, socket_sent},
	{"kvm_encstat_socket_dropped", FAMILY_COUNTER, "", "cause",
		"Clients that were refused (no room, or no right), malformed (what they sent was "
		"no "
		"message) or slow (they did not keep up).",
		METRICS_HOST, NULL, socket_dropped},
};
const size_t n_host_families = ARRAY_SIZE(host_families);
