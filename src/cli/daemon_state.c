/* SPDX-License-Identifier: GPL-2.0-only */
/* From one life of the daemon to the next: its model and findings, the ids of VMs and all that was
 * counted of them. What happened between is not known, and each VM says so. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/daemon.h"
#include "detect/state.h"
#include "output/output.h"
#include "service/store.h"

#define STIRRED_NS 1000000000ull /* ids of VMs that came wait so long, at the most */

struct daemon_state {
	char *path;
	char boot[STORE_BOOT];
	uint64_t saved_ns;
	struct live_known *known; /* until they have been looked for */
	size_t n_known;
	bool resumed;
	bool trouble; /* told, since the last time that it worked */
	bool stirred; /* VMs came or went since it was saved */
};

/* ---- saving ---- */

/* How far their numbers have come is in the model. */
static int list_vms(const struct daemon *daemon, struct store *store)
{
	_cleanup_free_ struct live_known *list = NULL;
	size_t n;
	int r = live_list(daemon->live, &list, &n);

	if (r)
		return r;
	store->vms = calloc(n + 1, sizeof(*store->vms));
	if (!store->vms)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!model_find(daemon->model, list[i].id))
			continue; /* its first record is still on the ring */
		store->vms[store->n_vms++] = (struct store_vm){
			.kvm = list[i].kvm,
			.clock_offset = list[i].clock_offset,
			.start = store_start_of(list[i].pid),
			.id = list[i].id,
			.pid = list[i].pid,
		};
	}
	store->last_id = live_last_id(daemon->live);
	return 0;
}

static int save(const struct daemon *daemon, struct error *err)
{
	_cleanup_(store_release) struct store store = {};
	int r;

	memcpy(store.boot, daemon->state->boot, sizeof(store.boot));
	store.saved_ns = clock_now_ns() + (uint64_t)clock_realtime_offset_ns();
	r = list_vms(daemon, &store);
	if (!r)
		r = state_save(daemon->model, daemon->detect, &store.state);
	if (r)
		return error_set(err, r, "saving the state failed: %s", strerror(-r));
	return store_write(daemon->state->path, &store, err);
}

static void save_or_tell(struct daemon *daemon)
{
	struct error err = {};
	int r = save(daemon, &err);

	daemon->state->saved_ns = clock_now_ns();
	daemon->state->stirred = false;
	if (r && !daemon->state->trouble)
		log_line(LOG_WARNING, "%s: a next life may know less of what was", err.text);
	if (!r && daemon->state->trouble)
		log_line(LOG_NOTICE, "the state is saved again");
	daemon->state->trouble = r != 0;
}

/* A life that ends without a word must not take a VM's id with it. */
void daemon_state_event(struct daemon *daemon, const struct event *event)
{
	daemon->state->stirred |= event->kind == EVENT_VM_NEW || event->kind == EVENT_VM_END;
}

void daemon_state_turn(struct daemon *daemon, uint64_t now_ns)
{
	uint64_t since_ns = now_ns - daemon->state->saved_ns;

	if (!daemon->live)
		return;
	if (since_ns >= daemon->config->save_interval ||
		(daemon->state->stirred && since_ns >= STIRRED_NS))
		save_or_tell(daemon);
}

uint64_t daemon_state_due(const struct daemon *daemon)
{
	uint64_t every_ns = daemon->state->stirred ? STIRRED_NS : daemon->config->save_interval;

	return daemon->live ? daemon->state->saved_ns + every_ns : UINT64_MAX;
}

void daemon_state_stop(struct daemon *daemon)
{
	if (daemon->live)
		save_or_tell(daemon);
}

/* ---- loading ---- */

/* Out of the way, but not gone: who wants to may look into it. */
static void put_aside(const char *path, const char *why)
{
	_cleanup_free_ char *aside = NULL;

	if (asprintf(&aside, "%s.old", path) < 0 || rename(path, aside))
		return;
	log_line(LOG_NOTICE, "%s: it is %s now", why, aside);
}

/* VMs whose processes still live, with what is known of them. */
static int take_vms(struct daemon *daemon, const struct store *store, struct live_options *options)
{
	struct daemon_state *state = daemon->state;

	state->known = calloc(store->n_vms + 1, sizeof(*state->known));
	if (!state->known)
		return -ENOMEM;
	for (size_t i = 0; i < store->n_vms; i++) {
		const struct store_vm *saved = &store->vms[i];
		const struct vm *vm = model_find(daemon->model, saved->id);
		struct live_known *known = &state->known[state->n_known];

		if (!vm || !vm->alive || !saved->start ||
			saved->start != store_start_of(saved->pid))
			continue;
		*known = (struct live_known){
			.kvm = saved->kvm,
			.clock_offset = saved->clock_offset,
			.id = saved->id,
			.pid = saved->pid,
			.seq = vm->next_seq,
			.counters =
				model_process_counters(daemon->model, saved->pid) ?: &vm->counters,
		};
		memcpy(known->lost, vm->lost, sizeof(known->lost));
		state->n_known++;
	}
	options->known = state->known;
	options->n_known = state->n_known;
	return 0;
}

static void resume(struct daemon *daemon, const struct store *store,
	int (*load)(void *, const void *, size_t, struct error *), void *session,
	struct live_options *options)
{
	struct error err = {};

	options->last_id = store->last_id; /* whatever comes of the rest: no id comes twice */
	if (load(session, store->state.bytes, store->state.size, &err)) {
		put_aside(daemon->state->path, err.text);
		return;
	}
	if (take_vms(daemon, store, options)) {
		log_line(LOG_WARNING, "out of memory: VMs are not known again");
		return;
	}
	daemon->state->resumed = true;
}

void daemon_state_resume(struct daemon *daemon,
	int (*load)(void *session, const void *bytes, size_t size, struct error *err),
	void *session, struct live_options *options)
{
	_cleanup_(store_release) struct store store = {};
	struct error err = {};
	int r = store_read(&store, daemon->state->path, &err);

	if (r == -ENOENT)
		return;
	if (r)
		put_aside(daemon->state->path, err.text);
	else if (strcmp(store.boot, daemon->state->boot))
		put_aside(daemon->state->path, "the state is of another boot");
	else
		resume(daemon, &store, load, session, options);
}

/* ---- who is still there ---- */

static bool lives(const struct live_known *list, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].id == id)
			return true;
	return false;
}

static int end_vm(struct daemon *daemon, const struct vm *vm)
{
	char label[VM_SHORT_SIZE];

	log_line(LOG_NOTICE, "VM %u %s ended while nobody watched", vm->id,
		vm_label_short(vm, label));
	return live_tell_end(
		daemon->live, vm->id, vm->next_seq + 1, vm->lost[KES_CAUSE_UNWATCHED] + 1);
}

static void tell_resumed(size_t alive, size_t ended)
{
	log_line(LOG_NOTICE,
		"the last life's state was taken over: %zu VM%s went on, %zu ended meanwhile; what "
		"they did between is not known",
		alive, alive == 1 ? "" : "s", ended);
}

int daemon_state_start(struct daemon *daemon, struct error *err)
{
	struct daemon_state *state = daemon->state;
	_cleanup_free_ struct live_known *list = NULL;
	size_t n = 0, alive = 0, ended = 0;
	int r;

	state->saved_ns = clock_now_ns();
	if (!state->resumed)
		return 0;
	r = live_list(daemon->live, &list, &n);
	for (size_t i = 0; i < model_vm_count(daemon->model) && !r; i++) {
		const struct vm *vm = model_vm(daemon->model, i);

		if (vm->alive && lives(list, n, vm->id)) {
			alive++;
		} else if (vm->alive) {
			ended++;
			r = end_vm(daemon, vm);
		}
	}
	free(TAKE_PTR(state->known));
	if (r)
		return error_set(
			err, r, "taking over the last life's VMs failed: %s", strerror(-r));
	tell_resumed(alive, ended);
	save_or_tell(daemon); /* should this life be short, its successor need not say it again */
	return 0;
}

int daemon_state_new(struct daemon *daemon, struct error *err)
{
	struct daemon_state *state = calloc(1, sizeof(*state));

	daemon->state = state;
	if (!state || asprintf(&state->path, "%s/state", daemon->config->state_dir) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	store_boot(state->boot);
	return 0;
}

void daemon_state_free(struct daemon_state **pointer)
{
	struct daemon_state *state = *pointer;

	if (!state)
		return;
	free(state->path);
	free(state->known);
	free(state);
	*pointer = NULL;
}
