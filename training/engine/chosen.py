"""The engine of the Keras backend that is set: TensorFlow's or JAX's."""

import collections.abc
import contextlib
import dataclasses
import importlib
import pathlib
import typing

import keras

from training.config import Config, Data, Runtime
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

    def explained(self) -> contextlib.AbstractContextManager[typing.Any]:
        """Inside it an error that is due to a picture says which one."""
        ...


class Engine(typing.Protocol):
    """What trains: devices, data and the loop.

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

    def finish(self) -> None:
        """Called by every process when all that the run leaves is written."""
        ...


class EngineModule(typing.Protocol):
    """The module `engine` of a backend's engine.

    Attributes:
        AdamW: Keras' class, or one with the same arguments and variables that is faster here.
    """

    AdamW: type[keras.optimizers.AdamW]

    def check_config(self, config: typing.Any) -> None:
        """Raises ValueError where a page asks for something that the engine lacks.

        Args:
            config: with `data`, `augment` and `runtime` of `training.config.Config`.
        """
        ...

    def engine_for(self, runtime: Runtime) -> Engine:
        """What trains, on the devices that a config names.

        Raises:
            ValueError: the devices do not exist.
        """
        ...

    def load_splits(self, data: Data, image_shape: tuple[int, ...]) -> Splits:
        """Opens a data set to evaluate on, or to train on without an `Engine`.

        Raises:
            ValueError: the data cannot be read, or not on this backend.
        """
        ...

    def load_folder(
        self,
        root: str | pathlib.Path,
        classes: collections.abc.Sequence[str],
        image_shape: tuple[int, int, int],
        *,
        turn: bool,
        max_pixels: int,
    ) -> Split:
        """Opens the pictures of a folder per class, `ROOT/CLASS/*`, to evaluate a model on.

        Raises:
            ValueError: they cannot be read, or do not fit the model.
        """
        ...

    def fit_briefly(
        self,
        model: keras.Model,
        split: Split,
        config: typing.Any,
        *,
        seed: int,
        layer_decay: float = 1.0,
    ) -> None:
        """Trains a model in place for `config.epochs`: no checkpoints, no curve, one device.

        Args:
            model: from uint8 images to logits.
            split: what is trained on.
            config: with `epochs`, `data`, `augment`, `optimizer` and `runtime` of
                `training.config.Config`.
            seed: of order and augmentation.
            layer_decay: as for `training.engine.optimizers.build_optimizer`.
        """
        ...

    def try_steps(
        self,
        model: keras.Model,
        optimizer: keras.Optimizer,
        split: Split,
        config: Config,
        count: int,
    ) -> list[tuple[float, float]]:
        """Makes the first steps of a run, one at a time; the model changes in place.

        Returns:
            Loss and seconds of each step; the first one compiles too.

        Raises:
            FloatingPointError: a loss or a gradient is not finite.
        """
        ...

    def evaluate(self, model: keras.Model, split: Split, batch_size: int) -> dict[str, typing.Any]:
        """Loss and accuracy on every example of a split."""
        ...

    def accelerators(self) -> list[dict[str, typing.Any]]:
        """What is known of each GPU or TPU of this machine; `device_name` at least."""
        ...

    def load_saved_model(self, folder: pathlib.Path) -> typing.Any:
        """The model of a SavedModel, to call.

        Raises:
            ValueError: this backend reads no SavedModels.
        """
        ...

    def compiled(self, model: typing.Any) -> collections.abc.Callable[[typing.Any], typing.Any]:
        """A compiled function from uint8 images (B, H, W, C) to logits (B, K), as arrays."""
        ...


def engine_module() -> EngineModule:
    """The engine of the present Keras backend.

    Raises:
        ValueError: nothing trains on this backend.
    """
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise ValueError(
            f"Training runs on Keras' backends tensorflow and jax; KERAS_BACKEND is {backend!r}."
        )
    # Only the one that is asked for: each imports its backend, which takes seconds.
    module = importlib.import_module(f"training.engine.{backend}.engine")
    return typing.cast(EngineModule, module)
