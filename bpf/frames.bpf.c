/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which frames of a VM guest_memfd has pages for: a memslot with KVM_MEM_GUEST_MEMFD has a file for
 * its private memory, whose page cache (an xarray of folios by file offset) holds them. An object
 * of its own: only who looks for memory that is there twice loads it, it shares no table with the
 * others, and a kernel that does not take it loses nothing else.
 *
 * Nothing is locked. All is read under RCU, so no node is reused; that the memslot and its file
 * were there until the end is looked at last, and else the C half asks again. Pages that come and
 * go meanwhile are there or not: what is found is a sample in any case.
 */
#include "file.bpf.h"
#include "xarray.bpf.h"

#include "frames.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "GPL";

#define MEM_GUEST_MEMFD   (1u << 2)  /* KVM_MEM_GUEST_MEMFD, include/uapi/linux/kvm.h */
#define MEMSLOT_GMEM_ONLY (1u << 17) /* KVM_MEMSLOT_GMEM_ONLY, include/linux/kvm_host.h, 6.18 */

#define TREE_DEPTH    64   /* of memslots: 2 * log2(32768) would do */
#define SLOTS_AT_ONCE 64   /* memslots without guest_memfd that a run passes over */
#define WORDS_AT_ONCE 2048 /* steps of a run; a part takes 512 where all is there */
#define PAGE_ENTRIES  3    /* the low bits of an entry that is a pointer are 0 */
#define SIBLING_LIMIT 8    /* bits: a sibling entry is xa_mk_internal() of a slot's number */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct kes_frames);
} part SEC(".maps");

struct walk {
	struct kes_frames *part;
	struct xa_copy *leaf;
	u64 set;   /* of memslots: a struct kvm_memslots */
	u64 slot;  /* the memslot at hand; 0: none is left */
	u64 file;  /* its guest_memfd */
	u64 pages; /* that one's page cache: a struct xarray */
	u64 index; /* the next page to look at: a multiple of 64 */
	u64 end;   /* of the memslot's part of the file */
};

/* ---- memslots ---- */

struct search {
	u64 node; /* an rb_node of the tree by gfn; 0: below the last one */
	u64 link; /* its offset in a memslot */
	u64 gfn;
	u64 found; /* the lowest memslot so far that ends behind gfn */
};

static long search_step(u32 step, struct search *search)
{
	u64 slot = search->node - search->link, end;

	if (!search->node)
		return 1;
	end = read_u64(MEMBER(slot, kvm_memory_slot, base_gfn)) +
	      read_u64(MEMBER(slot, kvm_memory_slot, npages));
	if (end > search->gfn) {
		search->found = slot;
		search->node = read_u64(MEMBER(search->node, rb_node, rb_left));
	} else {
		search->node = read_u64(MEMBER(search->node, rb_node, rb_right));
	}
	return 0;
}

static __noinline u64 slot_from(u64 set, u64 gfn)
{
	struct search search = {.gfn = gfn};

	search.node = read_u64(MEMBER(MEMBER(set, kvm_memslots, gfn_tree), rb_root, rb_node));
	search.link = bpf_core_field_offset(struct kvm_memory_slot, gfn_node);
	if (read_u32(MEMBER(set, kvm_memslots, node_idx)))
		search.link += bpf_core_type_size(struct rb_node);
	bpf_loop(TREE_DEPTH, search_step, &search, 0);
	return search.found;
}

/* Where guest_memfd is all the memory that the memslot has, the VMM's mapping shows the same pages:
 * nothing is there twice. */
static __always_inline bool has_two_memories(u32 flags)
{
	return (flags & MEM_GUEST_MEMFD) && !(flags & MEMSLOT_GMEM_ONLY);
}

/* Goes to the next memslot from the part's gfn on, or passes over it. */
static long slot_step(u32 step, struct walk *walk)
{
	struct kes_frames *p = walk->part;
	u64 slot = slot_from(walk->set, p->gfn);

	walk->slot = slot;
	if (!slot)
		return 1;
	p->base_gfn = read_u64(MEMBER(slot, kvm_memory_slot, base_gfn));
	p->npages = read_u64(MEMBER(slot, kvm_memory_slot, npages));
	walk->file = read_u64(MEMBER(slot, kvm_memory_slot, gmem.file));
	if (walk->file && has_two_memories(read_u32(MEMBER(slot, kvm_memory_slot, flags))))
		return 1;
	walk->file = 0;
	p->gfn = p->base_gfn + p->npages;
	return 0;
}

/* ---- the page cache of guest_memfd ---- */

static __always_inline bool is_page(u64 entry)
{
	return entry && !(entry & PAGE_ENTRIES);
}

/* A folio of several pages has the first one's slot, and the others say which one that is. */
static __always_inline bool is_sibling(u64 entry)
{
	return (entry & 3) == 2 && !(entry >> SIBLING_LIMIT);
}

/* Which of the leaf's slots have a page. False: a node that is being taken away. */
static __always_inline bool leaf_pages(struct walk *walk, u64 node, u64 *ret)
{
	struct xa_copy *leaf = walk->leaf;
	u64 pages = 0, stays = 1;

	if (bpf_probe_read_kernel(leaf, sizeof(*leaf), (void *)MEMBER(node, xa_node, slots)))
		return false;
	for (u32 i = 0; i < XA_SLOTS; i++) {
		u64 entry = leaf->slots[i];
		u64 page = differ(entry, 0) & ~(entry | entry >> 1);
		u64 sibling = ~entry & entry >> 1 & ~differ(entry >> SIBLING_LIMIT, 0);

		stays &= differ(entry, XA_RETRY);
		pages |= ((page | (sibling & pages >> (entry >> 2 & (XA_SLOTS - 1)))) & 1) << i;
	}
	*ret = pages;
	return stays;
}

/* The pages of the 64 at the index, which moves on, as far as there is nothing. */
static __noinline u64 next_word(struct walk *walk)
{
	u64 index, entry, node, shift, pages = 0;

	if (!walk || !walk->leaf)
		return 0;
	index = walk->index;
	entry = read_u64(MEMBER(walk->pages, xarray, xa_head));
	if (!is_node(entry)) { /* nothing at all, or only the first page */
		walk->index = ~0ull;
		return !index && is_page(entry);
	}
	node = entry - 2;
	shift = read_u8(MEMBER(node, xa_node, shift));
	if (shift > XA_SHIFT * XA_LEVELS || index >> shift >= XA_SLOTS) {
		walk->index = ~0ull; /* the end */
		return 0;
	}
	for (u32 level = 0; level < XA_LEVELS; level++) {
		if (!shift) {
			if (leaf_pages(walk, node, &pages))
				walk->index = index + XA_SLOTS;
			else
				pages = 0; /* look again */
			return pages;
		}
		entry = node_slot(node, index >> shift);
		if (is_sibling(entry))
			entry = node_slot(node, entry >> 2);
		if (!is_node(entry)) {
			if (is_page(entry)) {
				walk->index = index + XA_SLOTS;
				return ~0ull;
			}
			if (entry != XA_RETRY)
				walk->index = ((index >> shift) + 1) << shift;
			return 0;
		}
		node = entry - 2;
		shift -= XA_SHIFT;
	}
	walk->index = ~0ull;
	return 0;
}

static long word_step(u32 step, struct walk *walk)
{
	struct kes_frames *p = walk->part;
	u64 index = walk->index, word = (index - p->first) / XA_SLOTS, pages;

	if (index >= walk->end || (p->words && word >= KES_FRAMES_WORDS))
		return 1;
	pages = next_word(walk);
	if (!pages)
		return 0;
	if (!p->words) {
		p->first = index;
		word = 0;
	}
	p->bits[word & (KES_FRAMES_WORDS - 1)] = pages;
	p->words = word + 1;
	return 0;
}

/* ---- one part ---- */

static __always_inline void read_words(struct walk *walk)
{
	struct kes_frames *p = walk->part;
	u64 mapping = read_u64(MEMBER(walk->file, file, f_mapping));
	u64 from = p->gfn > p->base_gfn ? p->gfn - p->base_gfn : 0;

	p->userspace_addr = read_u64(MEMBER(walk->slot, kvm_memory_slot, userspace_addr));
	p->pgoff = read_u64(MEMBER(walk->slot, kvm_memory_slot, gmem.pgoff));
	walk->pages = MEMBER(mapping, address_space, i_pages);
	walk->index = (p->pgoff + from) & ~(u64)(XA_SLOTS - 1);
	walk->end = p->pgoff + p->npages;
	p->words = 0;
	bpf_loop(WORDS_AT_ONCE, word_step, walk, 0);
	if (walk->index >= walk->end)
		p->gfn = p->base_gfn + p->npages;
	else if (walk->index > p->pgoff)
		p->gfn = p->base_gfn + walk->index - p->pgoff;
}

static __always_inline u64 memslots_of(u64 kvm)
{
	return read_u64(MEMBER(kvm, kvm, memslots));
}

static __always_inline u64 generation_of(u64 set)
{
	return read_u64(MEMBER(set, kvm_memslots, generation));
}

static __always_inline u32 read_part(struct kes_frames *p)
{
	struct walk walk = {.part = p, .set = memslots_of(p->kvm)};
	u64 generation = generation_of(walk.set);
	u32 zero = 0;

	walk.leaf = bpf_map_lookup_elem(&xa_copies, &zero);
	if (!walk.leaf)
		return KES_FRAMES_NONE;
	bpf_loop(SLOTS_AT_ONCE, slot_step, &walk, 0);
	if (walk.file)
		read_words(&walk);
	/* A guest_memfd that is closed leaves its memslots before it goes. */
	if (memslots_of(p->kvm) != walk.set || generation_of(walk.set) != generation ||
		(walk.file && read_u64(MEMBER(walk.slot, kvm_memory_slot, gmem.file)) != walk.file))
		return KES_FRAMES_AGAIN;
	if (!walk.slot)
		return KES_FRAMES_DONE;
	return walk.file && p->words ? KES_FRAMES_PART : KES_FRAMES_MORE;
}

SEC("iter/task_file")
int read_frames(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct kes_frames *p;
	u32 zero = 0;

	p = bpf_map_lookup_elem(&part, &zero);
	if (!task || !file || !p || p->state != KES_FRAMES_ASKED)
		return 0;
	if ((u64)BPF_CORE_READ(file, private_data) != p->kvm || file_kind(file) != FILE_VM)
		return 0;
	if (!bpf_core_field_exists(struct kvm_memory_slot, gmem.pgoff) ||
		!bpf_core_field_exists(struct kvm_memslots, gfn_tree)) {
		p->state = KES_FRAMES_NONE;
		return 0;
	}
	/* Only there do the memslots' addresses mean what KVM means by them. */
	if ((u64)BPF_CORE_READ(task, mm) != read_u64(MEMBER(p->kvm, kvm, mm)))
		return 0;
	p->pid = task->tgid;
	p->state = read_part(p);
	bpf_seq_write(ctx->meta->seq, &(char){'f'}, 1); /* that ends the C half's read() */
	return 0;
}
