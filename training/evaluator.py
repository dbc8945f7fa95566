"""Loss and accuracy over a whole split."""

import keras
import orbit
import tensorflow as tf

from training.data.pipeline import evaluation_batches
from training.strategies import distribute


def evaluate(model, split, batch_size):
    """Loss and accuracy on every example of a split, under the strategy in scope.

    Args:
        model: from uint8 images to logits: a Keras model or a loaded SavedModel.
        split: a `training.data.pipeline.Split`.
        batch_size: over all replicas.

    Returns:
        A dict with `loss`, `accuracy` and `examples`.
    """
    return Evaluator(model, split, batch_size).evaluate(tf.constant(-1))


class Evaluator(orbit.StandardEvaluator):
    """Counts every example of a dataset once, whatever the size of the last batch.

    Args:
        model: Keras model from uint8 images to logits, made under the strategy's scope.
        split: a `training.data.pipeline.Split`.
        batch_size: over all replicas.
    """

    def __init__(self, model, split, batch_size):
        self.model = model
        self.strategy = tf.distribute.get_strategy()

        def batches(share):
            return evaluation_batches(split, batch_size, share)

        super().__init__(distribute(self.strategy, batches))
        # Summed loss, correct predictions, examples.
        self.sums = tf.Variable(tf.zeros(3), trainable=False)

    def eval_begin(self):
        self.sums.assign(tf.zeros(3))

    def eval_step(self, iterator):
        per_replica = self.strategy.run(self._replica_step, args=(next(iterator),))
        self.sums.assign_add(self.strategy.reduce("SUM", per_replica, axis=None))

    def eval_end(self):
        loss, correct, examples = tf.convert_to_tensor(self.sums).numpy()
        return {
            "loss": float(loss / examples),
            "accuracy": float(correct / examples),
            "examples": int(examples),
        }

    def _replica_step(self, batch):
        images, labels = batch
        logits = self.model(images, training=False)
        counts = tf.cast(labels >= 0, tf.float32)  # not what fills up the last batch
        losses = keras.losses.sparse_categorical_crossentropy(
            tf.maximum(labels, 0), logits, from_logits=True
        )
        correct = tf.cast(tf.argmax(logits, -1) == labels, tf.float32)
        return tf.stack(
            [tf.reduce_sum(losses * counts), tf.reduce_sum(correct), tf.reduce_sum(counts)]
        )
