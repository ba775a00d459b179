/* SPDX-License-Identifier: GPL-2.0-only */
/* The code that runs in the guest; see code.h. The VMM copies it, so it knows no address of its own. */
#include "code.h"

	.section .rodata

	.code64
	.globl guest_long, guest_long_call, guest_long_end
guest_long:
	mov	%rbp, %rdi
.Lnext:
	mov	(%rdi), %eax
	cmp	$OP_CALL, %eax
	je	.Lcall
	cmp	$OP_OUT, %eax
	je	.Lout
	cmp	$OP_TOUCH, %eax
	je	.Ltouch
	cmp	$OP_SPIN, %eax
	je	.Lspin
	out	%al, $CONTROL_PORT
	jmp	guest_long
.Lcall:
	mov	8(%rdi), %rax
	mov	16(%rdi), %rbx
	mov	24(%rdi), %rcx
	mov	32(%rdi), %rdx
	mov	40(%rdi), %rsi
guest_long_call:
	vmmcall				/* the VMM puts vmcall here on Intel */
	mov	%rax, 48(%rdi)
	add	$OP_SIZE, %rdi
	jmp	.Lnext
.Lout:
	mov	24(%rdi), %rcx
1:	out	%al, $WORK_PORT
	dec	%rcx
	jnz	1b
	jmp	.Ldone
.Ltouch:
	mov	16(%rdi), %rbx
	movb	$0x5a, (%rbx)
	jmp	.Ldone
.Lspin:
	mov	24(%rdi), %rcx
1:	dec	%rcx
	jnz	1b
.Ldone:
	movq	$OP_DONE, 48(%rdi)
	add	$OP_SIZE, %rdi
	jmp	.Lnext
guest_long_end:

	.code16
	.globl guest_real, guest_real_call, guest_real_end
guest_real:
	xor	%di, %di
.Lnext16:
	mov	(%di), %ax
	cmp	$OP_CALL, %ax
	je	.Lcall16
	cmp	$OP_OUT, %ax
	je	.Lout16
	cmp	$OP_TOUCH, %ax
	je	.Ltouch16
	cmp	$OP_SPIN, %ax
	je	.Lspin16
	out	%al, $CONTROL_PORT
	jmp	guest_real
.Lcall16:
	mov	8(%di), %eax
	mov	16(%di), %ebx
	mov	24(%di), %ecx
	mov	32(%di), %edx
	mov	40(%di), %esi
guest_real_call:
	vmmcall
	mov	%eax, 48(%di)
	add	$OP_SIZE, %di
	jmp	.Lnext16
.Lout16:
	mov	24(%di), %ecx
1:	out	%al, $WORK_PORT
	dec	%ecx
	jnz	1b
	jmp	.Ldone16
.Ltouch16:
	mov	16(%di), %ax
	mov	%ax, %es
	mov	24(%di), %bx
	movb	$0x5a, %es:(%bx)
	jmp	.Ldone16
.Lspin16:
	mov	24(%di), %ecx
1:	dec	%ecx
	jnz	1b
.Ldone16:
	movl	$OP_DONE, 48(%di)
	add	$OP_SIZE, %di
	jmp	.Lnext16
guest_real_end:

	.globl guest_reset, guest_reset_end
guest_reset:
	out	%al, $RESET_PORT
	jmp	guest_reset
guest_reset_end:

	.section .note.GNU-stack, "", @progbits
