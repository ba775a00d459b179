/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages as the kernel sends them (seen on 6.18), and others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the above */
#include <cmocka.h>

#include "capture/uevent.h"

#define KVM_DEVICE "DEVPATH=/devices/virtual/misc/kvm\0SUBSYSTEM=misc\0"

static void check(const char *message, size_t size, enum uevent_kind kind, uint32_t pid)
{
	struct uevent event;

	uevent_parse(&event, message, size);
	assert_int_equal(event.kind, kind);
	assert_int_equal(event.pid, pid);
}
#define CHECK(message, kind, pid) check(message, sizeof(message), kind, pid)

static void test_what_the_kernel_sends(void **state)
{
	(void)state;
	CHECK("change@/devices/virtual/misc/kvm\0ACTION=change\0" KVM_DEVICE
	      "CREATED=1\0COUNT=1\0EVENT=create\0PID=25589\0STATS_PATH=/kvm/25589-5\0SEQNUM=816",
		UEVENT_VM_CREATED, 25589);
	CHECK("change@/devices/virtual/misc/kvm\0ACTION=change\0" KVM_DEVICE
	      "CREATED=1\0COUNT=0\0EVENT=destroy\0PID=25589\0SEQNUM=817",
		UEVENT_VM_DESTROYED, 25589);
	CHECK("add@/devices/virtual/misc/kvm\0ACTION=add\0" KVM_DEVICE "MAJOR=10", UEVENT_DEVICE,
		0);
	CHECK("remove@/devices/virtual/misc/kvm\0ACTION=remove\0" KVM_DEVICE, UEVENT_DEVICE, 0);
	CHECK("add@/devices/virtual/net/veth0\0ACTION=add\0DEVPATH=/devices/virtual/net/veth0",
		UEVENT_OTHER, 0);
}

static void test_what_it_does_not(void **state)
{
	(void)state;
	check("", 0, UEVENT_OTHER, 0);
	check("EVENT=destroy", 5, UEVENT_OTHER, 0);
	CHECK("DEVPATH=/devices/virtual/misc/kvm2\0EVENT=destroy\0PID=1", UEVENT_OTHER, 1);
	CHECK(KVM_DEVICE "EVENT=destroy\0PID=12x", UEVENT_VM_DESTROYED, 0);
	CHECK(KVM_DEVICE "EVENT=destroy\0PID=", UEVENT_VM_DESTROYED, 0);
	CHECK(KVM_DEVICE "EVENT=destroy\0PID=99999999999999999999", UEVENT_VM_DESTROYED, 0);
	CHECK(KVM_DEVICE "EVENT=destroy\0PID=4294967295", UEVENT_VM_DESTROYED, 4294967295u);
	CHECK(KVM_DEVICE "EVENT=destroy\0PID=4294967296", UEVENT_VM_DESTROYED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_kernel_sends),
		cmocka_unit_test(test_what_it_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
