"""GELU, exact and approximated, in a form that every runtime supports."""

import contextlib
import contextvars
import math
from collections.abc import Callable

import keras
from keras import ops

from keras_mlp.layers.replacement import replaced
from keras_mlp.typing import Tensor

_Activation = Callable[[Tensor], Tensor]

_replacement: contextvars.ContextVar[_Activation | None] = contextvars.ContextVar(
    "replacement", default=None
)


def gelu_computed_by(function: _Activation | None) -> contextlib.AbstractContextManager[None]:
    """Makes `gelu` call `function` inside a `with` block; None changes nothing.

    For a training step. A model that is traced for export must keep the ops of `gelu`, which every
    runtime supports.
    """
    return replaced(_replacement, function)


@keras.saving.register_keras_serializable("keras_mlp")
def gelu(x: Tensor) -> Tensor:
    """Exact Gaussian error linear unit, `x * Phi(x)` (Hendrycks and Gimpel, arXiv:1606.08415).

    Written with `erf`. On TensorFlow, Keras' own exact GELU lowers to the op `Erfc`, which the ONNX
    and TensorFlow.js converters reject. TensorFlow fuses either form into the preceding matmul.

    Args:
        x: tensor of any shape and floating-point dtype.

    Returns:
        A tensor with the shape and dtype of `x`.
    """
    replacement = _replacement.get()
    if replacement is not None:
        return replacement(x)
    return 0.5 * x * (1.0 + ops.erf(x * (1.0 / math.sqrt(2.0))))


@keras.saving.register_keras_serializable("keras_mlp")
def gelu_tanh(x: Tensor) -> Tensor:
    """The tanh approximation of `gelu`, used to train Google's JAX models (ViT, Mixer).

    Args:
        x: tensor of any shape and floating-point dtype.

    Returns:
        A tensor with the shape and dtype of `x`.
    """
    return ops.gelu(x, approximate=True)


@keras.saving.register_keras_serializable("keras_mlp")
def quick_gelu(x: Tensor) -> Tensor:
    """The sigmoid approximation of `gelu`, `x * sigmoid(1.702 x)`, of OpenAI's CLIP.

    Args:
        x: tensor of any shape and floating-point dtype.

    Returns:
        A tensor with the shape and dtype of `x`.
    """
    return x * ops.sigmoid(1.702 * x)
