"""The loop around the training steps: curve, checkpoints, and what ends a run early."""

import contextlib
import logging
import time
import typing

import jax
import numpy as np

from keras_mlp.whole_files import whole_file
from training.data.in_memory import ArraySplits
from training.engine.chosen import Run
from training.engine.curve import Curve
from training.engine.explosion import LossLimits
from training.engine.interruption import Interrupted, StopSignal
from training.engine.jax.checkpoints import Checkpoints, newest_common
from training.engine.jax.session import Session, longest_chunk
from training.engine.not_finite import NotFinite
from training.engine.points import points_of_curve
from training.engine.progress import ProgressBar
from training.engine.tensorboard import TensorBoard
from training.engine.workdir import Workdir
from training.reports.pictures import draw_batch

log = logging.getLogger(__name__)


def run_steps(
    runs: list[Run], splits: ArraySplits, total_steps: int, devices: list[typing.Any]
) -> dict[str, typing.Any]:
    """Trains runs that differ in their seed alone from their newest checkpoint to the last step.

    Args:
        runs: at least one.
        splits: a `training.data.in_memory.ArraySplits`.
        total_steps: where they end.
        devices: that share every batch.

    Returns:
        A dict: `wall_seconds`, those before a restart included; `compile_seconds`;
        `images_per_second` of one run, from the first step on; and `peak_memory_gib` of the first
        device, where it says.

    Raises:
        FloatingPointError: a loss is no longer finite; the last checkpoint is kept.
        Interrupted: the process was asked to end; a checkpoint was saved.
        OSError: a checkpoint cannot be written; those before are kept.
    """
    config = runs[0].config
    batch_size, every = config.data.batch_size, config.runtime.epochs_per_checkpoint
    steps_per_epoch = splits.train.size / batch_size
    session = Session(
        [run.model for run in runs],
        [run.optimizer for run in runs],
        config,
        [run.config.runtime.seed for run in runs],
        splits.train,
        longest=longest_chunk(every * steps_per_epoch, config.runtime.steps_per_loop),
        devices=devices,
    )
    # Runs are saved one after the other, so a kill may leave some a checkpoint ahead.
    keep = max(config.runtime.keep_checkpoints, 1 if len(runs) == 1 else 2)
    checkpoints = [Checkpoints(run.folder.checkpoints, keep) for run in runs]
    start, states = newest_common(checkpoints, session.states())
    if start:
        session.go_on_from(start, states)
    limits = LossLimits(config.optimizer.loss, len(splits.classes))
    curves = [Curve(run.folder, limits, start) for run in runs]
    began = time.monotonic() - curves[0].seconds
    for number, run in enumerate(runs):
        _draw_first(session, number, run, splits.classes)

    def save() -> None:
        for each, state in zip(checkpoints, session.states(), strict=True):
            each.save(session.step, jax.device_get(state))

    working = 0.0
    bar = ProgressBar(start, total_steps, batch_size)
    try:
        with contextlib.ExitStack() as stack:
            boards = [stack.enter_context(TensorBoard(run.folder)) for run in runs]
            stop = stack.enter_context(StopSignal())
            session.compile()
            points = points_of_curve(config, steps_per_epoch, start, total_steps)
            # The first steps of a process are slower than those after them.
            traced = points[:2][-1:] if config.runtime.profile else []
            for point in points:
                with _traced(runs[0].folder, point in traced):
                    while session.step < point:
                        began_steps, before = time.monotonic(), session.sums()
                        session.run(min(session.program.longest, point - session.step))
                        working += time.monotonic() - began_steps
                        means = session.means()
                        bar.show(session.step, means[0]["loss"], means[0]["accuracy"])
                        for curve, shown in zip(curves, means, strict=True):
                            curve.watch("train", session.step, shown["loss"])
                        for board, of_loop in zip(boards, session.means(before), strict=True):
                            board.add_loop(session.step, of_loop)
                        if stop.noted and session.step < point:
                            save()
                            raise Interrupted
                entries = _points(session, splits, point, steps_per_epoch, began)
                for curve, board, entry in zip(curves, boards, entries, strict=True):
                    curve.add(entry)
                    board.add_point(entry)
                if "validation" in entries[0]:
                    bar.show_validation(entries[0]["validation"])
                session.forget_sums()
                save()
                for curve in curves:
                    curve.saved()
                if stop.noted:
                    raise Interrupted
    except NotFinite as error:
        raise _with_batch(error, session, runs[0], curves[0].way_out()) from None
    finally:
        bar.close()
    images = (session.step - start) * batch_size
    facts = {
        "wall_seconds": round(time.monotonic() - began, 1),
        "compile_seconds": round(session.compile_seconds, 1),
        "images_per_second": round(images / working, 1) if working else None,
    }
    session.finish()
    return facts | _memory(devices[0])


def _traced(folder: Workdir, is_traced: bool) -> contextlib.AbstractContextManager[typing.Any]:
    """Writes a trace of what the devices do inside the block, if it is asked for."""
    if not is_traced:
        return contextlib.nullcontext()
    return jax.profiler.trace(str(folder.path / "profile"))


def _points(
    session: Session, splits: ArraySplits, step: int, steps_per_epoch: float, began: float
) -> list[dict[str, typing.Any]]:
    """One point of every run's learning curve."""
    judged = session.evaluate(splits.validation) if splits.validation else None
    entries = []
    for number, means in enumerate(session.means()):
        entry: dict[str, typing.Any] = {"step": step, "epoch": step / steps_per_epoch}
        entry["train"] = means
        if judged:
            entry["validation"] = judged[number]
        entries.append({**entry, "seconds": time.monotonic() - began})
    return entries


def _draw_first(session: Session, number: int, run: Run, classes: list[str]) -> None:
    """A picture of the first batch, unless there is one of this run."""
    path = run.folder.path / "first_batch.png"
    if path.exists() and session.step:
        return
    images, shares = session.batch(session.step, number)
    # A label that is not mixed is one class.
    whole = np.where(shares.max(-1) == 1, shares.argmax(-1), -1)
    labels = whole if (whole >= 0).all() else shares
    try:
        draw_batch(path, images, labels, classes)
    except OSError as error:
        log.warning("%s cannot be written: %s", path, error)


def _with_batch(error: NotFinite, session: Session, run: Run, way_out: str) -> NotFinite:
    """The error, with a way out, after storing the batch that caused it in the run's folder."""
    images, labels = session.batch(error.step)
    path = run.folder.path / "not_finite.npz"
    with whole_file(path) as beside:
        np.savez_compressed(beside, images=images, labels=labels)
    batch = f" The batch of that step, as the model saw it, is in {path}."
    return NotFinite(error.step, batch + way_out)


def _memory(device: typing.Any) -> dict[str, float]:
    stats = device.memory_stats() or {}
    peak = stats.get("peak_bytes_in_use")
    return {} if peak is None else {"peak_memory_gib": round(peak / 2**30, 2)}
