"""The exact GELU in the one spelling that every runtime understands."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_mlp")
def gelu(x):
    """Exact Gaussian error linear unit, `x * Phi(x)` (Hendrycks and Gimpel, arXiv:1606.08415).

    Written with `erf`. Keras' own exact GELU lowers to the op `Erfc` on TensorFlow, which the ONNX
    and TensorFlow.js converters refuse; TensorFlow fuses both spellings into the matrix product.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape and dtype of `x`.
    """
    return 0.5 * x * (1.0 + ops.erf(x * (1.0 / math.sqrt(2.0))))


@keras.saving.register_keras_serializable("keras_mlp")
def gelu_tanh(x):
    """The tanh approximation of `gelu`, which Google's JAX models (ViT, Mixer) were trained with.

    Args:
        x: tensor of any shape.

    Returns:
        Tensor of the shape and dtype of `x`.
    """
    return ops.gelu(x, approximate=True)
