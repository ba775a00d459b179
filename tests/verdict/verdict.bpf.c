/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel half of a verdict, by itself: to be driven by BPF test runs. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "wire.h"
/* after the above */
#include "ioctl.bpf.h"
#include "verdict.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_rule_set);
} sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_policy_state);
} states SEC(".maps");

struct question {
	struct kes_ask ask;
	struct kes_verdict verdict;
	u32 asked; /* 1: it was */
};

SEC("syscall")
int judge(struct question *question)
{
	u32 zero = 0;
	struct kes_rule_set *set = bpf_map_lookup_elem(&sets, &zero);
	struct kes_policy_state *state = bpf_map_lookup_elem(&states, &zero);
	struct kes_ask ask = question->ask;

	if (!set || !state)
		return 1;
	question->verdict = kes_evaluate(set, state, &ask);
	question->asked = 1;
	return 0;
}

/* What an ioctl that is not ours costs, but for the trampoline: more than nothing does. */
SEC("syscall")
int nothing(u32 *cmd)
{
	return 0;
}

SEC("syscall")
int foreign(u32 *cmd)
{
	return is_ours(*cmd);
}
