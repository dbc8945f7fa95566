"""What the layers need to know about the backend they run on."""

import contextlib
import contextvars

import keras

from keras_mlp.layers.replacement import replaced

_keeps_axes: contextvars.ContextVar[bool | None] = contextvars.ContextVar(
    "keeps_axes", default=None
)


def axes_kept() -> contextlib.AbstractContextManager[None]:
    """Makes dense layers keep the axes of their inputs inside a `with` block.

    For a training step on some processors (`training.engine.tensorflow.step_forms`).
    """
    return replaced(_keeps_axes, True)


def prefers_flat_matmul() -> bool:
    """Whether flattening inputs to a matrix makes a matmul faster: on TensorFlow without XLA.

    TensorFlow then fuses product, bias and activation.
    """
    if keras.backend.backend() != "tensorflow" or _keeps_axes.get():
        return False
    return not _inside_xla()


def _inside_xla() -> bool:
    # Keras has already loaded TensorFlow where this runs. TensorFlow has no public function that
    # tells whether XLA is tracing; this is the one its own layers call.
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
