"""One image through a model as a compiled TensorFlow function, to be timed."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf


def compiled_call(model: keras.Model) -> Callable[[], object]:
    """A function without arguments that returns when the model has computed one random image."""
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (1, *model.input_shape[1:])))
    call = tf.function(lambda: model(tf.cast(images, tf.float32), training=False))
    return lambda: call().numpy()
