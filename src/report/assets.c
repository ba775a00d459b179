/* SPDX-License-Identifier: GPL-2.0-only */
#include "report/assets.h"

#define ASSET(name, path)                                 \
	__asm__(".section .rodata\n"                      \
		".global " #name "\n" #name ":\n"         \
		".incbin \"" path "\"\n"                  \
		".global " #name "_end\n" #name "_end:\n" \
		".byte 0\n"                               \
		".previous\n")

ASSET(page_css, "src/report/page.css");
ASSET(page_js, "src/report/page.js");
