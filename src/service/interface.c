/* SPDX-License-Identifier: GPL-2.0-only */
#include "service/interface.h"

__asm__(".section .rodata\n"
	".global interface_description\n"
	"interface_description:\n"
	".incbin \"src/service/io.kvmencstat.varlink\"\n"
	".byte 0\n"
	".previous\n");

/* From varlink.org's "Service Interface". */
const char interface_service[] =
	"# What each varlink service has.\n"
	"interface org.varlink.service\n"
	"\n"
	"# Who made it, and the interfaces it has.\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# An interface's description.\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"error InterfaceNotFound (interface: string)\n"
	"error MethodNotFound (method: string)\n"
	"error MethodNotImplemented (method: string)\n"
	"error InvalidParameter (parameter: string)\n"
	"error PermissionDenied ()\n"
	"error ExpectedMore ()\n";
