"""One training step, right under every tf.distribute strategy, inside orbit's loop."""

import keras
import numpy as np
import orbit
import tensorflow as tf

from training.optimizers import learning_rate


class Trainer(orbit.StandardTrainer):
    """Runs training steps and reports their mean loss, accuracy and gradient norm.

    The gradient is that of the mean loss over the global batch: each replica's is summed over the
    replicas, then clipped by its global norm, then handed to the optimizer. (Keras' own
    `global_clipnorm` clips each replica's share before the sum, which is another function.)

    Args:
        model: Keras model from uint8 images to float32 logits, made under the strategy's scope.
        optimizer: a built Keras optimizer, made under the same scope.
        config: a `training.config.Config`.
    """

    def __init__(self, model, optimizer, config):
        # The stream is given later: where it starts depends on the restored step.
        super().__init__(None, orbit.StandardTrainerOptions(use_tf_while_loop=True))
        self.model = model
        self.optimizer = optimizer
        self.strategy = tf.distribute.get_strategy()
        self.global_batch_size = config.data.batch_size
        self.clip_norm = config.optimizer.clip_norm
        self.label_smoothing = config.optimizer.label_smoothing
        self.replica_step = tf.function(
            self._replica_step, jit_compile=True if config.runtime.jit_compile else None
        )
        # Summed loss, correct predictions, examples, summed gradient norm, steps: of one loop of
        # orbit's, and of all loops since the last `epoch_metrics`.
        self.sums = tf.Variable(tf.zeros(5), trainable=False)
        self.epoch_sums = np.zeros(5)

    def train_loop_begin(self):
        self.sums.assign(tf.zeros(5))

    def train_step(self, iterator):
        per_replica = self.strategy.run(self.replica_step, args=(next(iterator),))
        self.sums.assign_add(self.strategy.reduce("SUM", per_replica, axis=None))

    def train_loop_end(self):
        sums = tf.convert_to_tensor(self.sums).numpy()
        self.epoch_sums += sums
        return self._means(sums)

    def epoch_metrics(self):
        """Means since the last call; what the learning curve shows."""
        means = self._means(self.epoch_sums)
        self.epoch_sums[:] = 0
        return means

    def _means(self, sums):
        loss, correct, examples, norm, steps = (float(value) for value in sums)
        return {
            "loss": loss / examples,
            "accuracy": correct / examples,
            "gradient_norm": norm / steps,
            "learning_rate": float(tf.convert_to_tensor(learning_rate(self.optimizer))),
        }

    def _replica_step(self, batch):
        images, labels = batch
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            logits = self.model(images, training=True)
            losses = self._losses(labels, logits)
            regularization = tf.add_n(self.model.losses) if self.model.losses else 0.0
            replicas = tf.distribute.get_replica_context().num_replicas_in_sync
            loss = tf.reduce_sum(losses) / self.global_batch_size + regularization / replicas
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        gradients, norm = self._sum_and_clip(gradients, replicas)
        self.optimizer.apply(gradients, variables)
        correct = tf.reduce_sum(tf.cast(tf.argmax(logits, -1) == labels, tf.float32))
        examples = tf.cast(tf.shape(labels)[0], tf.float32)
        return tf.stack([tf.reduce_sum(losses), correct, examples, norm / replicas, 1.0 / replicas])

    def _losses(self, labels, logits):
        return keras.losses.categorical_crossentropy(
            tf.one_hot(labels, logits.shape[-1]),
            logits,
            from_logits=True,
            label_smoothing=self.label_smoothing,
        )

    def _sum_and_clip(self, gradients, replicas):
        """The global gradient, clipped, divided by the replicas: the optimizer sums it again."""
        gradients = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
        norm = tf.linalg.global_norm(gradients)
        scale = 1.0
        if self.clip_norm:
            scale = self.clip_norm / tf.maximum(norm, self.clip_norm)
        return [gradient * (scale / replicas) for gradient in gradients], norm
