"""The engine of the Keras backend that is set: TensorFlow's or JAX's."""

import collections.abc
import contextlib
import dataclasses
import typing

import keras

from training.config import Config, Runtime
from training.engine.workdir import Workdir


@dataclasses.dataclass
class Run:
    """One seed of a training: what it trains, and the folder that it writes to."""

    config: Config
    folder: Workdir
    model: keras.Model
    optimizer: keras.Optimizer


class Split(typing.Protocol):
    """Examples in a fixed order.

    Attributes:
        size: number of examples.
        num_classes: K.
    """

    @property
    def size(self) -> int: ...

    @property
    def num_classes(self) -> int: ...

    def first(self, count: int) -> tuple[typing.Any, typing.Any]:
        """The first images, uint8 (N, H, W, C), and labels (N,), as arrays."""
        ...

    def batches(self, batch_size: int) -> collections.abc.Iterable[tuple[typing.Any, typing.Any]]:
        """Every example once, as arrays; the last batch is filled up with labels of -1."""
        ...


class Splits(typing.Protocol):
    """The three parts of a data set, and the names of its classes."""

    @property
    def train(self) -> Split: ...

    @property
    def validation(self) -> Split | None: ...

    @property
    def test(self) -> Split: ...

    @property
    def classes(self) -> list[str]: ...

    @property
    def damaged(self) -> typing.Collection[str]:
        """Names of the pictures that could not be read."""
        ...


class Engine(typing.Protocol):
    """What trains: devices, data, the loop and the evaluation.

    Attributes:
        chief: whether this process writes the run's files; one of all workers does.
        replicas: how many devices share a batch.
        trains_seeds_at_once: whether `fit` takes several runs.
    """

    chief: bool
    replicas: int
    trains_seeds_at_once: bool

    def load_splits(self, config: Config, image_shape: tuple[int, ...]) -> Splits:
        """Opens the data set that a config names."""
        ...

    def scope(self) -> contextlib.AbstractContextManager[typing.Any]:
        """Models and optimizers are made under it."""
        ...

    def fit(self, runs: list[Run], splits: Splits, total_steps: int) -> dict[str, typing.Any]:
        """Trains from the newest checkpoint on, and leaves the models with their final weights.

        Returns:
            What `metrics.json` holds of it; `wall_seconds` at least.
        """
        ...

    def evaluate(self, model: keras.Model, split: Split, batch_size: int) -> dict[str, typing.Any]:
        """Loss and accuracy on every example of a split."""
        ...

    def finish(self) -> None:
        """Called by every process when all that the run leaves is written."""
        ...


def engine_for(runtime: Runtime) -> Engine:
    """The engine of the present backend, on the devices that a config names.

    Raises:
        ValueError: the backend trains nothing here, or the devices do not exist.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from training.engine.tensorflow.engine import TensorFlowEngine

        return typing.cast(Engine, TensorFlowEngine(runtime))  # it takes the splits it loads
    if backend == "jax":
        from training.engine.jax.engine import JaxEngine

        return typing.cast(Engine, JaxEngine(runtime))
    raise ValueError(
        f"Training runs on Keras' backends tensorflow and jax; KERAS_BACKEND is {backend!r}."
    )


def load_config_splits(config: Config, image_shape: tuple[int, ...]) -> Splits:
    """The data set that a config names, to be judged on: no devices are chosen.

    Raises:
        ValueError: the data cannot be read, or not on this backend.
    """
    if keras.backend.backend() == "jax":
        from training.data.in_memory import load_arrays
        from training.engine.jax.limits import check_data

        check_data(config.data)
        return load_arrays(config.data, image_shape)
    from training.data.pipeline import load_splits

    return load_splits(config.data, image_shape)


def compiled(model: typing.Any) -> typing.Callable[[typing.Any], typing.Any]:
    """A compiled function from uint8 images (B, H, W, C) to a model's logits (B, K), as arrays."""
    if keras.backend.backend() == "jax":
        from training.engine.jax.engine import compiled as compiled_on_backend
    else:
        from training.engine.tensorflow.engine import compiled as compiled_on_backend
    return compiled_on_backend(model)
