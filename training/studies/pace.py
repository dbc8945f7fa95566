"""Runs of equal minutes: the steps of a model are timed first, then a whole schedule is planned."""

import dataclasses
import pathlib
import statistics
from collections.abc import Sequence
from typing import TypeVar

import keras

from keras_mlp.json_files import read_json, write_json
from training.config import Config
from training.engine.chosen import engine_module
from training.engine.optimizers import build_optimizer
from training.models.from_config import build_model, model_image_shape
from training.reports.provenance import provenance

PACE_FILE = "pace.json"
_WARM_UP, _TIMED = 5, 25
AnyConfig = TypeVar("AnyConfig", bound=Config)


def with_planned_steps(
    configs: Sequence[Config], folder: pathlib.Path, minutes: float
) -> list[Config]:
    """The same configs, for a number of steps that takes so many minutes.

    The steps are timed once and kept in the folder's `pace.json`: every seed, and a run that
    continues, has the same number. Validation and checkpoints come on top.

    Args:
        configs: that differ only in their seed.
        folder: which holds the folders of their runs.
        minutes: of training steps; 0 to return the configs as they are.
    """
    if not minutes:
        return list(configs)
    steps = _planned_steps(configs[0], folder / PACE_FILE, minutes)
    return [with_steps(config, steps) for config in configs]


def with_steps(config: AnyConfig, steps: int) -> AnyConfig:
    """The same config for so many steps, with a warm-up of the same share of the run."""
    if config.optimizer.cooldown_epochs:
        raise ValueError(
            "`optimizer.cooldown_epochs` must be 0 where a run is measured in steps or minutes, "
            f"got {config.optimizer.cooldown_epochs}."
        )
    warmup = config.optimizer.warmup_steps
    if not warmup and config.optimizer.warmup_epochs:
        share = config.optimizer.warmup_epochs / config.epochs
        warmup = max(1, round(min(share, 1) * steps))
    optimizer = dataclasses.replace(config.optimizer, warmup_steps=warmup)
    return dataclasses.replace(config, steps=steps, optimizer=optimizer)


def _planned_steps(config: Config, file: pathlib.Path, minutes: float) -> int:
    if not file.exists():
        found = {**time_steps(config), **provenance()}
        if not file.exists():  # another process may have been faster
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, found)
    way_out = "Remove it to time the steps again, before any run here has begun."
    pace = read_json(file, way_out, lambda pace: 1 / pace["seconds_per_step"])
    return max(1, round(60 * minutes / pace["seconds_per_step"]))


def time_steps(config: Config) -> dict[str, float]:
    """Times the steps of a run on this machine, without changing anything on the disk.

    Args:
        config: a checked `training.config.Config`.

    Returns:
        A dict with `seconds_per_step`, the median of some steps after the first.
    """
    keras.utils.set_random_seed(config.runtime.seed)
    splits = engine_module().load_splits(config.data, model_image_shape(config.model))
    model = build_model(config.model, len(splits.classes), config.runtime.dtype)
    steps = _WARM_UP + _TIMED
    optimizer = build_optimizer(
        config.optimizer,
        model,
        total_steps=steps,
        steps_per_epoch=splits.train.size / config.data.batch_size,
        layer_decay=config.optimizer.layer_decay,
        dtype=config.runtime.dtype,
    )
    timed = engine_module().try_steps(model, optimizer, splits.train, config, steps)
    keras.utils.clear_session()
    return {"seconds_per_step": statistics.median(seconds for _, seconds in timed[_WARM_UP:])}
