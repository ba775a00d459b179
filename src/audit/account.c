/* SPDX-License-Identifier: GPL-2.0-only */
/* What is not told one by one: accepted conversions, and what would be too much. */
#include <stdlib.h>
#include <string.h>

#include "audit/audit_private.h"
#include "base/cleanup.h"
#include "base/place.h"

/* ---- one for each VM ---- */

/* Where it is, or has to be. */
static size_t place_of(const struct audit *audit, uint32_t vm)
{
	return PLACE(audit->n_accounts, i, audit->accounts[i]->vm < vm);
}

static struct account *add_account(struct audit *audit, size_t place, const struct vm *vm)
{
	struct account **grown =
		reallocarray(audit->accounts, audit->n_accounts + 1, sizeof(*audit->accounts));
	struct account *account = grown ? calloc(1, sizeof(*account)) : NULL;

	if (grown)
		audit->accounts = grown;
	if (!account)
		return NULL;
	*account = (struct account){
		.vm = vm ? vm->id : 0,
		.who = vm,
		.told = !vm,
		.seen_ns = audit->now_ns,
		.budget_ns = INT64_MIN,
	};
	memmove(&grown[place + 1], &grown[place], (audit->n_accounts - place) * sizeof(*grown));
	grown[place] = account;
	audit->n_accounts++;
	return account;
}

struct account *account_of(struct audit *audit, const struct vm *vm)
{
	uint32_t id = vm ? vm->id : 0;
	size_t place;

	if (audit->latest && audit->latest->vm == id)
		return audit->latest;
	place = place_of(audit, id);
	if (place < audit->n_accounts && audit->accounts[place]->vm == id)
		audit->latest = audit->accounts[place];
	else
		audit->latest = add_account(audit, place, vm);
	return audit->latest;
}

void account_forget(struct audit *audit, const struct vm *vm)
{
	size_t place = place_of(audit, vm->id);

	if (place == audit->n_accounts || audit->accounts[place]->vm != vm->id)
		return;
	account_flush(audit, audit->accounts[place]);
	audit->latest = NULL;
	free(audit->accounts[place]);
	memmove(&audit->accounts[place], &audit->accounts[place + 1],
		(--audit->n_accounts - place) * sizeof(*audit->accounts));
}

void account_introduce(struct audit *audit, uint32_t vm)
{
	size_t place = place_of(audit, vm);

	if (place < audit->n_accounts && audit->accounts[place]->vm == vm)
		tell_new(audit, audit->accounts[place]);
}

void accounts_free(struct audit *audit)
{
	for (size_t i = 0; i < audit->n_accounts; i++)
		free(audit->accounts[i]);
	free(audit->accounts);
}

/* ---- not too much of one VM ---- */

/* Each record costs 1/rate of a second; what was not used adds up to the cost of a burst. */
static bool may_tell(const struct audit *audit, struct account *account)
{
	const struct audit_settings *settings = &audit->settings;
	int64_t cost = (int64_t)(NSEC_PER_SEC / settings->vm_rate);
	int64_t now = audit->now_ns < INT64_MAX ? (int64_t)audit->now_ns : INT64_MAX;
	int64_t from = now - (int64_t)settings->burst * cost;

	if (settings->full)
		return true;
	if (account->budget_ns < from)
		account->budget_ns = from;
	if (account->budget_ns > now - cost)
		return false;
	account->budget_ns += cost;
	return true;
}

bool account_allows(struct audit *audit, struct account *account, enum audit_kind kind,
	uint64_t ts_ns, uint64_t pages)
{
	if (may_tell(audit, account))
		return true;
	if (!account->flood[kind].count++)
		account->flood[kind].first_ns = ts_ns;
	account->flood[kind].last_ns = ts_ns;
	account->flood[kind].pages += pages;
	account->flooded = true;
	audit->flooded++;
	return false;
}

static void flush_flood(struct audit *audit, struct account *account, enum audit_kind kind)
{
	struct audit_record *record;
	char since[TIME_SIZE], who[VM_SHORT_SIZE + 16];
	uint64_t count = account->flood[kind].count;

	if (!count)
		return;
	record = audit_begin(audit, AUDIT_MERGED, account->flood[kind].last_ns);
	record_set(
		record, FIELD_SINCE, "%s", audit_time(audit, account->flood[kind].first_ns, since));
	tell_vm(record, account->who);
	record_set(record, FIELD_MERGED_KIND, "%s", audit_kinds[kind].name);
	record_set(record, FIELD_WHY, "flood");
	record_set_u64(record, FIELD_COUNT, count);
	record_set_u64(record, FIELD_NPAGES, account->flood[kind].pages);
	tell_who(account->who, who, sizeof(who));
	record_add(record, "MESSAGE", "%s%llu record%s of kind %s not told one by one (flood)", who,
		(unsigned long long)count, plural(count), audit_kinds[kind].name);
	audit_end(audit, audit_kinds[AUDIT_MERGED].priority);
	memset(&account->flood[kind], 0, sizeof(account->flood[kind]));
}

/* ---- summaries ---- */

static void set_counts(struct audit_record *record, const struct account *account)
{
	const struct {
		enum audit_field field;
		uint64_t value;
	} counts[] = {
		{FIELD_CONVERTED, account->converted},
		{FIELD_TO_SHARED, account->to_shared},
		{FIELD_TO_PRIVATE, account->to_private},
		{FIELD_DENIED, account->denied},
		{FIELD_REFUSED, account->refused},
		{FIELD_UNANSWERED, account->unanswered},
		{FIELD_VETOED, account->vetoed},
		{FIELD_ATTRIBUTES, account->attributes},
		{FIELD_FAULTS, account->faults},
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		record_set_u64(record, counts[i].field, counts[i].value);
}

static void flush_counts(struct audit *audit, struct account *account)
{
	char since[TIME_SIZE], who[VM_SHORT_SIZE + 16], shared[24], private[24];
	struct audit_record *record;
	uint64_t converted = account->converted;

	if (!account->since_ns)
		return;
	record = audit_begin(audit, AUDIT_SUMMARY, audit->now_ns);
	record_set(record, FIELD_SINCE, "%s", audit_time(audit, account->since_ns, since));
	tell_vm(record, account->who);
	set_counts(record, account);
	tell_who(account->who, who, sizeof(who));
	record_add(record, "MESSAGE",
		"%s%llu conversion%s, %s to shared, %s to private; refused: %llu by the VMM, %llu "
		"by "
		"KVM, %llu by a policy",
		who, (unsigned long long)converted, plural(converted),
		bytes_exact(account->to_shared << 12, shared),
		bytes_exact(account->to_private << 12, private),
		(unsigned long long)account->denied, (unsigned long long)account->refused,
		(unsigned long long)account->vetoed);
	audit_end(audit, audit_kinds[AUDIT_SUMMARY].priority);
	account->since_ns = 0;
	account->converted = account->to_shared = account->to_private = account->denied = 0;
	account->refused = account->unanswered = account->vetoed = 0;
	account->attributes = account->faults = 0;
}

void account_flush(struct audit *audit, struct account *account)
{
	if (account->since_ns || account->flooded)
		tell_new(audit, account);
	for (int kind = 0; account->flooded && kind < AUDIT_KINDS; kind++)
		flush_flood(audit, account, (enum audit_kind)kind);
	account->flooded = false;
	flush_counts(audit, account);
}

void accounts_flush(struct audit *audit)
{
	for (size_t i = 0; i < audit->n_accounts; i++) {
		tell_new(audit, audit->accounts[i]);
		account_flush(audit, audit->accounts[i]);
	}
	audit->next_ns = audit->now_ns + audit->settings.interval_ns;
}
