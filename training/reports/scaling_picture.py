"""Test error against training images, on logarithmic axes, with the power law of each model."""

import pathlib
from collections.abc import Mapping, Sequence

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from training.reports.saved_figure import save_figure
from training.studies.power_law import PowerLaw


def draw_scaling(
    path: str | pathlib.Path,
    errors: Mapping[str, Mapping[int, Sequence[float]]],
    laws: Mapping[str, PowerLaw],
) -> None:
    """Draws the mean error of each model, its range over seeds, and its law.

    Args:
        path: path of the PNG file.
        errors: from a model to a dict from a number of images to the error of each seed.
        laws: from a model to its `PowerLaw`.
    """
    figure = matplotlib.figure.Figure(figsize=(8.0, 5.2), layout="constrained")
    axes = figure.subplots()
    for number, (name, own) in enumerate(errors.items()):
        sizes = sorted(own)
        means = np.array([np.mean(own[size]) for size in sizes])
        reach = np.array(
            [
                (mean - min(own[size]), max(own[size]) - mean)
                for size, mean in zip(sizes, means, strict=True)
            ]
        )
        color = f"C{number % 10}"
        axes.errorbar(
            sizes, means, reach.T, color=color, marker="o", ms=4, ls="none", capsize=2, label=name
        )
        if name in laws:
            axes.plot(sizes, [laws[name].error(size) for size in sizes], color=color, lw=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1, decimals=0))
    axes.yaxis.set_minor_formatter(matplotlib.ticker.PercentFormatter(1, decimals=0))
    axes.set_xlabel("training images")
    axes.set_ylabel("test error")
    axes.grid(alpha=0.25, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    save_figure(figure, path)
