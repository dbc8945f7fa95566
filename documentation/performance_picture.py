"""The speed of every contender over the baseline, with a mark for each model."""

import pathlib

import matplotlib.ticker

from benchmarks.contest import BASELINE
from documentation.performance_tables import Stored, ratio
from training.reports.page_picture import COLORS, INK, page_axes, save_page_picture

_MARKS = "os^vDPX*"


def draw_performance(path: str | pathlib.Path, stored: Stored) -> None:
    """Draws the medians over the rounds and their ranges, at the largest batch of each model.

    Args:
        path: of the SVG file.
        stored: a file whose baseline ran.
    """
    runs = {
        f"{run['architecture']} {run['variant']}": run
        for run in sorted(stored.runs, key=lambda each: (each["batch"], -each["threads"]))
        if BASELINE in run["contenders"]
    }
    figure, axes = page_axes(f"speed over {BASELINE}", "")
    figure.set_size_inches(6.4, 4.6)
    names = list(dict.fromkeys(name for run in runs.values() for name in run["contenders"]))
    for number, (model, run) in enumerate(runs.items()):
        own = [name for name in names if name in run["contenders"]]
        found = [ratio(run, name, BASELINE) for name in own]
        axes.errorbar(
            [each.median for each in found],
            [names.index(name) + 0.12 * (number - (len(runs) - 1) / 2) for name in own],
            xerr=[
                [each.median - each.lowest for each in found],
                [each.highest - each.median for each in found],
            ],
            color=COLORS[number % len(COLORS)],
            marker=_MARKS[number % len(_MARKS)],
            ms=4,
            lw=1,
            ls="",
            label=f"{model}, batch {run['batch']}",
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axes.axvline(1, color=INK, lw=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="best")
    title = f"Speed of every contender over {BASELINE}, for each model, on {stored.processor}"
    save_page_picture(figure, path, title)
