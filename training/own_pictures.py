"""Training on a folder of one's own pictures: says first what will happen, and last what to do."""

import contextlib
import copy
import dataclasses
import logging
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

import keras_mlp
from keras_mlp.whole_files import write_text
from training.config import Config, Model
from training.data.picture_facts import PictureFacts, picture_facts
from training.data.picture_splits import PictureSplits, split_pictures
from training.engine.chosen import Splits, engine_module
from training.engine.points import count_steps
from training.engine.workdir import Workdir
from training.folder_config import MODEL, SIDE, Task, folder_config
from training.models.arguments import check_model
from training.models.from_config import build_model, model_image_shape
from training.models.starting_points import DEPLOYED, WAYS
from training.models.trained_model import size_of, trained_model
from training.reports.folder_plan import FolderPlan, result_lines
from training.reports.way_table import accuracy_table
from training.terminal import many_models
from training.train import train

COMPARISON = "comparison.md"
_READ_AT_ONCE = 64
_COMPILED = 10  # times as long as the forward pass alone: training, evaluation and two exports
_BACKWARD = 2  # forward passes that a backward pass costs


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What the command line asks for.

    Attributes:
        folder: path of the pictures.
        workdir: path of the run's folder.
        source: a trained model, see `training.models.trained_model.KINDS`; None for random weights.
        image_size: side of the model's square image in pixels; None for that of the source.
        channels: 1 or 3; None for those of the source, or of the pictures.
        compare: train the source frozen and from random weights too.
        accept_changes: continue in a folder that was made with another config.
        overrides: "key=value", see `training.overrides`.
    """

    folder: str
    workdir: str
    source: str | None = None
    image_size: int | None = None
    channels: int | None = None
    compare: bool = False
    accept_changes: bool = False
    overrides: tuple[str, ...] = ()


def train_on_folder(wishes: Wishes) -> dict[str, Any]:
    """Checks everything, says what will happen, trains, and says where the results are.

    Writes into the folder what `training.train` writes; with `compare` also the runs `frozen` and
    `from_scratch`, and `comparison.md`.

    Returns:
        The dict in `metrics.json`; with `compare` also "accuracy", of each way.

    Raises:
        ValueError: the pictures, the source and the wishes do not fit each other.
        FloatingPointError, Interrupted, OSError: as `training.train.train`.
    """
    if wishes.compare and not wishes.source:
        raise ValueError("`--compare` compares ways to use a `--source`: name one.")
    checked = _check(wishes)
    with Workdir(wishes.workdir, checked.config, accept_changes=wishes.accept_changes):
        pass  # it is free, and holds no run of another config
    for line in _plan(wishes, checked).lines():
        print(line, flush=True)
    keras.utils.clear_session()
    with many_models(), _said_once():
        metrics = train(checked.config, wishes.workdir, accept_changes=wishes.accept_changes)
        if wishes.compare:
            metrics = {**metrics, "accuracy": _compare(wishes, checked.config, metrics)}
    for line in result_lines(pathlib.Path(wishes.workdir), metrics, checked.found):
        print(line)
    return metrics


@dataclasses.dataclass(frozen=True)
class _Checked:
    """What was found out before the training.

    Attributes:
        config: of the run.
        found: the splits.
        facts: about the files.
        model: as it will be trained.
        own_shape: (H, W, C) of the source; None without one.
        read_seconds: what reading every picture once took.
    """

    config: Config
    found: PictureSplits
    facts: PictureFacts
    model: keras_mlp.VisionModel
    own_shape: tuple[int, ...] | None
    read_seconds: float


def _check(wishes: Wishes) -> _Checked:
    """Opens everything that the training needs, reads every picture, and builds the model."""
    before = Task(wishes.folder, 1, False, (SIDE, SIDE, 3), MODEL)
    seed = folder_config(before, wishes.overrides).data.split_seed
    found = split_pictures(pathlib.Path(wishes.folder), seed)
    facts = picture_facts(
        {
            split: [path for own in files.values() for path in own]
            for split, files in found.files.items()
        }
    )
    model, own_shape = MODEL, None
    if wishes.source:
        trained = trained_model(wishes.source)
        model = Model(type(trained).__name__, size_of(trained), source=wishes.source)
        own_shape = tuple(trained.image_shape)
        if getattr(trained, "deployed", False):
            print(DEPLOYED)
    task = Task(
        wishes.folder,
        found.count("train"),
        "validation" in found.files,
        _image_shape(wishes, own_shape, facts),
        model,
    )
    config = folder_config(task, wishes.overrides)
    engine = engine_module()
    engine.check_config(config)
    check_model(config.model)
    built = build_model(config.model, len(found.classes), config.runtime.dtype)
    built.class_names = found.classes
    splits = engine.load_splits(config.data, model_image_shape(config.model))
    return _Checked(config, found, facts, built, own_shape, _read_all(splits))


def _image_shape(
    wishes: Wishes, own: tuple[int, ...] | None, facts: PictureFacts
) -> tuple[int, int, int]:
    """(H, W, C) of the model; ValueError where pictures would silently lose their colours."""
    side = wishes.image_size
    height, width = (side, side) if side else own[:2] if own else (SIDE, SIDE)
    if wishes.channels:
        return height, width, wishes.channels
    if not own:
        return height, width, 1 if facts.grey == facts.count else 3
    if own[-1] not in (1, 3):
        raise ValueError(
            f"`--source` {wishes.source} takes images of {own[-1]} channels; pictures have 1 or 3. "
            "`--channels 3` adapts its first layer."
        )
    coloured = facts.count - facts.grey
    if own[-1] == 1 and coloured:
        raise ValueError(
            f"`--source` {wishes.source} takes grey images, and {coloured} of {facts.count} "
            "pictures are in colour: `--channels 1` makes them grey, `--channels 3` adapts the "
            "first layer of the source."
        )
    return height, width, own[-1]


def _read_all(splits: Splits) -> float:
    """Reads every picture; ValueError names those that are damaged. Returns the seconds."""
    began = time.monotonic()
    with splits.explained():
        for split in (splits.train, splits.validation, splits.test):
            for _ in split.batches(_READ_AT_ONCE) if split else ():
                pass
    return time.monotonic() - began


def _plan(wishes: Wishes, checked: _Checked) -> FolderPlan:
    config = checked.config
    steps_per_epoch = checked.found.count("train") / config.data.batch_size
    steps = count_steps(config.epochs, steps_per_epoch, config.steps)
    runs = len(WAYS) if wishes.compare else 1
    return FolderPlan(
        config=config,
        found=checked.found,
        facts=checked.facts,
        model=checked.model,
        own_shape=checked.own_shape,
        steps=steps,
        runs=runs,
        seconds=runs * _seconds(checked, steps),
    )


def _seconds(checked: _Checked, steps: int) -> float:
    """An estimate of the training's time, from one forward pass and from reading the pictures."""
    config = checked.config
    images = np.zeros((config.data.batch_size, *checked.model.image_shape), "uint8")
    call = engine_module().compiled(checked.model)
    began = time.monotonic()
    call(images)  # it compiles
    compiled = time.monotonic()
    call(images)
    forward = time.monotonic() - compiled
    reading = checked.read_seconds * config.data.batch_size / checked.facts.count
    of_steps = steps * (forward * (1 + _BACKWARD) + reading)
    return of_steps + (compiled - began) * _COMPILED


def _compare(wishes: Wishes, config: Config, metrics: dict[str, Any]) -> dict[str, list[float]]:
    """Trains the source in the other two ways, on the same budget."""
    accuracy = {"fine-tuned": [metrics["test"]["accuracy"]]}
    for way in WAYS:
        if way == "fine-tuned":
            continue
        print(f"\n== {way}", flush=True)
        keras.utils.clear_session()
        own = copy.deepcopy(config)
        own.model.start = way
        own.optimizer.layer_decay = 1.0
        folder = pathlib.Path(wishes.workdir) / way.replace(" ", "_")
        found = train(own, folder, accept_changes=wishes.accept_changes)
        accuracy[way] = [found["test"]["accuracy"]]
    accuracy = {way: accuracy[way] for way in WAYS}
    write_text(pathlib.Path(wishes.workdir) / COMPARISON, accuracy_table(accuracy) + "\n")
    return accuracy


@contextlib.contextmanager
def _said_once() -> Iterator[None]:
    """What is odd about the pictures was said while they were checked."""
    names = "own_pictures", "splits", "in_memory"
    loggers = [logging.getLogger(f"training.data.{name}") for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
