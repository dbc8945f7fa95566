"""A self-contained HTML page: text is escaped, pictures are inline, nothing is loaded or run."""

import base64
import html
from collections.abc import Collection, Iterable, Sequence

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


def page(title: str, parts: Iterable[str]) -> str:
    """Makes a whole document.

    Args:
        title: its title, as text.
        parts: HTML made by the functions below.
    """
    title = html.escape(title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    return _element("h2", html.escape(text))


def paragraph(text: str, quiet: bool = False) -> str:
    return _element("p", html.escape(text), "quiet" if quiet else None)


def table(
    rows: Iterable[Sequence[object]],
    header: Sequence[str] = (),
    numbers: Collection[int] = (),
    marked: Collection[int] = (),
) -> str:
    """Makes a table.

    Args:
        rows: sequences of cells, converted by `str`.
        header: names of the columns; empty for no header.
        numbers: columns, counted from 0, to align right.
        marked: rows, counted from 0, to highlight.
    """
    head = _element("thead", _row("th", header, numbers)) + "\n" if header else ""
    body = "\n".join(
        _row("td", row, numbers, "marked" if number in marked else None)
        for number, row in enumerate(rows)
    )
    return f"<table>\n{head}<tbody>\n{body}\n</tbody>\n</table>"


def picture(content: bytes, suffix: str, description: str, width: int | None = None) -> str:
    """Makes an inline picture.

    Args:
        content: bytes of the file.
        suffix: ".png" or ".svg".
        description: alternative text.
        width: largest width in CSS pixels; None for the picture's own width.
    """
    data = base64.b64encode(content).decode("ascii")
    size = f' width="{width}"' if width else ""
    return f'<img src="data:{_TYPES[suffix]};base64,{data}" alt="{html.escape(description)}"{size}>'


def _row(
    kind: str, values: Iterable[object], numbers: Collection[int], of_class: str | None = None
) -> str:
    cells = (
        _element(kind, html.escape(str(value)), "number" if column in numbers else None)
        for column, value in enumerate(values)
    )
    return _element("tr", "".join(cells), of_class)


def _element(name: str, content: str, of_class: str | None = None) -> str:
    attribute = f' class="{of_class}"' if of_class else ""
    return f"<{name}{attribute}>{content}</{name}>"
