"""Pictures for pages: SVG files that are legible on light and dark pages and on telephones.

Each picture brings its own background. Where the reader prefers dark pages, a style in the file
swaps ink and background; a viewer without such styles shows the light picture.
"""

import io
import pathlib
from typing import Any
from xml.sax.saxutils import escape

import matplotlib
import matplotlib.axes
import matplotlib.figure

from keras_mlp.whole_files import write_text

INK, PAPER, LINE = "#17202b", "#fcfcfd", "#8a94a3"
# Distinct from each other, and legible on both backgrounds.
COLORS = (
    *("#3f86cc", "#e0851f", "#2f9e73", "#d1556b", "#9a72c7", "#a67c52", "#1f9fb5", "#8a94a3"),
)
_DARK_INK, _DARK_PAPER = "#e4e8ee", "#1c222b"
_STYLE = (
    "@media (prefers-color-scheme: dark){"
    + "".join(
        f'[style*="{kind}: {light}"]{{{kind}:{dark} !important}}'
        for kind in ("fill", "stroke")
        for light, dark in ((INK, _DARK_INK), (PAPER, _DARK_PAPER))
    )
    + "}"
)
_SIZE = 4.4, 3.4  # inches: about as wide as a telephone, so that text of 9 points stays legible


def page_axes(x_label: str, y_label: str) -> tuple[matplotlib.figure.Figure, matplotlib.axes.Axes]:
    """An empty figure of the size and in the colours of a page."""
    figure = matplotlib.figure.Figure(figsize=_SIZE, layout="constrained", facecolor=PAPER)
    axes = figure.subplots()
    axes.set_facecolor(PAPER)
    axes.set_xlabel(x_label, color=INK, fontsize=9)
    axes.set_ylabel(y_label, color=INK, fontsize=9)
    axes.tick_params(colors=INK, which="both", labelsize=9)
    axes.grid(color=LINE, alpha=0.25, which="major")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    return figure, axes


def save_page_picture(
    figure: matplotlib.figure.Figure, path: str | pathlib.Path, title: str
) -> None:
    """Writes a figure of `page_axes`, whole or not at all.

    Args:
        figure: the figure.
        path: of the SVG file.
        title: what the picture shows, for those who cannot see it.
    """
    # Text stays text, and the same figure gives the same file.
    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "keras_mlp"}
    with matplotlib.rc_context(settings):
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    start = svg.index(">") + 1
    write_text(
        path,
        f'{svg[: start - 1]} role="img">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>{svg[start:]}",
    )
