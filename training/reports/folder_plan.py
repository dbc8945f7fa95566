"""What a training on a folder of pictures says before it starts, and at its end."""

import dataclasses
import pathlib
from typing import Any

import keras_mlp
from training.config import Config
from training.data.picture_facts import PictureFacts
from training.data.picture_splits import SPLITS, PictureSplits
from training.reports.way_table import accuracy_table

LISTED_CLASSES = 40
_INDENT = " " * 11


@dataclasses.dataclass(frozen=True)
class FolderPlan:
    """What will happen.

    Attributes:
        config: of the run.
        found, facts: the splits, and what the files are like.
        model: as it will be trained.
        own_shape: (H, W, C) of the source; None without one.
        steps: of one run.
        runs: how many there are.
        seconds: an estimate for all of them.
    """

    config: Config
    found: PictureSplits
    facts: PictureFacts
    model: keras_mlp.VisionModel
    own_shape: tuple[int, ...] | None
    steps: int
    runs: int
    seconds: float

    def lines(self) -> list[str]:
        """The plan as text."""
        config = self.config
        many = f"{self.runs} runs of " if self.runs > 1 else ""
        epochs = "" if config.steps else f"{config.epochs} epochs, "
        return [
            f"pictures   {self._pictures()}",
            *_counts(self.found),
            f"{_INDENT}{self._split()}",
            *self._copies(),
            f"images     {self._images()}",
            f"model      {self._model()}",
            f"training   {many}{epochs}{self.steps:,} steps of "
            f"{config.data.batch_size} pictures: about {_duration(self.seconds)} on this machine",
        ]

    def _pictures(self) -> str:
        facts = self.facts
        least, most = (f"{width} x {height}" for width, height in (facts.smallest, facts.largest))
        sizes = least if least == most else f"{least} to {most}"
        mixed = f"{facts.grey} of them grey"
        colours = {0: "in colour", facts.count: "grey"}.get(facts.grey, mixed)
        what = f"{facts.count:,} of {len(self.found.classes)} classes"
        return f"{what} in {self.found.root}: {sizes} pixels, {colours}"

    def _split(self) -> str:
        found = self.found
        if not found.cut:
            return "split as in its folders"
        cut = " and ".join(split for split in SPLITS if split in found.cut and split in found.files)
        text = f"{cut} cut from every class by `data.split_seed`={self.config.data.split_seed}"
        return text if "validation" in found.files else f"{text}; too few pictures for validation"

    def _copies(self) -> list[str]:
        copies = self.facts.copies
        if not copies:
            return []
        return [
            f"{_INDENT}{len(copies)} picture(s) have an equal copy in another split, which makes "
            f"results look better than they are, such as {copies[0]}"
        ]

    def _images(self) -> str:
        facts, augment = self.facts, self.config.augment
        height, width, channels = self.model.image_shape
        is_same = facts.smallest == facts.largest == (width, height)
        parts = [f"{'' if is_same else 'resized whole to '}{width} x {height} pixels"]
        if channels == 3 and facts.grey:
            parts.append("grey ones as three equal colours")
        if channels == 1 and facts.grey < facts.count:
            parts.append("made grey")
        if augment.crop:
            parts.append(f"in training random parts of {augment.crop:.0%} or more")
        if augment.flip:
            parts.append("mirrored half of the time")
        return ", ".join(parts)

    def _model(self) -> str:
        model, section = self.model, self.config.model
        text = f"{section.architecture} {section.variant}, {model.count_params():,} parameters"
        if not section.source:
            return f"{text}, random weights"
        text += f", from {section.source} with a new classifier"
        own = self.own_shape
        if own and own != tuple(model.image_shape):
            old, new = (" x ".join(map(str, shape)) for shape in (own, model.image_shape))
            text += f"; its weights are fitted from images of {old} to {new}"
        return text


def result_lines(run: pathlib.Path, metrics: dict[str, Any], found: PictureSplits) -> list[str]:
    """Where everything is, and what to do next.

    Args:
        run: the run's folder.
        metrics: those of the run; with "accuracy" of each way after a comparison.
        found: the splits of the pictures.
    """
    test = metrics["test"]
    right = round(test["accuracy"] * test["examples"])
    lines = [
        "",
        f"test       {test['accuracy']:.2%} right ({right} of {test['examples']}), "
        f"loss {test['loss']:.4f}",
    ]
    if "accuracy" in metrics:
        lines += ["", *accuracy_table(metrics["accuracy"]).splitlines(), ""]
    lines.append(f"report     {run / 'report.html'}")
    lines.append(f"model      {run / 'model.keras'}, with the names of its classes")
    if (run / "saved_model").is_dir():
        lines.append(f"SavedModel {run / 'saved_model'}")
    turned = " --upright" if metrics["config"]["data"]["upright"] else ""
    judged = found.root / "test" if (found.root / "test").is_dir() else "MORE_PICTURES"
    return [
        *lines,
        f"next       python -m training.evaluate --source {run} --folder {judged}{turned}",
        f"{_INDENT}python -m saved_models.make {run} --output artefacts",
    ]


def _counts(found: PictureSplits) -> list[str]:
    """A table of the pictures per class and split."""
    width = max(len("class"), *(len(name) for name in found.classes))
    rows = [(name, *(found.count(split, name) for split in SPLITS)) for name in found.classes]
    shown = [("class", *SPLITS), *rows[:LISTED_CLASSES]]
    shown.append(("all", *(found.count(split) for split in SPLITS)))
    lines = [
        f"{_INDENT}{name:<{width}}" + "".join(f"{count:>12}" for count in counts)
        for name, *counts in shown
    ]
    if len(rows) > LISTED_CLASSES:
        lines.insert(-1, f"{_INDENT}... and {len(rows) - LISTED_CLASSES} more classes")
    return lines


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{max(seconds, 1):.0f} seconds"
