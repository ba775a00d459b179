# SPDX-License-Identifier: GPL-2.0-only
#
#   make            build/kvm-encstat; needs the packages that `make deps` installs, no network
#   make check      deps, build, all tests
#   make demo       deps, build, a real guest in the lab
#   make bench      what it costs, beside its peers
#   make install    DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc
#   make deb        Debian packages, in build/deb
#   V=1 shows the commands

VERSION := 0.1.0
PREFIX  ?= /usr/local
B       := build

CC       ?= gcc
CLANG    ?= clang-14
BPFTOOL  ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wformat=2 -Wvla -Wmissing-prototypes -Werror
KES_CFLAGS = -std=gnu11 -D_GNU_SOURCE -DKES_VERSION='"$(VERSION)"' $(WARNINGS) -Isrc -Iinclude -I$(B) -MMD -MP
LIBS      := -lbpf -lelf -lz -lzstd -lxxhash -ljson-c -lsmartcols -lfyaml -lpng -lncursesw -lsystemd -lseccomp -lcap-ng -lm
SANITIZE  := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' $(1) $(2);)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all check demo bench clean deps unit guest fuzzers format

# ---- the kernel half -------------------------------------------------------------------------------

BPF_OBJECTS := observe trampoline frames veto
BPF_CFLAGS  := -O2 -g -fdebug-compilation-dir=. -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Wextra -Werror \
	-Wno-unused-parameter -Iinclude -Ivmlinux/x86 -Ibpf -MMD -MP
SKELETONS   := $(BPF_OBJECTS:%=$(B)/bpf/%.skel.h)

$(B)/bpf/%.bpf.o: bpf/%.bpf.c | packages
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $* >$@ 2>$@.log || { cat $@.log; exit 1; }

# ---- the C half ------------------------------------------------------------------------------------

SOURCES := $(wildcard src/base/*.c src/model/*.c src/picture/*.c src/capture/*.c src/detect/*.c src/policy/*.c src/config/*.c src/output/*.c src/report/*.c src/top/*.c \
	src/audit/*.c src/metrics/*.c src/service/*.c src/cli/*.c)
OBJECTS := $(SOURCES:%.c=$(B)/%.o)

all: $(B)/kvm-encstat $(B)/kvm-encstat-exporter

$(B)/kvm-encstat: $(OBJECTS)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LIBS) -o $@

$(B)/src/%.o: src/%.c | packages $(SKELETONS)
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(KES_CFLAGS) $(CFLAGS) -c $< -o $@

# A process of its own, and the only one that speaks HTTP: no libbpf, no model.
EXPORTER_SOURCES := $(wildcard src/exporter/*.c) src/base/error.c src/base/escape.c src/service/client.c src/service/varlink.c \
	$(addprefix src/metrics/,exchange.c exporter_families.c head.c text.c)
EXPORTER_LIBS    := -lmicrohttpd -ljson-c

$(B)/kvm-encstat-exporter: $(EXPORTER_SOURCES:%.c=$(B)/%.o)
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(EXPORTER_LIBS) -pthread -o $@

$(B)/kvm-encstat-exporter-sanitized: $(EXPORTER_SOURCES:%.c=$(B)/sanitized/%.o)
	$(call say,LINK,$@)$(CC) $(SANITIZE) $^ $(EXPORTER_LIBS) -pthread -o $@

# What the page of a report carries with it.
$(B)/src/report/assets.o $(B)/sanitized/src/report/assets.o $(B)/fuzz/src/report/assets.o: src/report/page.css src/report/page.js

# How the daemon's socket describes itself.
$(B)/src/service/interface.o $(B)/sanitized/src/service/interface.o $(B)/fuzz/src/service/interface.o: src/service/io.kvmencstat.varlink

# ---- tests -----------------------------------------------------------------------------------------

# Unit tests are built with the sanitizers, from the same sources but for main() and libbpf's only user.
UNIT_SOURCES := $(filter-out src/cli/main.c,$(SOURCES))
UNIT_OBJECTS := $(UNIT_SOURCES:%.c=$(B)/sanitized/%.o)
UNIT_TESTS   := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))

$(B)/sanitized/%.o: %.c | packages $(SKELETONS)
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(KES_CFLAGS) $(SANITIZE) -c $< -o $@

$(B)/sanitized/libkes.a: $(UNIT_OBJECTS)
	$(call say,AR,$@)rm -f $@ && ar rc $@ $^

$(B)/tests/test_%: tests/unit/test_%.c $(B)/sanitized/libkes.a
	$(call say,TEST,$@)mkdir -p $(@D) && $(CC) $(KES_CFLAGS) $(SANITIZE) $< $(B)/sanitized/libkes.a \
		-lcmocka $(LIBS) -o $@

$(B)/kvm-encstat-sanitized: $(B)/sanitized/src/cli/main.o $(B)/sanitized/libkes.a
	$(call say,LINK,$@)$(CC) $(SANITIZE) $^ $(LIBS) -o $@

# The same questions to both halves of a verdict.
$(B)/tests/verdict.bpf.o: tests/verdict/verdict.bpf.c | packages
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(B)/tests/verdict.skel.h: $(B)/tests/verdict.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name verdict_bpf >$@ 2>$@.log || { cat $@.log; exit 1; }

VERDICT_OBJECTS := $(filter $(B)/src/base/% $(B)/src/model/% $(B)/src/detect/% $(B)/src/policy/%,$(OBJECTS))

$(B)/tests/verdict: tests/verdict/verdict.c $(B)/tests/verdict.skel.h $(VERDICT_OBJECTS)
	$(call say,CC,$@)$(CC) $(KES_CFLAGS) $(CFLAGS) $< $(VERDICT_OBJECTS) $(LIBS) -o $@

# What the kernel half counts, against an oracle.
COUNTED_SOURCES := $(filter-out %.bpf.c,$(wildcard tests/counted/*.c))

$(B)/tests/counted.bpf.o: tests/counted/counted.bpf.c | packages
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(B)/tests/counted.skel.h: $(B)/tests/counted.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name counted_bpf >$@ 2>$@.log || { cat $@.log; exit 1; }

$(B)/tests/counted: $(COUNTED_SOURCES) $(wildcard tests/counted/*.h) $(B)/tests/counted.skel.h $(VERDICT_OBJECTS)
	$(call say,CC,$@)$(CC) $(KES_CFLAGS) $(CFLAGS) $(COUNTED_SOURCES) $(VERDICT_OBJECTS) -pthread $(LIBS) -o $@

# Whether what comes wakes a reader that waits.
$(B)/tests/rest.bpf.o: tests/rest/rest.bpf.c | packages
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(B)/tests/rest.skel.h: $(B)/tests/rest.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name rest_bpf >$@ 2>$@.log || { cat $@.log; exit 1; }

$(B)/tests/rest: tests/rest/rest.c $(B)/tests/rest.skel.h $(filter-out $(B)/src/cli/%,$(OBJECTS))
	$(call say,CC,$@)$(CC) $(KES_CFLAGS) $(CFLAGS) $< $(filter-out $(B)/src/cli/%,$(OBJECTS)) -pthread -Wl,--wrap=ring_buffer__consume \
		$(LIBS) -o $@

# The daemon's socket without a kernel, and a crowd of clients.
$(B)/tests/serve $(B)/tests/clients: $(B)/tests/%: tests/socket/%.c $(filter-out $(B)/src/cli/%,$(OBJECTS))
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(KES_CFLAGS) $(CFLAGS) $< $(filter-out $(B)/src/cli/%,$(OBJECTS)) -pthread $(LIBS) -o $@

# The daemon's socket and metrics, without a kernel.
$(B)/tests/stage: tests/metrics/stage.c $(B)/sanitized/libkes.a
	$(call say,TEST,$@)mkdir -p $(@D) && $(CC) $(KES_CFLAGS) $(SANITIZE) $< $(B)/sanitized/libkes.a $(LIBS) -o $@

GUEST_SOURCES := $(wildcard tests/guest/*.c tests/guest/*.S)

$(B)/tests/guest: $(GUEST_SOURCES) $(wildcard tests/guest/*.h) include/kvm_abi.h | packages
	$(call say,GUEST,$@)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g -static -pthread $(WARNINGS) \
		-Iinclude $(GUEST_SOURCES) -o $@

# Fuzzers take clang; each runs for FUZZ_SECONDS on its corpus, kept outside the checkout.
FUZZERS      := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SOURCES := $(filter-out src/cli/% src/capture/live% src/top/screen%,$(SOURCES))
FUZZ_OBJECTS := $(FUZZ_SOURCES:%.c=$(B)/fuzz/%.o)
FUZZ_FLAGS   := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

$(B)/fuzz/%.o: %.c | packages
	$(call say,CC,$@)mkdir -p $(@D) && $(CLANG) $(KES_CFLAGS) $(FUZZ_FLAGS) -c $< -o $@

$(B)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_OBJECTS)
	$(call say,FUZZ,$@)$(CLANG) $(filter-out -Wmissing-prototypes,$(KES_CFLAGS)) $(FUZZ_FLAGS) \
		-fsanitize=fuzzer $< $(FUZZ_OBJECTS) $(LIBS) -o $@

fuzzers: $(FUZZERS)
unit: $(UNIT_TESTS) $(B)/tests/verdict $(B)/tests/counted $(B)/tests/rest $(B)/tests/serve $(B)/tests/clients $(B)/tests/stage
guest: $(B)/tests/guest

check: deps
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) all unit guest fuzzers $(B)/kvm-encstat-sanitized $(B)/kvm-encstat-exporter-sanitized
	$(Q)tests/check.sh

demo: deps
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) all guest
	$(Q)tests/lab/demo.sh

# ---- benchmarks ------------------------------------------------------------------------------------

include bench/bench.mk
include gate/gate.mk

# ---- packages, install -----------------------------------------------------------------------------

# Names what is missing, all at once, by its Debian name.
packages:
	$(Q)tests/deps.sh build

deps:
	$(Q)tests/deps.sh install

.PHONY: packages

include install.mk

clean:
	rm -rf $(B)

format:
	clang-format-14 -i $$(git ls-files '*.c' '*.h' | grep -v vmlinux.h)

-include $(shell find $(B) -path $(B)/deb -prune -o -type f -name '*.d' -print 2>/dev/null)
