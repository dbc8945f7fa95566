"""Rows of small images with labels, as one PNG file."""

import dataclasses
import pathlib
from collections.abc import Sequence

import matplotlib.figure

from keras_mlp.typing import Array
from keras_mlp.whole_files import whole_file
from training.reports.page_picture import INK, LINE, PAPER

_DPI = 150
# Inches.
_WIDTH, _MARGIN, _GAP, _TITLE, _LETTER = 5.6, 0.08, 0.08, 0.17, 0.075


@dataclasses.dataclass(frozen=True)
class Panel:
    """One image.

    Attributes:
        title: above it; may be empty.
        pixels: uint8 (H, W, 3).
    """

    title: str
    pixels: Array


@dataclasses.dataclass(frozen=True)
class Row:
    """Images side by side.

    Attributes:
        label: on the left, of one or more lines; may be empty.
        panels: one or more.
    """

    label: str
    panels: Sequence[Panel]


def draw_panels(path: str | pathlib.Path, rows: Sequence[Row]) -> None:
    """Draws rows of panels, whole or not at all.

    Args:
        path: of the PNG file.
        rows: one or more, which may differ in length.
    """
    letters = max(len(line) for row in rows for line in row.label.split("\n"))
    left = _MARGIN + (letters * _LETTER + _GAP if letters else 0)
    columns = max(len(row.panels) for row in rows)
    side = (_WIDTH - _MARGIN - left + _GAP) / columns - _GAP
    sizes = [(_TITLE if _has_titles(row) else 0, side * _aspect(row)) for row in rows]
    height = 2 * _MARGIN + sum(title + own + _GAP for title, own in sizes) - _GAP
    figure = matplotlib.figure.Figure(figsize=(_WIDTH, height), facecolor=PAPER)
    top = height - _MARGIN
    for row, (title, own) in zip(rows, sizes, strict=True):
        bottom = top - title - own
        middle = (bottom + own / 2) / height
        figure.text(_MARGIN / _WIDTH, middle, row.label, fontsize=9, color=INK, va="center")
        for at, panel in enumerate(row.panels):
            start = left + at * (side + _GAP)
            box = (start / _WIDTH, bottom / height, side / _WIDTH, own / height)
            _draw(figure, panel, box)
        top = bottom - _GAP
    with whole_file(path) as file:
        smaller = {"optimize": True}
        figure.savefig(
            file, format="png", dpi=_DPI, metadata={"Software": None}, pil_kwargs=smaller
        )


def _draw(
    figure: matplotlib.figure.Figure, panel: Panel, box: tuple[float, float, float, float]
) -> None:
    """Draws a panel into a box (left, bottom, width, height), as shares of the figure."""
    axes = figure.add_axes(box)
    axes.imshow(panel.pixels, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(LINE)
    axes.spines[:].set_linewidth(0.5)
    axes.set_title(panel.title, fontsize=8, color=INK, pad=3)


def _has_titles(row: Row) -> bool:
    return any(panel.title for panel in row.panels)


def _aspect(row: Row) -> float:
    """Height over width of the tallest panel."""
    return max(panel.pixels.shape[0] / panel.pixels.shape[1] for panel in row.panels)
