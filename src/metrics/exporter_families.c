/* SPDX-License-Identifier: GPL-2.0-only */
/* What the exporter says of itself, before all that it was told. It links this, and nothing that
 * knows of VMs. */
#include "base/cleanup.h"
#include "metrics/metrics_private.h"

const struct family exporter_families[] = {
	{"kvm_encstat_up", FAMILY_GAUGE, "",
		"Whether the daemon answered the exporter; if not, this and what follows is all "
		"there is.",
		.detail = METRICS_HOST},
	{"kvm_encstat_exporter_fetch_seconds", FAMILY_GAUGE, "seconds",
		"How long the daemon took to answer.", .detail = METRICS_HOST},
	{"kvm_encstat_exporter_failures", FAMILY_COUNTER, "",
		"How often it did not answer, since the exporter began.", .detail = METRICS_HOST},
};
const size_t n_exporter_families = ARRAY_SIZE(exporter_families);
