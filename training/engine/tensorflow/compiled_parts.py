"""The parts of a training step that XLA computes faster than TensorFlow on a CPU."""

import contextlib
from collections.abc import Iterator

from keras_mlp.layers.activations import gelu_computed_by
from keras_mlp.layers.layer_normalization import layer_norm_computed_by
from training.engine.tensorflow.compiled_gelu import compiled_gelu
from training.engine.tensorflow.compiled_layer_norm import compiled_layer_norm


@contextlib.contextmanager
def compiled_parts() -> Iterator[None]:
    """Makes models compute GELU and LayerNorm, and their gradients, by XLA inside a `with` block.

    The products around them stay with oneDNN.
    """
    with (
        gelu_computed_by(compiled_gelu),
        layer_norm_computed_by(lambda dtype: compiled_layer_norm),
    ):
        yield
