/* SPDX-License-Identifier: GPL-2.0-only */
/* The peers: programs that do nothing, where kvm-encstat watches ioctls, with trampolines and
 * without. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("fentry/__x64_sys_ioctl")
int empty_ioctl(void *context)
{
	return 0;
}

SEC("fexit/__x64_sys_ioctl")
int empty_ioctl_end(void *context)
{
	return 0;
}

SEC("tp_btf/sys_enter")
int empty_enter(void *context)
{
	return 0;
}

SEC("tp_btf/sys_exit")
int empty_exit(void *context)
{
	return 0;
}
