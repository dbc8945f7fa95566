"""An exponential moving average of a model's weights."""

import contextlib

import keras
import tensorflow as tf

from training.engine.tensorflow.strategies import read


class Averages:
    """Follows the weights of a model, moving statistics of BatchNorm included.

    At step n the decay is `min(decay, (1 + n) / (10 + n))`, so that the random first weights are
    soon forgotten.

    Args:
        model: built; this is called under the strategy's scope.
        decay: in (0, 1).
    """

    def __init__(self, model, decay):
        self.decay = decay
        self.strategy = tf.distribute.get_strategy()
        weights = [w for w in model.weights if keras.backend.is_float_dtype(w.dtype)]
        self.weights = [weight.value for weight in weights]
        self.variables = [tf.Variable(weight, trainable=False) for weight in self.weights]

    def update(self, step):
        """Takes a step; called outside of replicas, in a graph.

        Args:
            step: how many updates of the weights were made, a scalar.
        """
        step = tf.cast(step, tf.float32)
        decay = tf.minimum(self.decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.variables, self.weights, strict=True):
            self.strategy.extended.update(average, _move, args=(weight, 1.0 - decay))

    @contextlib.contextmanager
    def in_place(self):
        """The model has the averaged weights inside of this."""
        kept = [read(weight) for weight in self.weights]
        self.take()
        try:
            yield
        finally:
            for weight, value in zip(self.weights, kept, strict=True):
                weight.assign(value)

    def take(self):
        """Gives the model the averaged weights for good."""
        for weight, average in zip(self.weights, self.variables, strict=True):
            weight.assign(read(average))


def _move(average, weight, rate):
    average.assign_add((tf.convert_to_tensor(weight) - average) * tf.cast(rate, average.dtype))
