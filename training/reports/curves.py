"""The learning curves of a run in one picture."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.axes
import matplotlib.figure

_PANELS = (
    ("loss", ("train", "validation")),
    ("accuracy", ("train", "validation")),
    ("learning_rate", ("train",)),
    ("gradient_norm", ("train",)),
)
_STYLES = {"train": "#08519c", "validation": "#e6550d"}


def learning_curves(history: Sequence[dict[str, Any]]) -> bytes:
    """Draws loss, accuracy, learning rate and gradient norm over epochs.

    Args:
        history: entries of `history.jsonl`, at least one. Values that an entry lacks, and
            those that were not finite, are not drawn.

    Returns:
        The bytes of an SVG picture.
    """
    figure = matplotlib.figure.Figure(figsize=(6.8, 5.6), layout="constrained")
    for axes, (key, parts) in zip(figure.subplots(2, 2).flat, _PANELS, strict=True):
        for part in parts:
            _draw(axes, history, part, key)
        _style(axes, key)
        if len(axes.lines) > 1:
            axes.legend(frameon=False, fontsize=9)
    return _svg(figure)


def compared_curves(histories: Mapping[str, Sequence[dict[str, Any]]]) -> bytes:
    """Draws loss and accuracy of several runs: validation solid, training dashed.

    Args:
        histories: from the name of a run to its entries of `history.jsonl`, at least one each.

    Returns:
        The bytes of an SVG picture.
    """
    figure = matplotlib.figure.Figure(figsize=(6.4, 6.0), layout="constrained")
    for axes, key in zip(figure.subplots(2, 1).flat, ("loss", "accuracy"), strict=True):
        for number, (name, history) in enumerate(histories.items()):
            for part, line in (("train", "--"), ("validation", "-")):
                points = _points(history, part, key)
                if points:
                    width = 0.9 if part == "train" else 1.6
                    label = name.replace("$", r"\$") if line == "-" else None
                    axes.plot(
                        *zip(*points, strict=True), line, color=f"C{number}", lw=width, label=label
                    )
        _style(axes, key)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return _svg(figure)


def _style(axes: matplotlib.axes.Axes, key: str) -> None:
    axes.set_title(key.replace("_", " "), fontsize=10, loc="left")
    axes.set_xlabel("epoch", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.08)


def _svg(figure: matplotlib.figure.Figure) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="svg", metadata={"Date": None})
    return picture.getvalue()


def _points(history: Sequence[dict[str, Any]], part: str, key: str) -> list[tuple[float, float]]:
    """The points that have a value; None stands for one that was not finite."""
    values = ((each["epoch"], each.get(part, {}).get(key)) for each in history)
    return [(epoch, value) for epoch, value in values if value is not None]


def _draw(
    axes: matplotlib.axes.Axes, history: Sequence[dict[str, Any]], part: str, key: str
) -> None:
    points = _points(history, part, key)
    if points:
        # Without markers, a line hides how few points it has.
        marker = "o" if len(points) <= 40 else None
        axes.plot(*zip(*points, strict=True), color=_STYLES[part], marker=marker, ms=3, label=part)
