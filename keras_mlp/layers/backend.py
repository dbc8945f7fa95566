"""What the layers need to know about the backend they run on."""

import keras


def prefers_flat_matmul() -> bool:
    """Whether flattening inputs to a matrix makes a matmul faster: on TensorFlow without XLA."""
    return keras.backend.backend() == "tensorflow" and not _inside_xla()


def _inside_xla() -> bool:
    # Keras has already loaded TensorFlow where this runs. TensorFlow has no public function that
    # tells whether XLA is tracing; this is the one its own layers call.
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
