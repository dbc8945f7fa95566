"""The engine on JAX; see `training.engine.chosen`."""

import contextlib
import pathlib
import time
import typing

import jax
import keras
import numpy as np

from keras_mlp.typing import Array
from training.config import Config, Data, Runtime
from training.data.in_memory import ArraySplit, ArraySplits, load_arrays, load_folder
from training.engine.chosen import Run
from training.engine.jax import limits
from training.engine.jax.limits import check_config
from training.engine.jax.loop import run_steps
from training.engine.jax.program import count_batch
from training.engine.jax.session import Session, longest_chunk
from training.engine.means import means
from training.engine.optimizers import build_optimizer
from training.engine.points import count_steps

# What `training.engine.chosen.EngineModule` asks for; the rest of it is below.
__all__ = ["JaxEngine", "check_config", "load_folder"]

AdamW = keras.optimizers.AdamW


def engine_for(runtime: Runtime) -> "JaxEngine":
    return JaxEngine(runtime)


class JaxEngine:
    """Trains with one compiled program on arrays in memory.

    Args:
        runtime: a `training.config.Runtime` that `check_config` accepts.
    """

    chief = True
    trains_seeds_at_once = True

    def __init__(self, runtime: Runtime) -> None:
        devices = jax.local_devices()
        self.devices = devices if runtime.strategy == "mirrored" else devices[:1]
        self.replicas = len(self.devices)

    def load_splits(self, config: Config, image_shape: tuple[int, ...]) -> ArraySplits:
        limits.check_augmentation(config.augment, image_shape[-1])
        return load_splits(config.data, image_shape)

    def scope(self) -> contextlib.AbstractContextManager[typing.Any]:
        return contextlib.nullcontext()

    def fit(self, runs: list[Run], splits: ArraySplits, total_steps: int) -> dict[str, typing.Any]:
        return run_steps(runs, splits, total_steps, self.devices)

    def finish(self) -> None:
        pass


def load_splits(data: Data, image_shape: tuple[int, ...]) -> ArraySplits:
    limits.check_data(data)
    return load_arrays(data, image_shape)


def fit_briefly(
    model: keras.Model,
    split: ArraySplit,
    config: typing.Any,
    *,
    seed: int,
    layer_decay: float = 1.0,
) -> None:
    check_config(config)
    limits.check_augmentation(config.augment, split.images.shape[-1])
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
    # Short programs: the order of all steps of a call is drawn when it begins.
    longest = longest_chunk(steps_per_epoch, config.runtime.steps_per_loop)
    session = Session([model], [optimizer], config, [seed], split, longest=longest)
    while session.step < steps:
        session.run(min(longest, steps - session.step))
    session.finish()


def try_steps(
    model: keras.Model,
    optimizer: keras.Optimizer,
    split: ArraySplit,
    config: Config,
    count: int,
) -> list[tuple[float, float]]:
    check_config(config)
    limits.check_augmentation(config.augment, split.images.shape[-1])
    session = Session([model], [optimizer], config, [config.runtime.seed], split, longest=1)
    found = []
    for _ in range(count):
        began = time.monotonic()
        session.run(1)
        (shown,) = session.means()
        session.forget_sums()
        found.append((shown["loss"], time.monotonic() - began))
    session.take_weights()
    return found


def evaluate(model: keras.Model, split: ArraySplit, batch_size: int) -> dict[str, typing.Any]:
    @jax.jit
    def count(weights: typing.Any, images: jax.Array, labels: jax.Array) -> jax.Array:
        logits, _ = model.stateless_call(*weights, images, training=False)
        return count_batch(logits.astype("float32"), labels)

    weights = _weights(model)
    sums = [np.asarray(count(weights, *batch)) for batch in split.batches(batch_size)]
    return means(np.sum(sums, axis=0), split.num_classes)


def compiled(model: keras.Model) -> typing.Callable[[Array], Array]:
    weights = _weights(model)

    @jax.jit
    def call(weights: typing.Any, images: jax.Array) -> jax.Array:
        return model.stateless_call(*weights, images, training=False)[0]

    return lambda images: np.asarray(call(weights, images))


def accelerators() -> list[dict[str, typing.Any]]:
    devices = [device for device in jax.local_devices() if device.platform != "cpu"]
    return [{"device_name": device.device_kind} for device in devices]


def load_saved_model(folder: pathlib.Path) -> typing.Any:
    raise ValueError(
        f"{folder} is the folder of a SavedModel, which needs TensorFlow, but KERAS_BACKEND is "
        "'jax': set it to tensorflow, or use a .keras file."
    )


def _weights(model: keras.Model) -> tuple[list[jax.Array], list[jax.Array]]:
    return (
        [variable.value for variable in model.trainable_variables],
        [variable.value for variable in model.non_trainable_variables],
    )
