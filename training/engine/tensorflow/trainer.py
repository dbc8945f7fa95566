"""One training step, correct under every tf.distribute strategy, inside orbit's loop."""

import contextlib
import functools
import math
from collections.abc import Iterator
from typing import Any

import keras
import orbit
import tensorflow as tf

from keras_mlp.typing import Array, Tensor
from training.data.damage import all_damaged
from training.engine.not_finite import NotFinite
from training.engine.optimizers import learning_rate
from training.engine.sizes import Size, sizes_of
from training.engine.tensorflow.averages import Averages
from training.engine.tensorflow.resizing import resize_images
from training.engine.tensorflow.step_forms import step_forms
from training.engine.tensorflow.strategies import read


class Trainer(orbit.StandardTrainer):
    """Runs training steps and reports their mean loss, accuracy and gradient norm.

    The gradient is that of the mean loss over the global batch: it is summed over the replicas,
    then clipped by its global norm, then passed to the optimizer. (Keras' own `global_clipnorm`
    clips each replica's share before the sum, which gives a different step.)

    Args:
        model: Keras model from uint8 images to float32 logits, made under the strategy's scope.
        optimizer: a built Keras optimizer, made under the same scope.
        config: with `data`, `optimizer` and `runtime` of `training.config.Config`.
        averages: the `Averages` of the model, or None.

    Attributes:
        step: variable that counts batches. (The optimizer counts updates; with a loss scale in
            float16 it skips those whose gradients overflow.)
        state: from a name to what a checkpoint must hold besides model and optimizer.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.Optimizer,
        config: Any,
        averages: Averages | None = None,
    ) -> None:
        # The stream is set later: its start depends on the restored step.
        super().__init__(None, orbit.StandardTrainerOptions(use_tf_while_loop=True))
        self.model = model
        self.optimizer = optimizer
        self.averages = averages
        self.strategy = tf.distribute.get_strategy()
        self.global_batch_size = config.data.batch_size
        self.recipe = config.optimizer
        self.seed = config.runtime.seed
        self.compiles_parts = config.runtime.compile_gelu
        # One compiled step for each size that a step may have.
        self.replica_steps = [
            tf.function(
                functools.partial(self._replica_step, size=size),
                jit_compile=True if config.runtime.jit_compile else None,
            )
            for size in sizes_of(model, config)
        ]
        self.scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        self.step = _counter(0)
        self.first_not_finite = _counter(-1)
        # Summed loss, correct predictions, examples, summed gradient norm, steps: in one orbit
        # loop, and in all loops since the last `epoch_metrics`.
        self.sums = tf.Variable(tf.zeros(5), trainable=False)
        self.epoch_sums = tf.Variable(tf.zeros(5), trainable=False)
        self.state = {"step": self.step, "epoch_sums": self.epoch_sums}
        if averages:
            self.state["averages"] = averages.variables

    def train_loop_begin(self) -> None:
        self.sums.assign(tf.zeros(5))

    def train_step(self, iterator: Iterator[Any]) -> None:
        sums = self._sums_of_step(next(iterator))
        self.sums.assign_add(sums)
        # A loss scale handles gradients that overflow; without one they would ruin the weights.
        watched = sums[0] if self.scales_loss else sums[0] + sums[3]
        first = (self.first_not_finite < 0) & ~tf.math.is_finite(watched)
        self.first_not_finite.assign(tf.where(first, self.step, self.first_not_finite))
        self.step.assign_add(1)
        if self.averages:
            self.averages.update(self.optimizer.iterations.value)

    def _sums_of_step(self, batch: Any) -> tf.Tensor:
        """Runs the step at the size that this step draws, and sums what it counts."""

        def run(step: Any) -> tf.Tensor:
            return self.strategy.reduce("SUM", self.strategy.run(step, args=(batch,)), axis=None)

        if len(self.replica_steps) == 1:
            return run(self.replica_steps[0])
        # A function of seed and step: the same on all hosts, and after a restart.
        drawn = tf.random.stateless_uniform(
            (), (self.seed, self.step), maxval=len(self.replica_steps), dtype=tf.int32
        )
        return tf.switch_case(drawn, [functools.partial(run, step) for step in self.replica_steps])

    def train_loop_end(self) -> dict[str, float]:
        if (step := int(read(self.first_not_finite))) >= 0:
            raise NotFinite(step)
        self.epoch_sums.assign_add(self.sums)
        return self._means(read(self.sums))

    def epoch_metrics(self) -> dict[str, float]:
        """Means since the last call, for the learning curve.

        Raises:
            ValueError: all pictures since then were damaged.
        """
        means = self._means(read(self.epoch_sums))
        if math.isnan(means["accuracy"]):
            raise all_damaged("training")
        self.epoch_sums.assign(tf.zeros(5))
        return means

    def is_at_point(self) -> bool:
        """Whether no step was made since the last `epoch_metrics`."""
        return not read(self.epoch_sums)[-1]

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """A `with` block in which the model has the averaged weights, if there are any."""
        return self.averages.in_place() if self.averages else contextlib.nullcontext()

    def _means(self, sums: Array) -> dict[str, float]:
        loss, correct, examples, norm, steps = (float(value) for value in sums)
        means = {
            # A loop of steps may have met damaged pictures only.
            "loss": loss / examples if examples else math.nan,
            "accuracy": correct / examples if examples else math.nan,
            "learning_rate": float(read(learning_rate(self.optimizer))),
        }
        # Infinite after a float16 gradient overflowed, which JSON cannot store.
        return {**means, "gradient_norm": norm / steps} if math.isfinite(norm) else means

    def _replica_step(self, batch: tuple[tf.Tensor, tf.Tensor], size: Size) -> tf.Tensor:
        images, labels = self._at(size, *batch)
        gradients, counted = self._gradients(images, labels, size)
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        gradients, norm = self._sum_and_clip(gradients, replicas)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return tf.concat([counted, [norm / replicas, 1.0 / replicas]], axis=0)

    def _at(self, size: Size, images: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The part of a replica's batch that a step at this size trains on, resized to it."""
        if size.share < 1:
            parts = self.recipe.accumulate
            each = self.global_batch_size // self.strategy.num_replicas_in_sync // parts
            count = max(1, int(size.share * each)) * parts
            images, labels = images[:count], labels[:count]
        own, new = tuple(self.model.input.shape[1:3]), tuple(size.model.input.shape[1:3])
        return (images if own == new else resize_images(images, own, new)), labels

    def _gradients(
        self, images: tf.Tensor, labels: tf.Tensor, size: Size | None = None
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """The gradients of this replica's share of the batch, summed over its parts.

        Args:
            images, labels: of this replica, at the size.
            size: of the step; None for the model's own.

        Returns:
            The gradients, and (3,): summed loss, correct predictions, examples.
        """
        parts = self.recipe.accumulate
        gradients: list[tf.Tensor] = []
        counted = tf.zeros(3)
        for part in zip(tf.split(images, parts), tf.split(labels, parts), strict=True):
            # One part after the other: in parallel they would need the memory of the whole batch.
            with tf.control_dependencies(gradients):
                own_images = tf.identity(part[0])
            # Around the gradient too, which computes blocks with `remat` again.
            with step_forms(self.compiles_parts):
                of_part, count = self._gradients_of_part(own_images, part[1], size)
            if gradients:
                of_part = [one + other for one, other in zip(gradients, of_part, strict=True)]
            gradients, counted = of_part, counted + count
        return gradients, counted

    def _gradients_of_part(
        self, images: tf.Tensor, labels: tf.Tensor, size: Size | None
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        model, batch = self.model, self.global_batch_size
        if size is not None and size.share < 1:
            replicas = self.strategy.num_replicas_in_sync
            batch = images.shape[0] * self.recipe.accumulate * replicas
        if size is not None:
            model = size.model
        variables = [variable.value for variable in self.model.trainable_variables]
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            counts = _counts(labels)
            losses = self._losses(labels, logits) * counts
            regularization = tf.add_n(model.losses) if model.losses else 0.0
            loss = tf.reduce_sum(losses) / batch
            loss += regularization / (replicas * self.recipe.accumulate)
            loss = self.optimizer.scale_loss(loss)
        correct = tf.cast(tf.argmax(logits, -1) == _classes(labels), tf.float32) * counts
        gradients = tape.gradient(loss, variables)
        return gradients, tf.stack([tf.reduce_sum(each) for each in (losses, correct, counts)])

    def _losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """The loss of each example, for class numbers (B,) or shares of the classes (B, K)."""
        if labels.dtype.is_integer:
            labels = tf.one_hot(labels, logits.shape[-1])
        smoothing = self.recipe.label_smoothing
        if self.recipe.loss == "sigmoid":
            labels = labels * (1.0 - smoothing) + smoothing / logits.shape[-1]
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
            return tf.reduce_sum(losses, axis=-1)
        return keras.losses.categorical_crossentropy(
            labels, logits, from_logits=True, label_smoothing=smoothing
        )

    def _sum_and_clip(
        self, gradients: list[tf.Tensor], replicas: int
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """The clipped global gradient over `replicas`, as the optimizer sums it again; its norm."""
        gradients = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
        # In float16 the optimizer scales the loss; it takes scaled gradients and unscales them.
        norm = tf.linalg.global_norm(gradients) / self.optimizer.scale_loss(1.0)
        factor: Tensor = 1.0
        if self.recipe.clip_norm:
            factor = self.recipe.clip_norm / tf.maximum(norm, self.recipe.clip_norm)
        return [gradient * (factor / replicas) for gradient in gradients], norm


def _counts(labels: tf.Tensor) -> tf.Tensor:
    """1 for an example; 0 for a damaged picture, with label -1 or no share of any class."""
    is_example = labels >= 0 if labels.dtype.is_integer else tf.reduce_max(labels, -1) > 0
    return tf.cast(is_example, tf.float32)


def _classes(labels: tf.Tensor) -> tf.Tensor:
    return labels if labels.dtype.is_integer else tf.argmax(labels, -1)


def _counter(start: int) -> tf.Variable:
    return tf.Variable(
        start,
        dtype=tf.int64,
        trainable=False,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
