"""The page that shows several runs side by side."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_mlp.json_files import json_text
from training.engine.stored_config import flat
from training.reports.curves import compared_curves
from training.reports.evaluation_rows import share
from training.reports.html_page import command, heading, paragraph, picture, table
from training.reports.printed import shown_number

LISTED_CLASSES = 50


@dataclasses.dataclass
class FinishedRun:
    """What a page needs of a run.

    Attributes:
        name: what the page calls it.
        metrics: the dict in `metrics.json`.
        history: entries of `history.jsonl`, maybe none.
        evaluation: the dict in `evaluation.json`, or None.
    """

    name: str
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    evaluation: dict[str, Any] | None


def comparison_parts(runs: Sequence[FinishedRun]) -> list[str]:
    """Makes the parts of the page: results, curves, classes, what differs, commands."""
    return [*_results(runs), *_curves(runs), *_classes(runs), *_differences(runs), *_commands(runs)]


def duration(seconds: float) -> str:
    """Seconds in words, such as "2 h 5 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _results(runs: Sequence[FinishedRun]) -> list[str]:
    ordered = sorted(runs, key=lambda run: -run.metrics["test"]["accuracy"])
    rows = [
        (
            f"{run.name}, diverged" if run.metrics.get("diverged") else run.name,
            f"{run.metrics['test']['accuracy']:.2%}",
            shown_number(run.metrics["test"]["loss"], ".4f"),
            f"{run.metrics['parameters']:,}",
            duration(run.metrics["wall_seconds"]),
        )
        for run in ordered
    ]
    sets = {(_data(run), run.metrics["test"]["examples"]) for run in runs}
    words = "Accuracy and loss on the test images, time of training; the best accuracy first."
    if len(sets) > 1:
        words += " Not all runs have the same test images: their accuracies do not compare."
    header = ("run", "accuracy", "loss", "parameters", "time")
    return [paragraph(words, quiet=True), table(rows, header, numbers=(1, 2, 3, 4), marked=(0,))]


def _data(run: FinishedRun) -> tuple[Any, ...]:
    data = run.metrics["config"]["data"]
    return data["name"], data.get("test_split"), tuple(data.get("classes", ()))


def _curves(runs: Sequence[FinishedRun]) -> list[str]:
    histories = {run.name: run.history for run in runs if run.history}
    if not histories:
        return []
    text = "Solid lines: validation. Dashed lines: training."
    curves = picture(compared_curves(histories), ".svg", "Learning curves of all runs", chart=True)
    return [heading("Learning curves"), paragraph(text, quiet=True), curves]


def _classes(runs: Sequence[FinishedRun]) -> list[str]:
    """Recall of each class, the largest differences first; only if all runs have the classes."""
    evaluations = [run.evaluation for run in runs if run.evaluation is not None]
    if len(evaluations) < len(runs) or any(
        each["classes"] != evaluations[0]["classes"] for each in evaluations
    ):
        return []
    recalls = [[each["recall"] for each in found["per_class"]] for found in evaluations]
    rows = list(zip(evaluations[0]["classes"], *recalls, strict=True))

    def spread(row: Sequence[Any]) -> float:
        known = [value for value in row[1:] if value is not None]
        return max(known) - min(known) if known else 0.0

    rows.sort(key=spread, reverse=True)
    shown = [(row[0], *map(share, row[1:])) for row in rows[:LISTED_CLASSES]]
    header = ("class", *(run.name for run in runs))
    text = "Share of each class that is recognised; classes with the largest differences first."
    columns = range(1, 1 + len(runs))
    return [heading("Recall"), paragraph(text, quiet=True), table(shown, header, numbers=columns)]


def _differences(runs: Sequence[FinishedRun]) -> list[str]:
    """Every key of the config, and the commit, hardware and versions, that differ."""
    facts = [
        {
            **{key: json_text(value) for key, value in flat(run.metrics["config"]).items()},
            "commit": run.metrics["commit"] or "none",
            "cpu": run.metrics["hardware"]["cpu"],
            "gpus": len(run.metrics["hardware"]["gpus"]),
            "keras": run.metrics["versions"].get("keras", "none"),
        }
        for run in runs
    ]
    keys = list(dict.fromkeys(key for each in facts for key in each))
    rows = [(key, *(each.get(key, "not set") for each in facts)) for key in keys]
    rows = [row for row in rows if len(set(row[1:])) > 1]
    if not rows:
        return [heading("What differs"), paragraph("Nothing in config, commit and hardware.")]
    return [heading("What differs"), table(rows, ("key", *(run.name for run in runs)))]


def _commands(runs: Sequence[FinishedRun]) -> list[str]:
    parts = [heading("Commands")]
    for run in runs:
        parts += [paragraph(run.name, quiet=True), command(run.metrics["command"])]
    return parts
