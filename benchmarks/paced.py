"""Training on JAX that ends in a given time: the schedule runs as fast as the clock asks for.

The learning rate is a function of the share of the run that is done. How many steps are left is an
input of the compiled program, so it can be chosen after a few steps were timed, and again when
steps take longer than those, without compiling again.
"""

import collections
import collections.abc
import math
import pathlib
import time
import typing

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_mlp.whole_files import whole_file
from training.config import Config
from training.data.in_memory import ArraySplit
from training.engine.jax.session import Session
from training.engine.optimizers import build_optimizer
from training.train import build_model


class Paced(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that is run through faster.

    Args:
        schedule: of the whole run.
        pace: variable (2,): its step at step 0, and how many of its steps one step takes.
    """

    def __init__(self, schedule: typing.Any, pace: keras.Variable) -> None:
        self.schedule = schedule
        self.pace = pace

    def __call__(self, step: typing.Any) -> typing.Any:
        start, speed = keras.ops.unstack(keras.ops.convert_to_tensor(self.pace))
        return self.schedule(start + speed * keras.ops.cast(step, "float32"))


class PacedRun:
    """One model for each seed, trained on a recipe for as long as there is time.

    Args:
        config: a `training.config.Config`; `epochs` is the most that is trained.
        seeds: trained at once.
        train: what is trained on.

    Attributes:
        session: a `training.engine.jax.session.Session`.
        epochs: how many are trained; fewer than those of the config where time is short.
    """

    def __init__(
        self, config: Config, seeds: collections.abc.Sequence[int], train: ArraySplit
    ) -> None:
        self.config = config
        self.steps_per_epoch = train.size // config.data.batch_size
        self.epochs = config.epochs
        self.pace = (0.0, 1.0)
        models, optimizers = [], []
        for seed in seeds:
            keras.utils.set_random_seed(seed)
            model = build_model(config.model, train.num_classes, config.runtime.dtype)
            optimizer = build_optimizer(
                config.optimizer,
                model,
                total_steps=config.epochs * self.steps_per_epoch,
                steps_per_epoch=self.steps_per_epoch,
                dtype=config.runtime.dtype,
            )
            pace = optimizer.add_variable((2,), initializer="ones", name="pace")
            pace.assign([0.0, 1.0])
            optimizer._learning_rate = Paced(optimizer._learning_rate, pace)
            models.append(model)
            optimizers.append(optimizer)
        self.session = Session(
            models, optimizers, config, seeds, train, longest=self.steps_per_epoch
        )
        self.seconds = 0.0
        self.curve: list[dict[str, typing.Any]] = []

    def seconds_per_epoch(self, steps: int = 20) -> float:
        """Measured on steps that are then undone; compiles first."""
        session = self.session
        session.compile()
        before = jax.tree.map(jnp.copy, session.state)
        session.run(steps)  # the first call loads the program
        began = time.perf_counter()
        session.run(steps)
        seconds = time.perf_counter() - began
        session.step, session.state = 0, before
        session.forget_sums()
        return seconds / steps * self.steps_per_epoch

    def set_epochs(self, epochs: int) -> None:
        """Runs through what is left of the schedule so that `epochs` of them are the whole run."""
        self.epochs = epochs
        step, (start, speed) = self.session.step, self.pace
        reached = start + speed * step
        left = epochs * self.steps_per_epoch - step
        speed = (self.config.epochs * self.steps_per_epoch - reached) / left
        self.pace = (reached - speed * step, speed)
        state = self.session.state
        *others, pace = state.optimizer
        new = jnp.broadcast_to(jnp.array(self.pace, pace.dtype), pace.shape)
        self.session.state = state._replace(optimizer=[*others, jax.device_put(new, pace.sharding)])

    def train(self, deadline: float, tell: collections.abc.Callable[[], None]) -> bool:
        """Trains to the last epoch; where there is no time for all, to an earlier one.

        Args:
            deadline: of `time.monotonic`.
            tell: called after every tenth of the epochs.

        Returns:
            Whether the schedule was run through to its end.
        """
        recent: collections.deque[float] = collections.deque(maxlen=5)
        while (done := len(self.curve)) < self.epochs:
            left = deadline - time.monotonic()
            if recent:
                affordable = int(left / max(recent))
                if not affordable:
                    return False
                if affordable < self.epochs - done:
                    self.set_epochs(done + affordable)
            began = time.monotonic()
            self.session.run(self.steps_per_epoch)
            self.curve.append({"epoch": done + 1, "train": self.session.means()})
            self.session.forget_sums()
            recent.append(time.monotonic() - began)
            self.seconds += recent[-1]
            if (done + 1) % math.ceil(self.epochs / 10) == 0:
                tell()
        return True

    def save(self, path: pathlib.Path) -> None:
        """Writes the model of the first seed, with the weights that are judged."""
        self.session.finish()
        with whole_file(path) as file:
            self.session.models[0].save(file)

    def facts(self) -> dict[str, typing.Any]:
        """What a report needs: sizes, times, and the learning curve."""
        images = len(self.curve) * self.steps_per_epoch * self.config.data.batch_size
        seeds = self.session.program.seeds or 1
        return {
            "parameters": self.session.models[0].count_params(),
            "seeds": seeds,
            "epochs": len(self.curve),
            "epochs_planned": self.epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "batch_size": self.config.data.batch_size,
            "compile_seconds": round(self.session.compile_seconds, 1),
            "train_seconds": round(self.seconds, 1),
            "images_per_second": round(seeds * images / max(self.seconds, 1e-9)),
            "curve": self.curve,
        }


def random_split(shape: tuple[int, ...], count: int, num_classes: int) -> ArraySplit:
    """Noise with labels, to compile and to time without data."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, *shape), np.uint8)
    return ArraySplit(images, rng.integers(0, num_classes, count).astype(np.int32), num_classes)
