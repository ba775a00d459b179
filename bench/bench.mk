# SPDX-License-Identifier: GPL-2.0-only
# What it costs, beside its peers: `make bench` measures and prints a table. Missed targets do not fail.

BENCH_PACKAGES := bpftrace libroaring-dev
BENCH_PROGRAMS := $(addprefix $(B)/bench/,exits conversion capture pagemap inventory calls attributes findings state top start metrics stage idle flood beside)
BENCH_FLAGS    := -Ibench
BENCH_CC        = $(call say,CC,$@)mkdir -p $(@D) && $(CC) $(KES_CFLAGS) $(BENCH_FLAGS) $(CFLAGS) $< \
	$(filter %.o,$^)

$(B)/bench/%.bpf.o: bench/%.bpf.c | bench-deps
	$(call say,BPF,$@)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -I/usr/include/$(shell $(CC) -print-multiarch) \
		-c $< -o $@

$(B)/bench/%.skel.h: $(B)/bench/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $* >$@ 2>$@.log || { cat $@.log; exit 1; }

BENCH_BASE  := $(filter $(B)/src/base/%,$(OBJECTS))
BENCH_MODEL := $(BENCH_BASE) $(filter $(B)/src/model/%,$(OBJECTS))
BENCH_FILES := $(BENCH_BASE) $(filter $(B)/src/capture/file_%,$(OBJECTS))
BENCH_TOOL  := $(filter-out $(B)/src/cli/%,$(OBJECTS))

$(B)/bench/exits: bench/exits.c bench/bench.h $(B)/bench/exits.skel.h $(BENCH_BASE)
	$(BENCH_CC) $(LIBS) -o $@

$(B)/bench/conversion: bench/conversion.c bench/bench.h bench/vcpu.h $(B)/bench/conversion.skel.h $(BENCH_MODEL)
	$(BENCH_CC) $(LIBS) -o $@

$(B)/bench/capture: bench/capture.c bench/bench.h $(BENCH_FILES)
	$(BENCH_CC) $(LIBS) -o $@

$(B)/bench/findings: bench/findings.c bench/bench.h $(BENCH_TOOL)
	$(BENCH_CC) $(LIBS) -o $@

$(B)/bench/state: bench/state.c bench/bench.h $(filter-out $(B)/src/cli/main.o,$(OBJECTS))
	$(BENCH_CC) $(LIBS) -o $@

$(B)/bench/top: bench/top.c bench/bench.h $(BENCH_TOOL)
	$(BENCH_CC) $(LIBS) -o $@

$(B)/bench/start: bench/start.c bench/bench.h
	$(BENCH_CC) -lutil -o $@

$(B)/bench/beside: bench/beside.c bench/bench.h bench/vcpu.h $(B)/bench/beside.skel.h $(BENCH_TOOL)
	$(BENCH_CC) -pthread $(LIBS) -o $@

$(B)/bench/flood: bench/flood.c bench/bench.h bench/vcpu.h $(B)/bench/conversion.skel.h $(BENCH_BASE)
	$(BENCH_CC) $(LIBS) -o $@

$(B)/bench/idle: bench/idle.c bench/bench.h
	$(BENCH_CC) $(LIBS) -o $@

$(B)/bench/metrics: bench/metrics.c bench/bench.h $(BENCH_TOOL)
	$(BENCH_CC) $(LIBS) -o $@

# The daemon's socket and metrics without a kernel, and without sanitizers.
$(B)/bench/stage: tests/metrics/stage.c $(BENCH_TOOL)
	$(BENCH_CC) $(LIBS) -o $@

# A peer that is not installed, as that would start it.
$(B)/bench/node-exporter:
	$(Q)mkdir -p $(B)/bench/download && cd $(B)/bench/download && apt-get download -q prometheus-node-exporter && \
		dpkg-deb -x prometheus-node-exporter_*.deb $(abspath $@) || \
		echo 'bench: no node_exporter here: it is left out' >&2

$(B)/bench/pagemap: bench/pagemap.c $(BENCH_MODEL) | bench-deps
	$(BENCH_CC) $(LIBS) -lroaring -o $@

# The tool itself, with clocks at where its parts meet.
$(B)/bench/inventory: bench/inventory.c bench/bench.h $(BENCH_TOOL)
	$(BENCH_CC) -Wl,--wrap=bpf_iter_create,--wrap=identity_send $(LIBS) -o $@

$(B)/bench/calls: bench/calls.c bench/bench.h $(B)/bench/calls.skel.h $(BENCH_TOOL)
	$(BENCH_CC) $(LIBS) -o $@

$(B)/bench/attributes: bench/attributes.c bench/bench.h $(BENCH_TOOL)
	$(BENCH_CC) $(LIBS) -o $@

bench: all guest $(B)/tests/verdict $(B)/tests/clients $(BENCH_PROGRAMS) $(B)/bench/node-exporter
	$(Q)bench/run.sh $(B)

# The peers: what to measure against, and nothing that the tool itself needs.
bench-deps: packages
	$(Q)for package in $(BENCH_PACKAGES); do \
		[ "$$(dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null)" = installed ] || \
			lack="$$lack $$package"; \
	done; \
	[ -z "$$lack" ] || { echo "installing:$$lack"; apt-get update -q && \
		DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$lack; }

.PHONY: bench-deps
