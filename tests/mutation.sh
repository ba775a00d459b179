#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Whether the unit tests of the detectors notice when a detector is wrong: each line of the table
# below changes one condition of one file, and its test must fail then.
#
#   mutation.sh [NAME...]   only those whose file or description has NAME in it
#
# Takes what `make unit` built, in build/ or $B.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/lib.sh

B=${B:-build}
CC=${CC:-gcc}
FLAGS="-std=gnu11 -D_GNU_SOURCE -Isrc -Iinclude -O0 -w -fsanitize=address,undefined -fno-sanitize-recover=all"
export ASAN_OPTIONS=detect_leaks=0

# TEST :: FILE :: WHAT GOES WRONG :: SED EXPRESSION
table() {
	sed 's/^[[:space:]]*//; /^#/d; /^$/d' <<'END'
	# ---- the life of a finding
	detect :: watch :: one case more is needed :: s/f->count >= setting/f->count > setting/
	detect :: watch :: the window ends early :: s/begin_ns > window/begin_ns >= window/
	detect :: watch :: the window never ends :: s/now_ns - (\*f)->begin_ns > window/false/
	detect :: watch :: quiet is as long as the window :: s/, SETTING_QUIET))/, SETTING_WINDOW) * 2)/
	detect :: watch :: pending cases are kept :: s/free(TAKE_PTR(watch->findings\[i\]));/;/
	detect :: watch :: updates come every ten seconds :: s/DETECT_UPDATE_NS << doublings/DETECT_UPDATE_NS/
	detect :: watch :: updates get rarer without end :: s/return f->told_ns + MIN(/return f->told_ns + MAX(/
	detect :: watch :: updates without news :: s/f->count != f->told_count/true/
	detect :: watch :: lasting findings are not updated :: /if (f->lasting) {/,/}/s/flush_one(watch, f);//
	commit :: watch :: lasting findings end when it is quiet :: s/if (f->lasting) {/if (false) {/
	detect :: watch :: what gets worse waits :: s/finding->next_ns = watch->now_ns;//
	detect :: watch :: all have the same number :: s/++watch->numbers\[f->kind\]/1/
	kept :: watch :: a VM's findings are not bounded :: s/watch->kept++ < DETECT_KEPT_PER_VM/true/
	kept :: watch :: all findings are not bounded :: s/detect->n_kept == DETECT_KEPT)/false)/
	kept :: watch :: the wrong VM makes room :: s/if (detect->kept\[i\]->vm == f->vm)/if (true)/
	detect :: watch :: the end is not told :: s/tell(watch, f, PHASE_END);//
	commit :: watch :: what was no finding is told at the end :: s/if (f->state == FINDING_PENDING) {/if (false) {/
	commit :: watch :: stale planes are certain :: s/!= CONFIDENCE_EXACT/== CONFIDENCES/
	detect :: detect :: a detector that is off speaks :: s/ \&\& (watch->enabled \& wanted->kind)//
	detect :: detect :: types have no settings of their own :: s/watch_configure(watch);//
	kept :: detect :: a forgotten VM is watched on :: s/remove_watch(detect, position(detect, event->vm->id));/;/
	kept :: detect :: a freed watch is found again :: s/memset(detect->cache, 0, sizeof(detect->cache));//
	kept :: detect :: an ended VM is watched for ever :: s/event->kind == EVENT_VM_END/false/
	detect :: detect :: errors are swallowed :: s/r = detect->error;/r = 0;/
	kept :: finding :: ranges that touch stay two :: s/a->gfn <= end_of(b)/a->gfn < end_of(b)/
	kept :: finding :: the last of equal ranges goes :: s/old->count < f->ranges\[least\].count/old->count <= f->ranges[least].count/
	kept :: finding :: the counts of joined ranges are lost :: s/new.count += old->count;//
	kept :: finding :: that ranges are missing is not said :: s/f->more_ranges = true;/;/
	kept :: finding :: evidence is read in the wrong order :: s/\[(i + skipped) % FINDING_EVIDENCE\]/[i % FINDING_EVIDENCE]/
	detect :: settings :: types have no defaults of their own :: s/return setting->other\[i\].value;/return setting->value;/

	# ---- uncommitted
	commit :: uncommitted :: done in part is done :: s/event->commit != COMMIT_PARTLY/true/
	commit :: uncommitted :: not done is done :: s/event->commit != COMMIT_NOT/true/
	commit :: uncommitted :: frames without memory count :: s/ - watch_outside(watch, gfn, event->npages)//
	commit :: uncommitted :: it ends when it is quiet :: s/f->lasting = true;//
	commit :: uncommitted :: it never ends :: s/watch_resolve(watch, &detect_uncommitted);//
	commit :: uncommitted :: it ends while planes differ :: s/if (guest != host/if (false/
	commit :: uncommitted :: many ranges are right at once :: s/watch->vm->disputes.n ||/false \&\&/
	commit :: uncommitted :: what was done instead is unasked :: s/if (!unsolicited_claim(.*/if (true)/
	commit :: uncommitted :: opposite and elsewhere are swapped :: s/? OPPOSITE/? OTHER_RANGE/

	# ---- unsolicited
	commit :: unsolicited :: what the guest asked for counts :: s/event->prompt != PROMPT_NONE ||//
	commit :: unsolicited :: what was so already counts :: s/event->already == event->npages ||//
	commit :: unsolicited :: launch counts :: s/if (!early)$/if (true)/
	commit :: unsolicited :: launch never ends :: s/first_ns < launch/first_ns >= 0/
	commit :: unsolicited :: hotplug counts :: s/is_hotplug(watch, event) ||/false ||/
	commit :: unsolicited :: memory is new for ever :: s/since_ns < fresh/since_ns >= 0/
	commit :: unsolicited :: what was declared counts :: s/|| is_as_declared(watch->vm, event)//
	commit :: unsolicited :: calls that failed count :: s/event->ret || event->unsure/event->unsure/
	commit :: unsolicited :: a reset's own work counts :: s/waiting->n = 0; .. reset.*/;/
	commit :: unsolicited :: a reset in many pieces counts :: s/forget_missed(waiting);/;/
	commit :: unsolicited :: many pieces are not counted :: s/if (!waiting->missed++)/if (true)/
	commit :: unsolicited :: it does not wait :: s/watch->now_ns - since_ns </watch->now_ns - since_ns >=/
	commit :: unsolicited :: directions are swapped :: s/? TO_SHARED : TO_PRIVATE/? TO_PRIVATE : TO_SHARED/
	commit :: unsolicited :: shared pages are not critical :: s/watch_raise(watch, f, SEVERITY_CRITICAL);/;/
	commit :: unsolicited :: pages that were so count :: s/f->pages -= change->already;//

	# ---- fault-loop, again, reused
	commit :: fault_loop :: one fault more is needed :: s/loop->n < times/loop->n <= times/
	commit :: fault_loop :: rare faults add up :: s/loop->n = 0;/;/
	commit :: fault_loop :: help does not count :: s/\*loop = (struct loop){};/;/
	commit :: fault_loop :: a call that failed is help :: s/else if (!event->ret)/else/
	commit :: fault_loop :: help for other pages is help :: s/!ranges_overlap(/false \&\& !ranges_overlap(/
	commit :: fault_loop :: it does not end when helped :: s/if (helped \&\& !others)/if (false)/
	commit :: again :: one answer more is needed :: s/++row->n < times/++row->n <= times/
	commit :: again :: any denial is "again" :: s/event->ret == EAGAIN/event->ret/
	commit :: again :: another address is no progress :: s/row->gpa == event->gpa/true/
	commit :: again :: another size is no progress :: s/row->npages == event->npages \&\& row->to == event->to/row->gpa >> 12 == event->gpa >> 12/
	commit :: again :: it does not end with progress :: s/watch_resolve(watch, &detect_again);//
	commit :: reused :: a denial to shared counts :: s/if (event->to == PAGE_PRIVATE)/if (true)/
	commit :: reused :: what was private meanwhile counts :: s/ \&\& event->already)/)/
	commit :: reused :: success is not seen :: s/forget(failed, gfn, event->npages); .. in.*/;/
	commit :: reused :: a reset is not seen :: s/\*failed = (struct failed){};/;/
	commit :: reused :: touched as private counts :: s/if (event->to == PAGE_SHARED)$/if (true)/
	commit :: reused :: pages beside it count :: s/to = to < end ? to : end;/to = end;/
	commit :: reused :: partial maps are certain :: s/.leans_on = {\[PLANE_GUEST\] = true},//

	# ---- outside, sacred, left-shared
	memory :: outside :: to shared is a warning, too :: s/run->first.to != PAGE_PRIVATE ||//
	memory :: outside :: to private is information :: s/watch_raise(watch, f, SEVERITY_WARNING);//
	memory :: outside :: it does not wait :: s/watch->now_ns - grace/watch->now_ns/
	memory :: outside :: all of a run count as one :: s/waiting->runs\[i\].n++;//
	memory :: outside :: directions are joined :: s/run->first.to == event->to \&\&//
	memory :: outside :: many to shared hide one to private :: s/make_room(watch, waiting);/;/
	memory :: outside :: frames in memory count :: s/ += outside;/ += run->npages;/
	memory :: outside :: memory that came counts :: s/if (!outside)/if (false)/
	memory :: outside :: what waits at the end is dropped :: s/if (watch_is_over(watch))/if (false)/
	memory :: settings :: the VGA window is sacred :: s/{0, 0xa0,/{0, 0xb0,/
	memory :: settings :: the BIOS is not sacred :: s/{0xc0, 0x40,/{0xc0, 0x3f,/
	memory :: settings :: the firmware is not sacred :: s/{0xff000, 0x1000,/{0xff000, 0xfff,/
	memory :: sacred :: the whole conversion counts :: s/uint64_t from = MAX(gfn, sacred->gfn);/uint64_t from = gfn;/
	memory :: sacred :: taking back counts :: s/event->to != PAGE_SHARED ||/0 ||/; s/.needs = TRAIT_TO_SHARED,//
	memory :: sacred :: what was denied counts :: s/ON(EVENT_CONVERTED) |/ON(EVENT_CONVERTED) | ON(EVENT_DENIED) |/; s/|| event->ret ||/||/
	memory :: sacred :: what was so already counts :: s/event->already == event->npages/false/
	memory :: sacred :: where no memory is counts :: s/watch_outside(watch, from, end - from) == end - from ||//
	memory :: sacred :: all VMs are meant :: s/if (!sacred->vm)/if (true)/
	memory :: sacred :: what the guest asked for counts twice :: s/event->prompt == PROMPT_REQUEST ||//
	memory :: sacred :: launch counts :: s/event->npages > GIB_PAGES/event->npages > 64 * GIB_PAGES/
	memory :: left_shared :: nothing left is something :: s/<= setting(watch, FINDING_LEFT_SHARED, SETTING_PAGES)/< setting(watch, FINDING_LEFT_SHARED, SETTING_PAGES)/
	memory :: left_shared :: what the guest shares itself counts :: s/collect.nskip = first->npages;//
	memory :: left_shared :: what the VMM took back counts :: s/vm->host.known ? collect.pages : vm->left.pages/vm->left.pages/
	memory :: left_shared :: it is looked at too soon :: s/>= grace/< grace/
	memory :: left_shared :: kexec is certain :: s/f->certainty = CERTAINTY_LIKELY;//
	memory :: left_shared :: what nobody knows is certain :: s/f->certainty = CERTAINTY_POSSIBLE;//
	memory :: left_shared :: it stays information :: s/watch_raise(watch, f, SEVERITY_WARNING);//
	memory :: left_shared :: kexec is not seen :: s/left->kexec_ns = watch->now_ns;//
	memory :: left_shared :: stale planes are certain :: s/.leans_on = {\[PLANE_HOST\] = true},//

	# ---- budget, giant, twice
	budget :: budget :: the budget itself is too much :: s/if (shared > budget)/if (shared >= budget)/
	budget :: budget :: no slack :: s/return wanted + .*/return wanted;/
	budget :: budget :: no upper bound :: s/wanted = MIN(/wanted = MAX(/
	budget :: budget :: no lower bound :: s/wanted = MAX(wanted, setting(watch, FINDING_BUDGET, SETTING_LEAST));//
	budget :: budget :: MMIO counts :: s/shared = shared_memory(watch->vm);/shared = watch->vm->shared;/
	budget :: budget :: MMIO is shown :: s/watch_outside(collect->watch, gfn, npages) < npages/true/
	budget :: budget :: it does not end :: s/watch_resolve(watch, \&detect_budget);/;/
	budget :: budget :: one interval more is needed :: s/state->growing < setting/state->growing <= setting/
	budget :: budget :: any growth counts :: s/grown < least_growth(watch)/false/
	budget :: budget :: releases do not count :: s/state->released <= .*) {/true) {/
	budget :: budget :: any release counts :: s/state->released <= .*) {/!state->released) {/
	budget :: budget :: growth goes on over a pause :: s/state->growing = 0;/;/
	budget :: budget :: growth goes on over a reset :: s/|| watch->vm->resets != budget->resets//
	memory :: giant :: the largest that is allowed is too large :: s/event->npages <= size/event->npages < size/
	memory :: giant :: VMs without attributes count :: s/!watch->vm->host.capable/false/
	memory :: giant :: launch counts :: s/|| !watch->guest_ns//
	memory :: giant :: a stall is a little longer :: s/event->latency_ns >= stall/event->latency_ns > stall/
	memory :: giant :: denied ones do not count :: s/ | ON(EVENT_DENIED)//
	memory :: giant :: a stall is no warning :: s/watch_raise(watch, f, SEVERITY_WARNING);//
	memory :: twice :: a page more is needed :: s/resident->pages < setting/resident->pages <= setting/
	memory :: twice :: old ranges stay :: s/f->n_ranges = 0;//
	memory :: twice :: it ends when it is quiet :: s/f->lasting = true;//
	memory :: twice :: it does not end :: s/watch_resolve(watch, &detect_twice);//
	memory :: twice :: each range is a look :: s/if (resident->index == 0)/if (true)/

	# ---- storm, flapping, redundant
	traffic :: storm :: the burst itself is too much :: s/<= burst/< burst/
	traffic :: storm :: it runs on :: s/storm->empty_ns -= storm->drop_ns;//
	traffic :: storm :: it never leaks :: s/MAX(storm->empty_ns, watch->now_ns)/storm->empty_ns/
	traffic :: storm :: refused ones do not count :: s/ | ON(EVENT_REFUSED)//
	traffic :: storm :: denied ones do not count :: s/ | ON(EVENT_DENIED)//
	traffic :: storm :: its share is of all time :: s/storm->host = watch_host_conversions(watch) - 1;/;/
	traffic :: storm :: its rate is of all time :: s/MAX(storm->since_ns, watch->first_ns)/storm->since_ns/
	traffic :: flapping :: one flip more is needed :: s/range->flips < flips/range->flips <= flips/
	traffic :: flapping :: the same direction is a flip :: s/range->to != event->to/true/
	traffic :: flapping :: another size is the same range :: s/ \&\& set\[i\].npages == npages//
	traffic :: flapping :: slow flips add up :: s/range->flips = 0;//
	traffic :: flapping :: aligned ranges share a place :: s/return (unsigned int)(gfn \* .*/return (unsigned int)gfn % SETS;/
	traffic :: flapping :: the first flips are not counted :: s/range->flips == flips ? flips : 1/1/
	traffic :: redundant :: one new page does not matter :: s/event->already != event->npages/!event->already/; s/.needs = TRAIT_REDUNDANT,//
	traffic :: redundant :: accepting memory counts :: s/event->to == PAGE_PRIVATE \&\& !setting/false \&\& !setting/
	traffic :: redundant :: to private never counts :: s/event->to == PAGE_PRIVATE \&\& !setting.*/event->to == PAGE_PRIVATE)/
	traffic :: redundant :: fewer are enough :: s/SETTINGS_COMMON(256,/SETTINGS_COMMON(255,/
	traffic :: redundant :: directions are swapped :: s/? TO_SHARED : TO_PRIVATE/? TO_PRIVATE : TO_SHARED/
	traffic :: redundant :: partial maps are certain :: s/.leans_on = {\[PLANE_GUEST\] = true},//

	# ---- malformed, privilege, slow
	traffic :: malformed :: unaligned is fine :: s/== KES_REASON_UNALIGNED)/== KES_REASON_NONE)/
	traffic :: malformed :: empty is fine :: s/== KES_REASON_EMPTY)/== KES_REASON_NONE)/
	traffic :: malformed :: wrapping is fine :: s/== KES_REASON_WRAP)/== KES_REASON_NONE)/
	traffic :: malformed :: any page size is fine :: s/<= LARGEST_PAGE/<= 15/
	traffic :: malformed :: any bit is fine :: s/!(attrs \& ~KES_MAP_GPA_KNOWN) \&\&/true \&\&/
	traffic :: malformed :: the last page is beyond :: s/> PAGEMAP_FRAMES/>= PAGEMAP_FRAMES/
	traffic :: malformed :: beyond is fine :: s/> PAGEMAP_FRAMES/> 2 * PAGEMAP_FRAMES/
	traffic :: malformed :: another ABI is fine :: s/ | ON(EVENT_ABI_DOUBT)//
	traffic :: malformed :: two are enough :: s/^\t\t3, MINUTE_NS/\t\t2, MINUTE_NS/
	traffic :: privilege :: any reason counts :: s/event->reason != KES_REASON_CPL/false/
	traffic :: privilege :: inferred is certain :: s/f->certainty = CERTAINTY_LIKELY;/;/
	traffic :: slow :: the worst is a little longer :: s/event->latency_ns < setting/event->latency_ns <= setting/
	traffic :: slow :: 2 MiB are large :: s/event->npages <= SMALL_PAGES/event->npages < SMALL_PAGES/
	traffic :: slow :: size does not matter :: s/event->npages <= SMALL_PAGES/true/
	traffic :: slow :: the slowest is the percentile :: s/if (n > above)/if (n >= above)/
	traffic :: slow :: one sample more is needed :: s/if (slow->n >= setting/if (slow->n > setting/
	traffic :: slow :: a percentile of few :: s/if (slow->n >= setting/if (2 * slow->n >= setting/
	traffic :: slow :: a percentile is rounded up :: s/(uint64_t)(4 + i % 4)/(uint64_t)(5 + i % 4)/
	traffic :: slow :: answers that were read late count :: s/!event->has_latency/false/
	traffic :: slow :: a minute is not forgotten :: s/memset(slow, 0, sizeof(\*slow));//
	traffic :: slow :: half a stall is one :: s/age < stall/2 * age < stall/
	traffic :: slow :: who perhaps was answered waits :: s/|| request->unhooked//
	traffic :: slow :: a stall is told each second :: s/if (f \&\& f->lasting) { /if (false) { /
	traffic :: slow :: a stall never ends :: s/f->lasting = false;/;/
	traffic :: slow :: a stall is no warning :: s/watch_raise(watch, f, SEVERITY_WARNING);//

	# ---- kernel, blind, sweep, loss
	host :: kernel :: the first stable release with a fix has the bug :: s/release >= bug->stable\[i\]/release > bug->stable[i]/
	host :: kernel :: stable releases are not known :: s/return false;$/;/
	host :: kernel :: the release that is mended has the bug :: s/release >= bug->fixed/release > bug->fixed/
	host :: kernel :: the first release with a bug has none :: s/release < bug->first/release <= bug->first/
	host :: kernel :: it is told again :: s/!which || f/!which/
	host :: kernel :: it ends when it is quiet :: s/f->lasting = true;//
	host :: blind :: answers may be missing :: s/KES_HOST_NO_CHANGES | KES_HOST_NO_ANSWERS | /KES_HOST_NO_CHANGES | /
	host :: blind :: the inventory may be missing :: s/ | KES_HOST_NO_INVENTORY)/)/
	host :: blind :: it does not end :: s/watch_resolve(watch, &detect_blind);//
	host :: blind :: it is told again :: s/f->values\[FLAGS\] == missing/false/
	host :: blind :: the slack itself is too much :: s/if (exits <= known)/if (exits < known)/
	host :: blind :: counts that are ahead count :: s/exits = MAX(blind->exits, slack)/exits = MAX(vm->counters.exits[KES_EXIT_HYPERCALL], slack)/
	host :: blind :: several VMs' counts are one's :: s/ || model_process_counters(watch->model, vm->pid)//
	host :: blind :: lost records explain nothing :: s/ + vm_lost(vm)//
	host :: blind :: the host's lost records explain nothing :: s/ + vm->tainted;/;/
	host :: blind :: a reset takes the explanation :: s/blind->excused += blind->tainted;/;/
	host :: blind :: open requests were not seen :: s/vm_open_requests(vm, &oldest) +/0 +/
	host :: sweep :: one number more is needed :: s/distinct >= setting/distinct > setting/
	host :: sweep :: known numbers count :: s/1u << 1 | 1u << 5 | /1u << 1 | /
	host :: sweep :: several VMs' counts are one's :: s/ || model_process_counters(watch->model, watch->vm->pid)//
	host :: sweep :: high numbers are one :: s/f->values\[OTHERS\] += others;//
	host :: sweep :: one number more often is fine :: s/SETTINGS_COMMON(1000,/SETTINGS_COMMON(1001,/
	host :: loss :: counters are records :: s/event->cause == KES_CAUSE_COUNTS_FULL/false/
	host :: loss :: totals are added up :: s/loss->last\[event->cause\] = event->lost;//
	host :: loss :: one more is needed :: s/^\t\t100, MINUTE_NS/\t\t101, MINUTE_NS/
END
}

suite() { # NAME: the test it stands for
	case $1 in detect) echo test_detect ;; *) echo test_detect_"$1" ;; esac
}

# Prints nothing when it is noticed.
mutate() { # DIRECTORY SUITE FILE SED
	cp src/detect/"$3".c "$1"/"$3".c
	sed -i "$4" "$1"/"$3".c
	if cmp -s src/detect/"$3".c "$1"/"$3".c; then
		echo "the mutation does not apply"
		return
	fi
	# shellcheck disable=SC2086
	$CC $FLAGS -c "$1"/"$3".c -o "$1"/mutant.o 2>"$1"/log &&
		$CC $FLAGS "$work"/"$2".o "$1"/mutant.o "$B"/sanitized/libkes.a -lcmocka -lfyaml \
			-o "$1"/test 2>>"$1"/log || {
		echo "the mutation does not build"
		head -n 5 "$1"/log
		return
	}
	if timeout 20 "$1"/test >"$1"/log 2>&1; then echo "$2 does not notice"; fi
}

run_line() { # NUMBER LINE
	local file what sed test why directory=$work/$1 rest=$2
	test=$(suite "${rest%% :: *}")
	rest=${rest#* :: }
	file=${rest%% :: *}
	rest=${rest#* :: }
	what=${rest%% :: *}
	sed=${rest#* :: }
	mkdir "$directory"
	why=$(mutate "$directory" "$test" "$file" "$sed")
	if [ -z "$why" ]; then pass "mutation $file: $what"; else fail "mutation $file: $what" "$why"; fi
	rm -rf "$directory"
}

if [ "${1:-}" = --line ]; then # one of many at a time
	run_line "$2" "$3" >"$work/$2.out"
	exit 0
fi

work=$(mktemp -d)
export work
trap 'rm -rf "$work"' EXIT
pattern=$(IFS='|' && printf '%s' "$*")

# A test that fails anyway would notice everything. (test_detect_load takes long, and is none of them.)
# shellcheck disable=SC2086
for name in detect kept commit memory budget traffic host; do
	test=$(suite $name)
	$CC $FLAGS -c tests/unit/"$test".c -o "$work"/"$test".o || exit 1
	"$B"/tests/"$test" >/dev/null 2>&1 || fail "mutation: $test passes without one"
done
n=0
while read -r line; do
	printf '%s\0%s\0%s\0' --line $((n += 1)) "$line"
done < <(table | grep -E -- "$pattern") | xargs -0 -r -n 3 -P "$(nproc)" "$0"
for ((i = 1; ; i++)); do
	[ -f "$work/$i.out" ] || break
	cat "$work/$i.out"
done
