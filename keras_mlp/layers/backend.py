"""What the layers need to know about the backend they run on."""

import functools
import pathlib

import keras

_CPU_INFO = pathlib.Path("/proc/cpuinfo")


def prefers_flat_matmul(training: bool | None) -> bool:
    """Whether flattening inputs to a matrix makes a matmul faster: on TensorFlow without XLA.

    TensorFlow then fuses product, bias and activation. A step of training has no such activation,
    and for weights that change oneDNN has no AMX in its fused product, only in the plain one
    (docs/training.md has the gain).
    """
    if keras.backend.backend() != "tensorflow" or _inside_xla():
        return False
    return not (training and _has_amx())


@functools.cache
def _has_amx() -> bool:
    """Whether this processor has Intel's instructions for matrices of bfloat16."""
    try:
        return "amx_bf16" in _CPU_INFO.read_text().split()
    except OSError:
        return False


def _inside_xla() -> bool:
    # Keras has already loaded TensorFlow where this runs. TensorFlow has no public function that
    # tells whether XLA is tracing; this is the one its own layers call.
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
