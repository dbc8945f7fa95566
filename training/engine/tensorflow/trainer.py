"""One training step, right under every tf.distribute strategy, inside orbit's loop."""

import contextlib
import math

import keras
import orbit
import tensorflow as tf

from training.engine.not_finite import NotFinite
from training.engine.optimizers import learning_rate
from training.engine.tensorflow.strategies import read


class Trainer(orbit.StandardTrainer):
    """Runs training steps and reports their mean loss, accuracy and gradient norm.

    The gradient is that of the mean loss over the global batch: each replica's is summed over the
    replicas, then clipped by its global norm, then handed to the optimizer. (Keras' own
    `global_clipnorm` clips each replica's share before the sum, which is another function.)

    Args:
        model: Keras model from uint8 images to float32 logits, made under the strategy's scope.
        optimizer: a built Keras optimizer, made under the same scope.
        config: a `training.config.Config`.
        averages: an `Averages` that follows the model, or None.

    Attributes:
        step: variable that counts batches. (The optimizer counts updates, which a loss scale in
            float16 leaves out where gradients overflow.)
        state: from a name to what a checkpoint must hold besides model and optimizer.
    """

    def __init__(self, model, optimizer, config, averages=None):
        # The stream is given later: where it starts depends on the restored step.
        super().__init__(None, orbit.StandardTrainerOptions(use_tf_while_loop=True))
        self.model = model
        self.optimizer = optimizer
        self.averages = averages
        self.strategy = tf.distribute.get_strategy()
        self.global_batch_size = config.data.batch_size
        self.recipe = config.optimizer
        self.replica_step = tf.function(
            self._replica_step, jit_compile=True if config.runtime.jit_compile else None
        )
        self.scales_loss = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        self.step = _counter(0)
        self.first_not_finite = _counter(-1)
        # Summed loss, correct predictions, examples, summed gradient norm, steps: of one loop of
        # orbit's, and of all loops since the last `epoch_metrics`.
        self.sums = tf.Variable(tf.zeros(5), trainable=False)
        self.epoch_sums = tf.Variable(tf.zeros(5), trainable=False)
        self.state = {"step": self.step, "epoch_sums": self.epoch_sums}
        if averages:
            self.state["averages"] = averages.variables

    def train_loop_begin(self):
        self.sums.assign(tf.zeros(5))

    def train_step(self, iterator):
        per_replica = self.strategy.run(self.replica_step, args=(next(iterator),))
        sums = self.strategy.reduce("SUM", per_replica, axis=None)
        self.sums.assign_add(sums)
        # A loss scale makes up for gradients that overflow; else they would spoil the weights.
        watched = sums[0] if self.scales_loss else sums[0] + sums[3]
        first = (self.first_not_finite < 0) & ~tf.math.is_finite(watched)
        self.first_not_finite.assign(tf.where(first, self.step, self.first_not_finite))
        self.step.assign_add(1)
        if self.averages:
            self.averages.update(self.optimizer.iterations.value)

    def train_loop_end(self):
        if (step := int(read(self.first_not_finite))) >= 0:
            raise NotFinite(step)
        self.epoch_sums.assign_add(self.sums)
        return self._means(read(self.sums))

    def epoch_metrics(self):
        """Means since the last call; what the learning curve shows."""
        means = self._means(read(self.epoch_sums))
        self.epoch_sums.assign(tf.zeros(5))
        return means

    def averaged(self):
        """A `with` block in which the model has the averaged weights, if there are any."""
        return self.averages.in_place() if self.averages else contextlib.nullcontext()

    def _means(self, sums):
        loss, correct, examples, norm, steps = (float(value) for value in sums)
        means = {
            "loss": loss / examples,
            "accuracy": correct / examples,
            "learning_rate": float(read(learning_rate(self.optimizer))),
        }
        # Infinite where a float16 gradient overflowed, which JSON does not take.
        return {**means, "gradient_norm": norm / steps} if math.isfinite(norm) else means

    def _replica_step(self, batch):
        images, labels = batch
        gradients, counted = self._gradients(images, labels)
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        gradients, norm = self._sum_and_clip(gradients, replicas)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return tf.concat([counted, [norm / replicas, 1.0 / replicas]], axis=0)

    def _gradients(self, images, labels):
        """Of this replica's share of the batch, summed over its parts, and what was counted."""
        parts = self.recipe.accumulate
        gradients, counted = None, tf.zeros(3)
        for part in zip(tf.split(images, parts), tf.split(labels, parts), strict=True):
            # One part after the other: side by side they would take the memory of the whole.
            with tf.control_dependencies(gradients or []):
                own_images = tf.identity(part[0])
            of_part, count = self._gradients_of_part(own_images, part[1])
            if gradients is not None:
                of_part = [one + other for one, other in zip(gradients, of_part, strict=True)]
            gradients, counted = of_part, counted + count
        return gradients, counted

    def _gradients_of_part(self, images, labels):
        variables = [variable.value for variable in self.model.trainable_variables]
        replicas = tf.distribute.get_replica_context().num_replicas_in_sync
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            counts = _counts(labels)
            losses = self._losses(labels, logits) * counts
            regularization = tf.add_n(self.model.losses) if self.model.losses else 0.0
            loss = tf.reduce_sum(losses) / self.global_batch_size
            loss += regularization / (replicas * self.recipe.accumulate)
            loss = self.optimizer.scale_loss(loss)
        correct = tf.cast(tf.argmax(logits, -1) == _classes(labels), tf.float32) * counts
        gradients = tape.gradient(loss, variables)
        return gradients, tf.stack([tf.reduce_sum(each) for each in (losses, correct, counts)])

    def _losses(self, labels, logits):
        """Of each example; `labels` are class numbers (B,) or shares of the classes (B, K)."""
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

    def _sum_and_clip(self, gradients, replicas):
        """The global gradient, clipped, divided by the replicas: the optimizer sums it again."""
        gradients = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
        # In float16 the optimizer scaled the loss; it takes scaled gradients and divides itself.
        norm = tf.linalg.global_norm(gradients) / self.optimizer.scale_loss(1.0)
        factor = 1.0
        if self.recipe.clip_norm:
            factor = self.recipe.clip_norm / tf.maximum(norm, self.recipe.clip_norm)
        return [gradient * (factor / replicas) for gradient in gradients], norm


def _counts(labels):
    """1 for an example, 0 for a damaged picture: of label -1, or without a share of any class."""
    is_example = labels >= 0 if labels.dtype.is_integer else tf.reduce_max(labels, -1) > 0
    return tf.cast(is_example, tf.float32)


def _classes(labels):
    return labels if labels.dtype.is_integer else tf.argmax(labels, -1)


def _counter(start):
    return tf.Variable(
        start,
        dtype=tf.int64,
        trainable=False,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
