# SPDX-License-Identifier: GPL-2.0-only
bench:
	@echo "no benchmarks yet"; false
