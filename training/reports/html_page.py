"""A self-contained HTML page: text is escaped, pictures are inline, nothing is loaded or run."""

import base64
import html
from collections.abc import Collection, Iterable, Sequence

# In every page, so that a program can tell its own pages from other files.
GENERATOR = '<meta name="generator" content="keras_mlp training.report">'
_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #222; --quiet: #666; --line: #e6e6e6;
        --marked: #f2f6fb; --box: #f5f5f5; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --page: #17191c; --text: #e4e4e4; --quiet: #a0a0a0; --line: #34373c;
          --marked: #202a38; --box: #22252a; --wrong: #ff8a80; }
  img.chart { filter: invert(0.91) hue-rotate(180deg); }
}
* { box-sizing: border-box; }
body { max-width: 54rem; margin: 2.5rem auto; padding: 0 1.25rem; background: var(--page);
       color: var(--text);
       font: 16px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; font-weight: 600; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .6rem; font-weight: 600; overflow-wrap: anywhere; }
p { margin: .4rem 0 .8rem; overflow-wrap: anywhere; }
p.quiet { color: var(--quiet); }
p.headline { font-size: 1.3rem; margin: .6rem 0; }
table { border-collapse: collapse; font-size: .9rem; width: 100%;
        font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .8rem .28rem 0; border-bottom: 1px solid var(--line); text-align: left;
         vertical-align: top; overflow-wrap: anywhere; }
th:last-child, td:last-child { padding-right: 0; }
td:first-child { min-width: 7rem; }
th { color: var(--quiet); font-weight: 500; }
td.number, th.number { text-align: right; }
td.number { white-space: nowrap; }
tr.marked td { background: var(--marked); font-weight: 600; }
img { display: block; max-width: 100%; height: auto; margin: .6rem 0; border-radius: 4px; }
pre { background: var(--box); padding: .7rem .9rem; border-radius: 6px; margin: .4rem 0 .8rem;
      font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; user-select: all;
      -webkit-user-select: all; }
div.gallery { display: grid; gap: 1.1rem .9rem;
              grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr)); }
figure { margin: 0; min-width: 0; font-size: .85rem; line-height: 1.35; }
figure img { width: 100%; max-width: 9rem; margin: 0 0 .35rem; image-rendering: pixelated;
             border: 1px solid var(--line); }
figcaption { overflow-wrap: anywhere; }
figcaption b, figcaption span { display: block; }
figcaption b { color: var(--wrong); font-weight: 600; }
@media (max-width: 40rem) {
  body { margin: 1.2rem auto; padding: 0 .9rem; }
  table { font-size: .82rem; }
  th, td { padding-right: .5rem; }
  td:first-child { min-width: 4.5rem; }
}
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
        f'{GENERATOR}\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    return _element("h2", html.escape(text))


def paragraph(text: str, quiet: bool = False) -> str:
    return _element("p", html.escape(text), "quiet" if quiet else None)


def headline(text: str) -> str:
    """The result of the page, in large letters."""
    return _element("p", html.escape(text), "headline")


def command(text: str) -> str:
    """A command, which one click selects."""
    return _element("pre", html.escape(text))


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


def picture(
    content: bytes, suffix: str, description: str, width: int | None = None, chart: bool = False
) -> str:
    """Makes an inline picture.

    Args:
        content: bytes of the file.
        suffix: ".png" or ".svg".
        description: alternative text.
        width: largest width in CSS pixels; None for the picture's own width.
        chart: whether it is dark on white, and may be inverted on a dark page.
    """
    data = base64.b64encode(content).decode("ascii")
    return _image(data, suffix, description, width, "chart" if chart else None)


def gallery(figures: Iterable[tuple[str, str, Sequence[str]]]) -> str:
    """Makes a grid of small pictures with captions.

    Args:
        figures: (PNG file in base64, "" for none; the first line of the caption, which stands
            out; the other lines).
    """
    return _element("div", "\n".join(_figure(*each) for each in figures), "gallery")


def _figure(png: str, first: str, lines: Sequence[str]) -> str:
    shown = _image(png, ".png", f"{first}, {', '.join(lines)}") if png else ""
    caption = _element("b", html.escape(first))
    caption += "".join(_element("span", html.escape(line)) for line in lines)
    return _element("figure", shown + _element("figcaption", caption))


def _image(
    data: str, suffix: str, description: str, width: int | None = None, of_class: str | None = None
) -> str:
    size = f' width="{width}"' if width else ""
    kind = f' class="{of_class}"' if of_class else ""
    source = f"data:{_TYPES[suffix]};base64,{data}"
    return f'<img src="{source}" alt="{html.escape(description)}"{size}{kind}>'


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
