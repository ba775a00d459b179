/* SPDX-License-Identifier: GPL-2.0-only */
/* `policy check`, `show`, `explain`, `test` and `diff`: what a policy says, before it is enforced.
 * cmd_policy_live.c has those about what is. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/yaml.h"
#include "cli/cmd_policy_live.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "output/policy.h"
#include "output/select.h"

static const char *policy_path(const struct options *options)
{
	return options->policy ?: POLICY_PATH;
}

/* ---- check ---- */

static int run_check(const struct options *options, struct error *err)
{
	_cleanup_(policies_free) struct policies *policies = NULL;

	if (policies_load(&policies, options->args[0], err))
		return EXIT_FAILED;
	policy_write_all(stdout, policies);
	return EXIT_DONE;
}

static const struct command command_check = {
	.name = "policy check",
	.arguments = "FILE",
	.summary = "whether a policy is right",
	.text = "Reads a file, or all *.yaml of a directory, and prints its rules in the order in "
		"which "
		"they are\n"
		"asked. What is wrong is said with file, line and column. Exit status 1 then.",
	.takes_args = 1,
	.run = run_check,
};

/* ---- show, explain ---- */

struct looking {
	const struct options *options;
	struct policies *policies;
	struct frames range;
};

static int show_one(const struct looking *looking, const struct vm *vm, struct error *err)
{
	_cleanup_free_ struct effective *effective = NULL;
	int r = policy_compile(&effective, looking->policies, vm, err);

	if (!r)
		policy_write_effective(
			stdout, vm, effective, looking->options->format == FORMAT_JSON);
	return r;
}

static int finish_show(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	const struct looking *looking = context;
	const struct vm *one;
	int r = 0;

	(void)style;
	if (looking->options->vm) {
		r = select_vm(model, looking->options->vm, &one, err);
		return r ? r : show_one(looking, one, err);
	}
	for (size_t i = 0; i < model_vm_count(model) && !r; i++)
		r = show_one(looking, model_vm(model, i), err);
	return r;
}

static int finish_explain(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	_cleanup_free_ struct effective *effective = NULL;
	const struct looking *looking = context;
	const struct vm *vm;
	int r = select_vm(model, looking->options->vm, &vm, err);

	(void)style;
	if (!r)
		r = policy_compile(&effective, looking->policies, vm, err);
	if (!r) {
		struct verdict verdict = policy_ask(
			effective, vm, looking->range, looking->options->ask_to, model_now(model));

		policy_write_verdict(stdout, vm, &verdict, looking->options->format == FORMAT_JSON);
	}
	return r;
}

static int look(struct looking *looking,
	int (*finish)(void *, const struct style *, const struct model *, struct error *),
	struct error *err)
{
	struct reader reader = {.finish = finish, .context = looking};
	int r;

	if (policies_load(&looking->policies, policy_path(looking->options), err))
		return EXIT_FAILED;
	r = session_run(looking->options, &reader, false, err);
	policies_free(&looking->policies);
	return r;
}

static int run_show(const struct options *options, struct error *err)
{
	struct looking looking = {.options = options};

	return look(&looking, finish_show, err);
}

static const struct command command_show = {
	.name = "policy show",
	.arguments = "[VM] [--policy PATH] [--capture FILE] [--json]",
	.summary = "the rules that hold for a VM, in order",
	.text = "Prints for each VM, or for one, the rules that policies have for it, in the order "
		"in which they\n"
		"are asked. `policy loaded` shows what the kernel has.",
	.options = OPT_LIVE | OPT_ASKS | OPT_POLICY | OPT_CAPTURE | OPT_JSON,
	.takes_vm = true,
	.run = run_show,
};

static int run_explain(const struct options *options, struct error *err)
{
	struct looking looking = {.options = options};
	int r;

	if (!options->ask) {
		error_set(err, -EINVAL, "policy explain: asks for what?");
		error_advise(err, "give --share 0x1000+4K, or --private");
		return EXIT_USAGE;
	}
	r = policy_parse_range(options->ask, &looking.range, err);
	return r ? EXIT_USAGE : look(&looking, finish_explain, err);
}

static const struct command command_explain_policy = {
	.name = "policy explain",
	.arguments = "[VM] --share|--private RANGE [--policy PATH] [--capture FILE] [--json]",
	.summary = "what a policy would say of a request, and which line says it",
	.text = "Asks the rules that hold for the VM as its guest would, with what it has shared "
		"now, "
		"and prints\n"
		"the verdict and the rule that gives it. Rates are taken as not used up.",
	.options = OPT_LIVE | OPT_ASKS | OPT_POLICY | OPT_ASK | OPT_CAPTURE | OPT_JSON,
	.takes_vm = true,
	.run = run_explain,
};

/* ---- test, diff ---- */

struct testing {
	const struct options *options;
	struct simulation *simulations[2];
	struct policy_totals totals;
	struct verdict old; /* diff: of the first policy, for the same event */
	struct verdict new;
	bool asked[2];
	uint64_t differ;
};

static int count_verdict(void *context, const struct verdict *verdict)
{
	struct testing *testing = context;

	return policy_totals_add(&testing->totals, verdict);
}

static int keep_old(void *context, const struct verdict *verdict)
{
	struct testing *testing = context;

	testing->old = *verdict;
	testing->asked[0] = true;
	return 0;
}

static int keep_new(void *context, const struct verdict *verdict)
{
	struct testing *testing = context;

	testing->new = *verdict;
	testing->asked[1] = true;
	return 0;
}

static int on_event(void *context, const struct style *style, const struct event *event)
{
	struct testing *testing = context;
	int r = 0;

	testing->asked[0] = testing->asked[1] = false;
	for (int i = 0; i < 2 && !r; i++)
		if (testing->simulations[i])
			r = simulation_event(testing->simulations[i], event);
	if (r || !testing->asked[0] || !testing->asked[1] ||
		testing->old.kes.action == testing->new.kes.action)
		return r;
	testing->differ++;
	policy_difference_write(stdout, style, &testing->old, &testing->new,
		testing->options->format == FORMAT_JSON);
	return ferror(stdout) ? -EPIPE : 0;
}

static int finish_test(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	struct testing *testing = context;

	(void)model;
	(void)err;
	policy_totals_write(
		stdout, style, &testing->totals, testing->options->format == FORMAT_JSON);
	return testing->totals.refused ? EXIT_FOUND : 0;
}

static int finish_diff(
	void *context, const struct style *style, const struct model *model, struct error *err)
{
	struct testing *testing = context;

	(void)style;
	(void)model;
	(void)err;
	if (testing->options->format != FORMAT_JSON)
		printf("%llu requests are judged otherwise\n", (unsigned long long)testing->differ);
	return testing->differ ? EXIT_FOUND : 0;
}

/* Over the capture that the last word names. */
static int replay(
	struct testing *testing, const char *capture, struct reader *reader, struct error *err)
{
	struct options options = *testing->options;
	int r;

	options.file = capture;
	reader->event = on_event;
	reader->context = testing;
	r = session_run(&options, reader, false, err);
	for (int i = 0; i < 2; i++) {
		if (testing->simulations[i] && *simulation_error(testing->simulations[i])->text)
			*err = *simulation_error(testing->simulations[i]);
		simulation_free(&testing->simulations[i]);
	}
	policy_totals_free(&testing->totals);
	return r;
}

static int run_test(const struct options *options, struct error *err)
{
	_cleanup_(policies_free) struct policies *policies = NULL;
	struct testing testing = {.options = options};
	struct reader reader = {.finish = finish_test};

	if (policies_load(&policies, options->args[0], err))
		return EXIT_FAILED;
	if (simulation_new(&testing.simulations[0], policies, count_verdict, &testing)) {
		error_set(err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	return replay(&testing, options->args[1], &reader, err);
}

static const struct command command_test = {
	.name = "policy test",
	.arguments = "FILE CAPTURE",
	.summary = "what a policy would have refused of recorded traffic",
	.text = "Asks the policy about each request of a capture, as if it had been enforced: what "
		"it "
		"refuses\n"
		"does not change the pages. Prints for each rule how many requests and bytes it "
		"decided, "
		"and the\n"
		"first of them. Exit status 4 if anything would have been refused.",
	.options = OPT_JSON,
	.takes_args = 2,
	.run = run_test,
};

static int run_diff(const struct options *options, struct error *err)
{
	_cleanup_(policies_free) struct policies *old = NULL, *new = NULL;
	struct testing testing = {.options = options};
	struct reader reader = {.finish = finish_diff};

	if (policies_load(&old, options->args[0], err) ||
		policies_load(&new, options->args[1], err))
		return EXIT_FAILED;
	if (simulation_new(&testing.simulations[0], old, keep_old, &testing) ||
		simulation_new(&testing.simulations[1], new, keep_new, &testing)) {
		simulation_free(&testing.simulations[0]);
		error_set(err, -ENOMEM, "out of memory");
		return EXIT_FAILED;
	}
	return replay(&testing, options->args[2], &reader, err);
}

static const struct command command_diff = {
	.name = "policy diff",
	.arguments = "OLD NEW CAPTURE",
	.summary = "which requests of a capture two policies judge otherwise",
	.text = "Asks both policies about each request of a capture, and prints those on which "
		"they "
		"differ, with\n"
		"the lines that decide. Exit status 4 if there are any.",
	.options = OPT_JSON,
	.takes_args = 3,
	.run = run_diff,
};

/* ---- which of them ---- */

static const struct command *const subcommands[] = {&command_check, &command_test, &command_diff,
	&command_show, &command_explain_policy, &command_loaded, &command_release, &command_freeze,
	&command_mode, &command_baseline, &command_reload, NULL};

static void list_subcommands(FILE *out)
{
	fputs("usage: kvm-encstat policy COMMAND [OPTION...]\n\n", out);
	for (size_t i = 0; subcommands[i]; i++)
		fprintf(out, "  %-15s  %s\n", subcommands[i]->name, subcommands[i]->summary);
	fputs("\nkvm-encstat policy COMMAND --help tells more; kvm-encstat-policy(5) says what a "
	      "policy is.\n",
		out);
}

static int run(const struct options *options, struct error *err)
{
	static const size_t prefix = sizeof("policy ") - 1;
	char **words = options->words, shown[ESCAPED_SIZE(64)];
	int n = 0;

	while (words[n])
		n++;
	if (n < 2) {
		list_subcommands(stderr);
		return EXIT_USAGE;
	}
	for (size_t i = 0; subcommands[i]; i++)
		if (!strcmp(subcommands[i]->name + prefix, words[1]))
			return command_run(subcommands[i], n - 1, words + 1, NULL, err);
	error_set(err, -EINVAL, "policy: there is no command '%s'",
		escape(words[1], shown, sizeof(shown)));
	error_advise(err, "check, test, diff, show, explain, loaded, release, freeze, mode, "
			  "baseline and reload are there");
	return EXIT_USAGE;
}

const struct command command_policy = {
	.name = "policy",
	.arguments = "check|test|diff|show|explain|loaded|release|freeze|mode|baseline|reload ...",
	.summary = "what a policy says: check it, try it on recorded traffic, ask it; what is "
		   "enforced",
	.text = "  check FILE              whether it is right, and its rules in order\n"
		"  test FILE CAPTURE       what it would have refused of recorded traffic\n"
		"  diff OLD NEW CAPTURE    which requests two of them judge otherwise\n"
		"  show [VM]               the rules that hold for a VM\n"
		"  explain [VM] --share RANGE\n"
		"                          what it says of a request, and which line says it\n"
		"  loaded                  what the kernel enforces now, and how often\n"
		"  release [VM]            let a frozen VM run again; without VM, end what is "
		"kept\n"
		"  freeze VM               keep a VM's vCPUs out of its guest\n"
		"  mode VM monitor|enforce only monitor a VM, or enforce its rules again\n"
		"  baseline VM             take what a VM shares now as its baseline\n"
		"  reload                  let the daemon read its policies anew\n"
		"Each has its own --help. kvm-encstat-policy(5) says what a policy is. `enforce` "
		"puts it into force.",
	.takes_words = true,
	.commands = subcommands,
	.run = run,
};
