"""A model at inference as a TensorFlow function that holds its weights as constants."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_mlp.arguments import shown
from keras_mlp.export.saved_model import check_tensorflow_backend
from keras_mlp.layers.layer_normalization import layer_norm_computed_by
from keras_mlp.typing import Tensor

_FUSED_EPSILON = 1e-3
_MAX_BYTES = 2**31 - 2**20  # a graph is a protocol buffer, which is limited to 2 GiB


def frozen_function(model: keras.Model) -> Callable[[Any], Any]:
    """Returns a model at inference as a TensorFlow function that holds its weights as constants.

    On a CPU it is faster than the model in a `tf.function` (docs/performance.md): TensorFlow brings
    constant weights into the layout of the processor's matrix instructions once, and not at all if
    they are variables, and it computes a LayerNorm by one operation. Later changes of the model's
    weights do not reach the function. It holds a second copy of them, and cannot be trained.

    Args:
        model: a `VisionModel`, or any other built functional or sequential Keras model from one
            tensor to one tensor, with less than 2 GiB of weights.

    Returns:
        A function of one array or tensor, such as images (B, H, W, channels), with any B. It
        returns a tensor: what `model` returns at inference, in float32.

    Raises:
        ValueError: the model is of another kind or larger.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> model = keras_mlp.MLPMixer.from_variant("nano/4", num_classes=10, dtype="bfloat16")
    >>> run = keras_mlp.frozen_function(model)
    >>> tuple(run(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """
    check_tensorflow_backend("`frozen_function` needs")
    _check(model)
    import tensorflow as tf

    kinds = (model.trainable_variables, model.non_trainable_variables)

    def constant_weights(inputs: tf.Tensor) -> tf.Tensor:
        with tf.init_scope():  # outside the graph, where variables have values
            weights = [[np.array(each) for each in variables] for variables in kinds]
        constants = [[tf.constant(each) for each in arrays] for arrays in weights]
        with layer_norm_computed_by(_fusable_layer_norm):
            outputs, _ = model.stateless_call(*constants, inputs, training=False)
        return tf.cast(outputs, tf.float32)

    dtype = tf.as_dtype(model.input.dtype)
    signature = tf.TensorSpec(model.input.shape, dtype)
    run = tf.function(constant_weights, autograph=False).get_concrete_function(signature)
    return lambda inputs: run(tf.cast(inputs, dtype))


def _fusable_layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """LayerNorm in the form that TensorFlow makes one operation of, if the weights are constants.

    Grappler's remapper looks for these operations in this order, over an axis that is not negative.
    Its one operation has a fixed epsilon (TensorFlow 2.20), whatever the graph says, so `x` is
    scaled to make that the right one: the output is the same with and without the remapper.
    """
    import tensorflow as tf

    axis = len(x.shape) - 1
    x = x * math.sqrt(_FUSED_EPSILON / epsilon)
    mean = tf.reduce_mean(x, axis, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axis, keepdims=True)
    scale = tf.math.rsqrt(variance + _FUSED_EPSILON) * gamma
    return x * scale + (beta - mean * scale)


def _check(model: Any) -> None:
    """Raises ValueError if `model` cannot be frozen."""
    if not (isinstance(model, keras.Model) and model.built and hasattr(model, "inputs")):
        raise ValueError(f"`model` must be a built functional Keras model, got {shown(model)}.")
    for name, tensors in {"input": model.inputs, "output": model.outputs}.items():
        if len(tensors) != 1:
            raise ValueError(
                f"`model` {model.name} must have one tensor as {name}, has {len(tensors)}."
            )
    size = sum(math.prod(each.shape) * np.dtype(each.dtype).itemsize for each in model.variables)
    if size > _MAX_BYTES:
        raise ValueError(
            f"`model` {model.name} has {size / 2**30:.1f} GiB of weights, and a TensorFlow graph "
            "holds less than 2 GiB of constants: call the model in a `tf.function` instead."
        )
