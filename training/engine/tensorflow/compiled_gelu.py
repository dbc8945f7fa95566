"""GELU compiled with XLA on its own, in both directions.

XLA fuses each direction into one pass over memory; without XLA every op makes a pass of its own.
The matmuls around it stay with oneDNN, which is faster at them than XLA on CPUs.
"""

import math
from collections.abc import Callable

import tensorflow as tf

from keras_mlp.typing import Tensor


@tf.custom_gradient
def compiled_gelu(x: Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """`keras_mlp.layers.activations.gelu` for a training step; equal to float rounding.

    Args:
        x: tensor of any shape and floating-point dtype. It is computed in float32.

    Returns:
        A tensor with the shape and dtype of `x`.
    """
    return _forward(x), lambda upstream: _gradient(x, upstream)


@tf.function(jit_compile=True, autograph=False)
def _forward(x: tf.Tensor) -> tf.Tensor:
    values = tf.cast(x, tf.float32)
    return tf.cast(values * _normal_cdf(values), x.dtype)


# From `x` alone: XLA is slower if it has to write the distribution function in the forward pass.
@tf.function(jit_compile=True, autograph=False)
def _gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    values = tf.cast(x, tf.float32)
    density = tf.exp(-0.5 * tf.square(values)) * (1.0 / math.sqrt(2.0 * math.pi))
    slope = _normal_cdf(values) + values * density
    return tf.cast(tf.cast(upstream, tf.float32) * slope, x.dtype)


def _normal_cdf(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * (1.0 + tf.math.erf(x * math.sqrt(0.5)))
