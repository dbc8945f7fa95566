"""An exponential moving average of a model's weights."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from keras_mlp.typing import Tensor
from training.engine.tensorflow.strategies import read


class Averages:
    """Averages the weights of a model, including the moving statistics of BatchNorm.

    At step n the decay is `min(decay, (1 + n) / (10 + n))`, so the random initial weights are soon
    forgotten.

    Args:
        model: built Keras model; make this object under the same strategy's scope.
        decay: in (0, 1).
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        self.decay = decay
        self.strategy = tf.distribute.get_strategy()
        weights = [w for w in model.weights if keras.backend.is_float_dtype(w.dtype)]
        self.weights = [weight.value for weight in weights]
        self.variables = [tf.Variable(weight, trainable=False) for weight in self.weights]

    def update(self, step: Tensor) -> None:
        """Updates the averages; called in a graph, in cross-replica context.

        Args:
            step: scalar, the number of updates of the weights so far.
        """
        step = tf.cast(step, tf.float32)
        decay = tf.minimum(self.decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self.variables, self.weights, strict=True):
            self.strategy.extended.update(average, _move, args=(weight, 1.0 - decay))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Gives the model the averaged weights inside a `with` block."""
        kept = [read(weight) for weight in self.weights]
        self.take()
        try:
            yield
        finally:
            for weight, value in zip(self.weights, kept, strict=True):
                weight.assign(value)

    def take(self) -> None:
        """Gives the model the averaged weights for good."""
        for weight, average in zip(self.weights, self.variables, strict=True):
            weight.assign(read(average))


def _move(average: tf.Variable, weight: Tensor, rate: tf.Tensor) -> None:
    average.assign_add((tf.convert_to_tensor(weight) - average) * tf.cast(rate, average.dtype))
