"""The engine on TensorFlow; see `training.engine.chosen`."""

import contextlib
import pathlib
import typing

import tensorflow as tf

from keras_mlp.errors import first_line
from keras_mlp.models.replicated_model import synchronized_batch_norm
from keras_mlp.typing import Array
from training.config import Config, Runtime
from training.data.class_folders import load_folder
from training.data.pipeline import load_splits
from training.data.policies import check_policy
from training.data.splits import Splits
from training.engine.chosen import Run
from training.engine.interruption import LostWorker
from training.engine.tensorflow.adamw import AdamW
from training.engine.tensorflow.averages import Averages
from training.engine.tensorflow.checkpoints import CheckpointManager
from training.engine.tensorflow.evaluator import evaluate
from training.engine.tensorflow.fitting import fit as fit_briefly
from training.engine.tensorflow.fitting import try_steps
from training.engine.tensorflow.loop import run_steps
from training.engine.tensorflow.strategies import build_strategy, is_chief, total
from training.engine.tensorflow.trainer import Trainer

# What `training.engine.chosen.EngineModule` asks for; the rest of it is below.
__all__ = [
    "AdamW",
    "TensorFlowEngine",
    "evaluate",
    "fit_briefly",
    "load_folder",
    "load_splits",
    "try_steps",
]


def check_config(config: typing.Any) -> None:
    if config.runtime.profile:
        raise ValueError(
            "`runtime.profile` traces on JAX only: set KERAS_BACKEND=jax, or leave it at False."
        )
    if config.augment.policy is not None:
        check_policy(config.augment.policy, 3)


def engine_for(runtime: Runtime) -> "TensorFlowEngine":
    return TensorFlowEngine(runtime)


class TensorFlowEngine:
    """Trains with orbit under a tf.distribute strategy.

    Args:
        runtime: a `training.config.Runtime`; before any other use of TensorFlow in the process.

    Raises:
        ValueError: the environment does not describe a cluster, or there is no such TPU.
    """

    trains_seeds_at_once = False

    def __init__(self, runtime: Runtime) -> None:
        self.strategy = build_strategy(runtime)
        self.chief = is_chief(self.strategy)
        self.replicas = self.strategy.num_replicas_in_sync

    def load_splits(self, config: Config, image_shape: tuple[int, ...]) -> Splits:
        return load_splits(config.data, image_shape)

    def scope(self) -> contextlib.AbstractContextManager[typing.Any]:
        return self.strategy.scope()

    def fit(self, runs: list[Run], splits: Splits, total_steps: int) -> dict[str, typing.Any]:
        (run,) = runs
        config, folder, model = run.config, run.folder, run.model
        with self.scope():
            averages = Averages(model, config.optimizer.ema) if config.optimizer.ema else None
            trainer = Trainer(model, run.optimizer, config, averages)
            manager = CheckpointManager(
                model,
                run.optimizer,
                folder.checkpoints,
                keep=config.runtime.keep_checkpoints,
                chief=folder.chief,
                state=trainer.state,
            )
        together = synchronized_batch_norm(model) if self.replicas > 1 else contextlib.nullcontext()
        with _lost_workers_named(), splits.explained(), together:
            seconds = run_steps(config, folder, splits, trainer, manager, total_steps)
        if averages:
            with self.scope():
                averages.take()
        return {"wall_seconds": round(seconds, 1)}

    def finish(self) -> None:
        # No worker leaves before the chief is done: it would be taken for dead.
        with _lost_workers_named():
            total(self.strategy, 0.0)


def compiled(model: typing.Any) -> typing.Callable[[Array], Array]:
    call = tf.function(lambda images: model(images, training=False))
    return lambda images: call(images).numpy()


def accelerators() -> list[dict[str, typing.Any]]:
    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device) for device in devices]
    return [{"device_name": "GPU", **each} for each in details]


def load_saved_model(folder: pathlib.Path) -> typing.Any:
    return tf.saved_model.load(str(folder))


@contextlib.contextmanager
def _lost_workers_named() -> typing.Iterator[None]:
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise LostWorker(f"Another worker was lost: {first_line(error)}") from error
