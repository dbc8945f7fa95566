"""A model at inference as a TensorFlow function that holds its weights as constants."""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_mlp.arguments import check_positive_int, shown
from keras_mlp.export.saved_model import check_tensorflow_backend
from keras_mlp.layers.layer_normalization import layer_norm_computed_by
from keras_mlp.models.careful_model import CarefulModel
from keras_mlp.typing import Array, Tensor

_LAYER_NORM = "_MklLayerNorm"
_LayerNorm = Callable[[Tensor, Tensor, Tensor, float], Tensor]
_MAX_BYTES = 2**31 - 2**20  # a graph is a protocol buffer, which is limited to 2 GiB


def frozen_function(model: keras.Model, parts: int = 1) -> Callable[[Any], Any]:
    """Returns a model at inference as a TensorFlow function that holds its weights as constants.

    On a CPU it is usually faster than the model in a `tf.function` (docs/performance.md):
    TensorFlow brings constant weights into the layout of the processor's matrix instructions once,
    and not at all if they are variables, and a LayerNorm is one operation where TensorFlow has one.
    Later changes of the model's weights do not reach the function. It holds a second copy of them,
    and cannot be trained.

    Args:
        model: a `VisionModel`, or any other built functional or sequential Keras model from one
            tensor to one tensor, with less than 2 GiB of weights.
        parts: into how many parts each batch is split, which run at the same time, each on one
            thread. Two cores share a batch better in this way than by sharing every operation in
            it, if TensorFlow is told at the start of the program, for two parts:
            `tf.config.threading.set_inter_op_parallelism_threads(2)` and
            `set_intra_op_parallelism_threads(1)`.

    Returns:
        A function of one array or tensor, such as images (B, H, W, channels), with any B. It
        returns a tensor: what `model` returns at inference, in float32. It refuses another shape
        with a ValueError, and warns of pixels in another range, as a `VisionModel` does.

    Raises:
        ValueError: the model is of another kind or larger, or `parts` is not a positive integer.
        RuntimeError: Keras runs on a backend other than TensorFlow.

    Example:

    >>> model = keras_mlp.MLPMixer.from_variant("nano/4", num_classes=10, dtype="bfloat16")
    >>> run = keras_mlp.frozen_function(model)
    >>> tuple(run(numpy.zeros((2, 32, 32, 3), "uint8")).shape)
    (2, 10)
    """
    check_tensorflow_backend("`frozen_function` needs")
    _check(model)
    check_positive_int("parts", parts)
    import tensorflow as tf

    kinds = (model.trainable_variables, model.non_trainable_variables)

    def constant_weights(inputs: tf.Tensor) -> tf.Tensor:
        with tf.init_scope():  # outside the graph, where variables have values
            weights = [[np.array(each) for each in variables] for variables in kinds]
        constants = [[_constant(each) for each in arrays] for arrays in weights]
        with layer_norm_computed_by(_one_operation_where_it_exists):
            outputs = [
                model.stateless_call(*constants, part, training=False)[0]
                for part in _split(inputs, parts)
            ]
        joined = tf.concat(outputs, 0)
        if parts > 1:
            joined = joined[: tf.shape(inputs)[0]]  # without what filled up a smaller batch
        return tf.cast(joined, tf.float32)

    dtype = tf.as_dtype(model.inputs[0].dtype)
    signature = tf.TensorSpec(model.inputs[0].shape, dtype)
    run = tf.function(constant_weights, autograph=False).get_concrete_function(signature)

    def checked(inputs: Any) -> Any:
        inputs = inputs if hasattr(inputs, "shape") else np.asarray(inputs)
        if inputs.shape and inputs.shape[0] == 0:  # TensorFlow's convolutions fail without images
            return tf.zeros((0, *model.outputs[0].shape[1:]))
        if isinstance(model, CarefulModel):
            model.check_images(inputs, again=False)
        return run(_of_shape(model, tf.cast(inputs, dtype)))

    return checked


def _of_shape(model: keras.Model, inputs: Tensor) -> Tensor:
    """The inputs, which fit the model: a function with a signature does not look at shapes."""
    import tensorflow as tf

    expected = model.inputs[0].shape
    if not inputs.shape.is_compatible_with(expected):
        raise ValueError(f"{model.name} expected a shape {expected}, got {tuple(inputs.shape)}.")
    return tf.ensure_shape(inputs, expected)  # sizes that are unknown until it runs


def _split(inputs: Tensor, parts: int) -> list[Tensor]:
    """Parts of a batch whose sizes differ by one at most, and of which none is empty.

    TensorFlow's convolutions fail without images: a smaller batch is filled up.
    """
    import tensorflow as tf

    if parts == 1:
        return [inputs]
    missing = tf.maximum(0, parts - tf.shape(inputs)[0])
    inputs = tf.pad(inputs, [[0, missing], *[[0, 0]] * (len(inputs.shape) - 1)])
    ends = [tf.shape(inputs)[0] * number // parts for number in range(parts + 1)]
    slices = [inputs[start:end] for start, end in itertools.pairwise(ends)]
    return [tf.ensure_shape(each, (None, *inputs.shape[1:])) for each in slices]


def _constant(weight: Array) -> Tensor:
    """A weight as a constant of the graph.

    Grappler leaves out the addition of a constant that is 0 everywhere, such as the biases of a
    model that was never trained, and then no longer fuses product and activation, which makes such
    a model two times slower. Of a placeholder it does not know that.
    """
    import tensorflow as tf

    constant = tf.constant(weight)
    if np.any(weight):
        return constant
    return tf.compat.v1.placeholder_with_default(constant, constant.shape)


def _one_operation(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """LayerNorm by oneDNN, which computes in float32, whatever the dtype of `x`.

    TensorFlow has no public function for it. Its own optimizer puts it into graphs, but with an
    epsilon of 1e-3 (2.20), so this function places it.
    """
    import tensorflow as tf

    whole = x
    if len(x.shape) > 3:  # the operation takes two or three axes
        x = tf.reshape(x, (-1, x.shape[-1]))
    graph = tf.compat.v1.GraphDef()
    inputs = {"x": x, "gamma": tf.cast(gamma, x.dtype), "beta": tf.cast(beta, x.dtype)}
    for name in inputs:
        graph.node.add(op="Placeholder", name=name).attr["dtype"].type = x.dtype.as_datatype_enum
    node = graph.node.add(op=_LAYER_NORM, name="layer_norm", input=inputs)
    node.attr["T"].type = x.dtype.as_datatype_enum
    node.attr["epsilon"].f = epsilon
    (outputs,) = tf.graph_util.import_graph_def(graph, inputs, ["layer_norm:0"])
    if whole is not x:
        outputs = tf.reshape(outputs, tf.shape(whole))
    return tf.ensure_shape(outputs, whole.shape)


def _one_operation_where_it_exists(dtype: str) -> _LayerNorm | None:
    return _one_operation if _has_one_operation(dtype) else None


@functools.cache
def _has_one_operation(dtype: str) -> bool:
    """Whether TensorFlow has `_one_operation` here, for inputs of a dtype.

    It lacks it on some processors, and a later version may not have it.
    """
    import tensorflow as tf

    rows = np.array([[99.0, 100.0, 101.0, 102.0]] * 2)

    @tf.function(autograph=False)
    def run(x: tf.Tensor) -> tf.Tensor:
        return _one_operation(x, 3 * tf.ones(4, dtype), 7 * tf.ones(4, dtype), epsilon=1.0)

    try:
        with tf.init_scope():  # it may be asked for while a function is traced
            found = np.array(run(tf.constant(rows, dtype)), "float64")
    except (ValueError, tf.errors.OpError):
        return False
    deviations = rows - rows.mean(-1, keepdims=True)
    exact = 3 * deviations / np.sqrt(rows.var(-1, keepdims=True) + 1.0) + 7
    return bool(np.abs(found - exact).max() < 0.05)


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
