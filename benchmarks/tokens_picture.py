"""Milliseconds against tokens on logarithmic axes: a line for each model."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.ticker

from training.reports.page_picture import COLORS, INK, page_axes, save_page_picture

_MARKS = "os^vDPX*"


def draw_tokens(path: str | pathlib.Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Draws the median over the rounds and their range.

    Args:
        path: of the SVG file.
        results: of `benchmarks.tokens.measure`.
    """
    figure, axes = page_axes("tokens", "ms per image")
    for number, label in enumerate(dict.fromkeys(each["model"] for each in results)):
        own = sorted(
            (each for each in results if each["model"] == label), key=lambda each: each["tokens"]
        )
        median = [each["milliseconds"] for each in own]
        axes.errorbar(
            [each["tokens"] for each in own],
            median,
            [
                [each["milliseconds"] - each["lowest"] for each in own],
                [each["highest"] - each["milliseconds"] for each in own],
            ],
            color=COLORS[number % len(COLORS)],
            marker=_MARKS[number % len(_MARKS)],
            ms=4,
            lw=1.2,
            capsize=2,
            label=label,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    counts = sorted({each["tokens"] for each in results})
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    title = "Milliseconds of one image against its number of tokens, for each architecture"
    save_page_picture(figure, path, title)
