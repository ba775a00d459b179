/* SPDX-License-Identifier: GPL-2.0-only */
#include "top/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <termios.h>

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>

#include "base/cleanup.h"

#define PAIRS 2048 /* more than roles make with each other */

struct screen {
	enum theme theme;
	int signals, epoll;
	sigset_t old_mask;
	bool started, over, redraw;
	SCREEN *curses;
	struct cells shown;
	struct {
		int16_t fg, bg;
	} pairs[PAIRS]; /* curses' pair i + 1 */
	short n_pairs;
	short pair_by_role[ROLES][ROLES]; /* + 1; 0: not asked for yet */
	int old_stderr;                   /* -1: stderr was not taken */
};

/* ---- when it crashes ---- */

/* What a signal handler needs, and may use: only file descriptors and these. */
static struct {
	struct termios modes;
	char text[256]; /* what gives the terminal back */
	size_t length;
	int old_stderr;
	volatile sig_atomic_t armed;
} rescue;

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGSYS};
static struct sigaction old_actions[ARRAY_SIZE(crashes)];

static void on_crash(int number)
{
	if (rescue.armed) {
		rescue.armed = 0;
		if (write(STDOUT_FILENO, rescue.text, rescue.length) < 0)
			_exit(128 + number); /* there is no terminal any more */
		tcsetattr(STDIN_FILENO, TCSANOW, &rescue.modes);
		if (rescue.old_stderr >= 0)
			dup2(rescue.old_stderr, STDERR_FILENO);
	}
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		if (crashes[i] == number)
			sigaction(number, &old_actions[i], NULL);
	raise(number); /* as it would have been, core dump and all */
}

static void add_capability(const char *text)
{
	size_t length = text && text != (char *)-1 ? strlen(text) : 0;

	if (!length || strstr(text, "$<") || rescue.length + length > sizeof(rescue.text))
		return; /* delays are of terminals that nobody has */
	memcpy(rescue.text + rescue.length, text, length);
	rescue.length += length;
}

static void arm(int old_stderr)
{
	struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};

	rescue.length = 0;
	add_capability("\033[?1000l\033[?1002l\033[?1003l\033[?1006l"); /* the mouse */
	add_capability(tigetstr("sgr0"));
	add_capability(tigetstr("rmkx"));
	add_capability(tigetstr("cnorm"));
	add_capability(tigetstr("rmcup"));
	rescue.old_stderr = old_stderr;
	rescue.armed = 1;
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		sigaction(crashes[i], &action, &old_actions[i]);
}

static void disarm(void)
{
	rescue.armed = 0;
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		sigaction(crashes[i], &old_actions[i], NULL);
}

/* ---- stderr ---- */

/* What anybody writes there would be written into the picture. */
static void take_stderr(struct screen *s)
{
	_cleanup_close_ int memory = memfd_create("stderr", MFD_CLOEXEC);

	fflush(stderr);
	s->old_stderr = memory < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (s->old_stderr >= 0)
		dup2(memory, STDERR_FILENO);
}

static void give_stderr_back(struct screen *s)
{
	_cleanup_close_ int memory = -1;
	char text[4096];
	ssize_t n;
	off_t at = 0;

	if (s->old_stderr < 0)
		return;
	fflush(stderr);
	memory = dup(STDERR_FILENO);
	dup2(s->old_stderr, STDERR_FILENO);
	close(s->old_stderr);
	s->old_stderr = -1;
	while (memory >= 0 && (n = pread(memory, text, sizeof(text), at)) > 0) {
		if (write(STDERR_FILENO, text, (size_t)n) < 0)
			return;
		at += n;
	}
}

/* ---- life ---- */

static int watch(struct screen *s, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int take_signals(struct screen *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, &s->old_mask);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? -errno : watch(s, s->signals);
}

int screen_new(struct screen **ret, enum theme theme, struct error *err)
{
	struct screen *s;
	int r;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return error_set(err, -ENOTTY, "stdin and stdout are no terminal");
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->theme = theme;
	s->old_stderr = s->signals = -1;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	r = s->epoll < 0 ? -errno : watch(s, STDIN_FILENO);
	if (!r)
		r = take_signals(s);
	if (r) {
		screen_free(&s);
		return error_set(err, r, "watching the terminal failed: %s", strerror(-r));
	}
	setlocale(LC_CTYPE, "");
	*ret = s;
	return 0;
}

void screen_free(struct screen **screen)
{
	struct screen *s = *screen;

	if (!s)
		return;
	screen_stop(s);
	if (s->signals >= 0) {
		close(s->signals);
		sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
	}
	if (s->epoll >= 0)
		close(s->epoll);
	free(s);
	*screen = NULL;
}

int screen_fd(const struct screen *s)
{
	return s->epoll;
}

static void set_up(struct screen *s)
{
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25); /* ms: the Esc key itself should not feel slow */
	curs_set(0);
	mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	mouseinterval(0);
	if (has_colors()) {
		start_color();
		use_default_colors();
	}
	s->redraw = true;
}

int screen_start(struct screen *s, struct error *err)
{
	const char *terminal = getenv("TERM");

	tcgetattr(STDIN_FILENO, &rescue.modes);
	s->curses = newterm(NULL, stdout, stdin);
	if (!s->curses) {
		error_set(err, -ENOTTY, "no way is known to draw on a terminal of type '%s'",
			terminal ?: "");
		error_advise(err, "set TERM to what it is, or use --batch");
		return -ENOTTY;
	}
	take_stderr(s);
	arm(s->old_stderr);
	set_up(s);
	s->started = true;
	return 0;
}

void screen_stop(struct screen *s)
{
	if (!s->started)
		return;
	s->started = false;
	endwin();
	disarm();
	delscreen(s->curses);
	s->curses = NULL;
	cells_free(&s->shown);
	give_stderr_back(s);
}

void screen_size(const struct screen *s, int *ret_width, int *ret_height)
{
	(void)s;
	getmaxyx(stdscr, *ret_height, *ret_width);
}

/* ---- drawing ---- */

/* Curses' number of the pair of colours, made when there is none; 0: the terminal's own. */
static short pair_of(struct screen *s, struct ink look)
{
	if ((look.fg < 0 && look.bg < 0) || !has_colors())
		return 0;
	for (short i = 0; i < s->n_pairs; i++)
		if (s->pairs[i].fg == look.fg && s->pairs[i].bg == look.bg)
			return (short)(i + 1);
	if (s->n_pairs == PAIRS || s->n_pairs + 1 >= COLOR_PAIRS)
		return 0;
	s->pairs[s->n_pairs].fg = look.fg;
	s->pairs[s->n_pairs].bg = look.bg;
	s->n_pairs++;
	init_pair(s->n_pairs, look.fg, look.bg);
	return s->n_pairs;
}

static short pair_of_roles(struct screen *s, const struct cell *cell, struct ink look)
{
	short *known = &s->pair_by_role[cell->role][cell->ground];

	if (!*known)
		*known = (short)(pair_of(s, look) + 1);
	return (short)(*known - 1);
}

static void put(struct screen *s, int x, int y, const struct cell *cell)
{
	struct ink look = theme_look(s->theme, has_colors() ? COLORS : 0, (enum role)cell->role,
		(enum role)cell->ground);
	unsigned int wanted = cell->attributes | look.attributes;
	attr_t attributes = (wanted & CELL_BOLD ? A_BOLD : 0) |
			    (wanted & CELL_REVERSE ? A_REVERSE : 0) |
			    (wanted & CELL_UNDERLINE ? A_UNDERLINE : 0);
	wchar_t text[] = {(wchar_t)cell->code, 0};

	attr_set(attributes, pair_of_roles(s, cell, look), NULL);
	mvaddnwstr(y, x, text, 1);
}

static bool is_same(const struct cell *a, const struct cell *b)
{
	return a->code == b->code && a->role == b->role && a->ground == b->ground &&
	       a->attributes == b->attributes;
}

void screen_present(struct screen *s, const struct cells *cells)
{
	bool all = s->redraw || s->shown.width != cells->width || s->shown.height != cells->height;

	if (all && cells_resize(&s->shown, cells->width, cells->height))
		return;
	if (all)
		erase();
	if (s->redraw)
		clearok(stdscr, TRUE);
	for (int y = 0; y < cells->height; y++)
		for (int x = 0; x < cells->width; x++) {
			const struct cell *cell = &cells->cells[y * cells->width + x];
			struct cell *shown = &s->shown.cells[y * cells->width + x];

			if (cell->code && (all || !is_same(cell, shown)))
				put(s, x, y, cell);
			*shown = *cell;
		}
	s->redraw = false;
	refresh();
}

int screen_colours(const struct screen *s)
{
	return s->theme == THEME_MONO || !has_colors() ? 0 : COLORS;
}

void screen_redraw(struct screen *s)
{
	s->redraw = true;
}

/* ---- keys ---- */

static const struct {
	int curses;
	uint32_t key;
} known[] = {
	{KEY_UP, TK_UP},
	{KEY_DOWN, TK_DOWN},
	{KEY_LEFT, TK_LEFT},
	{KEY_RIGHT, TK_RIGHT},
	{KEY_PPAGE, TK_PAGE_UP},
	{KEY_NPAGE, TK_PAGE_DOWN},
	{KEY_HOME, TK_HOME},
	{KEY_END, TK_END},
	{KEY_BACKSPACE, TK_BACKSPACE},
	{KEY_DC, TK_DELETE},
	{KEY_ENTER, TK_ENTER},
	{KEY_RESIZE, TK_RESIZE},
};

static struct key_press mouse_press(void)
{
	struct key_press press = {};
	MEVENT event;

	if (getmouse(&event) != OK)
		return press;
	press.x = event.x;
	press.y = event.y;
	if (event.bstate & BUTTON4_PRESSED)
		press.key = TK_UP;
	else if (event.bstate & BUTTON5_PRESSED)
		press.key = TK_DOWN;
	else if (event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED))
		press.key = TK_CLICK;
	return press;
}

static struct key_press special_press(wint_t code)
{
	if (code == KEY_MOUSE)
		return mouse_press();
	if (code > KEY_F(0) && code <= KEY_F(12))
		return (struct key_press){.key = TK_F1 + (uint32_t)(code - KEY_F(1))};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if ((wint_t)known[i].curses == code)
			return (struct key_press){.key = known[i].key};
	return (struct key_press){};
}

static struct key_press letter_press(wint_t code)
{
	switch (code) {
	case '\r':
		return (struct key_press){.key = TK_ENTER};
	case '\b':
		return (struct key_press){.key = TK_BACKSPACE};
	case 'L' & 0x1f:
		return (struct key_press){.key = TK_CTRL_L};
	default:
		return (struct key_press){.key = (uint32_t)code};
	}
}

/* The shell gets the terminal as it was, and we the same screen when we go on. */
static void suspend(struct screen *s)
{
	def_prog_mode();
	endwin();
	kill(getpid(), SIGSTOP);
	tcgetattr(STDIN_FILENO, &rescue.modes);
	reset_prog_mode();
	s->redraw = true;
}

static void adapt(void)
{
	struct winsize size;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
}

/* Whether the picture has to be drawn anew because of one. */
static bool handle_signals(struct screen *s)
{
	struct signalfd_siginfo info;
	bool anew = false;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTSTP:
			suspend(s);
			break;
		case SIGCONT: /* the shell may have changed the modes meanwhile */
			reset_prog_mode();
			s->redraw = true;
			break;
		case SIGWINCH:
			break;
		default:
			s->over = true;
			continue;
		}
		adapt();
		anew = true;
	}
	return anew;
}

static bool terminal_is_gone(void)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&in, 1, 0) == 1 && (in.revents & (POLLHUP | POLLERR | POLLNVAL));
}

bool screen_read(struct screen *s, struct key_press *ret)
{
	wint_t code;
	int r;

	if (!s->started)
		return false;
	if (handle_signals(s)) {
		*ret = (struct key_press){.key = TK_RESIZE};
		return true;
	}
	if (terminal_is_gone())
		s->over = true;
	if (s->over)
		return false;
	r = get_wch(&code);
	if (r == ERR)
		return false;
	*ret = r == KEY_CODE_YES ? special_press(code) : letter_press(code);
	return true;
}

bool screen_is_over(const struct screen *s)
{
	return s->over;
}
