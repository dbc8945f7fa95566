"""LayerNorm, computed in the form that is fastest on the backend."""

import contextlib
import contextvars
from collections.abc import Callable

import keras
from keras import ops

from keras_mlp.layers.replacement import replaced
from keras_mlp.typing import Tensor

# From inputs, factors and shifts, all in the layer's dtype, and epsilon to the normalised inputs,
# which are computed in float32 at least.
_Form = Callable[[Tensor, Tensor, Tensor, float], Tensor]
_Choice = Callable[[str], _Form | None]

_choice: contextvars.ContextVar[_Choice | None] = contextvars.ContextVar("choice", default=None)


def layer_norm_computed_by(choice: _Choice) -> contextlib.AbstractContextManager[None]:
    """Makes every LayerNorm over the last axis call another form inside a `with` block.

    Args:
        choice: function from the layer's dtype to the form; None leaves the layer's own.
    """
    return replaced(_choice, choice)


@keras.saving.register_keras_serializable("keras_mlp")
class LayerNormalization(keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization` that is faster in bfloat16 on TensorFlow.

    Like Keras' it computes in float32 at least, whatever the dtype of its inputs. Keras multiplies
    out (x - mean) / std * gamma + beta, which in TensorFlow's graphs makes three more tensors of
    the size of the inputs, and more in the gradient. This layer does not, for inputs in bfloat16
    (docs/training.md has the gain). In any other dtype and on other backends it is Keras' layer.

    Args:
        **kwargs: arguments of `keras.layers.LayerNormalization`.

    Shapes: (B, ..., C) -> (B, ..., C).

    >>> tuple(LayerNormalization(epsilon=1e-6)(numpy.ones((2, 4, 8))).shape)
    (2, 4, 8)
    """

    def call(self, inputs: Tensor) -> Tensor:
        return self.normalized(inputs, self.gamma, self.beta)

    def normalized(self, inputs: Tensor, gamma: Tensor | None, beta: Tensor | None) -> Tensor:
        """The output with other factors and shifts than those of the layer."""
        form = self._form(inputs)
        if form is None or gamma is None or beta is None:
            outputs = ops.layer_normalization(
                inputs, gamma, beta, self.axis, self.epsilon, rms_scaling=self.rms_scaling
            )
        else:
            outputs = form(inputs, gamma, beta, self.epsilon)
        return ops.cast(outputs, self.compute_dtype)

    def _form(self, inputs: Tensor) -> _Form | None:
        """None for Keras' own."""
        if self.axis not in ([-1], [len(inputs.shape) - 1]) or self.epsilon <= 0:
            return None
        choice = _choice.get()
        chosen = choice(self.compute_dtype) if choice else None
        if chosen is not None:
            return chosen
        is_faster = keras.backend.backend() == "tensorflow" and self.compute_dtype == "bfloat16"
        return _centred if is_faster else None


def _centred(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    precise = keras.backend.result_type(x.dtype, "float32")
    x, gamma, beta = (ops.cast(each, precise) for each in (x, gamma, beta))
    x = x - ops.mean(x, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(variance + epsilon) * gamma + beta
