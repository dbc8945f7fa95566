"""The compiled functions of a run: many training steps at once, and an evaluation.

A step is a function of the state, the seed and the number of the step, so a run that starts again
from a checkpoint is equal to one that never stopped. Several runs that differ in their seed alone
are one program: `jax.vmap` over their states and keys. A run whose steps have several sizes has one
training program for each.
"""

import collections.abc
import functools
import math
import typing

import jax
import jax.numpy as jnp
import keras

from training.config import Augment, Config, Optimizer
from training.data.on_device.augmentation import augment_batch
from training.data.on_device.resizing import resize_images
from training.engine.sizes import Size, sizes_of

# What a run's key is folded with, so that no two draws are the same.
ORDER, AUGMENTATION = range(2)
# Summed loss, correct predictions, examples, summed gradient norm, steps.
SUMS = 5

Arrays: typing.TypeAlias = list[jax.Array]


class State(typing.NamedTuple):
    """All that changes in training; with several seeds every array has them as its first axis.

    Attributes:
        trainable, non_trainable: of the model; the second with the states of dropout's seeds.
        optimizer: its variables.
        averages: moving averages of the model's floating-point weights; empty without.
        sums: float32 (5,), see `SUMS`, since the last point of the learning curve.
        first_not_finite: int32, the first step whose loss or gradient was not finite; -1 for none.
    """

    trainable: Arrays
    non_trainable: Arrays
    optimizer: Arrays
    averages: Arrays
    sums: jax.Array
    first_not_finite: jax.Array


def first_state(model: keras.Model, optimizer: keras.Optimizer, ema: float) -> State:
    """The state that a model and its optimizer have."""
    trainable = [variable.value for variable in model.trainable_variables]
    non_trainable = [variable.value for variable in model.non_trainable_variables]
    return State(
        trainable,
        non_trainable,
        [variable.value for variable in optimizer.variables],
        [jnp.array(weight) for weight in averaged(trainable, non_trainable)] if ema else [],
        jnp.zeros(SUMS),
        jnp.array(-1, jnp.int32),
    )


def averaged(trainable: Arrays, non_trainable: Arrays) -> Arrays:
    """The weights that moving averages follow: all but the states of random seeds."""
    return [w for w in (*trainable, *non_trainable) if jnp.issubdtype(w.dtype, jnp.floating)]


class Program:
    """Training and evaluation of one model, compiled once for all epochs and once for each size.

    The gradient is that of the mean loss over the batch, clipped by its global norm. On several
    devices the batch is split over them and everything else is on each; BatchNormalization then
    takes its statistics from the whole batch.

    Args:
        model: Keras model from uint8 images to logits.
        optimizer: a built Keras optimizer.
        config: with `data`, `augment` and `optimizer` of `training.config.Config`, and `model` if
            it has one.
        num_classes: K.
        size: number of training images.
        longest: largest number of steps of one call.
        batch_sharding: of the images of a batch; None on one device.
        seeds: how many runs train at once; None for one, without the axis.

    Attributes:
        sizes: the sizes of its steps, at least one.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.Optimizer,
        config: Config,
        *,
        num_classes: int,
        size: int,
        longest: int,
        batch_sharding: jax.sharding.Sharding | None = None,
        seeds: int | None = None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.recipe: Optimizer = config.optimizer
        self.augment: Augment = config.augment
        self.batch_size: int = config.data.batch_size
        self.interpolation = config.data.interpolation
        self.num_classes = num_classes
        self.size = size
        self.longest = longest
        self.batch_sharding = batch_sharding
        self.seeds = seeds
        self.sizes = sizes_of(model, config)
        advances = [functools.partial(self._advance, size) for size in self.sizes]
        evaluate = self._evaluate
        orders = self._orders
        if seeds is not None:
            advances = [jax.vmap(each, in_axes=(0, 0, 0, *[None] * 5)) for each in advances]
            orders = jax.vmap(orders, in_axes=(0, None))
            evaluate = jax.vmap(evaluate, in_axes=(0, None, None))
        self.advances = [jax.jit(each, donate_argnums=0) for each in advances]
        self.evaluate = jax.jit(evaluate)
        self.orders = jax.jit(orders)
        self.batch = jax.jit(self._batch)

    def place(self, step: int) -> tuple[int, int]:
        """Where a step's first image is: number of the epoch, and place in its order.

        On the host, as all images of a run may be more than 32 bits count.
        """
        return divmod(step * self.batch_size, self.size * self.augment.repeats)

    def compile(
        self,
        state: State,
        keys: jax.Array,
        orders: jax.Array,
        images: jax.Array,
        labels: jax.Array,
    ) -> list[collections.abc.Callable[..., State]]:
        """`_advance` of each size, compiled for these shapes; the integers that follow are free."""
        given = state, keys, orders, images, labels, 0, 0, 0
        return [advance.lower(*given).compile() for advance in self.advances]

    def _advance(
        self,
        size: Size,
        state: State,
        key: jax.Array,
        orders: jax.Array,
        images: jax.Array,
        labels: jax.Array,
        first: jax.Array,
        count: jax.Array,
        place: jax.Array,
    ) -> State:
        """`count` steps of one size, from step `first` on.

        Args:
            place: of the first image in `orders`.
        """
        # Not in the loop: there XLA on a CPU gathers slowly.
        order = self._order(orders, place)

        def one(i: jax.Array, state: State) -> State:
            batch = self._changed(images[order[i]], labels[order[i]], key, first + i)
            return self._step(size, state, *batch, first + i)

        return jax.lax.fori_loop(0, count, one, state)

    def _batch(
        self,
        key: jax.Array,
        images: jax.Array,
        labels: jax.Array,
        step: jax.Array,
        epoch: jax.Array,
        place: jax.Array,
    ) -> tuple[jax.Array, jax.Array]:
        """Images and shares of the classes that one run's step sees; see `_advance`."""
        rows = self._order(self._orders(key, epoch), place)[0]
        return self._changed(images[rows], labels[rows], key, step)

    def _changed(
        self, images: jax.Array, labels: jax.Array, key: jax.Array, step: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        step_key = jax.random.fold_in(jax.random.fold_in(key, AUGMENTATION), step)
        return augment_batch(
            self._split(images),
            labels,
            step_key,
            self.augment,
            self.num_classes,
            self.interpolation,
        )

    def _orders(self, key: jax.Array, epoch: jax.Array) -> jax.Array:
        """The orders of the images in the epochs that one call may reach, (epochs, N).

        Drawn once an epoch and not in every call: a permutation of all images costs more than the
        step of a small model.
        """
        count = self.longest * self.batch_size
        epochs = math.ceil(count / (self.size * self.augment.repeats)) + 1
        own = jax.random.fold_in(key, ORDER)
        return jax.vmap(
            lambda number: jax.random.permutation(jax.random.fold_in(own, number), self.size)
        )(epoch + jnp.arange(epochs))

    def _order(self, orders: jax.Array, place: jax.Array) -> jax.Array:
        """Numbers of the images of the next steps (`longest`, B), from `place` of `orders` on.

        Epochs follow each other without a gap: a batch may hold the end of one and the start of
        the next.
        """
        count = self.longest * self.batch_size
        places = (place + jnp.arange(count)) // self.augment.repeats
        return orders.ravel()[places].reshape(self.longest, self.batch_size)

    def _split(self, images: jax.Array) -> jax.Array:
        if self.batch_sharding is None:
            return images
        return jax.lax.with_sharding_constraint(images, self.batch_sharding)

    def _step(
        self, size: Size, state: State, images: jax.Array, shares: jax.Array, step: jax.Array
    ) -> State:
        images, shares = self._at(size, images, shares)
        gradients, non_trainable, counted = self._gradients(size.model, state, images, shares)
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(each)) for each in gradients))
        if self.recipe.clip_norm:
            factor = self.recipe.clip_norm / jnp.maximum(norm, self.recipe.clip_norm)
            gradients = [gradient * factor for gradient in gradients]
        trainable, optimizer = self.optimizer.stateless_apply(
            state.optimizer, gradients, state.trainable
        )
        is_bad = (state.first_not_finite < 0) & ~jnp.isfinite(counted[0] + norm)
        return State(
            trainable,
            non_trainable,
            optimizer,
            self._average(state.averages, trainable, non_trainable, step + 1),
            state.sums + jnp.stack([*counted, norm, 1.0]),
            jnp.where(is_bad, step, state.first_not_finite).astype(jnp.int32),
        )

    def _average(
        self, averages: Arrays, trainable: Arrays, non_trainable: Arrays, updates: jax.Array
    ) -> Arrays:
        if not averages:
            return averages
        updates = updates.astype(jnp.float32)
        decay = jnp.minimum(self.recipe.ema, (1 + updates) / (10 + updates))
        return [
            average + (weight - average) * (1 - decay).astype(average.dtype)
            for average, weight in zip(averages, averaged(trainable, non_trainable), strict=True)
        ]

    def _at(self, size: Size, images: jax.Array, shares: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The part of a batch that a step at this size trains on, resized to it."""
        if size.share < 1:
            # The first images of every device's share, so that none waits for the others.
            sharding = self.batch_sharding
            devices = 1 if sharding is None else len(sharding.device_set)
            parts = self.recipe.accumulate
            count = max(1, int(size.share * (self.batch_size // devices // parts))) * parts
            images, shares = (
                each.reshape(devices, -1, *each.shape[1:])[:, :count].reshape(-1, *each.shape[1:])
                for each in (images, shares)
            )
        return self._split(resize_images(images, tuple(size.model.input.shape[1:3]))), shares

    def _gradients(
        self, model: keras.Model, state: State, images: jax.Array, shares: jax.Array
    ) -> tuple[Arrays, Arrays, jax.Array]:
        """Of the batch, its parts one after the other; the model's new state; what was counted."""
        loss = functools.partial(self._loss, model, len(images))
        gradients_of = jax.grad(loss, has_aux=True)
        parts = self.recipe.accumulate
        if parts == 1:
            gradients, (non_trainable, counted) = gradients_of(
                state.trainable, state.non_trainable, images, shares
            )
            return gradients, non_trainable, counted

        def add(carry: typing.Any, part: tuple[jax.Array, ...]) -> tuple[typing.Any, None]:
            summed, non_trainable, counted = carry
            gradients, (non_trainable, own) = gradients_of(state.trainable, non_trainable, *part)
            return (jax.tree.map(jnp.add, summed, gradients), non_trainable, counted + own), None

        start = jax.tree.map(jnp.zeros_like, state.trainable), state.non_trainable, jnp.zeros(3)
        split = [each.reshape(parts, -1, *each.shape[1:]) for each in (images, shares)]
        carry, _ = jax.lax.scan(add, start, tuple(split))
        return carry

    def _loss(
        self,
        model: keras.Model,
        batch_size: int,
        trainable: Arrays,
        non_trainable: Arrays,
        images: jax.Array,
        shares: jax.Array,
    ) -> tuple[jax.Array, tuple[Arrays, jax.Array]]:
        # A view lists the variables of its model in the same order.
        logits, non_trainable, regularization = model.stateless_call(
            trainable, non_trainable, images, training=True, return_losses=True
        )
        logits = logits.astype(jnp.float32)
        losses = jnp.sum(self._losses(shares, logits))
        correct = jnp.sum(jnp.argmax(logits, -1) == jnp.argmax(shares, -1))
        counted = jnp.stack([losses, correct, len(shares)]).astype(jnp.float32)
        loss = losses / batch_size + sum(regularization) / self.recipe.accumulate
        return loss, (non_trainable, counted)

    def _losses(self, shares: jax.Array, logits: jax.Array) -> jax.Array:
        """Of each example; `shares` of the classes are (B, K)."""
        smoothing = self.recipe.label_smoothing
        targets = shares * (1.0 - smoothing) + smoothing / self.num_classes
        if self.recipe.loss == "sigmoid":
            positive, negative = (jax.nn.log_sigmoid(sign * logits) for sign in (1, -1))
            return -jnp.sum(targets * positive + (1 - targets) * negative, axis=-1)
        return -jnp.sum(targets * jax.nn.log_softmax(logits), axis=-1)

    def _evaluate(
        self, weights: tuple[Arrays, Arrays], images: jax.Array, labels: jax.Array
    ) -> jax.Array:
        """Summed loss, correct predictions, labels among the first 5, examples: (4,).

        Args:
            weights: the model's trainable and non-trainable variables.
            images: uint8 (N, B, H, W, C).
            labels: int32 (N, B); -1 counts for nothing.
        """

        def add(sums: jax.Array, batch: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            batch_images, labels = batch
            logits, _ = self.model.stateless_call(
                *weights, self._split(batch_images), training=False
            )
            return sums + count_batch(logits.astype(jnp.float32), labels), None

        sums, _ = jax.lax.scan(add, jnp.zeros(4), (images, labels))
        return sums


def count_batch(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Summed loss, correct predictions, labels among the first 5, examples of a batch: (4,)."""
    counts = (labels >= 0).astype(jnp.float32)
    classes = jnp.maximum(labels, 0)
    losses = -jnp.take_along_axis(jax.nn.log_softmax(logits), classes[:, None], axis=-1)[:, 0]
    correct = jnp.argmax(logits, -1) == labels
    top5 = _ranks(logits, classes) < 5
    return jnp.stack([jnp.sum(each * counts) for each in (losses, correct, top5, counts)])


def _ranks(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """How many classes come before the label's, by logit and, where equal, by number."""
    own = jnp.take_along_axis(logits, labels[:, None], axis=-1)
    is_first = jnp.arange(logits.shape[-1]) < labels[:, None]
    before = (logits > own) | ((logits == own) & is_first)
    # What is not a number is never right.
    before |= jnp.isnan(logits) | jnp.isnan(own)
    return jnp.sum(before, axis=-1)


def key_of(seed: int) -> jax.Array:
    """The key that all of a run's draws but dropout's come from."""
    return jax.random.key(seed)


def stack(trees: collections.abc.Sequence[typing.Any]) -> typing.Any:
    """Trees of arrays as one tree whose arrays have a first axis for them."""
    return jax.tree.map(lambda *each: jnp.stack(each), *trees)


def unstack(tree: typing.Any, count: int) -> list[typing.Any]:
    """The inverse of `stack`."""
    return [jax.tree.map(functools.partial(_at, i), tree) for i in range(count)]


def _at(i: int, array: jax.Array) -> jax.Array:
    return array[i]
