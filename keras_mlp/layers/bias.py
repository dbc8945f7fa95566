"""Adding a bias, with a gradient that is precise in bfloat16."""

import contextlib
import contextvars
from collections.abc import Callable

import keras
from keras import ops

from keras_mlp.layers.replacement import replaced
from keras_mlp.typing import Tensor

_Addition = Callable[[Tensor, Tensor], Tensor]

_replacement: contextvars.ContextVar[_Addition | None] = contextvars.ContextVar(
    "replacement", default=None
)


def bfloat16_bias_added_by(function: _Addition) -> contextlib.AbstractContextManager[None]:
    """Makes `add_bias` call `function` for bfloat16 in training, inside a `with` block.

    For a training step on CPUs (`training.engine.tensorflow.step_forms`).
    """
    return replaced(_replacement, function)


def add_bias(inputs: Tensor, bias: Tensor, training: bool | None) -> Tensor:
    """Adds a bias to the last axis.

    On TensorFlow `ops.add` becomes the op `BiasAdd`, which TensorFlow fuses into the product before
    it. Its gradient sums over all rows in the dtype of the inputs on CPUs: in bfloat16, with eight
    bits of precision, a sum of 12,544 rows is a third off. The gradient of a plain sum is precise,
    so training in bfloat16 takes that.

    Args:
        inputs: (..., C).
        bias: (C,).
        training: whether gradients may be asked for.

    Returns:
        A tensor with the shape and dtype of `inputs`.
    """
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    if not training or dtype != "bfloat16" or keras.backend.backend() != "tensorflow":
        return ops.add(inputs, bias)
    bias = ops.cast(bias, dtype)
    replacement = _replacement.get()
    return replacement(inputs, bias) if replacement else inputs + bias
