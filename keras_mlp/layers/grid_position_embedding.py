"""Learned positions on a stored grid, interpolated to the grid of the tokens."""

import keras
import numpy as np
from keras import ops

from keras_mlp.arguments import check_pair
from keras_mlp.layers.resampling import bilinear_matrix


@keras.saving.register_keras_serializable("keras_mlp")
class GridPositionEmbedding(keras.layers.Layer):
    """Adds learned positions that are stored on a grid of their own.

    As in FF-only (Melas-Kyriazi, arXiv:2105.02723) and not in the Vision Transformer: where the
    tokens form another grid, the stored one is interpolated in every call: bilinear, pixel centres
    at halves, no antialiasing. The class token has a vector of its own.

    Args:
        grid: (h, w) of the tokens behind the class token, or one number for both.
        stored_grid: (height, width) of the stored positions; None for that of the tokens.
        initializer: of all positions; None for the paper's, normal with a deviation of 0.02.
        **kwargs: as for `keras.layers.Layer`.

    Shapes: (B, 1 + h * w, C) -> (B, 1 + h * w, C).

    Raises:
        ValueError: an argument is out of range, or the tokens do not form the grid.

    >>> tuple(GridPositionEmbedding((2, 3), stored_grid=14)(numpy.ones((2, 7, 8))).shape)
    (2, 7, 8)
    """

    def __init__(self, grid, stored_grid=None, initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.grid = check_pair("grid", grid)
        self.stored_grid = check_pair("stored_grid", grid if stored_grid is None else stored_grid)
        self.initializer = keras.initializers.get(
            initializer or keras.initializers.RandomNormal(stddev=0.02)
        )

    def build(self, input_shape):
        if input_shape[1] != 1 + self.grid[0] * self.grid[1]:
            raise ValueError(
                f"`grid`={self.grid} and a class token need {1 + self.grid[0] * self.grid[1]} "
                f"tokens, got {input_shape[1]}."
            )
        channels = input_shape[-1]
        self.class_token = self.add_weight(
            name="class_token", shape=(1, 1, channels), initializer=self.initializer.clone()
        )
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(*self.stored_grid, channels),
            initializer=self.initializer.clone(),
        )
        self.built = True

    def call(self, inputs):
        positions = self.embeddings
        if self.stored_grid != self.grid:
            positions = self._interpolated(positions)
        positions = ops.reshape(positions, (1, -1, inputs.shape[-1]))
        return inputs + ops.concatenate([self.class_token, positions], axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "grid": self.grid,
            "stored_grid": self.stored_grid,
            "initializer": keras.initializers.serialize(self.initializer),
        }

    def _interpolated(self, positions):
        # Products of matrices: every runtime has them, unlike the image operation's gradient.
        for axis, form in enumerate(("oi,ixc->oxc", "oi,yic->yoc")):
            matrix = bilinear_matrix(self.stored_grid[axis], self.grid[axis])
            matrix = ops.cast(matrix.astype(np.float32), positions.dtype)
            positions = ops.einsum(form, matrix, positions)
        return positions
