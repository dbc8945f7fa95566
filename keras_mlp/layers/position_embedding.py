"""Learned position embeddings, one vector per token."""

from typing import Any

import keras

from keras_mlp.arguments import check_initializer
from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to every token (Dosovitskiy et al., arXiv:2010.11929).

    The class token, if there is one, has a vector too. The table is made for a fixed number of
    tokens N; `keras_mlp.weights.resize_positions` interpolates it to another image size.

    Args:
        initializer: initializer of the table; None for the paper's, normal with a standard
            deviation of 0.02.
        **kwargs: arguments of `keras.layers.Layer`.

    Shapes: (B, N, C) -> (B, N, C).

    >>> tuple(PositionEmbedding()(numpy.ones((2, 5, 8))).shape)
    (2, 5, 8)
    """

    def __init__(self, initializer: Initializer = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if initializer is None:
            initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.initializer = check_initializer("initializer", initializer)

    def build(self, input_shape: Shape) -> None:
        self.embeddings = self.add_weight(
            name="embeddings", shape=(1, *input_shape[1:]), initializer=self.initializer
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs + self.embeddings

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}
