"""Learned position embeddings, one vector per token."""

from typing import Any

import keras

from keras_mlp.arguments import check_initializer
from keras_mlp.layers.resampling import bicubic_antialias_matrix
from keras_mlp.layers.token_grid import Grids, along_grid
from keras_mlp.typing import Config, Initializer, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class PositionEmbedding(keras.layers.Layer):
    """Adds a learned vector to every token (Dosovitskiy et al., arXiv:2010.11929).

    The class token, if there is one, has a vector too. The table is made for a fixed number of
    tokens N; `keras_mlp.weights.resize_positions` interpolates it to another image size. So does a
    call with `grids`, by the default method of that function.

    Args:
        initializer: initializer of the table; None for the paper's, normal with a standard
            deviation of 0.02.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: (B, N, C).
        grids: (grid of the table, grid of the tokens), each (h, w), for tokens of another grid than
            that of the table; tokens in front of the grid keep their vectors.

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

    def call(self, inputs: Tensor, grids: Grids | None = None) -> Tensor:
        if grids is None:
            return inputs + self.embeddings
        grid, new_grid = grids
        matrices = [
            None if size == new_size else bicubic_antialias_matrix(size, new_size)
            for size, new_size in zip(grid, new_grid, strict=True)
        ]
        front_tokens = self.embeddings.shape[1] - grid[0] * grid[1]
        return inputs + along_grid(self.embeddings, 1, grid, matrices, front_tokens)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}
