"""Pictures of a classifier's confusions and of its calibration."""

import pathlib
from collections.abc import Sequence
from typing import Any

import matplotlib.axes
import matplotlib.figure
import numpy as np
import numpy.typing as npt

from training.reports.plain_text import plain
from training.reports.saved_figure import save_figure

NAMED_CLASSES = 40  # more names than this are unreadable
COUNTED_CLASSES = 20  # more counts than this are unreadable


def draw_confusion(
    path: str | pathlib.Path, confusion: npt.ArrayLike, classes: Sequence[str]
) -> None:
    """Draws a confusion matrix: truth by row, prediction by column, colour by share of the row.

    Args:
        path: path of the PNG file.
        confusion: counts, (K, K).
        classes: K names.
    """
    counts = np.asarray(confusion)
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    side = float(np.clip(2.0 + 0.4 * len(classes), 4.0, 9.0))
    figure = matplotlib.figure.Figure(figsize=(side + 0.8, side), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    figure.colorbar(shown, ax=axes, shrink=0.8, label="share of the true class")
    axes.set_xlabel("prediction")
    axes.set_ylabel("truth")
    _name_classes(axes, classes)
    if len(classes) <= COUNTED_CLASSES:
        _write_counts(axes, counts, shares)
    save_figure(figure, path)


def draw_reliability(path: str | pathlib.Path, bins: Sequence[dict[str, Any]]) -> None:
    """Draws accuracy by confidence, and the number of predictions at each confidence.

    Args:
        path: path of the PNG file.
        bins: what `training.reports.judgement.Judgement.reliability` returns.
    """
    figure = matplotlib.figure.Figure(figsize=(5.0, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [each for each in bins if each["count"]]
    middles = [(each["above"] + each["up_to"]) / 2 for each in filled]
    width = bins[0]["up_to"] - bins[0]["above"]
    accuracy = [each["accuracy"] for each in filled]
    upper.bar(middles, accuracy, width, color="#9ecae1", edgecolor="white", label="accuracy")
    confidence = [each["confidence"] for each in filled]
    upper.plot(confidence, accuracy, ".", color="#08519c", label="at mean confidence")
    upper.plot([0, 1], [0, 1], "--", color="0.4", linewidth=1, label="perfect calibration")
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    upper.legend(loc="upper left", frameon=False)
    lower.bar(middles, [each["count"] for each in filled], width, color="0.75", edgecolor="white")
    lower.set(xlabel="confidence", ylabel="images")
    save_figure(figure, path)


def _name_classes(axes: matplotlib.axes.Axes, classes: Sequence[str]) -> None:
    if len(classes) > NAMED_CLASSES:
        return
    places = range(len(classes))
    # Digits need no rotation.
    turned = 0 if max(map(len, classes)) <= 2 else 90
    axes.set_xticks(places, [plain(name) for name in classes], rotation=turned)
    axes.set_yticks(places, [plain(name) for name in classes])


def _write_counts(axes: matplotlib.axes.Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    for row, column in np.argwhere(counts):
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(
            column, row, counts[row, column], ha="center", va="center", fontsize=8, color=color
        )
