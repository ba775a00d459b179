/* SPDX-License-Identifier: GPL-2.0-only */
/* Moving in lists and pages. */
#include "top/top_private.h"

void scroll_fit(struct scroll *s, size_t n, size_t height)
{
	s->height = height ?: 1;
	if (s->cursor >= n)
		s->cursor = n ? n - 1 : 0;
	if (s->first > s->cursor)
		s->first = s->cursor;
	if (s->cursor >= s->first + s->height)
		s->first = s->cursor - s->height + 1;
	if (s->first + s->height > n) /* no empty lines below while there are some above */
		s->first = n > s->height ? n - s->height : 0;
}

static size_t less(size_t a, size_t b)
{
	return a > b ? a - b : 0;
}

bool scroll_command(struct scroll *s, enum command_id command, size_t n)
{
	size_t page = s->height > 1 ? s->height - 1 : 1, last = n ? n - 1 : 0;

	switch (command) {
	case DO_UP:
		s->cursor = less(s->cursor, 1);
		break;
	case DO_DOWN:
		s->cursor++;
		break;
	case DO_PAGE_UP:
		s->cursor = less(s->cursor, page);
		s->first = less(s->first, page);
		break;
	case DO_PAGE_DOWN:
		s->cursor += page;
		s->first += page;
		break;
	case DO_FIRST:
		s->cursor = 0;
		break;
	case DO_LAST:
		s->cursor = last;
		break;
	default:
		return false;
	}
	if (s->cursor > last)
		s->cursor = last;
	scroll_fit(s, n, s->height);
	return true;
}

void scroll_page_fit(struct scroll *s, size_t n, size_t height)
{
	s->height = height ?: 1;
	if (s->first + s->height > n)
		s->first = less(n, s->height);
}

bool scroll_page(struct scroll *s, enum command_id command)
{
	size_t page = s->height > 1 ? s->height - 1 : 1;

	switch (command) {
	case DO_UP:
		s->first = less(s->first, 1);
		return true;
	case DO_DOWN:
		s->first++; /* drawing it keeps it within the text */
		return true;
	case DO_PAGE_UP:
		s->first = less(s->first, page);
		return true;
	case DO_PAGE_DOWN:
		s->first += page;
		return true;
	case DO_FIRST:
		s->first = 0;
		return true;
	case DO_LAST:
		s->first = SIZE_MAX / 2;
		return true;
	default:
		return false;
	}
}
