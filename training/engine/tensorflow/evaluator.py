"""Loss, accuracy and top-5 accuracy over a whole split."""

from collections.abc import Iterator
from typing import Any

import keras
import orbit
import tensorflow as tf

from training.data.damage import all_damaged
from training.data.splits import Split, evaluation_batches
from training.engine.means import means
from training.engine.tensorflow.strategies import Share, distribute, read


def evaluate(model: Any, split: Split, batch_size: int) -> dict[str, Any]:
    """Loss and accuracy on every example of a split, under the strategy in scope.

    Args:
        model: from uint8 images to logits: a Keras model or a loaded SavedModel.
        split: a `training.data.pipeline.Split`.
        batch_size: over all replicas.

    Returns:
        A dict with `loss`, `accuracy`, `examples` and, for more than 5 classes, `top5_accuracy`.
    """
    found: dict[str, Any] = Evaluator(model, split, batch_size).evaluate(tf.constant(-1))
    return found


class Evaluator(orbit.StandardEvaluator):
    """Counts every example of a dataset once, whatever the size of the last batch.

    Args:
        model: Keras model from uint8 images to logits, made under the strategy's scope.
        split: a `training.data.pipeline.Split`.
        batch_size: over all replicas.
    """

    def __init__(self, model: Any, split: Split, batch_size: int) -> None:
        self.model = model
        self.strategy = tf.distribute.get_strategy()

        def batches(share: Share) -> tf.data.Dataset:
            return evaluation_batches(split, batch_size, share)

        super().__init__(distribute(self.strategy, batches))
        # Summed loss, correct predictions, labels among the top 5, examples.
        self.sums = tf.Variable(tf.zeros(4), trainable=False)
        self.num_classes = 0  # known once the step is traced: a SavedModel does not say

    def eval_begin(self) -> None:
        self.sums.assign(tf.zeros(4))

    def eval_step(self, iterator: Iterator[Any]) -> None:
        per_replica = self.strategy.run(self._replica_step, args=(next(iterator),))
        self.sums.assign_add(self.strategy.reduce("SUM", per_replica, axis=None))

    def eval_end(self) -> dict[str, Any]:
        sums = read(self.sums).tolist()
        if not sums[-1]:
            raise all_damaged("evaluation")
        return means(sums, self.num_classes)

    def _replica_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        images, labels = batch
        logits = self.model(images, training=False)
        counts = tf.cast(labels >= 0, tf.float32)  # without what fills up the last batch
        losses = keras.losses.sparse_categorical_crossentropy(
            tf.maximum(labels, 0), logits, from_logits=True
        )
        correct = tf.cast(tf.argmax(logits, -1) == labels, tf.float32)
        top5 = tf.cast(_ranks(logits, tf.maximum(labels, 0)) < 5, tf.float32)
        self.num_classes = logits.shape[-1]
        sums = (losses * counts, correct, top5 * counts, counts)
        return tf.stack([tf.reduce_sum(values) for values in sums])


def _ranks(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """How many classes come before the label's, by logit, then by number among equal logits."""
    own = tf.gather(logits, labels, axis=-1, batch_dims=1)[:, None]
    is_first = tf.range(logits.shape[-1], dtype=labels.dtype) < labels[:, None]
    before = (logits > own) | ((logits == own) & is_first)
    # A NaN logit never counts as right. (TensorFlow compiles `~(a <= b)` to `a > b`.)
    before |= tf.math.is_nan(logits) | tf.math.is_nan(own)
    return tf.reduce_sum(tf.cast(before, tf.int32), axis=-1)
