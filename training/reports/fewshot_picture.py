"""Accuracy against the number of images per class."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from training.reports.saved_figure import save_figure


def draw_few_shot(path: str | pathlib.Path, runs: Sequence[Mapping[str, Any]]) -> None:
    """Draws the mean test accuracy of each model, and its range over draws.

    Args:
        path: path of the PNG file.
        runs: dicts with `source`, `shots` and `test`, the accuracy of each draw.
    """
    figure = matplotlib.figure.Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.subplots()
    for source in dict.fromkeys(run["source"] for run in runs):
        own = sorted((run["shots"], run["test"]) for run in runs if run["source"] == source)
        shots, test = zip(*own, strict=True)
        means = np.mean(test, axis=1)
        reach = [means - np.min(test, axis=1), np.max(test, axis=1) - means]
        axes.errorbar(shots, means, reach, marker="o", ms=4, capsize=2, label=source)
    axes.set_xscale("log")
    counts = sorted({run["shots"] for run in runs})
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1, decimals=0))
    axes.set_xlabel("images per class")
    axes.set_ylabel("test accuracy")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    save_figure(figure, path)
