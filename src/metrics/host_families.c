/* SPDX-License-Identifier: GPL-2.0-only */
/* What is said of the host, of what is enforced, and of the tool itself. */
#include "base/cleanup.h"
#include "metrics/metrics_private.h"

#define UNUSED __attribute__((unused))

/* The number of a family at these places of its axes; where it is of something that may not be
 * there, nothing without that. */
#define NUMBER(name, expression)                                                                 \
	static uint64_t name(                                                                    \
		const struct gathered *all UNUSED, unsigned int i UNUSED, unsigned int j UNUSED) \
	{                                                                                        \
		return expression;                                                               \
	}
#define NUMBER_OF(part, name, expression) \
	NUMBER(name, all->view->part ? (uint64_t)(all->view->part->expression) : NOTHING)

/* ---- VMs, all together ---- */

NUMBER(build, 1)
NUMBER(vms, i ? all->ended : all->running)
NUMBER(trusted, all->trusted[i][j])
NUMBER(in_other, all->in_other)
NUMBER(put_in_other, all->metrics->put_in_other)
NUMBER(reduced, all->detail < all->metrics->options.detail)
NUMBER(conversions, all->metrics->host.moved[i])
NUMBER(failed, i == FAILURE_VETOED ? all->totals.ledger.vetoed : all->metrics->host.failed[i])

/* ---- findings, verdicts ---- */

/* Each kind with the severity it has by itself, and others as they come. */
static uint64_t of_kind(
	const uint64_t counts[FINDING_KINDS][SEVERITIES], unsigned int kind, unsigned int severity)
{
	bool its_own = severity == detectors[kind]->severity;

	return its_own || counts[kind][severity] ? counts[kind][severity] : NOTHING;
}

NUMBER(findings_open, of_kind(all->open, i, j))
NUMBER(findings_begun, of_kind(all->metrics->begun, i, j))
NUMBER(verdicts, all->has_verdicts ? all->metrics->host.verdicts[j][KES_LOG + i] : NOTHING)

/* ---- records ---- */

NUMBER(records, all->totals.records)
NUMBER(lost, all->totals.host_lost[i])
NUMBER_OF(tool, record_age, capturing ? all->view->tool->age_ns : NOTHING)

/* ---- enforcement ---- */

NUMBER_OF(enforced, tool_runs, tool != 0)
NUMBER_OF(tool, unarmed, unarmed)
NUMBER_OF(enforced, kept_out, totals.kept_out)
NUMBER_OF(enforced, missed, knows_missed ? all->view->enforced->missed : NOTHING)
NUMBER_OF(enforced, leaves, totals.leaves)

/* By by_policed. */
static uint64_t policed(const struct gathered *all, unsigned int i, unsigned int j UNUSED)
{
	const struct enforced *enforced = all->view->enforced;
	uint64_t n = 0;

	for (size_t k = 0; enforced && k < enforced->n_vms; k++)
		n += i ? enforced->vms[k].is_frozen : enforced->vms[k].has_rules;
	return enforced ? n : NOTHING;
}

/* By by_asked. */
static uint64_t asked(const struct gathered *all, unsigned int i, unsigned int j UNUSED)
{
	const struct enforced *enforced = all->view->enforced;

	if (!enforced)
		return NOTHING;
	return i ? enforced->totals.changes : enforced->totals.hypercalls;
}

/* By by_doubt. */
static uint64_t doubtful(const struct gathered *all, unsigned int i, unsigned int j UNUSED)
{
	const struct enforced *enforced = all->view->enforced;

	if (!enforced)
		return NOTHING;
	return (const uint64_t[]){
		enforced->totals.unreadable_passed,
		enforced->totals.unreadable_refused,
		enforced->totals.beyond,
		enforced->totals.busy,
		enforced->totals.replaced,
	}[i];
}

/* ---- the tool ---- */

NUMBER_OF(tool, hooks, capturing ? all->view->tool->hooks[i] : NOTHING)
NUMBER_OF(tool, capturing, capturing)
NUMBER_OF(tool, start, start_s *SECOND_NS)
NUMBER_OF(tool, cpu, cpu_ns)
NUMBER_OF(tool, memory_limit, memory ? all->view->tool->memory : NOTHING)
NUMBER_OF(tool, resident, resident ? all->view->tool->resident : NOTHING)

/* ---- audit and socket ---- */

NUMBER_OF(audit, audit_told, told)
NUMBER_OF(audit, audit_delivered, delivered)
NUMBER_OF(audit, audit_waiting, waiting)
NUMBER_OF(audit, audit_merged, merged)
NUMBER_OF(audit, audit_failures, failures)
NUMBER_OF(audit, audit_trouble, trouble)

NUMBER_OF(socket, socket_clients, clients)
NUMBER_OF(socket, socket_subscribers, subscribers)
NUMBER_OF(socket, socket_accepted, accepted)
NUMBER_OF(socket, socket_calls, calls)
NUMBER_OF(socket, socket_sent, sent)

/* By by_drop. */
static uint64_t socket_dropped(const struct gathered *all, unsigned int i, unsigned int j UNUSED)
{
	const struct metrics_socket *socket = all->view->socket;

	if (!socket)
		return NOTHING;
	return (const uint64_t[]){socket->refused, socket->malformed, socket->slow}[i];
}

/* ---- the table ---- */

const struct family host_families[] = {
	{"kvm_encstat_build", FAMILY_INFO, "", "The program.", METRICS_HOST, {&by_version},
		.of_host = build},
	{"kvm_encstat_vms", FAMILY_GAUGE, "",
		"VMs: running, and those that ended and are still kept.", METRICS_HOST, {&by_life},
		.of_host = vms},
	{"kvm_encstat_vms_trusted", FAMILY_GAUGE, "",
		"Running VMs that have this plane, by how far to trust it.", METRICS_HOST,
		{&by_plane, &by_confidence}, .of_host = trusted},
	{"kvm_encstat_vms_in_other", FAMILY_GAUGE, "",
		"Running VMs that have no series of their own: they are in the one that is called "
		"other, with id 0.",
		METRICS_HOST, {}, .of_host = in_other},
	{"kvm_encstat_vms_put_in_other", FAMILY_COUNTER, "",
		"VMs for which there was no room, since the start.", METRICS_HOST, {},
		.of_host = put_in_other},
	{"kvm_encstat_detail_reduced", FAMILY_GAUGE, "",
		"1: less is said of each VM than the configuration asks for, as the text would "
		"have been too long.",
		METRICS_HOST, {}, .of_host = reduced},
	{"kvm_encstat_conversions", FAMILY_COUNTER, "",
		"Conversions of all VMs, also of those that ended, since the start.", METRICS_HOST,
		{&by_moved}, .of_host = conversions},
	{"kvm_encstat_conversions_failed", FAMILY_COUNTER, "",
		"The same of those that did not come to be; causes as in "
		"kvm_encstat_vm_conversions_failed.",
		METRICS_HOST, {&by_failure}, .of_host = failed},
	{"kvm_encstat_findings_open", FAMILY_GAUGE, "",
		"Findings that go on, of all VMs and the host, by kind and severity.", METRICS_HOST,
		{&by_finding, &by_severity}, .of_host = findings_open},
	{"kvm_encstat_findings", FAMILY_COUNTER, "", "Findings that began.", METRICS_HOST,
		{&by_finding, &by_severity}, .of_host = findings_begun},
	{"kvm_encstat_verdicts", FAMILY_COUNTER, "",
		"What policies said, of all VMs; as kvm_encstat_vm_verdicts.", METRICS_HOST,
		{&by_action, &by_mode}, .of_host = verdicts},
	{"kvm_encstat_records", FAMILY_COUNTER, "", "Records that were taken in.", METRICS_HOST, {},
		.of_host = records},
	{"kvm_encstat_records_lost", FAMILY_COUNTER, "",
		"Records that were lost and are no one VM's. unattributed makes all maps stale: it "
		"may have been any VM's.",
		METRICS_HOST, {&by_host_loss}, .of_host = lost},
	{"kvm_encstat_record_age_seconds", FAMILY_GAUGE, "seconds",
		"How long ago the latest record was; more than a few seconds: capture stands "
		"still.",
		METRICS_HOST, {}, .of_host = record_age},
	{"kvm_encstat_policy_unarmed", FAMILY_GAUGE, "",
		"1: policies should be enforced, and the veto could not be armed: nothing is "
		"refused, but what an earlier daemon left to be.",
		METRICS_HOST, {}, .of_host = unarmed},
	{"kvm_encstat_policy_tool_running", FAMILY_GAUGE, "",
		"Whether a tool keeps the rules in the kernel up to date. Families of the policy "
		"are left out while this program enforces nothing.",
		METRICS_HOST, {}, .of_host = tool_runs},
	{"kvm_encstat_policy_vms", FAMILY_GAUGE, "",
		"VMs that have rules of their own in the kernel, and VMs that are frozen.",
		METRICS_HOST, {&by_policed}, .of_host = policed},
	{"kvm_encstat_policy_asked", FAMILY_COUNTER, "",
		"Requests that policies were asked about: hypercalls, and changes of attributes.",
		METRICS_HOST, {&by_asked}, .of_host = asked},
	{"kvm_encstat_policy_kept_out", FAMILY_COUNTER, "",
		"Entries into the guest that were refused, of frozen VMs.", METRICS_HOST, {},
		.of_host = kept_out},
	{"kvm_encstat_policy_doubtful", FAMILY_COUNTER, "",
		"Requests that could not be judged as they should: arguments that could not be "
		"read, no room to count pages, a VM's state locked for too long, arguments that "
		"were replaced after they were judged.",
		METRICS_HOST, {&by_doubt}, .of_host = doubtful},
	{"kvm_encstat_policy_missed", FAMILY_COUNTER, "",
		"How often the kernel passed over one of the programs that judge.", METRICS_HOST,
		{}, .of_host = missed},
	{"kvm_encstat_policy_leaves", FAMILY_GAUGE, "",
		"Pieces of 16 MiB whose shared pages are counted; there is room for 16384.",
		METRICS_HOST, {}, .of_host = leaves},
	{"kvm_encstat_capturing", FAMILY_GAUGE, "",
		"Whether KVM is there and watched; if not, the program waits for its modules.",
		METRICS_HOST, {}, .of_host = capturing},
	{"kvm_encstat_hooks", FAMILY_GAUGE, "",
		"Hooks in the kernel: attached, standby (nothing to see yet), refused (by the "
		"kernel), absent.",
		METRICS_HOST, {&by_hook}, .of_host = hooks},
	{"kvm_encstat_start_time_seconds", FAMILY_GAUGE, "seconds",
		"When the program began, Unix time.", METRICS_HOST, {}, .of_host = start},
	{"kvm_encstat_cpu_seconds", FAMILY_COUNTER, "seconds",
		"Processor time of the program; what its hooks take is in the guests' time.",
		METRICS_HOST, {}, .of_host = cpu},
	{"kvm_encstat_resident_memory_bytes", FAMILY_GAUGE, "bytes", "Its memory.", METRICS_HOST,
		{}, .of_host = resident},
	{"kvm_encstat_memory_limit_bytes", FAMILY_GAUGE, "bytes",
		"What it is to have of it (memory in its configuration): above that, VMs that "
		"ended "
		"are forgotten.",
		METRICS_HOST, {}, .of_host = memory_limit},
	{"kvm_encstat_audit_records", FAMILY_COUNTER, "", "Audit records that were made.",
		METRICS_HOST, {}, .of_host = audit_told},
	{"kvm_encstat_audit_delivered", FAMILY_COUNTER, "",
		"Audit records that came to the journal, or the file, also of what an earlier life "
		"had left on disk.",
		METRICS_HOST, {}, .of_host = audit_delivered},
	{"kvm_encstat_audit_spool_bytes", FAMILY_GAUGE, "bytes",
		"Audit records that wait on disk, as the journal does not take them.", METRICS_HOST,
		{}, .of_host = audit_waiting},
	{"kvm_encstat_audit_merged", FAMILY_COUNTER, "",
		"Audit records that are counted in a summary only, as there was no room for them.",
		METRICS_HOST, {}, .of_host = audit_merged},
	{"kvm_encstat_audit_failures", FAMILY_COUNTER, "",
		"Tries to deliver audit records that failed.", METRICS_HOST, {},
		.of_host = audit_failures},
	{"kvm_encstat_audit_trouble", FAMILY_GAUGE, "", "Whether the last try failed.",
		METRICS_HOST, {}, .of_host = audit_trouble},
	{"kvm_encstat_socket_clients", FAMILY_GAUGE, "", "Clients of the socket.", METRICS_HOST, {},
		.of_host = socket_clients},
	{"kvm_encstat_socket_subscribers", FAMILY_GAUGE, "",
		"Those of them that follow events or records.", METRICS_HOST, {},
		.of_host = socket_subscribers},
	{"kvm_encstat_socket_accepted", FAMILY_COUNTER, "", "Clients that came.", METRICS_HOST, {},
		.of_host = socket_accepted},
	{"kvm_encstat_socket_calls", FAMILY_COUNTER, "", "Their calls.", METRICS_HOST, {},
		.of_host = socket_calls},
	{"kvm_encstat_socket_sent_bytes", FAMILY_COUNTER, "bytes", "What was sent to them.",
		METRICS_HOST, {}, .of_host = socket_sent},
	{"kvm_encstat_socket_dropped", FAMILY_COUNTER, "",
		"Clients that were refused (no room, or no right), malformed (what they sent was "
		"no message) or slow (they did not keep up).",
		METRICS_HOST, {&by_drop}, .of_host = socket_dropped},
};
const size_t n_host_families = ARRAY_SIZE(host_families);
