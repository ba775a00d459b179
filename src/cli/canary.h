/* SPDX-License-Identifier: GPL-2.0-only */
/* A throw-away VM that makes hooks fire. */
#ifndef CLI_CANARY_H
#define CLI_CANARY_H

enum canary_result {
	CANARY_DONE,    /* the guest did what it was told */
	CANARY_NO_KVM,  /* no /dev/kvm, or not allowed to open it */
	CANARY_FAILED,  /* KVM would not make or run it */
	CANARY_TIMEOUT, /* it did not come back: it was killed */
};

/* In a process of its own: a real-mode guest that writes a port, asks for a conversion if hypercall
 * is set, writes the port again, and halts. Waits for it, but not longer than timeout_ms. */
enum canary_result canary_run(int hypercall, int timeout_ms);

#endif
