"""What the layers need to know of the backend they run on: one question, one place."""

import keras


def prefers_flat_matmul():
    """True where a product of two matrices beats one over more axes: TensorFlow without XLA."""
    return keras.backend.backend() == "tensorflow" and not _inside_xla()


def _inside_xla():
    # Keras has loaded TensorFlow already where this runs. TensorFlow has no public name for the
    # question "is this being traced for XLA?"; this is the function its own layers ask.
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
