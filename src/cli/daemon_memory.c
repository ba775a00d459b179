/* SPDX-License-Identifier: GPL-2.0-only */
/* What the daemon may have resident. Nearly all of it are maps; those of VMs that live are what it
 * is for, so that they are never cut: when there is too much, VMs that ended are forgotten, less
 * waits for clients, and it is said. */
#include <malloc.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/units.h"
#include "cli/daemon.h"

#define LOOK_NS     1000000000ull
#define ENDED_SHARE 4          /* of all that it may have: for VMs that ended */
#define ENDED_LEAST (1u << 20) /* what is left to them at the least */

static uint64_t read_resident(void)
{
	struct metrics_tool tool = {};

	metrics_tool_read(&tool);
	return tool.resident;
}

/* Readers of a session look at its model only: this is the one exception. */
static int bound_ended(struct daemon *daemon, uint64_t bytes)
{
	if (bytes < ENDED_LEAST)
		bytes = ENDED_LEAST;
	daemon->memory.ended_bound = bytes;
	return model_bound_ended((struct model *)daemon->model, bytes);
}

/* "402M are resident, of 384M: VMs that live 380M, VMs that ended 12M" */
static void describe(const struct daemon *daemon, char *text, size_t size)
{
	char resident[24], most[24], alive[24], ended[24];
	size_t n_alive, n_ended;

	model_memory(daemon->model, &n_alive, &n_ended);
	snprintf(text, size, "%s are resident, of %s: VMs that live take %s, those that ended %s",
		bytes_short(daemon->memory.resident, resident),
		bytes_short(daemon->config->memory, most), bytes_short(n_alive, alive),
		bytes_short(n_ended, ended));
}

static void tell(struct daemon *daemon)
{
	char text[256];

	describe(daemon, text, sizeof(text));
	if (daemon->memory.is_short)
		log_line(LOG_WARNING,
			"memory is short: %s; VMs that ended are forgotten, the oldest first, and "
			"less may wait for clients. `memory` in the configuration says how much it "
			"may be",
			text);
	else
		log_line(LOG_NOTICE, "memory is not short any more: %s", text);
	daemon_audit_memory(daemon, text);
}

/* A little below the limit it is still short, so that it is not said again and again. */
static bool is_short(const struct daemon *daemon)
{
	uint64_t most = daemon->config->memory, resident = daemon->memory.resident;

	return resident > (daemon->memory.is_short ? most - most / 8 : most);
}

static int change(struct daemon *daemon)
{
	int r = 0;

	daemon->memory.is_short = !daemon->memory.is_short;
	if (!daemon->memory.is_short)
		r = bound_ended(daemon, daemon->config->memory / ENDED_SHARE);
	daemon_socket_set_short(daemon->socket, daemon->memory.is_short);
	tell(daemon);
	return r;
}

/* Half of what VMs that ended take, each time. */
static int make_room(struct daemon *daemon)
{
	size_t alive, ended;
	int r;

	model_memory(daemon->model, &alive, &ended);
	r = ended > ENDED_LEAST ? bound_ended(daemon, ended / 2) : 0;
	malloc_trim(0);
	return r;
}

int daemon_memory_turn(struct daemon *daemon, uint64_t now_ns)
{
	int r = 0;

	if (now_ns < daemon->memory.look_ns)
		return 0;
	daemon->memory.look_ns = now_ns + LOOK_NS;
	if (!daemon->memory.ended_bound)
		r = bound_ended(daemon, daemon->config->memory / ENDED_SHARE);
	daemon->memory.resident = read_resident();
	if (!r && is_short(daemon) != daemon->memory.is_short)
		r = change(daemon);
	if (!r && daemon->memory.is_short)
		r = make_room(daemon);
	return r;
}

void daemon_memory_reload(struct daemon *daemon)
{
	daemon->memory.look_ns = 0;
	if (!daemon->memory.is_short)
		daemon->memory.ended_bound = 0;
}

/* What makes it more also makes a turn. */
uint64_t daemon_memory_due(const struct daemon *daemon)
{
	return daemon->memory.is_short || !daemon->memory.look_ns ? daemon->memory.look_ns
								  : UINT64_MAX;
}
