/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the C half asks of bpf/frames.bpf.c, and what that says: which frames of a VM's memory its
 * guest_memfd has pages for, a part at a time. Not persisted. Types as in wire.h.
 */
#ifndef KES_FRAMES_H
#define KES_FRAMES_H

#define KES_FRAMES_WORDS 512 /* of 64 frames each: a part is 128 MiB at the most */

enum kes_frames_state {
	KES_FRAMES_ASKED = 0, /* set by the C half; still so afterwards: no process with the VM's
				 memory has its file */
	KES_FRAMES_NONE = 1,  /* this kernel has no guest_memfd as we know it */
	KES_FRAMES_PART = 2, /* a part is in here; there may be more of it: ask again from gfn on */
	KES_FRAMES_MORE = 3, /* nothing was found up to gfn: ask again from there */
	KES_FRAMES_DONE = 4, /* there is nothing more */
	KES_FRAMES_AGAIN = 5, /* the memslots changed meanwhile: ask for the same again */
};

struct kes_frames {
	__u64 kvm;   /* of which VM */
	__u64 gfn;   /* from where on; afterwards: from where on next */
	__u32 state; /* kes_frames_state */
	__u32 pid;   /* the process whose memory the VM has: a thread group id */

	/* The memslot that the part belongs to. */
	__u64 base_gfn, npages;
	__u64 userspace_addr; /* of its first frame, in the VMM */
	__u64 pgoff;          /* of its first frame, in the guest_memfd: in pages */

	/* Bit n of the part is the page at (first + n) in the guest_memfd. Those at its ends may
	 * belong to other memslots. */
	__u64 first; /* a multiple of 64 */
	__u64 words; /* so many are used */
	__u64 bits[KES_FRAMES_WORDS];
};

#endif
