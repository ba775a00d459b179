/* SPDX-License-Identifier: GPL-2.0-only */
/* The only user of libfyaml: its events become our own nodes, so that what is not wanted is refused
 * before it takes memory. */
#include "base/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <libfyaml.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/sha256.h"
#include "base/utf8.h"

struct yaml {
	char *label; /* of the file, escaped */
	struct yaml_node *root;
	struct yaml_node *last; /* allocated last */
	size_t n;
	struct yaml_errors *errors;
	unsigned char digest[SHA256_BYTES];
};

/* What is being built. */
struct builder {
	struct yaml *yaml;
	const char *source;
	struct {
		struct yaml_node *node;
		struct yaml_node *last; /* its last item or key */
		bool wants_value;       /* of that key */
		size_t n;
	} open[YAML_MAX_DEPTH];
	size_t depth;
	unsigned int line, column; /* of the last event that said */
	unsigned int documents;
	struct error *err;
};

/* ---- errors ---- */

__attribute__((format(printf, 5, 0))) static int error_at(const struct yaml *yaml,
	unsigned int line, unsigned int column, struct error *err, const char *format, va_list args)
{
	char what[sizeof(err->text)];

	vsnprintf(what, sizeof(what), format, args);
	return error_set(err, -EINVAL, "%s:%u:%u: %s", yaml->label, line, column, what);
}

int yaml_error(const struct yaml_node *node, struct error *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_at(node->yaml, node->line, node->column, err, format, args);
	va_end(args);
	return -EINVAL;
}

/* Where the builder is. */
__attribute__((format(printf, 2, 3))) static int refuse(
	const struct builder *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	error_at(b->yaml, b->line, b->column, b->err, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- the bytes ---- */

/* Nobody sees it in an editor, or YAML has no place for it. */
static bool is_control(uint32_t code)
{
	return (code < 0x20 && code != '\t' && code != '\n' && code != '\r') ||
	       (code >= 0x7f && code < 0xa0);
}

/* Of the whole file, before it is parsed: places are exact, and libfyaml gets nothing odd. */
static int check_bytes(struct builder *b, const unsigned char *text, size_t size)
{
	uint32_t code = 0, before = 0;
	size_t length;

	b->line = b->column = 1;
	for (size_t i = 0; i < size; i += length, before = code) { /* continue: no character */
		length = utf8_decode(text + i, size - i, &code);
		if (!length)
			return refuse(b, "a byte 0x%02x that is not UTF-8", text[i]);
		if (!code)
			return refuse(b, "a NUL byte; this is no text, or not in UTF-8");
		if (is_control(code))
			return refuse(b, "a control character, 0x%02x", code);
		if (code == 0xfeff && i == 0)
			continue; /* the mark that some editors write takes no column */
		if (code == '\n' && before == '\r')
			continue;
		if (code == '\n' || code == '\r') {
			b->line++;
			b->column = 1;
			continue;
		}
		if (code == '%' && b->column == 1) /* libfyaml 0.7.12 takes minutes for long ones */
			return refuse(b, "directives (%%YAML, %%TAG) are not supported");
		b->column++;
	}
	b->line = b->column = 1;
	return 0;
}

/* ---- nodes ---- */

static int new_node(struct builder *b, enum yaml_type type, const char *text, size_t length,
	struct yaml_node **ret)
{
	struct yaml_node *node;

	if (b->yaml->n == YAML_MAX_NODES)
		return refuse(b, "more than %u values and keys", YAML_MAX_NODES);
	node = calloc(1, sizeof(*node) + length + 1);
	if (!node)
		return error_set(b->err, -ENOMEM, "out of memory");
	*node = (struct yaml_node){
		.yaml = b->yaml,
		.type = type,
		.line = b->line,
		.column = b->column,
		.allocated = b->yaml->last,
	};
	if (length)
		memcpy(node->text, text, length);
	b->yaml->last = node;
	b->yaml->n++;
	*ret = node;
	return 0;
}

static int add_key(struct builder *b, struct yaml_node *node)
{
	if (node->type != YAML_SCALAR)
		return refuse(b, "a key has to be one word, not a mapping or a list");
	if (yaml_is_null(node))
		return refuse(b, "an empty key, here or right behind it");
	b->open[b->depth - 1].wants_value = true;
	return 0;
}

static bool is_before(const struct yaml_node *a, const struct yaml_node *b)
{
	return a->line < b->line || (a->line == b->line && a->column < b->column);
}

/* Hangs a node where it belongs: value of the last key, next key or item, root. */
static int add_node(struct builder *b, struct yaml_node *node)
{
	struct yaml_node *parent, **last;

	if (!b->depth) {
		b->yaml->root = node;
		return 0;
	}
	parent = b->open[b->depth - 1].node;
	if (!parent->first && is_before(node, parent)) { /* [key: value] begins at its colon */
		parent->line = node->line;
		parent->column = node->column;
	}
	last = &b->open[b->depth - 1].last;
	if (b->open[b->depth - 1].wants_value) {
		b->open[b->depth - 1].wants_value = false;
		node->key = *last;
		(*last)->value = node;
		return 0;
	}
	if (*last)
		(*last)->next = node;
	else
		parent->first = node;
	*last = node;
	b->open[b->depth - 1].n++;
	return parent->type == YAML_MAPPING ? add_key(b, node) : 0;
}

static int by_text_and_place(const void *a, const void *b)
{
	const struct yaml_node *x = *(struct yaml_node *const *)a,
			       *y = *(struct yaml_node *const *)b;
	int order = strcmp(x->text, y->text);

	if (order)
		return order;
	return is_before(x, y) ? -1 : is_before(y, x);
}

static int check_duplicates(struct builder *b, const struct yaml_node *mapping, size_t n)
{
	_cleanup_free_ struct yaml_node **keys = calloc(n + 1, sizeof(*keys));
	const struct yaml_node *again = NULL, *first = NULL;
	char shown[ESCAPED_SIZE(40)];
	size_t i = 0;

	if (!keys)
		return error_set(b->err, -ENOMEM, "out of memory");
	for (struct yaml_node *key = mapping->first; key; key = key->next)
		keys[i++] = key;
	qsort(keys, n, sizeof(*keys), by_text_and_place);
	for (i = 1; i < n; i++)
		if (!strcmp(keys[i - 1]->text, keys[i]->text) &&
			(!again || is_before(keys[i], again))) {
			first = keys[i - 1];
			again = keys[i];
		}
	if (!again)
		return 0;
	return yaml_error(again, b->err, "'%s' is there already, in line %u",
		escape(again->text, shown, sizeof(shown)), first->line);
}

/* ---- events ---- */

/* libfyaml 0.7.12 reads 'a''''b' as a'''b or worse, and then never frees some of it; a '' may also
 * go wrong where a text in quotes goes on in another line. */
static bool is_misread(const struct builder *b, struct fy_token *token)
{
	const struct fy_mark *start = fy_token_start_mark(token), *end = fy_token_end_mark(token);
	const char *quotes;

	if (fy_token_scalar_style(token) != FYSS_SINGLE_QUOTED || !start || !end)
		return false;
	quotes = start->line == end->line ? "''''" : "''";
	return memmem(b->source + start->input_pos, end->input_pos - start->input_pos, quotes,
		strlen(quotes));
}

static int take_scalar(struct builder *b, struct fy_event *event)
{
	struct fy_token *token = event->scalar.value;
	struct yaml_node *node;
	size_t length = 0;
	const char *text;
	uint32_t code;
	int r;

	if (is_misread(b, token))
		return refuse(b, "several '' in a row, or in several lines; write this text in "
				 "double quotes");
	text = fy_token_get_text(token, &length);
	if (!text && length)
		return error_set(b->err, -ENOMEM, "out of memory");
	for (size_t i = 0, step; i < length; i += step) { /* escapes in quotes make them, too */
		step = utf8_decode((const unsigned char *)text + i, length - i, &code);
		if (!step || !code)
			return refuse(b, "a text with %s in it",
				step ? "a NUL byte" : "bytes that are not UTF-8");
	}
	r = new_node(b, YAML_SCALAR, text, length, &node);
	if (r < 0)
		return r;
	node->plain = fy_token_scalar_style(token) == FYSS_PLAIN;
	return add_node(b, node);
}

static int take_begin(struct builder *b, enum yaml_type type)
{
	struct yaml_node *node;
	int r;

	if (b->depth == YAML_MAX_DEPTH)
		return refuse(
			b, "more than %u mappings and lists within each other", YAML_MAX_DEPTH);
	r = new_node(b, type, NULL, 0, &node);
	if (!r)
		r = add_node(b, node);
	if (r < 0)
		return r;
	memset(&b->open[b->depth], 0, sizeof(b->open[0]));
	b->open[b->depth++].node = node;
	return 0;
}

static int take_end(struct builder *b)
{
	const struct yaml_node *node = b->open[--b->depth].node;

	return node->type == YAML_MAPPING ? check_duplicates(b, node, b->open[b->depth].n) : 0;
}

/* Where a token begins: libfyaml has no place for what is empty, and passes over what anchors,
 * aliases and texts in quotes begin with. */
static void go_to(struct builder *b, const struct fy_mark *mark, bool behind)
{
	if (!mark)
		return;
	b->line = (unsigned int)mark->line + 1;
	b->column = (unsigned int)mark->column + 1 - (behind && mark->column > 0);
}

static bool is_quoted(struct fy_event *event)
{
	enum fy_scalar_style style;

	if (event->type != FYET_SCALAR)
		return false;
	style = fy_token_scalar_style(event->scalar.value);
	return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

static int check_properties(struct builder *b, struct fy_event *event)
{
	struct fy_token *anchor = fy_event_get_anchor_token(event);
	struct fy_token *tag = fy_event_get_tag_token(event);

	if (event->type == FYET_ALIAS)
		return refuse(b, "aliases (*name) are not supported");
	if (!anchor && !tag)
		return 0;
	go_to(b, fy_token_start_mark(anchor ?: tag), anchor);
	return refuse(
		b, anchor ? "anchors (&name) are not supported" : "tags (!name) are not supported");
}

static bool is_content(const struct fy_event *event)
{
	return event->type == FYET_SCALAR || event->type == FYET_ALIAS ||
	       event->type == FYET_MAPPING_START || event->type == FYET_SEQUENCE_START;
}

static int take_event(struct builder *b, struct fy_event *event)
{
	int r;

	go_to(b, fy_event_start_mark(event), event->type == FYET_ALIAS || is_quoted(event));
	r = is_content(event) ? check_properties(b, event) : 0;
	if (r < 0)
		return r;
	switch (event->type) {
	case FYET_DOCUMENT_START:
		return b->documents++ ? refuse(b, "a second document; one file holds one") : 0;
	case FYET_SCALAR:
		return take_scalar(b, event);
	case FYET_MAPPING_START:
		return take_begin(b, YAML_MAPPING);
	case FYET_SEQUENCE_START:
		return take_begin(b, YAML_LIST);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return take_end(b);
	default:
		return 0;
	}
}

/* ---- libfyaml ---- */

/* Errors are collected; nothing is printed. */
static void print_nothing(struct fy_diag *diag, void *user, const char *text, size_t size)
{
	(void)diag;
	(void)user;
	(void)text;
	(void)size;
}

static struct fy_diag *new_diag(void)
{
	struct fy_diag_cfg config;
	struct fy_diag *diag;

	fy_diag_cfg_default(&config);
	config.fp = NULL;
	config.output_fn = print_nothing;
	config.level = FYET_ERROR;
	diag = fy_diag_create(&config);
	if (diag)
		fy_diag_set_collect_errors(diag, true);
	return diag;
}

static void cleanup_diag(struct fy_diag **diag)
{
	if (*diag)
		fy_diag_destroy(*diag);
}

static void cleanup_parser(struct fy_parser **parser)
{
	if (*parser)
		fy_parser_destroy(*parser);
}

/* What libfyaml found wrong first. */
static int syntax_error(struct builder *b, struct fy_diag *diag)
{
	void *iterator = NULL;
	const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
	char shown[ESCAPED_SIZE(64)];

	if (!error)
		return refuse(b, "this is not YAML, here or behind it");
	if (error->line > 0 && error->column > 0) {
		b->line = (unsigned int)error->line;
		b->column = (unsigned int)error->column;
	}
	return refuse(b, "%s", escape(error->msg ?: "", shown, sizeof(shown)));
}

static int read_events(struct builder *b, const char *text, size_t size)
{
	_cleanup_(cleanup_diag) struct fy_diag *diag = new_diag();
	struct fy_parse_cfg config = {
		.search_path = "",
		.flags = FYPCF_DEFAULT_VERSION_1_2 | FYPCF_QUIET | FYPCF_COLLECT_DIAG |
			 FYPCF_JSON_NONE | FYPCF_DISABLE_MMAP_OPT,
		.diag = diag,
	};
	_cleanup_(cleanup_parser) struct fy_parser *parser =
		diag ? fy_parser_create(&config) : NULL;
	struct fy_event *event;
	int r = 0;

	if (!parser || fy_parser_set_string(parser, text, size))
		return error_set(b->err, -ENOMEM, "out of memory");
	while (!r && (event = fy_parser_parse(parser))) {
		r = take_event(b, event);
		fy_parser_event_free(parser, event);
	}
	if (!r && fy_parser_get_stream_error(parser))
		return syntax_error(b, diag);
	return r;
}

/* ---- documents ---- */

static int new_yaml(struct yaml **ret, const char *label, struct error *err)
{
	_cleanup_(yaml_free) struct yaml *yaml = calloc(1, sizeof(*yaml));

	if (yaml)
		yaml->label = malloc(ESCAPED_SIZE(strlen(label)));
	if (!yaml || !yaml->label)
		return error_set(err, -ENOMEM, "out of memory");
	escape(label, yaml->label, ESCAPED_SIZE(strlen(label)));
	*ret = TAKE_PTR(yaml);
	return 0;
}

/* A file without anything has a root all the same. */
static int add_root(struct builder *b)
{
	struct yaml_node *node;
	int r;

	b->line = b->column = 1;
	r = new_node(b, YAML_SCALAR, NULL, 0, &node);
	if (r < 0)
		return r;
	node->plain = true;
	b->yaml->root = node;
	return 0;
}

int yaml_parse(
	struct yaml **ret, const char *label, const void *text, size_t size, struct error *err)
{
	_cleanup_(yaml_free) struct yaml *yaml = NULL;
	struct builder b = {.err = err};
	int r;

	r = new_yaml(&yaml, label, err);
	if (r < 0)
		return r;
	if (size > YAML_MAX_BYTES)
		return error_set(
			err, -EFBIG, "%s: larger than %u bytes", yaml->label, YAML_MAX_BYTES);
	sha256(text, size, yaml->digest);
	b.yaml = yaml;
	b.source = text;
	r = check_bytes(&b, text, size);
	if (!r && size)
		r = read_events(&b, text, size);
	if (!r && !yaml->root)
		r = add_root(&b);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(yaml);
	return 0;
}

const unsigned char *yaml_digest(const struct yaml *yaml)
{
	return yaml->digest;
}

/* Files of /proc and pipes do not know their size. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t k = read(fd, text + n, size - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		if (!k)
			break;
		n += (size_t)k;
	}
	return (ssize_t)n;
}

int yaml_open(struct yaml **ret, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int code = fd < 0 ? -errno : 0;
	_cleanup_free_ char *text = NULL;
	char shown[ESCAPED_SIZE(64)];
	ssize_t n;

	if (code == -ENOENT)
		return code;
	escape(path, shown, sizeof(shown));
	if (code)
		return error_set(err, code, "opening %s: %s", shown, strerror(-code));
	text = malloc(YAML_MAX_BYTES + 1);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	n = read_all(fd, text, YAML_MAX_BYTES + 1);
	if (n < 0)
		return error_set(err, (int)n, "reading %s: %s", shown, strerror((int)-n));
	return yaml_parse(ret, path, text, (size_t)n, err);
}

void yaml_free(struct yaml **pointer)
{
	struct yaml *yaml = *pointer;

	if (!yaml)
		return;
	for (struct yaml_node *node = yaml->last, *before; node; node = before) {
		before = node->allocated;
		free(node);
	}
	free(yaml->label);
	free(yaml);
	*pointer = NULL;
}

const char *yaml_label(const struct yaml *yaml)
{
	return yaml->label;
}

void yaml_tell_errors(struct yaml *yaml, struct yaml_errors *errors)
{
	yaml->errors = errors;
}

struct yaml_errors *yaml_errors(const struct yaml *yaml)
{
	return yaml->errors;
}

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
	return yaml->root;
}

bool yaml_is_null(const struct yaml_node *node)
{
	return node->type == YAML_SCALAR && node->plain &&
	       (!*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}
