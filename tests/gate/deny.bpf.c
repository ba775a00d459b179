// SPDX-License-Identifier: GPL-2.0-only
/* Refuses, at the gate, one VMM's guests hypercall 12 for addresses in one range. */
#include "kvm.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char _license[] SEC("license") = "GPL";

#define MAP_GPA_RANGE 12

const volatile unsigned long long from, to; /* bytes; to is outside */
const volatile int pid; /* the VMM's; 0: all */

unsigned long long asked, denied, entries;

SEC("fmod_ret/security_kvm_encstat_gate")
int BPF_PROG(deny, struct kvm_vcpu *vcpu, unsigned long nr, unsigned long a0, unsigned long a1,
	unsigned long a2, unsigned long a3, int ret)
{
	if (pid && BPF_CORE_READ(vcpu, kvm, userspace_pid) != pid)
		return ret;
	__sync_fetch_and_add(&asked, 1);
	if (nr != MAP_GPA_RANGE || a0 < from || a0 >= to)
		return ret;
	__sync_fetch_and_add(&denied, 1);
	return -1;
}

/* Another user of the function that the gate sits on. */
SEC("?fentry/kvm_emulate_hypercall")
int BPF_PROG(entered, struct kvm_vcpu *vcpu)
{
	if (!pid || BPF_CORE_READ(vcpu, kvm, userspace_pid) == pid)
		__sync_fetch_and_add(&entries, 1);
	return 0;
}
