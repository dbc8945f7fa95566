"""Short training inside a process: no checkpoints, no curve, one device."""

import math
import time
from typing import Any

import keras
import tensorflow as tf

from training.config import Config
from training.data.damage import all_damaged
from training.data.pipeline import training_stream
from training.data.splits import Split
from training.engine.optimizers import build_optimizer
from training.engine.points import count_steps
from training.engine.tensorflow.averages import Averages
from training.engine.tensorflow.trainer import Trainer


def fit(
    model: keras.Model, split: Split, config: Any, *, seed: int, layer_decay: float = 1.0
) -> None:
    """Trains a model for `config.epochs`, with the step and the stream of `training.train`.

    Args:
        model: Keras model from uint8 images to logits; changed in place.
        split: a `training.data.pipeline.Split`.
        config: with the fields `epochs`, `data`, `augment`, `optimizer` and `runtime` of
            `training.config.Config`.
        seed: of order and augmentation.
        layer_decay: as for `training.engine.optimizers.build_optimizer`.

    Raises:
        ValueError: all pictures are damaged.
    """
    steps_per_epoch = split.size / config.data.batch_size
    steps = count_steps(config.epochs, steps_per_epoch)
    optimizer = build_optimizer(
        config.optimizer,
        model,
        total_steps=steps,
        steps_per_epoch=steps_per_epoch,
        layer_decay=layer_decay,
        dtype=config.runtime.dtype,
    )
    trainer = _trainer(model, optimizer, split, config, seed)
    trainer.train(tf.constant(steps))
    trainer.epoch_metrics()  # an error if all pictures are damaged
    if trainer.averages:
        trainer.averages.take()


def try_steps(
    model: keras.Model, optimizer: keras.Optimizer, split: Split, config: Config, count: int
) -> list[tuple[float, float]]:
    """See `training.engine.chosen.EngineModule`."""
    trainer = _trainer(model, optimizer, split, config, config.runtime.seed)
    found = []
    for _ in range(count):
        began = time.monotonic()
        loss = trainer.train(tf.constant(1))["loss"]
        if math.isnan(loss):
            raise all_damaged("training")
        found.append((loss, time.monotonic() - began))
    return found


def _trainer(
    model: keras.Model, optimizer: keras.Optimizer, split: Split, config: Any, seed: int
) -> Trainer:
    """At the first step."""
    averages = Averages(model, config.optimizer.ema) if config.optimizer.ema else None
    trainer = Trainer(model, optimizer, config, averages)
    trainer.train_dataset = training_stream(
        split,
        batch_size=config.data.batch_size,
        seed=seed,
        start_step=0,
        augment=config.augment,
    )
    return trainer
