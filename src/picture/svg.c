/* SPDX-License-Identifier: GPL-2.0-only */
/* A canvas that is an SVG file: nothing in it comes from elsewhere, nothing in it runs. */
#include <errno.h>
#include <stdlib.h>

#include "base/escape.h"
#include "picture/canvas.h"

static void put_box(FILE *out, struct box box)
{
	fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"", box.x, box.y, box.width,
		box.height);
}

/* The marks of one tile; it repeats every cell. */
static void put_marks(FILE *out, enum pattern pattern, int cell)
{
	int dot = cell - 2 * (cell / 3), at = cell / 3, half = cell / 2;

	switch (pattern) {
	case PATTERN_DOT:
		put_box(out, (struct box){at, at, dot, dot});
		fputs("/>", out);
		break;
	case PATTERN_STRIPES:
		put_box(out, (struct box){0, half, cell, (cell + 5) / 6});
		fputs("/>", out);
		break;
	case PATTERN_CHECKS:
		put_box(out, (struct box){0, 0, half, half});
		fputs("/>", out);
		put_box(out, (struct box){half, half, cell - half, cell - half});
		fputs("/>", out);
		break;
	case PATTERN_HATCH:
		fprintf(out, "<path d=\"M-1 1L1 -1M0 %dL%d 0M%d %dL%d %d\" stroke-width=\"%.1f\"/>",
			cell, cell, cell - 1, cell + 1, cell + 1, cell - 1, cell > 8 ? 1.8 : 1.0);
		break;
	default:
		break;
	}
}

static void put_pattern(const struct canvas *canvas, enum look look)
{
	const struct look_style *style = &look_styles[look];
	FILE *out = canvas->out;

	if (style->pattern == PATTERN_PLAIN)
		return;
	fprintf(out,
		"<pattern id=\"%s-p%d\" patternUnits=\"userSpaceOnUse\" x=\"%d\" y=\"%d\" "
		"width=\"%d\" height=\"%d\">",
		canvas->prefix, look, canvas->grid_x, canvas->grid_y, canvas->cell, canvas->cell);
	put_box(out, (struct box){0, 0, canvas->cell, canvas->cell});
	fprintf(out, " fill=\"#%06x\"/><g %s=\"#%06x\">", style->ground,
		style->pattern == PATTERN_HATCH ? "stroke" : "fill", style->mark);
	put_marks(out, style->pattern, canvas->cell);
	fputs("</g></pattern>\n", out);
}

static int svg_begin(struct canvas *canvas)
{
	FILE *out = canvas->out;

	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" role=\"img\" aria-labelledby=\"%s-t %s-d\" "
		"font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\" "
		"shape-rendering=\"crispEdges\">\n",
		canvas->width, canvas->height, canvas->width, canvas->height, canvas->prefix,
		canvas->prefix);
	fputs("<!-- made by kvm-encstat " KES_VERSION " -->\n", out);
	fprintf(out, "<title id=\"%s-t\">", canvas->prefix);
	escape_xml(out, canvas->title);
	fprintf(out, "</title>\n<desc id=\"%s-d\">", canvas->prefix);
	escape_xml(out, canvas->description);
	fputs("</desc>\n<defs>\n", out);
	for (int look = 0; look < LOOKS; look++)
		put_pattern(canvas, (enum look)look);
	fputs("</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n", out);
	return 0;
}

static void svg_fill(struct canvas *canvas, struct box box, enum look look, const char *hint)
{
	FILE *out = canvas->out;

	put_box(out, box);
	if (look_styles[look].pattern == PATTERN_PLAIN)
		fprintf(out, " fill=\"#%06x\"", look_styles[look].ground);
	else
		fprintf(out, " fill=\"url(#%s-p%d)\"", canvas->prefix, look);
	if (!hint) {
		fputs("/>\n", out);
		return;
	}
	fputs("><title>", out);
	escape_xml(out, hint);
	fputs("</title></rect>\n", out);
}

static void svg_plain(struct canvas *canvas, struct box box, uint32_t rgb)
{
	put_box(canvas->out, box);
	fprintf(canvas->out, " fill=\"#%06x\" pointer-events=\"none\"/>\n", rgb);
}

static void svg_text(struct canvas *canvas, int x, int y, int size, enum align align, bool bold,
	uint32_t rgb, const char *text)
{
	FILE *out = canvas->out;

	fprintf(out, "<text x=\"%d\" y=\"%d\" font-size=\"%d\" fill=\"#%06x\"%s%s>", x,
		y + size * 8 / 10, size, rgb, align == ALIGN_RIGHT ? " text-anchor=\"end\"" : "",
		bold ? " font-weight=\"bold\"" : "");
	escape_xml(out, text);
	fputs("</text>\n", out);
}

static int svg_end(struct canvas *canvas)
{
	fputs("</svg>\n", canvas->out);
	return ferror(canvas->out) ? -EIO : 0;
}

struct canvas *svg_canvas(void)
{
	static const struct canvas_ops ops = {
		.begin = svg_begin,
		.fill = svg_fill,
		.plain = svg_plain,
		.text = svg_text,
		.end = svg_end,
	};
	struct canvas *canvas = calloc(1, sizeof(*canvas));

	if (canvas)
		canvas->ops = &ops;
	return canvas;
}
