/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A compiled policy, and how it is evaluated: the kernel half and the C half compile this same
 * code. Like wire.h it includes nothing; whoever includes it has __u8..__u64 and wire.h.
 *
 * A rule set is what holds for one VM: its rules in the order in which they are asked. The first
 * one that matches and is enforced decides; one that is only monitored never changes that, it is
 * noted. Time follows the rules that match by direction, source, number and place, of which there
 * are few; where a request lies is looked up in time logarithmic in the ranges of all rules.
 */
#ifndef KES_VERDICT_H
#define KES_VERDICT_H

#define KES_RULES      64  /* of one VM: a bit each */
#define KES_RANGES     256 /* of all its rules together */
#define KES_BOUNDS     (2 * KES_RANGES)
#define KES_LEVELS     10      /* 2^9 = KES_BOUNDS */
#define KES_SIZES      41      /* powers of two of frames: up to 2^40 */
#define KES_NUMBERS    32      /* hypercall numbers; the last one stands for all above */
#define KES_FOREVER    (~0ull) /* no limit */
#define KES_SECOND     1000000000ull
#define KES_TOKENS_MAX (1u << 30) /* a second, and of a burst */

enum kes_action {
	KES_ALLOW = 0,
	KES_LOG = 1,    /* allowed, and told */
	KES_DENY = 2,   /* refused, with the rule's errno */
	KES_FREEZE = 3, /* refused, and the VM's vCPUs stay out of the guest until it is released */
	KES_KILL = 4,   /* refused, and the VMM gets SIGKILL */
	KES_ACTIONS,
};

enum kes_mode {
	KES_MONITOR = 0,
	KES_ENFORCE = 1,
};

/* Who asks: bits, of what a rule is about. */
enum kes_asker {
	KES_BY_GUEST = 1 << 0, /* a hypercall */
	KES_BY_VMM = 1 << 1,   /* a change of attributes that no guest asked for */
};

/* What for: bits. */
enum kes_ask_what {
	KES_ASK_PRIVATE = 1 << 0,
	KES_ASK_SHARED = 1 << 1,
	KES_ASK_OTHER = 1 << 2, /* a hypercall that converts nothing */
};

struct kes_bucket {
	__u64 last_ns; /* until when it has leaked */
	__u64 level;   /* what is in it: billionths of tokens, so that each ns leaks a whole number
			*/
};

struct kes_rate {
	__u32 per_second; /* tokens; 0: no such limit */
	__u32 burst;      /* tokens that it holds */
};

struct kes_rule {
	__u64 larger;        /* more frames than this; KES_FOREVER: whatever its size */
	__u64 alignment;     /* begins or ends off a multiple of so many frames; 0: wherever */
	__u64 shared_above;  /* more frames would be shared then; KES_FOREVER: whatever is */
	__u32 percent;       /* more than so much of memory would be; 0: whatever is */
	__u8 above_baseline; /* these two count what was shared when the baseline was taken as none
			      */
	__u8 user;           /* 1: only from CPL > 0 */
	__u8 action;         /* kes_action */
	__u8 mode;           /* kes_mode */
	struct kes_rate conversions, pages; /* what is beyond these rates */
	__s32 err;                          /* KES_DENY: what the ioctl returns, such as -EPERM */
	__u8 asks, askers;                  /* bits of kes_ask_what, kes_asker */
	__u8 file; /* index of the one it is in: for people */
	__u8 spare;
	__u32 numbers; /* hypercall numbers, as bits */
	__u32 line;    /* in its file: for people */
};

struct kes_rule_set {
	__u32 n_rules, n_bounds;
	__s32 unreadable; /* what a change of attributes gets whose arguments cannot be read, such as
			     -EPERM; 0: it passes */
	__u32 spare;
	__u64 touching; /* rules that want a request to touch one of their ranges */
	__u64 inside;   /* rules that want it to lie in them, whole */
	__u64 by_ask[3], by_asker[2], by_number[KES_NUMBERS];
	__u64 by_size[KES_SIZES]; /* rules that may match a request of 2^i frames and more, but
				     less than 2^(i + 1) */
	__u64 limiting; /* rules about how much is shared: not asked where no page comes to be */
	__u64 pacing;   /* rules about rates */
	__u64 users;    /* rules about user mode */
	/* The frames at which the rules that have a range there change, sorted. Segment i are the
	 * frames from bounds[i - 1] on that lie before bounds[i]. */
	__u64 bounds[KES_BOUNDS];
	/* Of 2^level segments from this one on: rules with a range in any of them, in all of them.
	 */
	__u64 any[KES_LEVELS][KES_BOUNDS + 1];
	__u64 all[KES_LEVELS][KES_BOUNDS + 1];
	struct kes_rule rules[KES_RULES];
};

/* Of a VM, and for each kes_asker one of its own: what guests ask for and what VMMs do by themselves
 * comes on ways that the kernel half cannot lock against each other. Only guests' requests are
 * about how much is shared. */
struct kes_policy_state {
	__u64 shared, memory, baseline; /* frames */
	struct kes_bucket conversions[KES_RULES], pages[KES_RULES];
};

struct kes_ask {
	__u64 gfn, npages; /* frames; npages 0: nothing is converted */
	__u64 more;        /* frames that would become shared */
	__u64 now_ns;
	__u32 nr;   /* hypercall number; 0 of a change of attributes */
	__u8 what;  /* one of kes_ask_what */
	__u8 asker; /* one of kes_asker */
	__u8 cpl;   /* 0 also where it is not known */
	__u8 spare;
};

#define KES_NO_RULE 255
struct kes_verdict {
	__u8 action; /* what happens */
	__u8 rule;   /* that decided; KES_NO_RULE: none did */
	__u8 would;  /* what the first monitored rule that matched before it would have made happen
		      */
	__u8 monitored; /* that rule; KES_NO_RULE: none */
};

/* The verifier looks at a global function once, and takes what it returns for anything: without
 * that the paths through the loops below are more than it follows. Such a function has to see
 * itself that its pointers are there. */
#ifdef __bpf__
#define KES_STEP    __attribute__((noinline))
#define KES_HIDE(x) asm volatile("" : "+r"(x)) /* or the compiler drops the checks it needs */
#else
#define KES_STEP    static inline
#define KES_HIDE(x) (void)(x)
#endif
#define KES_INLINE static inline __attribute__((always_inline))

_Static_assert(sizeof(struct kes_rule) == 64, "policy: rule");
_Static_assert(sizeof(struct kes_ask) == 40, "policy: ask");
_Static_assert(1 << (KES_LEVELS - 1) == KES_BOUNDS, "policy: levels");

/* In which segment a frame is. */
KES_STEP __u32 kes_segment(const struct kes_rule_set *set, __u64 gfn)
{
	__u32 low = 0, high = set ? set->n_bounds : 0;

	if (!set)
		return 0;

	for (int i = 0; i < KES_LEVELS; i++) {
		__u32 middle = (low + high) / 2;

		if (low >= high)
			break;
		KES_HIDE(middle);
		if (middle < KES_BOUNDS && set->bounds[middle] <= gfn)
			low = middle + 1;
		else
			high = middle;
	}
	return low <= KES_BOUNDS ? low : KES_BOUNDS;
}

/* The level of the largest power of two that n segments hold. */
KES_STEP __u32 kes_level(__u32 n)
{
	__u32 level = 0;

	for (int i = 1; i < KES_LEVELS; i++)
		if (n >> i)
			level = (__u32)i;
	return level;
}

/* Which of by_size[] n frames are. */
KES_STEP __u32 kes_size(__u64 n)
{
	__u32 size = 0;

	for (int half = 32; half; half /= 2)
		if (n >> half) {
			n >>= half;
			size += (__u32)half;
		}
	return size < KES_SIZES ? size : KES_SIZES - 1;
}

/* Rules that may match by place. */
KES_STEP __u64 kes_placed(const struct kes_rule_set *set, __u64 gfn, __u64 npages)
{
	__u64 placed = set ? set->touching | set->inside : 0, last, any, all;
	__u32 from, to, level, second;

	if (!set || !placed)
		return ~0ull;
	if (!npages)
		return ~placed;
	last = gfn + npages - 1;
	if (last < gfn)
		last = ~0ull; /* a guest may ask for anything: it wraps, and touches all above */
	from = kes_segment(set, gfn);
	to = kes_segment(set, last);
	level = kes_level(to - from + 1);
	second = to + 1 - (1u << level);
	KES_HIDE(level);
	KES_HIDE(from);
	KES_HIDE(second);
	if (level >= KES_LEVELS || from > KES_BOUNDS || second > KES_BOUNDS)
		return ~placed; /* never so: for the verifier */
	any = set->any[level][from] | set->any[level][second];
	all = set->all[level][from] & set->all[level][second];
	return (~set->touching | any) & (~set->inside | all);
}

/* Whether n tokens are more than the bucket takes now; if not, they are in it. */
KES_INLINE int kes_overflows(
	struct kes_bucket *bucket, const struct kes_rate *rate, __u64 n, __u64 now_ns)
{
	__u64 elapsed = now_ns > bucket->last_ns ? now_ns - bucket->last_ns : 0;

	if (!rate->per_second)
		return 1; /* not a limit of this rule */
	/* Nothing is rounded: what would be, adds up as long as the bucket is never empty. */
	if (elapsed > bucket->level / rate->per_second)
		bucket->level = 0;
	else
		bucket->level -= elapsed * rate->per_second;
	bucket->last_ns += elapsed;
	/* 2^30 tokens are less than 2^60 */
	if (n > rate->burst || bucket->level + n * KES_SECOND > rate->burst * KES_SECOND)
		return 1;
	bucket->level += n * KES_SECOND;
	return 0;
}

KES_INLINE int kes_too_much(const struct kes_rule *rule, const struct kes_policy_state *state,
	const struct kes_ask *ask)
{
	__u64 shared = state->shared + ask->more;

	if (rule->shared_above == KES_FOREVER && !rule->percent)
		return 1; /* not a limit of this rule */
	if (!ask->more)
		return 0; /* it makes nothing worse */
	if (rule->above_baseline)
		shared -= shared < state->baseline ? shared : state->baseline;
	if (rule->shared_above != KES_FOREVER && shared > rule->shared_above)
		return 1;
	return rule->percent && shared > state->memory / 100 * rule->percent +
						 state->memory % 100 * rule->percent / 100;
}

KES_STEP int kes_matches(const struct kes_rule *rule, const struct kes_ask *ask,
	struct kes_policy_state *state, __u32 i)
{
	int limited;

	if (!rule || !ask || !state || i >= KES_RULES)
		return 0;
	if (rule->larger != KES_FOREVER && ask->npages <= rule->larger)
		return 0;
	if (rule->alignment && ask->gfn % rule->alignment == 0 &&
		ask->npages % rule->alignment == 0)
		return 0;
	if (rule->user && !ask->cpl)
		return 0;
	if (!kes_too_much(rule, state, ask))
		return 0;
	if (!rule->conversions.per_second && !rule->pages.per_second)
		return 1;
	/* Both buckets are filled, or the second would know less than passed. */
	limited = rule->conversions.per_second &&
		  kes_overflows(&state->conversions[i], &rule->conversions, 1, ask->now_ns);
	limited |= rule->pages.per_second && ask->npages &&
		   kes_overflows(&state->pages[i], &rule->pages, ask->npages, ask->now_ns);
	return limited;
}

KES_STEP __u32 kes_lowest(__u64 mask)
{
	__u32 n = 0;

	if (!(mask & 0xffffffff)) {
		n += 32;
		mask >>= 32;
	}
	if (!(mask & 0xffff)) {
		n += 16;
		mask >>= 16;
	}
	if (!(mask & 0xff)) {
		n += 8;
		mask >>= 8;
	}
	if (!(mask & 0xf)) {
		n += 4;
		mask >>= 4;
	}
	if (!(mask & 3)) {
		n += 2;
		mask >>= 2;
	}
	return n + !(mask & 1);
}

/* What becomes of the request, by the rules of a mask. The state's buckets are filled; what is
 * shared is for the caller to keep, who knows what came of it. */
KES_INLINE struct kes_verdict kes_evaluate_some(const struct kes_rule_set *set,
	struct kes_policy_state *state, const struct kes_ask *ask, __u64 mask)
{
	struct kes_verdict verdict = {KES_ALLOW, KES_NO_RULE, KES_ALLOW, KES_NO_RULE};
	__u32 nr = ask->nr < KES_NUMBERS ? ask->nr : KES_NUMBERS - 1;
	__u32 size = kes_size(ask->npages);

	mask &= kes_placed(set, ask->gfn, ask->npages);
	mask &= set->by_ask[ask->what >> 1 & 1 ? 1 : ask->what >> 2 & 1 ? 2 : 0];
	mask &= set->by_asker[ask->asker >> 1 & 1];
	if (ask->asker & KES_BY_GUEST)
		mask &= set->by_number[nr];
	KES_HIDE(size);
	if (size < KES_SIZES)
		mask &= set->by_size[size];
	if (!ask->more)
		mask &= ~set->limiting;
	if (!ask->cpl)
		mask &= ~set->users;
	for (int step = 0; step < KES_RULES && mask; step++) {
		__u32 i = kes_lowest(mask) & (KES_RULES - 1);
		const struct kes_rule *rule = &set->rules[i];

		mask &= mask - 1;
		if (!kes_matches(rule, ask, state, i))
			continue;
		if (rule->mode == KES_ENFORCE) {
			verdict.action = rule->action;
			verdict.rule = (__u8)i;
			break;
		}
		if (verdict.monitored == KES_NO_RULE) {
			verdict.would = rule->action;
			verdict.monitored = (__u8)i;
		}
	}
	return verdict;
}

KES_INLINE struct kes_verdict kes_evaluate(
	const struct kes_rule_set *set, struct kes_policy_state *state, const struct kes_ask *ask)
{
	return kes_evaluate_some(set, state, ask, ~0ull);
}

#endif
