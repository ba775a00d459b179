/* SPDX-License-Identifier: GPL-2.0-only */
/* Armed means proved: a guest of the tool's own is refused, and let through, before any other is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/canary.h"
#include "cli/enforcer.h"
#include "policy/enforce.h"

#define PROOF_MS    10000
#define PROOF_TRIES 100 /* looks at the ring, after the guest has ended */

/* What the guest of hypercalls converts (see canary.c): the pages that are refused once, and six
 * more times others. */
#define PROOF_OTHERS 6

/* Under these rules only the tool's children are judged, and nothing of it is told as an
 * operator's. */
static int begin(struct enforcer *enforcer, struct error *err)
{
	_cleanup_free_ struct kes_rule_set *set = malloc(sizeof(*set));
	struct kes_veto settings = enforcer->settings;
	uint32_t place;
	int r;

	if (!set)
		return error_set(err, -ENOMEM, "out of memory");
	enforce_proof(set, (struct frames){CANARY_DENIED_GFN, CANARY_DENIED_PAGES},
		(struct frames){CANARY_FREEZES_GFN, CANARY_FREEZES_PAGES});
	r = enforcer_install(enforcer, set, &place);
	if (!r) {
		settings.proving = 1;
		settings.standard[0] = (struct kes_policed){.set = place};
		r = veto_write_settings(enforcer->tables, &settings);
	}
	return r ? error_set(err, r, "writing the kernel's tables failed: %s", strerror(-r)) : 0;
}

/* ---- level 2: seven hypercalls, of which one is refused ---- */

static bool is_ours(const struct proof *proof, const struct vm *vm)
{
	bool ours = false;

	for (size_t i = 0; i < proof->n_guests; i++)
		ours |= vm->pid == proof->guests[i];
	return ours;
}

static void note_guest(struct proof *proof, const struct canary *canary)
{
	if (canary->pid > 0 && proof->n_guests < ARRAY_SIZE(proof->guests))
		proof->guests[proof->n_guests++] = (uint32_t)canary->pid;
}

bool enforcer_is_proof(const struct enforcer *enforcer, uint32_t vm)
{
	const struct proof *proof = &enforcer->proof;

	for (size_t i = 0; i < proof->n_vms; i++)
		if (proof->vms[i] == vm)
			return true;
	return false;
}

static void note_vm(struct enforcer *enforcer, uint32_t vm)
{
	struct proof *proof = &enforcer->proof;

	if (!enforcer_is_proof(enforcer, vm) && proof->n_vms < ARRAY_SIZE(proof->vms))
		proof->vms[proof->n_vms++] = vm;
}

bool enforcer_watch_proof(struct enforcer *enforcer, const struct event *event)
{
	struct proof *proof = &enforcer->proof;
	bool about = event->gpa >> 12 == CANARY_DENIED_GFN && event->npages == CANARY_DENIED_PAGES;

	if (!event->vm)
		return false;
	if (enforcer->proving && is_ours(proof, event->vm))
		note_vm(enforcer, event->vm->id);
	/* also when it is over: where the ring was full an end is told later */
	if (!enforcer_is_proof(enforcer, event->vm->id))
		return false;
	if (event->kind == EVENT_VERDICT)
		proof->refused += about && event->judgement->action == KES_DENY;
	else if (event->kind == EVENT_CONVERTED && about)
		proof->slipped++;
	else if (event->kind == EVENT_CONVERTED)
		proof->passed++;
	return true;
}

static bool is_proved(const struct proof *proof)
{
	return proof->refused == 1 && proof->passed == PROOF_OTHERS && !proof->slipped;
}

/* Whether all that is wrong is that not all of it was seen. */
static bool is_short(const struct proof *proof)
{
	return !is_proved(proof) && proof->refused <= 1 && proof->passed <= PROOF_OTHERS &&
	       !proof->slipped;
}

/* One guest, and what came of it on the ring. */
static int run_calls(
	struct proof *proof, int (*pump)(void *), void *session, enum canary_result *ret_result)
{
	struct canary canary;
	int r = 0;

	proof->refused = proof->passed = proof->slipped = 0;
	*ret_result = canary_start(&canary, CANARY_CALLS, PROOF_MS);
	note_guest(proof, &canary);
	if (*ret_result == CANARY_DONE)
		*ret_result = canary_end(&canary);
	for (int i = 0; i < PROOF_TRIES && !r && !is_proved(proof); i++)
		r = pump(session);
	return r;
}

/* Seen from the verdict, and from what its VMM was asked. */
static int prove_gate(
	struct enforcer *enforcer, int (*pump)(void *), void *session, struct error *err)
{
	struct proof *proof = &enforcer->proof;
	enum canary_result result;
	int r, runs = 0;

	do {
		r = run_calls(proof, pump, session, &result);
	} while (!r && result == CANARY_DONE && is_short(proof) && ++runs < PROOF_RUNS);
	if (!r && result == CANARY_DONE && is_proved(proof))
		return 0;
	error_set(err, -ENOTSUP,
		"the veto is not proved: of a guest's own seven conversions %llu were refused and "
		"%llu went on, where 1 and 6 should",
		(unsigned long long)proof->refused,
		(unsigned long long)(proof->passed + proof->slipped));
	return -ENOTSUP;
}

/* ---- level 1: ioctls, and KVM_RUN of a frozen VM ---- */

struct releasing {
	const struct enforcer *enforcer;
	uint32_t pid;
	int result;
};

static int release_if_ours(void *context, const struct veto_vm *vm)
{
	struct releasing *releasing = context;

	if (vm->is_frozen && vm->frozen.pid == releasing->pid)
		releasing->result = veto_release(releasing->enforcer->tables, vm->kvm);
	return 0;
}

/* The guest of the proof, and no other: an earlier tool's frozen VMs stay so. */
static int release_canary(struct enforcer *enforcer, const struct canary *canary)
{
	struct releasing releasing = {enforcer, (uint32_t)canary->pid, -ENOENT};
	int r = veto_each_vm(enforcer->tables, release_if_ours, &releasing);

	return r ? r : releasing.result;
}

/* Its VMM sees one call refused and another one not; then it is frozen, and sees KVM_RUN refused
 * until it is released. Its exit status says so. */
static int prove_ioctls(struct enforcer *enforcer, struct error *err)
{
	struct canary canary;
	enum canary_result result = canary_start(&canary, CANARY_REFUSED, PROOF_MS);
	int r = 0;

	note_guest(&enforcer->proof, &canary);
	if (result == CANARY_DONE) {
		r = release_canary(enforcer, &canary);
		result = canary_end(&canary);
	}
	if (!r && result == CANARY_DONE)
		return 0;
	error_set(err, -ENOTSUP,
		"the veto is not proved: the calls of a VMM of our own were not refused and let "
		"through as they should be (%d)",
		r ? r : (int)result);
	return -ENOTSUP;
}

int enforcer_prove(struct enforcer *enforcer, int (*pump)(void *), void *session, struct error *err)
{
	int r = pump(session); /* the ring has filled while programs were loaded */

	if (r)
		return error_set(err, r, "reading the kernel's records failed: %s", strerror(-r));
	r = begin(enforcer, err);
	if (r)
		return r;
	enforcer->proving = true;
	if (live_veto_has(enforcer->veto, VETO_GATE))
		r = prove_gate(enforcer, pump, session, err);
	if (!r)
		r = prove_ioctls(enforcer, err);
	if (!r)
		r = pump(session); /* what it left on the ring is not an operator's */
	enforcer->proving = false;
	if (r == -ENOTSUP)
		error_advise(err, "kvm-encstat doctor --selftest shows what this host can do");
	return r;
}
