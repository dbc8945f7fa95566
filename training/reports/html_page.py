"""A page of HTML in one file: text is escaped, pictures lie inside, nothing is loaded or run."""

import base64
import html

_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
_STYLE = """
body { max-width: 54rem; margin: 2.5rem auto; padding: 0 1.25rem; background: #fff; color: #222;
       font: 16px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; font-weight: 600; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .6rem; font-weight: 600; }
p { margin: .4rem 0 .8rem; }
p.quiet { color: #666; }
table { border-collapse: collapse; font-size: .9rem; width: 100%;
        font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .8rem .28rem 0; border-bottom: 1px solid #e6e6e6; text-align: left;
         vertical-align: top; overflow-wrap: anywhere; }
td:first-child { min-width: 10.5rem; }
th { color: #666; font-weight: 500; }
td.number, th.number { text-align: right; white-space: nowrap; }
tr.marked td { background: #f2f6fb; font-weight: 600; }
img { display: block; max-width: 100%; height: auto; margin: .6rem 0; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } }
"""


def page(title, parts):
    """A whole document.

    Args:
        title: text.
        parts: HTML of the functions below.
    """
    title = html.escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def heading(text):
    return _element("h2", html.escape(text))


def paragraph(text, quiet=False):
    return _element("p", html.escape(text), "quiet" if quiet else None)


def table(rows, header=(), numbers=(), marked=()):
    """A table.

    Args:
        rows: lists of cells; each is shown as `str` makes it.
        header: names of the columns, or none.
        numbers: columns, counted from 0, that are set to the right.
        marked: rows, counted from 0, that stand out.
    """
    head = _element("thead", _row("th", header, numbers)) + "\n" if header else ""
    body = "\n".join(
        _row("td", row, numbers, "marked" if number in marked else None)
        for number, row in enumerate(rows)
    )
    return f"<table>\n{head}<tbody>\n{body}\n</tbody>\n</table>"


def picture(content, suffix, description, width=None):
    """A picture inside the page.

    Args:
        content: bytes of the file.
        suffix: ".png" or ".svg".
        description: for those who do not see it.
        width: at most, in pixels of the page; None for as wide as it is.
    """
    data = base64.b64encode(content).decode("ascii")
    size = f' width="{width}"' if width else ""
    return f'<img src="data:{_TYPES[suffix]};base64,{data}" alt="{html.escape(description)}"{size}>'


def _row(kind, values, numbers, of_class=None):
    cells = (
        _element(kind, html.escape(str(value)), "number" if column in numbers else None)
        for column, value in enumerate(values)
    )
    return _element("tr", "".join(cells), of_class)


def _element(name, content, of_class=None):
    attribute = f' class="{of_class}"' if of_class else ""
    return f"<{name}{attribute}>{content}</{name}>"
