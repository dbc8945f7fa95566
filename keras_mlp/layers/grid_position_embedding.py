"""Learned position embeddings on a stored grid, interpolated to the grid of the tokens."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mlp.arguments import check_initializer, check_pair, clone_initializer
from keras_mlp.layers.resampling import bilinear_matrix
from keras_mlp.layers.token_grid import Grids
from keras_mlp.typing import Config, Initializer, Pair, Shape, Tensor


@keras.saving.register_keras_serializable("keras_mlp")
class GridPositionEmbedding(keras.layers.Layer):
    """Adds learned position embeddings that are stored on a grid of their own.

    As in FF-only (Melas-Kyriazi, arXiv:2105.02723), and unlike the Vision Transformer, every call
    interpolates the stored grid if the tokens form a different one: bilinear, with half-pixel
    centres and without antialiasing. The class token has its own embedding.

    Args:
        grid: (h, w) of the tokens after the class token, or one number for both.
        stored_grid: (height, width) of the stored embeddings; None for the grid of the tokens.
        initializer: initializer of all embeddings; None for the paper's, normal with a standard
            deviation of 0.02.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: (B, 1 + h * w, C).
        grids: for tokens of another grid than `grid`, (`grid`, their grid).

    Shapes: (B, 1 + h * w, C) -> (B, 1 + h * w, C).

    Raises:
        ValueError: an argument is out of range, or the number of tokens does not match `grid`.

    >>> tuple(GridPositionEmbedding((2, 3), stored_grid=14)(numpy.ones((2, 7, 8))).shape)
    (2, 7, 8)
    """

    def __init__(
        self,
        grid: Pair,
        stored_grid: Pair | None = None,
        initializer: Initializer = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.grid = check_pair("grid", grid)
        self.stored_grid = check_pair("stored_grid", grid if stored_grid is None else stored_grid)
        if initializer is None:
            initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.initializer = check_initializer("initializer", initializer)

    def build(self, input_shape: Shape) -> None:
        if input_shape[1] != 1 + self.grid[0] * self.grid[1]:
            raise ValueError(
                f"`grid`={self.grid} and a class token need {1 + self.grid[0] * self.grid[1]} "
                f"tokens, got {input_shape[1]}."
            )
        channels = input_shape[-1]
        self.class_token = self.add_weight(
            name="class_token",
            shape=(1, 1, channels),
            initializer=clone_initializer(self.initializer),
        )
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(*self.stored_grid, channels),
            initializer=clone_initializer(self.initializer),
        )
        self.built = True

    def call(self, inputs: Tensor, grids: Grids | None = None) -> Tensor:
        positions, grid = self.embeddings, self.grid if grids is None else grids[1]
        if self.stored_grid != grid:
            positions = self._interpolated(positions, grid)
        positions = ops.reshape(positions, (1, -1, inputs.shape[-1]))
        return inputs + ops.concatenate([self.class_token, positions], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "grid": self.grid,
            "stored_grid": self.stored_grid,
            "initializer": keras.initializers.serialize(self.initializer),
        }

    def _interpolated(self, positions: Tensor, grid: tuple[int, int]) -> Tensor:
        # Matmuls run everywhere; the gradient of the image operation does not.
        for axis, form in enumerate(("oi,ixc->oxc", "oi,yic->yoc")):
            matrix = bilinear_matrix(self.stored_grid[axis], grid[axis])
            matrix = ops.cast(matrix.astype(np.float32), positions.dtype)
            positions = ops.einsum(form, matrix, positions)
        return positions
