"""A run in memory, or several that differ in their seed: states and data on the devices."""

import collections.abc
import functools
import itertools
import math
import time
import typing

import jax
import jax.numpy as jnp
import keras
import numpy as np

from keras_mlp.typing import Array
from training.config import Config
from training.data.in_memory import ArraySplit
from training.engine.drawn_size import drawn_size
from training.engine.jax.program import (
    SUMS,
    Arrays,
    Program,
    State,
    averaged,
    first_state,
    key_of,
    stack,
    unstack,
)
from training.engine.means import means
from training.engine.not_finite import NotFinite
from training.engine.optimizers import learning_rate


class Session:
    """Trains one model for each seed, all of them in one program.

    Args:
        models: one for each seed, of one architecture, with their first weights.
        optimizers: of these models, built alike.
        config: as for `training.engine.jax.program.Program`.
        seeds: of order, augmentation, mixing and sizes; one where steps have several sizes.
        train: what is trained on.
        longest: largest number of steps of one `run`.
        devices: that share every batch; the first holds everything where it is the only one.

    Attributes:
        step: how many steps were made.
        compile_seconds: what compiling the training program took; 0 before the first `run`.
    """

    def __init__(
        self,
        models: list[keras.Model],
        optimizers: list[keras.Optimizer],
        config: Config,
        seeds: collections.abc.Sequence[int],
        train: ArraySplit,
        *,
        longest: int,
        devices: list[typing.Any] | None = None,
    ) -> None:
        self.models, self.optimizers = models, optimizers
        self.config = config
        devices = devices or jax.devices()[:1]
        mesh = jax.sharding.Mesh(np.array(devices), ("data",))
        self.everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
        self.program = Program(
            models[0],
            optimizers[0],
            config,
            num_classes=train.num_classes,
            size=train.size,
            longest=longest,
            batch_sharding=split if len(devices) > 1 else None,
            seeds=len(seeds) if len(seeds) > 1 else None,
        )
        self.images, self.labels = self._put((train.images, train.labels))
        self.num_classes = train.num_classes
        keys = [key_of(seed) for seed in seeds]
        self.keys = self._put(self._joined(keys))
        self.seed = seeds[0]
        self.state = self._put(self._joined(self._first_states()))
        self.step = 0
        self.compile_seconds = 0.0
        self._orders: tuple[int, jax.Array] | None = None
        self._advances: list[collections.abc.Callable[..., State]] = []
        self._evaluated: dict[int, typing.Any] = {}

    def compile(self) -> None:
        """Compiles the training program of each size, unless that was done."""
        if not self._advances:
            began = time.monotonic()
            self._advances = self.program.compile(
                self.state, self.keys, self._orders_of(0), self.images, self.labels
            )
            self.compile_seconds = time.monotonic() - began

    def run(self, count: int) -> None:
        """Makes `count` steps, at most `longest`.

        Raises:
            NotFinite: the loss or the gradient of a step was not finite, with any of the seeds.
        """
        self.compile()
        drawn = [self._size(step) for step in range(self.step, self.step + count)]
        for size, steps in itertools.groupby(drawn):
            self._run_at(size, len(list(steps)))
        bad = np.asarray(self.state.first_not_finite).reshape(-1)
        if (bad >= 0).any():
            raise NotFinite(int(bad[bad >= 0].min()))

    def sums(self) -> Array:
        """Of each seed, since the last `forget_sums`: what `SUMS` counts, (seeds, 5)."""
        return np.asarray(self.state.sums, np.float64).reshape(-1, SUMS)

    def means(self, before: Array | float = 0.0) -> list[dict[str, float]]:
        """Of each seed: loss, accuracy, gradient norm, and the rate.

        Args:
            before: an earlier result of `sums`, from which on steps count; without it, those since
                the last `forget_sums`.
        """
        sums = self.sums() - before
        rate = self._learning_rate()
        found = []
        for loss, correct, examples, norm, steps in sums.tolist():
            entry = {"loss": loss / examples, "accuracy": correct / examples}
            found.append({**entry, "learning_rate": rate, "gradient_norm": norm / steps})
        return found

    def forget_sums(self) -> None:
        """Begins a new point of the learning curve."""
        self.state = self.state._replace(sums=self._put(jnp.zeros_like(self.state.sums)))

    def evaluate(self, split: ArraySplit) -> list[dict[str, typing.Any]]:
        """Of each seed, with its averaged weights where there are any: loss and accuracy."""
        if id(split) not in self._evaluated:
            columns = zip(*split.batches(self.config.data.batch_size), strict=True)
            images, labels = (np.stack(column) for column in columns)
            self._evaluated[id(split)] = split, *self._put((images, labels))
        _, images, labels = self._evaluated[id(split)]
        sums = np.asarray(self.program.evaluate(self._judged(), images, labels))
        return [means(each, self.num_classes) for each in sums.reshape(-1, 4)]

    def states(self) -> list[State]:
        """The state of each seed."""
        count = self.program.seeds
        return (
            [self.state] if count is None else typing.cast(list[State], unstack(self.state, count))
        )

    def go_on_from(self, step: int, states: list[State]) -> None:
        """Takes the states of the seeds after `step` steps."""
        self.step = step
        self.state = self._put(self._joined(states))

    def finish(self) -> None:
        """Gives the models the weights that are judged and saved: averages, if there are any."""
        self._assign(self._judged())

    def take_weights(self) -> None:
        """Gives the models the weights that the steps led to, averaged or not."""
        self._assign((self.state.trainable, self.state.non_trainable))

    def _assign(self, weights: tuple[Arrays, Arrays]) -> None:
        count = self.program.seeds
        each = [weights] if count is None else unstack(weights, count)
        for model, (trainable, non_trainable) in zip(self.models, each, strict=True):
            for variable, value in zip(model.trainable_variables, trainable, strict=True):
                variable.assign(value)
            for variable, value in zip(model.non_trainable_variables, non_trainable, strict=True):
                variable.assign(value)

    def batch(self, step: int, number: int = 0) -> tuple[Array, Array]:
        """uint8 images and shares of the classes of a step, as the model sees them.

        Args:
            step: counted from 0.
            number: of the seed, from 0.
        """
        program = self.program
        key = self.keys if program.seeds is None else self.keys[number]
        epoch, place = program.place(step)
        numbers = (np.int32(number) for number in (step, epoch, place))
        images, shares = program.batch(key, self.images, self.labels, *numbers)
        return np.asarray(images), np.asarray(shares)

    def _size(self, step: int) -> int:
        """The number of a step's size."""
        count = len(self.program.sizes)
        return 0 if count == 1 else drawn_size(self.seed, step, count)

    def _run_at(self, size: int, count: int) -> None:
        """Makes `count` steps of one size."""
        epoch, place = self.program.place(self.step)
        numbers = (np.int32(number) for number in (self.step, count, place))
        self.state = self._advances[size](
            self.state, self.keys, self._orders_of(epoch), self.images, self.labels, *numbers
        )
        self.step += count

    def _orders_of(self, epoch: int) -> jax.Array:
        """The orders of the images from an epoch on, of each seed."""
        if self._orders is None or self._orders[0] != epoch:
            self._orders = epoch, self._put(self.program.orders(self.keys, np.int32(epoch)))
        return self._orders[1]

    def _judged(self) -> tuple[Arrays, Arrays]:
        """Trainable and non-trainable variables: averaged, if there are averages."""
        state = self.state
        if not state.averages:
            return state.trainable, state.non_trainable
        averages = iter(state.averages)
        pairs = [
            [next(averages) if jnp.issubdtype(w.dtype, jnp.floating) else w for w in weights]
            for weights in (state.trainable, state.non_trainable)
        ]
        assert len(averaged(*pairs)) == len(state.averages)
        return pairs[0], pairs[1]

    def _first_states(self) -> list[State]:
        ema = self.config.optimizer.ema
        pairs = zip(self.models, self.optimizers, strict=True)
        return [first_state(model, optimizer, ema) for model, optimizer in pairs]

    def _learning_rate(self) -> float:
        """That of the next step, the same for every seed."""
        optimizer = self.optimizers[0]
        # A schedule reads the optimizer's variables, whose present values are in the state; its
        # counter of steps is `self.step`, as no step is skipped on JAX.
        values = self.state.optimizer
        if self.program.seeds is not None:
            values = [each[0] for each in values]
        with keras.StatelessScope(list(zip(optimizer.variables, values, strict=True))):
            return float(learning_rate(optimizer))

    def _joined(self, trees: list[typing.Any]) -> typing.Any:
        return trees[0] if self.program.seeds is None else stack(trees)

    def _put(self, tree: typing.Any) -> typing.Any:
        # A copy: training gives the buffers of the state away, and the models keep theirs.
        return jax.tree.map(functools.partial(_copied, sharding=self.everywhere), tree)


def _copied(array: typing.Any, sharding: jax.sharding.Sharding) -> jax.Array:
    return jax.device_put(jnp.array(array, copy=True), sharding)


def longest_chunk(gap: float, steps_per_loop: int) -> int:
    """The most steps of one program: what lies between two looks of the host, or two points."""
    return min(steps_per_loop, math.ceil(gap))
