# SPDX-License-Identifier: GPL-2.0-only
# The optional module, for the kernel that runs or another one: make gate KERNEL=/lib/modules/RELEASE/build.
# It is built in a copy, so nothing is left in gate/.

KERNEL   ?= /lib/modules/$(shell uname -r)/build
GATE_DIR ?= $(B)/gate

gate:
	$(Q)rm -rf $(GATE_DIR) && mkdir -p $(GATE_DIR) && cp gate/Kbuild gate/Makefile gate/unpack-vmlinux gate/*.c $(GATE_DIR)/
	$(call say,GATE,$(GATE_DIR)/kvm_encstat_gate.ko)$(MAKE) $(if $(V),,-s) --no-print-directory -C $(GATE_DIR) \
		KERNEL=$(KERNEL) $(if $(BTF_BASE),BTF_BASE=$(BTF_BASE))

# What tries it in the lab: a program that refuses, and its loader.

$(B)/tests/gate/deny.bpf.o: tests/gate/deny.bpf.c | packages
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(B)/tests/gate/deny.skel.h: $(B)/tests/gate/deny.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name deny >$@ 2>$@.log || { cat $@.log; exit 1; }

$(B)/tests/gate/deny: tests/gate/deny.c $(B)/tests/gate/deny.skel.h
	$(call say,TEST,$@)$(CC) $(KES_CFLAGS) -I$(B)/tests/gate $(CFLAGS) $< -lbpf -lelf -lz -o $@

gate-tests: $(B)/tests/gate/deny

.PHONY: gate gate-tests
