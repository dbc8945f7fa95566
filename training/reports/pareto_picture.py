"""Accuracy against a cost, one point for each model, with the front of those that none beats."""

import dataclasses
import itertools
import pathlib
from collections.abc import Sequence

import matplotlib.axes
import matplotlib.backends.backend_agg
import matplotlib.figure
import matplotlib.lines
import matplotlib.ticker
import matplotlib.transforms

from training.reports.page_picture import COLORS, INK, LINE, PAPER, page_axes, save_page_picture

_LARGE = matplotlib.ticker.EngFormatter(sep="")
_FAMILY, _OTHER = COLORS[0], COLORS[1]
# Where a label may stand, seen from its point: alignment, and offset in points.
_PLACES = tuple(
    (horizontal, vertical, x * distance, y * distance)
    for distance in (6, 13, 22)
    for horizontal, vertical, x, y in (
        ("left", "center", 1, 0),
        ("right", "center", -1, 0),
        ("center", "bottom", 0, 1),
        ("center", "top", 0, -1),
        ("left", "bottom", 0, 1),
        ("left", "top", 0, -1),
        ("right", "bottom", 0, 1),
        ("right", "top", 0, -1),
        ("left", "bottom", 0.7, 0.7),
        ("left", "top", 0.7, -0.7),
        ("right", "bottom", -0.7, 0.7),
        ("right", "top", -0.7, -0.7),
    )
)


@dataclasses.dataclass(frozen=True)
class Point:
    """One model.

    Attributes:
        label: its name.
        cost: positive.
        accuracy: mean over the seeds, in [0, 1].
        lowest, highest: over the seeds.
        is_family: whether it is one of the MLPs, rather than something to compare with.
    """

    label: str
    cost: float
    accuracy: float
    lowest: float
    highest: float
    is_family: bool = True


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats, the cheapest first.

    A point is beaten by one that costs at most as much and has at least its mean accuracy, and is
    strictly better in one of the two.
    """
    best: list[Point] = []
    for point in sorted(points, key=lambda each: (each.cost, -each.accuracy)):
        if not best or point.accuracy > best[-1].accuracy:
            best.append(point)
    return best


def draw_pareto(path: str | pathlib.Path, points: Sequence[Point], cost: str, title: str) -> None:
    """Draws accuracy against a cost on a logarithmic axis.

    Args:
        path: of the SVG file.
        points: one or more.
        cost: label of the axis, with the unit.
        title: what the picture shows, for those who cannot see it.
    """
    figure, axes = page_axes(cost, "test accuracy")
    best = front(points)
    corners = _corners(best)
    axes.plot(*zip(*corners, strict=True), color=LINE, lw=1.2, ls="--", zorder=1)
    for point in points:
        color = _FAMILY if point.is_family else _OTHER
        reach = [[point.accuracy - point.lowest], [point.highest - point.accuracy]]
        axes.errorbar(
            point.cost,
            point.accuracy,
            reach,
            color=color,
            marker="o",
            ms=6,
            mfc=color if point in best else "none",
            capsize=2,
            lw=1,
        )
    axes.set_xscale("log")
    axes.margins(x=0.12, y=0.12)
    axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(_tick)
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
    _legend(figure)
    bars = [[(each.cost, each.lowest), (each.cost, each.highest)] for each in points]
    _label(figure, axes, points, [corners, *bars])
    save_page_picture(figure, path, title)


def _tick(value: float, position: float) -> str:
    """0.05, 20, 20k, 2M: "50m" would be read as minutes or millions."""
    return _LARGE(value) if value >= 1000 else f"{value:g}"


def _corners(best: Sequence[Point]) -> list[tuple[float, float]]:
    """The line of the front: level up to the cost of the next point, then up to its accuracy."""
    corners = [(best[0].cost, best[0].accuracy)]
    for point in best[1:]:
        corners += [(point.cost, corners[-1][1]), (point.cost, point.accuracy)]
    return corners


def _legend(figure: matplotlib.figure.Figure) -> None:
    marks = (("MLPs", _FAMILY, _FAMILY), ("to compare with", _OTHER, _OTHER))
    handles = [
        matplotlib.lines.Line2D([], [], color=edge, mfc=fill, marker="o", ms=6, ls="", label=label)
        for label, edge, fill in (*marks, ("beaten in both", LINE, "none"))
    ]
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=len(handles),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
        handletextpad=0.1,
        columnspacing=1.2,
        borderpad=0,
    )


def _label(
    figure: matplotlib.figure.Figure,
    axes: matplotlib.axes.Axes,
    points: Sequence[Point],
    lines: Sequence[Sequence[tuple[float, float]]],
) -> None:
    """Writes each name at the first place where it covers no point, no line and no other name."""
    renderer = matplotlib.backends.backend_agg.FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)  # lays out the axes, which decides where points are
    marks = axes.transData.transform([(point.cost, point.accuracy) for point in points])
    taken = [matplotlib.transforms.Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in marks]
    for line in lines:
        ends = itertools.pairwise(axes.transData.transform(line))
        taken += [matplotlib.transforms.Bbox([start, end]).padded(1) for start, end in ends]
    inside = axes.get_window_extent(renderer)
    for point in sorted(points, key=lambda each: -each.accuracy):
        for (horizontal, vertical, x, y), last in _with_last(_PLACES):
            text = axes.annotate(
                point.label,
                (point.cost, point.accuracy),
                (x, y),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=8,
                color=INK,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
            )
            box = text.get_window_extent(renderer)
            free = (
                inside.x0 <= box.x0
                and box.x1 <= inside.x1
                and inside.y0 <= box.y0
                and box.y1 <= inside.y1
            )
            if last or (free and not any(box.overlaps(other) for other in taken)):
                taken.append(box)
                break
            text.remove()


def _with_last(
    places: Sequence[tuple[str, str, float, float]],
) -> "itertools.chain[tuple[tuple[str, str, float, float], bool]]":
    return itertools.chain(((each, False) for each in places), [(places[0], True)])
