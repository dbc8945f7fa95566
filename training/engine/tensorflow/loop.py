"""The loop around the training steps: curve, checkpoints, and what ends a run early."""

import contextlib
import logging
import math
import time
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import orbit
import tensorflow as tf

from keras_mlp.errors import first_line
from keras_mlp.typing import Array
from keras_mlp.whole_files import whole_file
from training.config import Config
from training.data.first_batch import with_first_seen
from training.data.pipeline import training_stream
from training.data.splits import Splits
from training.engine.curve import Curve
from training.engine.explosion import LossLimits
from training.engine.interruption import Interrupted, StopSignal
from training.engine.not_finite import NotFinite
from training.engine.points import points_of_curve
from training.engine.progress import ProgressBar
from training.engine.tensorboard import TensorBoard
from training.engine.tensorflow.checkpoints import CheckpointManager
from training.engine.tensorflow.evaluator import Evaluator
from training.engine.tensorflow.strategies import (
    WHOLE,
    Share,
    count_hosts,
    distribute,
    read,
    total,
)
from training.engine.tensorflow.trainer import Trainer
from training.engine.workdir import Workdir
from training.reports.pictures import draw_batch

log = logging.getLogger(__name__)

# The training batches of a host's share.
Stream: TypeAlias = Callable[[Share], tf.data.Dataset]


def run_steps(
    config: Config,
    folder: Workdir,
    splits: Splits,
    trainer: Trainer,
    manager: CheckpointManager,
    total_steps: int,
) -> float:
    """Trains from the newest checkpoint to the last step.

    Args:
        config: a `training.config.Config`.
        folder: a `training.engine.workdir.Workdir`.
        splits: a `training.data.pipeline.Splits`.
        trainer: a `training.engine.tensorflow.trainer.Trainer`, made under the strategy's scope.
        manager: a `training.engine.tensorflow.checkpoints.CheckpointManager`.
        total_steps: the step at which the run ends.

    Returns:
        The seconds spent, including those before a restart.

    Raises:
        FloatingPointError: the loss is no longer finite; the last checkpoint is kept.
        Interrupted: the process was asked to end; a checkpoint was saved.
        OSError: a checkpoint cannot be written; earlier ones are kept.
    """
    strategy = trainer.strategy
    manager.restore_or_initialize()
    start = _agreed_step(strategy, trainer.step)
    limits = LossLimits(config.optimizer.loss, len(splits.classes))
    curve = Curve(folder, limits, start)
    began = time.monotonic() - curve.seconds

    def stream_from(step: int) -> Stream:
        return lambda share: training_stream(
            splits.train,
            batch_size=config.data.batch_size,
            seed=config.runtime.seed,
            start_step=step,
            augment=config.augment,
            share=share,
            shard=config.data.shard,
            service=config.data.service,
        )

    shown = _drawn(stream_from(start), folder, splits.classes, is_new=start == 0)
    trainer.train_dataset = distribute(strategy, shown)
    with strategy.scope():
        evaluator = splits.validation and Evaluator(
            trainer.model, splits.validation, config.data.batch_size
        )
    steps_per_epoch = splits.train.size / config.data.batch_size
    bar = ProgressBar(start, total_steps, config.data.batch_size, shown=folder.chief)
    with contextlib.ExitStack() as stack:
        stack.callback(bar.close)
        board = stack.enter_context(TensorBoard(folder))
        stop = stack.enter_context(StopSignal())

        def show(outputs: dict[str, Any]) -> None:
            step = int(read(trainer.step))
            bar.show(step, outputs["loss"], outputs["accuracy"])
            if not math.isnan(outputs["loss"]):  # as after damaged pictures only
                curve.watch("train", step, outputs["loss"])
            board.add_loop(step, outputs)

        def end_if_asked(outputs: dict[str, Any]) -> None:
            # After each loop of steps all hosts agree whether one of them was asked to end.
            if total(strategy, float(stop.noted)):
                raise Interrupted

        controller = orbit.Controller(
            strategy=strategy,
            trainer=trainer,
            evaluator=evaluator,
            global_step=trainer.step,
            steps_per_loop=config.runtime.steps_per_loop,
            train_actions=[show, end_if_asked],
        )
        stack.enter_context(folder.log("orbit.log"))  # orbit prints
        try:
            # A run that ended at a point may not have made it; one without its curve may have.
            made = start if trainer.is_at_point() else start - 1
            done = max(curve.last_step, made)
            for boundary in points_of_curve(config, steps_per_epoch, done, total_steps):
                controller.train(boundary, checkpoint_at_completion=False)
                entry: dict[str, Any] = {"step": boundary, "epoch": boundary / steps_per_epoch}
                entry["train"] = trainer.epoch_metrics()
                if evaluator:
                    with trainer.averaged():
                        entry["validation"] = controller.evaluate()
                    bar.show_validation(entry["validation"])
                curve.add({**entry, "seconds": time.monotonic() - began})
                board.add_point(entry)
                _save(manager, boundary)
                curve.saved()
            end_if_asked({})
        except Interrupted:
            _save(manager, int(trainer.step.numpy()))
            raise
        except NotFinite as error:
            if not folder.chief:
                raise
            raise _with_batch(error, folder, stream_from, curve.way_out()) from None
    return time.monotonic() - began


def _drawn(make: Stream, folder: Workdir, classes: list[str], *, is_new: bool) -> Stream:
    """Wraps `make` to save a picture of the first batch, unless there is one of this run."""
    path = folder.path / "first_batch.png"
    if not folder.chief or (path.exists() and not is_new):
        return make

    def draw(images: Array, labels: Array) -> None:
        try:
            draw_batch(path, images, labels, classes)
        except OSError as error:
            log.warning("%s cannot be written: %s", path, error)

    return lambda share: with_first_seen(make(share), draw)


def _agreed_step(strategy: tf.distribute.Strategy, step: tf.Variable) -> int:
    """The restored step, which must be the same on every host."""
    own = int(read(step))
    hosts = count_hosts(strategy)
    if hosts > 1 and total(strategy, own) != own * hosts:
        raise ValueError(
            f"This host restored step {own} and another host a different one: all hosts must see "
            "the same `--workdir`."
        )
    return own


def _save(manager: CheckpointManager, step: int) -> None:
    try:
        manager.save(checkpoint_number=step)
    except (OSError, tf.errors.OpError) as error:
        before = manager.latest_checkpoint or "none"
        raise OSError(
            f"The checkpoint of step {step} cannot be written: {first_line(error)}. The last whole "
            f"one is kept ({before}); the same command continues from it."
        ) from error


def _with_batch(
    error: NotFinite, folder: Workdir, stream_from: Callable[[int], Stream], way_out: str
) -> NotFinite:
    """The error, with a way out, after storing the batch that caused it in the run's folder."""
    images, labels = next(iter(stream_from(error.step)(WHOLE).take(1).as_numpy_iterator()))
    path = folder.path / "not_finite.npz"
    with whole_file(path) as file:
        np.savez_compressed(file, images=images, labels=labels)
    batch = f" The batch of that step, as the model saw it, is in {path}."
    return NotFinite(error.step, batch + way_out)
