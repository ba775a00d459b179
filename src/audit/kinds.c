/* SPDX-License-Identifier: GPL-2.0-only */
#include "audit/kinds.h"

#include <string.h>
#include <syslog.h>

#include "base/cleanup.h"

const struct audit_kind_info audit_kinds[] = {
	[AUDIT_CHAIN] = {"chain", "f6158fa71caf46b199df38832a314b89", LOG_INFO, false,
		"An audit log begins",
		"kvm-encstat began a new audit log: the first one since this host was booted, or "
		"the state "
		"of the one before was lost. Its records are numbered from 1 (KES_SEQ), and each "
		"one names the digest of the one before it (KES_PREV), so that none can be "
		"taken out or changed without it showing.\n\n"
		"KES_PREVIOUS says where the log before this one ended. More than one such record "
		"in one boot means that the state directory was lost in between, or put "
		"back."},
	[AUDIT_RESUMED] = {"resumed", "8d142f818328443abb0c045959f191b6", LOG_WARNING, false,
		"An audit log goes on after an end that was not told",
		"The process that wrote this log before ended without saying so: it was killed, or "
		"crashed. What it had told is in the log, or waits on disk and follows. What it "
		"had "
		"only counted by then (conversions since the last summary) is not in the log, and "
		"nothing was seen until this record.\n\n"
		"Records may be there twice around here, marked with KES_RESENT=1."},
	[AUDIT_START] = {"start", "7e1f48e9d3ea481799e44105fb38c8a3", LOG_INFO, false,
		"kvm-encstat watches",
		"kvm-encstat began to watch the virtual machines of this host."},
	[AUDIT_STOP] = {"stop", "b539fa78b98447b2b61ba9e8192f56c1", LOG_INFO, false,
		"kvm-encstat no longer watches",
		"kvm-encstat ended, and said so. What virtual machines do from now on is not in "
		"the "
		"audit log. Whether a policy is still enforced is said by the records of kind "
		"\"armed\" and \"released\"."},
	[AUDIT_MERGED] = {"merged", "132059df1a5943cd858571305fee7e1d", LOG_WARNING, true,
		"Records were counted instead of told",
		"There were more records than could be told one by one, or the journal was away "
		"for "
		"so long that the disk space set aside for them (spool in the section audit of "
		"kvm-encstat.yaml(5)) was used up. KES_COUNT says how many records of the kind "
		"KES_MERGED_KIND this record stands for, between KES_SINCE and KES_TIME; "
		"KES_WHY says why.\n\n"
		"A guest that asks again and again for what it is refused is the usual cause."},
	[AUDIT_CONFIG] = {"config", "4792865df55040d4afecc9936255924b", LOG_NOTICE, false,
		"The configuration was read",
		"kvm-encstat read its configuration at the start, or anew. KES_DIGEST is the "
		"SHA-256 of the file."},
	[AUDIT_POLICY] = {"policy", "620c7d1403e34912b6699de4e9cddffe", LOG_NOTICE, false,
		"A policy was loaded",
		"A policy file was loaded. KES_DIGEST is what sha256sum(1) prints for it; "
		"KES_WHO_UID, KES_WHO_PID and KES_WHO_COMM say who asked for it, as far as it is "
		"known."},
	[AUDIT_ARMED] = {"armed", "ac23ae7da2ae4e35bc001eca48c601a8", LOG_NOTICE, false,
		"A policy is enforced",
		"From now on what the policies deny is refused in the kernel. It was proved on a "
		"guest of kvm-encstat's own before this record was written."},
	[AUDIT_UNARMED] = {"unarmed", "61020722ea3a416cbcc439578770bde4", LOG_ERR, false,
		"Policies could not be enforced",
		"kvm-encstat was to enforce policies, and could not: KES_WHY says why. What is not "
		"proved is not enforced: nothing is refused, or, where the message says so, only "
		"what an earlier kvm-encstat left in the kernel. It goes on watching; a restart "
		"tries again."},
	[AUDIT_CHANGED] = {"changed", "8a1ea06c9cad47f3b3c9f508283116c2", LOG_NOTICE, false,
		"Enforcement was changed",
		"Somebody changed what is enforced: a virtual machine was frozen or released, or "
		"its budget was set anew."},
	[AUDIT_RELEASED] = {"released", "39afbfae27de405abdac747bc94f64a8", LOG_NOTICE, false,
		"Policies are no longer enforced",
		"From now on nothing is refused. If nobody asked for it, find out why: see the "
		"records around this one."},
	[AUDIT_VM_NEW] = {"vm-new", "f3f89907a85d48c48ab2faeac53e7bc0", LOG_INFO, true,
		"A virtual machine was seen first",
		"A virtual machine was made, or ran already when kvm-encstat began to watch."},
	[AUDIT_VM_END] = {"vm-end", "a5aed681c2e941358e8de7f5e7722956", LOG_INFO, true,
		"A virtual machine ended",
		"A virtual machine ended. The record has its last figures: pages in each state, "
		"and "
		"how "
		"its requests ended. KES_CONFIDENCE says how far to trust them."},
	[AUDIT_VM_RESET] = {"vm-reset", "d99498f7e57841069b1654b050d9d888", LOG_NOTICE, true,
		"A virtual machine was reset",
		"A virtual machine was reset, or its kernel began anew as with kexec. KES_NPAGES "
		"pages "
		"were shared with the host until then."},
	[AUDIT_DENIED] = {"denied", "2209e1c5aef8460895b5c5476b844bc8", LOG_NOTICE, true,
		"The VMM refused a conversion",
		"The guest asked for pages to become private or shared, and its VMM answered with "
		"an error (KES_RET)."},
	[AUDIT_REFUSED] = {"refused", "a819d877e0704e3cb48fd3f647a6e866", LOG_NOTICE, true,
		"KVM refused a conversion",
		"The guest asked for pages to become private or shared, and KVM refused it before "
		"the VMM was asked. KES_REASON says why."},
	[AUDIT_UNANSWERED] = {"unanswered", "5fbf8b4d56984fddba211464558747cf", LOG_NOTICE, true,
		"It is not known how a conversion ended",
		"The guest asked for pages to become private or shared; the virtual machine ended "
		"first, or the answer could not be read."},
	[AUDIT_VETO] = {"veto", "eb6d1cb25b994b78aeb98a9981cc29c8", LOG_WARNING, true,
		"A policy refused a conversion",
		"A request was refused, or its virtual machine frozen, because a policy says so. "
		"KES_RULE is the rule: kvm-encstat policy explain tells more of it."},
	[AUDIT_MONITOR] = {"monitor", "f3d926d9e1b846bb968b80ebca7e39d2", LOG_NOTICE, true,
		"A policy would have refused a conversion",
		"A policy in monitor mode would have refused a request. Nothing was refused."},
	[AUDIT_VERDICT] = {"verdict", "9df42c0db70c4afd82fe9e0e819bf910", LOG_INFO, true,
		"A policy was asked about a conversion",
		"A request passed, and there is something to know about how that was decided."},
	[AUDIT_SUMMARY] = {"summary", "6b7d5f1ed20c4de88abb53e2c9039c5b", LOG_INFO, true,
		"What a virtual machine did since the last summary",
		"Conversions that were done, and what else need not be told one by one, counted "
		"from "
		"KES_SINCE to KES_TIME. \"mode: full\" in the section audit of "
		"kvm-encstat.yaml(5) makes a record of each."},
	[AUDIT_CONVERTED] = {"converted", "e44f50321ef5408e8197e5bdb8192240", LOG_INFO, true,
		"Pages were converted",
		"The guest asked for pages to become private or shared, and its VMM said that it "
		"was "
		"done. KES_COMMIT says whether the host's own records agree."},
	[AUDIT_ATTRIBUTES] = {"attributes", "6afa67ecba944bb99b20a66cc464e147", LOG_INFO, true,
		"A VMM changed the state of pages",
		"A VMM set memory attributes of its guest's pages, or tried to."},
	[AUDIT_FAULT] = {"fault", "0db1f043fba84d4fb539b90dd834bbbb", LOG_INFO, true,
		"A guest touched a page that is in the other state",
		"KVM told the VMM that the guest touched a page as private that is shared, or the "
		"other way round."},
	[AUDIT_FINDING_BEGIN] = {"finding-begin", "cbf1d217a1914f29ad6f94ceb278ece9", LOG_NOTICE,
		true, "Something suspicious was found",
		"A pattern was found in what a virtual machine, its VMM or the host does. "
		"kvm-encstat-findings(7) has a page on each kind (KES_FINDING_KIND): why it "
		"matters, what is known to cause it without harm, and what to do."},
	[AUDIT_FINDING_UPDATE] = {"finding-update", "084f5cce7790471a8f6bc1f538b68621", LOG_INFO,
		true, "A finding goes on",
		"There were more cases of a finding that was told before."},
	[AUDIT_FINDING_END] = {"finding-end", "802085a158cd4bf28304d28126da21bb", LOG_INFO, true,
		"A finding ended",
		"There was no further case for some time, what was wrong is right again, or the "
		"virtual machine ended: see KES_ENDED."},
	[AUDIT_MEMORY] = {"memory", "e72f081c33c24ddca8b57efcf8a594a4", LOG_WARNING, false,
		"kvm-encstat is short of memory, or is not any more",
		"More memory is resident than it is to have (memory in the section daemon of "
		"kvm-encstat.yaml(5)). VMs that ended are forgotten then, the oldest first, and "
		"less may wait for clients. Maps of VMs that live are never cut: if it is those, "
		"it needs more. The unit's MemoryMax= is where systemd ends it."},
	[AUDIT_LOSS] = {"loss", "dbf4318633d04b62b8c39c9404ff37f6", LOG_WARNING, true,
		"The kernel had to drop observations",
		"More happened than could be taken in: what is missing is counted in KES_LOST, and "
		"maps say that they are stale until they are read anew from the kernel."},
	[AUDIT_RESYNC] = {"resync", "0164192a33c544ac8d82b3d5632b05d0", LOG_INFO, true,
		"The host's side was read anew from the kernel",
		"What the host holds of the virtual machine's pages was read from the kernel, "
		"after "
		"a "
		"loss, or because kvm-encstat came late."},
};
_Static_assert(ARRAY_SIZE(audit_kinds) == AUDIT_KINDS, "a row for each kind of record");

enum audit_kind audit_kind_from_name(const char *name)
{
	int i;

	for (i = 0; i < AUDIT_KINDS; i++)
		if (!strcmp(name, audit_kinds[i].name))
			break;
	return (enum audit_kind)i;
}

#define PAGES "in pages of 4 KiB"
const struct audit_field_info audit_fields[] = {
	[FIELD_KIND] = {"KES_KIND", false, "what kind of record it is: see KINDS"},
	[FIELD_TIME] = {"KES_TIME", false,
		"when it happened: UTC, with microseconds. The journal's own time is when it was "
		"delivered"},
	[FIELD_TS_NS] = {"KES_TS_NS", false,
		"the same in nanoseconds of CLOCK_MONOTONIC, as in captures and --json"},
	[FIELD_BOOT] = {"KES_BOOT", false, "boot id of the host when it happened"},
	[FIELD_MACHINE] = {"KES_MACHINE", false, "machine id of the host"},
	[FIELD_SOURCE] = {"KES_SOURCE", false,
		"\"capture\": it is told from a capture, and is not of this host. Else not there"},
	[FIELD_LOG] = {"KES_LOG", false, "id of the log, one for each boot and sink"},
	[FIELD_SEQ] = {"KES_SEQ", false, "number of the record in its log, from 1"},
	[FIELD_PREV] = {"KES_PREV", false,
		"KES_CHAIN of the record before; of the first, a digest of machine, boot and log"},
	[FIELD_CHAIN] = {"KES_CHAIN", false, "digest of this record: see CHAIN"},
	[FIELD_RESENT] = {"KES_RESENT", false,
		"\"1\": it was sent again, as it was not known whether it had arrived"},
	[FIELD_VM] = {"KES_VM", false, "id of the VM in this run, as list prints it"},
	[FIELD_VM_NAME] = {"KES_VM_NAME", false,
		"its name, escaped as in --json: other people's words"},
	[FIELD_VM_UUID] = {"KES_VM_UUID", false, "its uuid, if it has one"},
	[FIELD_VM_PID] = {"KES_VM_PID", false, "pid of its VMM"},
	[FIELD_VM_UID] = {"KES_VM_UID", false, "user id of its VMM"},
	[FIELD_VM_TYPE] = {"KES_VM_TYPE", false, "default, sw-protected, sev, sev-es, snp, tdx"},
	[FIELD_VCPU] = {"KES_VCPU", false, "which vCPU asked"},
	[FIELD_TID] = {"KES_TID", false, "thread of the VMM that did it"},
	[FIELD_GFN] = {"KES_GFN", false, "first guest frame number (address / 4096)"},
	[FIELD_NPAGES] = {"KES_NPAGES", true, "how many, " PAGES},
	[FIELD_TO] = {"KES_TO", false, "private, shared: what they become, or were to"},
	[FIELD_ATTRS] = {"KES_ATTRS", false, "the request's attributes, raw, in hexadecimal"},
	[FIELD_NR] = {"KES_NR", false, "number of the hypercall"},
	[FIELD_RET] = {"KES_RET", false, "what the guest, or the VMM's call, got back"},
	[FIELD_REASON] = {"KES_REASON", false, "why KVM refused it"},
	[FIELD_LATENCY_NS] = {"KES_LATENCY_NS", false, "from request to answer, nanoseconds"},
	[FIELD_COMMIT] = {"KES_COMMIT", false,
		"what the host plane says of it: done, partly, not, unknown"},
	[FIELD_FLAGS] = {"KES_FLAGS", false, "of the fault, raw, in hexadecimal"},
	[FIELD_LEVEL] = {"KES_LEVEL", false, "where it was judged: gate, ioctl, finding"},
	[FIELD_BY] = {"KES_BY", false, "who asked, at the level ioctl: guest, vmm"},
	[FIELD_ACTION] = {"KES_ACTION", false, "what the policy did: allow, deny, freeze ..."},
	[FIELD_POLICY] = {"KES_POLICY", false, "path of the policy's file"},
	[FIELD_RULE] = {"KES_RULE", false, "the rule that decided: FILE:LINE"},
	[FIELD_WOULD] = {"KES_WOULD", false, "what a policy in monitor mode would have done"},
	[FIELD_WOULD_RULE] = {"KES_WOULD_RULE", false, "the rule that would have: FILE:LINE"},
	[FIELD_ERRNO] = {"KES_ERRNO", false, "error that the VMM's call got"},
	[FIELD_FILE] = {"KES_FILE", false, "path of the configuration's file"},
	[FIELD_DIGEST] = {"KES_DIGEST", false, "SHA-256 of the file"},
	[FIELD_FINDING] = {"KES_FINDING", false, "id of the finding, such as KES-004.3.1"},
	[FIELD_FINDING_KIND] = {"KES_FINDING_KIND", false, "its kind, such as KES-004"},
	[FIELD_FINDING_NAME] = {"KES_FINDING_NAME", false, "the same as a word, such as flapping"},
	[FIELD_SEVERITY] = {"KES_SEVERITY", false, "info, notice, warning, critical"},
	[FIELD_CERTAINTY] = {"KES_CERTAINTY", false, "possible, likely, certain"},
	[FIELD_ENDED] = {"KES_ENDED", false, "how the finding ended: quiet, resolved, vm-end"},
	[FIELD_COUNT] = {"KES_COUNT", true, "cases of a finding; records that were merged"},
	[FIELD_SINCE] = {"KES_SINCE", false, "from when on it counts, as KES_TIME"},
	[FIELD_CONVERTED] = {"KES_CONVERTED", true, "conversions that the VMM said were done"},
	[FIELD_TO_SHARED] = {"KES_TO_SHARED_PAGES", true, "of these, pages to shared"},
	[FIELD_TO_PRIVATE] = {"KES_TO_PRIVATE_PAGES", true, "of these, pages to private"},
	[FIELD_DENIED] = {"KES_DENIED", true, "conversions that the VMM refused"},
	[FIELD_REFUSED] = {"KES_REFUSED", true, "conversions that KVM refused"},
	[FIELD_UNANSWERED] = {"KES_UNANSWERED", true,
		"conversions whose end is not known: no answer, or none that was seen"},
	[FIELD_VETOED] = {"KES_VETOED", true, "requests that a policy refused"},
	[FIELD_ATTRIBUTES] = {"KES_ATTRIBUTES", true, "changes of memory attributes by the VMM"},
	[FIELD_FAULTS] = {"KES_FAULTS", true, "faults on pages in the other state"},
	[FIELD_PRIVATE_PAGES] = {"KES_PRIVATE_PAGES", false, "private on the guest plane, " PAGES},
	[FIELD_SHARED_PAGES] = {"KES_SHARED_PAGES", false, "shared on the guest plane, " PAGES},
	[FIELD_UNKNOWN_PAGES] = {"KES_UNKNOWN_PAGES", false, "of unknown state, " PAGES},
	[FIELD_CONFIDENCE] = {"KES_CONFIDENCE", false, "of these figures: exact, partial, stale"},
	[FIELD_LOST] = {"KES_LOST", false, "observations lost so far, of the VM or the host"},
	[FIELD_CAUSE] = {"KES_CAUSE", false, "why they were lost"},
	[FIELD_WHO_UID] = {"KES_WHO_UID", false, "user id of who asked for it"},
	[FIELD_WHO_PID] = {"KES_WHO_PID", false, "the same: process id"},
	[FIELD_WHO_COMM] = {"KES_WHO_COMM", false, "the same: name of the process, its own word"},
	[FIELD_VERSION] = {"KES_VERSION", false, "of kvm-encstat"},
	[FIELD_MODE] = {"KES_MODE", false, "summary, full: see kvm-encstat.yaml(5)"},
	[FIELD_FORM] = {"KES_FORM", false, "which command writes the log; form of enforcement"},
	[FIELD_PREVIOUS] = {"KES_PREVIOUS", false,
		"how the log before ended: LOG:SEQ:CHAIN, or \"none\", or \"unknown\""},
	[FIELD_CLEAN] = {"KES_CLEAN", false, "\"no\": the process before ended without a word"},
	[FIELD_MERGED_KIND] = {"KES_MERGED_KIND", false, "KES_KIND of the records it stands for"},
	[FIELD_WHY] = {"KES_WHY", false,
		"why they were merged: flood, spool-full, disk-full, damaged; why the log ends; "
		"why "
		"nothing is enforced"},
};
_Static_assert(ARRAY_SIZE(audit_fields) == AUDIT_FIELDS, "a row for each field");
