/* SPDX-License-Identifier: GPL-2.0-only */
/* The page's own style and script, as they are in page.css and page.js. */
#ifndef REPORT_ASSETS_H
#define REPORT_ASSETS_H

#include <stddef.h>

extern const char page_css[], page_css_end[], page_js[], page_js_end[];

#endif
